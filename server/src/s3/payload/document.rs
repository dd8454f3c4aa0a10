//! Small bodies read whole: XML request documents, with their length and digests checked.

use std::sync::Arc;
use std::time::Duration;

use sha2::Digest as _;
use subtle::ConstantTimeEq;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::PayloadMode;
use super::body::{RequestBody, too_slow};
use super::expect::{Checksums, Length, expected, trailer_value};
use crate::bodies::incoming::Expected;
use crate::bodies::incoming::digests::ChecksumValue;
use crate::s3::authentication::ChunkSigner;
use crate::s3::error::{S3Error, S3ErrorCode};
use crate::s3::failure::{checksum_mismatch, sha256_mismatch};
use crate::s3::head::Headers;

/// The rules for reading a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DocumentRules {
    bytes_max: u64,
    length: Length,
    checksums: Checksums,
}

impl DocumentRules {
    /// `CreateBucketConfiguration`: a region and some tags, or nothing.
    pub(crate) const CONFIGURATION: DocumentRules = DocumentRules {
        bytes_max: 64 * 1024,
        length: Length::Optional,
        checksums: Checksums::OfBody,
    };

    /// A list of names: 1000 keys of 1024 bytes, each byte a character reference of 6, are 6 MB.
    pub(crate) const NAMES: DocumentRules = DocumentRules {
        bytes_max: 8 * 1024 * 1024,
        length: Length::Optional,
        checksums: Checksums::OfBody,
    };

    /// A list of parts: 10,000 with a checksum are 3 MB. Checksum headers describe the object, not the document.
    pub(crate) const PARTS: DocumentRules = DocumentRules {
        bytes_max: 8 * 1024 * 1024,
        length: Length::Required,
        checksums: Checksums::OfObject,
    };
}

/// Bytes of documents that may be in memory at one time, of all requests together: three of the largest, hundreds of
/// usual ones.
const DOCUMENTS_BYTES_MAX: usize = 32 * 1024 * 1024;

/// One permit of the budget. A document takes at least one.
const PERMIT_BYTES: usize = 1024;

/// Longest wait for the budget.
const BUDGET_WAIT_MAX: Duration = Duration::from_secs(10);

/// Longest time for a whole document, so that a client that drips does not keep its share.
const READ_TIME_MAX: Duration = Duration::from_mins(1);

/// The memory that documents share.
#[derive(Debug)]
pub(crate) struct DocumentBudget(Arc<Semaphore>);

impl DocumentBudget {
    pub(crate) fn new() -> DocumentBudget {
        DocumentBudget(Arc::new(Semaphore::new(DOCUMENTS_BYTES_MAX / PERMIT_BYTES)))
    }

    /// Takes the share of a document.
    async fn take(&self, bytes: u64) -> Result<OwnedSemaphorePermit, S3Error> {
        let permits = usize::try_from(bytes).unwrap_or(usize::MAX) / PERMIT_BYTES + 1;
        let permits = u32::try_from(permits).unwrap_or(u32::MAX);
        let taken = Arc::clone(&self.0).acquire_many_owned(permits);
        match tokio::time::timeout(BUDGET_WAIT_MAX, taken).await {
            Ok(taken) => Ok(taken.expect("the budget is never closed")),
            Err(_) => Err(S3Error::new(
                S3ErrorCode::SlowDown,
                "Too many large requests at one time. Please reduce your request rate.",
            )),
        }
    }
}

/// A document, and whether it is protected.
#[derive(Debug, Default)]
pub(crate) struct Document {
    pub(crate) bytes: Vec<u8>,
    /// Its share of the memory, until the request ends: what is made of it is about as large.
    _share: Option<OwnedSemaphorePermit>,
    /// Whether a signature, Content-MD5 or checksum covers it.
    pub(crate) covered: bool,
}

impl Document {
    /// Reads a whole body.
    ///
    /// # Errors
    /// `MaxMessageLengthExceeded`, and errors of the body or its headers.
    pub(crate) async fn read(
        headers: Headers<'_>,
        mode: PayloadMode,
        chunks: Option<&ChunkSigner>,
        body: &mut RequestBody,
        rules: DocumentRules,
        budget: &DocumentBudget,
    ) -> Result<Document, S3Error> {
        let length = match rules.length {
            Length::Optional if !body.is_empty() => Length::Required,
            length => length,
        };
        let expected = expected(headers, mode, length, rules.checksums)?;
        if expected
            .length
            .is_some_and(|length| length > rules.bytes_max)
        {
            return Err(S3Error::new(
                S3ErrorCode::MaxMessageLengthExceeded,
                "Your request was too big.",
            )
            .with_field("MaxMessageLengthBytes", rules.bytes_max.to_string()));
        }
        let share = budget.take(expected.length.unwrap_or(0)).await?;
        body.expect(mode, chunks, &expected);
        let bytes = tokio::time::timeout(READ_TIME_MAX, whole(body)).await;
        let bytes = bytes.map_err(|_| too_slow())??;
        check(&expected, &bytes, body.trailers())?;
        let signed = matches!(
            mode,
            PayloadMode::Signed { .. } | PayloadMode::SignedChunks { .. }
        );
        Ok(Document {
            bytes,
            _share: Some(share),
            covered: signed || expected.md5.is_some() || expected.checksum.is_some(),
        })
    }
}

async fn whole(body: &mut RequestBody) -> Result<Vec<u8>, S3Error> {
    let mut bytes = Vec::new();
    while let Some(piece) = body.next().await? {
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes)
}

fn check(expected: &Expected, bytes: &[u8], trailers: &[(String, String)]) -> Result<(), S3Error> {
    if let Some(said) = expected.md5 {
        let computed: [u8; 16] = md5::Md5::digest(bytes).into();
        if !same(&said, &computed) {
            return Err(S3Error::new(
                S3ErrorCode::BadDigest,
                "The Content-MD5 you specified did not match what we received.",
            )
            .with_field("ExpectedDigest", hex::encode(said))
            .with_field("CalculatedDigest", hex::encode(computed)));
        }
    }
    if let Some(said) = expected.sha256 {
        let computed: [u8; 32] = sha2::Sha256::digest(bytes).into();
        if !same(&said, &computed) {
            return Err(sha256_mismatch(&hex::encode(said), &hex::encode(computed)));
        }
    }
    if let Some((algorithm, value)) = &expected.checksum {
        let said = match value {
            ChecksumValue::Known(value) => value.clone(),
            ChecksumValue::InTrailer => trailer_value(*algorithm, trailers)?,
            ChecksumValue::Computed => return Ok(()),
        };
        if !same(&said, &algorithm.digest(bytes)) {
            return Err(checksum_mismatch(algorithm.name()));
        }
    }
    Ok(())
}

fn same(a: &[u8], b: &[u8]) -> bool {
    a.ct_eq(b).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each connection could hold a whole document, a thousand of them gigabytes.
    #[tokio::test]
    async fn large_documents_wait_for_each_other_and_small_ones_fit_in_between() {
        const SOON: Duration = Duration::from_millis(50);
        let (budget, largest) = (DocumentBudget::new(), DocumentRules::NAMES.bytes_max);
        let mut shares = Vec::new();
        while let Ok(share) = tokio::time::timeout(SOON, budget.take(largest)).await {
            shares.push(share.expect("there is room"));
        }
        assert_eq!(shares.len(), 3, "each takes a permit more than its bytes");
        let small = tokio::time::timeout(SOON, budget.take(100_000)).await;
        let _small = small
            .expect("there is room for a usual one")
            .expect("taken");
        drop(shares.pop());
        let next = tokio::time::timeout(SOON, budget.take(largest)).await;
        let _next = next.expect("one has gone").expect("taken");
    }
}

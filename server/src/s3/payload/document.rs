//! Small bodies read whole: XML request documents, with their length and digests checked.

use sha2::Digest as _;
use subtle::ConstantTimeEq;

use super::PayloadMode;
use super::body::RequestBody;
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

/// A document, and whether it is protected.
#[derive(Debug, Default)]
pub(crate) struct Document {
    pub(crate) bytes: Vec<u8>,
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
        body.expect(mode, chunks, &expected);
        let mut bytes = Vec::new();
        while let Some(piece) = body.next().await? {
            bytes.extend_from_slice(&piece);
        }
        check(&expected, &bytes, body.trailers())?;
        let signed = matches!(
            mode,
            PayloadMode::Signed { .. } | PayloadMode::SignedChunks { .. }
        );
        Ok(Document {
            bytes,
            covered: signed || expected.md5.is_some() || expected.checksum.is_some(),
        })
    }
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

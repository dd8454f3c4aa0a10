//! Small bodies read whole: the XML documents of requests, with every promise about them checked.

use bytes::Bytes;
use hyper::body::Body;
use hyper::header::CONTENT_LENGTH;
use sha2::Digest as _;
use subtle::ConstantTimeEq;

use crate::s3::error::{S3Error, S3ErrorCode};
use crate::s3::failure::{checksum_mismatch, sha256_mismatch};
use crate::s3::payload::PayloadMode;
use crate::s3::payload::expect::BodyPromise;
use crate::s3::service::Call;

/// Largest document: 1000 keys of 1024 bytes, each byte a character reference of 6, are 6 MB; 10,000 parts with a
/// checksum are 3 MB.
pub(super) const DOCUMENT_BYTES_MAX: u64 = 8 * 1024 * 1024;

/// A document and what vouches for it.
pub(super) struct Document {
    pub(super) bytes: Vec<u8>,
    /// Whether a signature, Content-MD5 or checksum covers it.
    pub(super) covered: bool,
}

/// Reads a whole body.
pub(super) async fn read<B>(call: &mut Call<'_, B>, bytes_max: u64) -> Result<Document, S3Error>
where
    B: Body<Data = Bytes> + Unpin + Send,
    B::Error: std::error::Error + Send + Sync + 'static,
{
    let (headers, mode) = (&call.parts.headers, call.auth.payload);
    let nothing = call.body.is_empty() && !headers.contains_key(CONTENT_LENGTH);
    let promise = if nothing {
        BodyPromise::of_nothing(headers, mode)?
    } else {
        BodyPromise::read(headers, mode)?
    };
    collect(call, promise, bytes_max).await
}

/// Reads a whole body whose request's checksum headers speak of an object.
pub(super) async fn read_about_object<B>(
    call: &mut Call<'_, B>,
    bytes_max: u64,
) -> Result<Document, S3Error>
where
    B: Body<Data = Bytes> + Unpin + Send,
    B::Error: std::error::Error + Send + Sync + 'static,
{
    let promise = BodyPromise::read_without_checksum(&call.parts.headers, call.auth.payload)?;
    collect(call, promise, bytes_max).await
}

async fn collect<B>(
    call: &mut Call<'_, B>,
    promise: BodyPromise,
    bytes_max: u64,
) -> Result<Document, S3Error>
where
    B: Body<Data = Bytes> + Unpin + Send,
    B::Error: std::error::Error + Send + Sync + 'static,
{
    if promise.length > bytes_max {
        return Err(S3Error::new(
            S3ErrorCode::MaxMessageLengthExceeded,
            "Your request was too big.",
        )
        .with_field("MaxMessageLengthBytes", bytes_max.to_string()));
    }
    let mode = call.auth.payload;
    call.body.expect(mode, &call.auth.chunks, promise.length);
    let mut bytes = Vec::new();
    while let Some(piece) = call.body.next().await? {
        bytes.extend_from_slice(&piece);
    }
    check(&promise, &bytes, call.body.trailers())?;
    let signed = matches!(
        mode,
        PayloadMode::Signed { .. } | PayloadMode::SignedChunks { .. }
    );
    Ok(Document {
        bytes,
        covered: signed || promise.md5.is_some() || promise.checksum.is_some(),
    })
}

fn check(
    promise: &BodyPromise,
    bytes: &[u8],
    trailers: &[(String, String)],
) -> Result<(), S3Error> {
    if let Some(said) = promise.md5 {
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
    if let Some(said) = promise.sha256 {
        let computed: [u8; 32] = sha2::Sha256::digest(bytes).into();
        if !same(&said, &computed) {
            return Err(sha256_mismatch(&hex::encode(said), &hex::encode(computed)));
        }
    }
    if let Some(checksum) = &promise.checksum {
        let algorithm = checksum.algorithm();
        if !same(&checksum.value(trailers)?, &algorithm.digest(bytes)) {
            return Err(checksum_mismatch(algorithm.name()));
        }
    }
    Ok(())
}

fn same(a: &[u8], b: &[u8]) -> bool {
    a.ct_eq(b).into()
}

//! Object calls: get (complete or a range) and head, and code shared with uploads.
//!
//! Uploaded bytes are protected end to end: always by a signed CRC32 header, and over plain HTTP also by the signed SHA-256.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hyper::header::{
    CONTENT_LENGTH, CONTENT_TYPE, ETAG, HeaderName, IF_MATCH, LAST_MODIFIED, RANGE,
};
use hyper::http::response;
use hyper::{Method, StatusCode};
use sha2::{Digest as _, Sha256};
use time::OffsetDateTime;

use super::body::BodyStream;
use super::dates;
use super::error::{Operation, S3Error, S3ErrorKind};
use super::exchange::{Call, S3Client};
use super::signing::{Payload, PayloadHash};

/// Limit for answers without content; a longer answer is not from S3.
const SHORT_ANSWER_BYTES_MAX: usize = 64 * 1024;
/// Hashing more than this takes over 0.1 ms, so it runs off the event loop.
const INLINE_DIGEST_BYTES_MAX: usize = 128 * 1024;
const METADATA_PREFIX: &str = "x-amz-meta-";

/// Content type and metadata of a new object.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PutOptions {
    /// `Content-Type`; `None` means the server's default.
    pub content_type: Option<String>,
    /// User metadata: names without `x-amz-meta-`, values in printable ASCII.
    pub metadata: BTreeMap<String, String>,
}

/// The server's answer about a stored object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PutResult {
    /// The entity tag without quotes.
    pub etag: String,
}

/// The header of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectHead {
    /// The object's size in bytes.
    pub size: u64,
    /// The entity tag without quotes.
    pub etag: String,
    /// When it was stored, if the server says so.
    pub last_modified: Option<OffsetDateTime>,
    /// User metadata, names without `x-amz-meta-`.
    pub metadata: BTreeMap<String, String>,
}

/// The header of an object and the stream of its bytes.
#[derive(Debug)]
pub struct GetObject {
    /// Length of `body`: the complete object or the requested range.
    pub len: u64,
    /// The entity tag without quotes.
    pub etag: String,
    /// When it was stored, if the server says so.
    pub last_modified: Option<OffsetDateTime>,
    /// User metadata, names without `x-amz-meta-`.
    pub metadata: BTreeMap<String, String>,
    /// The bytes.
    pub body: BodyStream,
}

impl S3Client {
    /// Reads an object, or the bytes `range` of it, as a stream.
    ///
    /// # Errors
    /// [`S3ErrorKind::NotFound`] if it does not exist; the stream reports later failures.
    pub async fn get_object(
        &self,
        bucket: &str,
        key: &str,
        range: Option<RangeInclusive<u64>>,
    ) -> Result<GetObject, S3Error> {
        self.get(bucket, key, range, None).await
    }

    /// As [`Self::get_object`], but only if the object still has this entity tag: for resuming a download.
    ///
    /// # Errors
    /// `PreconditionFailed` (see [`S3Error::code`]) if the object was replaced.
    pub async fn get_object_if_match(
        &self,
        bucket: &str,
        key: &str,
        range: Option<RangeInclusive<u64>>,
        etag: &str,
    ) -> Result<GetObject, S3Error> {
        self.get(bucket, key, range, Some(etag)).await
    }

    async fn get(
        &self,
        bucket: &str,
        key: &str,
        range: Option<RangeInclusive<u64>>,
        if_match: Option<&str>,
    ) -> Result<GetObject, S3Error> {
        let mut call = Call::new(Operation::GetObject, Method::GET, Some(bucket), Some(key));
        if let Some(range) = &range {
            call.parts
                .headers
                .push((RANGE, format!("bytes={}-{}", range.start(), range.end())));
        }
        if let Some(etag) = if_match {
            call.parts.headers.push((IF_MATCH, format!("\"{etag}\"")));
        }
        let (parts, body) = self.stream(&call).await?;
        let malformed = |what| self.error(&call, S3ErrorKind::Malformed { what });
        if range.is_some() && parts.status != StatusCode::PARTIAL_CONTENT {
            return Err(malformed("a range was asked for and ignored"));
        }
        let len =
            content_length(&parts).ok_or_else(|| malformed("an object without Content-Length"))?;
        let (client, owned_bucket, owned_key) = (self.clone(), bucket.to_owned(), key.to_owned());
        let error = move |kind| {
            let call = Call::new(
                Operation::GetObject,
                Method::GET,
                Some(&owned_bucket),
                Some(&owned_key),
            );
            client.error(&call, kind)
        };
        Ok(GetObject {
            len,
            etag: etag(&parts),
            last_modified: last_modified(&parts),
            metadata: metadata(&parts),
            body: BodyStream::new(body, len, self.config().limits.idle, error),
        })
    }

    /// Reads the header of an object.
    ///
    /// # Errors
    /// [`S3ErrorKind::NotFound`] if it does not exist.
    pub async fn head_object(&self, bucket: &str, key: &str) -> Result<ObjectHead, S3Error> {
        let call = Call::new(Operation::HeadObject, Method::HEAD, Some(bucket), Some(key));
        let (parts, _bytes) = self.collect(&call, SHORT_ANSWER_BYTES_MAX).await?;
        let size = content_length(&parts).ok_or_else(|| {
            self.error(
                &call,
                S3ErrorKind::Malformed {
                    what: "an object without Content-Length",
                },
            )
        })?;
        Ok(ObjectHead {
            size,
            etag: etag(&parts),
            last_modified: last_modified(&parts),
            metadata: metadata(&parts),
        })
    }

    /// The payload for signing, and its CRC32.
    pub(super) async fn digested(&self, bytes: Bytes) -> (Payload, u32) {
        // Over TLS the bytes cannot be changed in transit, so the expensive hash is omitted, as in AWS' SDKs.
        let sha256_wanted = self.config().endpoint.scheme() == "http";
        if bytes.len() <= INLINE_DIGEST_BYTES_MAX {
            return digest(bytes, sha256_wanted);
        }
        tokio::task::spawn_blocking(move || digest(bytes, sha256_wanted))
            .await
            .expect("hashing does not panic, and the runtime outlives its own task")
    }
}

fn digest(bytes: Bytes, sha256_wanted: bool) -> (Payload, u32) {
    let crc32 = crc32fast::hash(&bytes);
    let hash = if sha256_wanted {
        PayloadHash::Known(hex::encode(Sha256::digest(&bytes)))
    } else {
        PayloadHash::Unsigned
    };
    (Payload { bytes, hash }, crc32)
}

/// A CRC32 in S3's form: base64 of its four bytes, most significant first.
pub(super) fn crc32_base64(crc32: u32) -> String {
    STANDARD.encode(crc32.to_be_bytes())
}

pub(super) fn option_headers(
    options: &PutOptions,
) -> Result<Vec<(HeaderName, String)>, S3ErrorKind> {
    let mut headers = Vec::new();
    if let Some(content_type) = &options.content_type {
        headers.push((CONTENT_TYPE, content_type.clone()));
    }
    for (name, value) in &options.metadata {
        let header = HeaderName::try_from(format!("{METADATA_PREFIX}{name}")).map_err(|_| {
            super::InvalidInput::HeaderValue {
                name: format!("{METADATA_PREFIX}{name}"),
            }
        })?;
        headers.push((header, value.clone()));
    }
    Ok(headers)
}

/// The entity tag without quotes; empty if there is none.
pub(super) fn etag(parts: &response::Parts) -> String {
    header(parts, &ETAG)
        .unwrap_or_default()
        .trim_matches('"')
        .to_owned()
}

fn content_length(parts: &response::Parts) -> Option<u64> {
    header(parts, &CONTENT_LENGTH)?.parse().ok()
}

fn last_modified(parts: &response::Parts) -> Option<OffsetDateTime> {
    header(parts, &LAST_MODIFIED).and_then(dates::from_http)
}

fn metadata(parts: &response::Parts) -> BTreeMap<String, String> {
    let entry = |name: &HeaderName, value: &hyper::header::HeaderValue| {
        let name = name.as_str().strip_prefix(METADATA_PREFIX)?;
        Some((
            name.to_owned(),
            String::from_utf8_lossy(value.as_bytes()).into_owned(),
        ))
    };
    parts
        .headers
        .iter()
        .filter_map(|(name, value)| entry(name, value))
        .collect()
}

fn header<'a>(parts: &'a response::Parts, name: &HeaderName) -> Option<&'a str> {
    parts.headers.get(name)?.to_str().ok()
}

//! Multipart uploads: create, upload parts, complete, abort.
//!
//! Each part has a signed CRC32, which is sent again on completion, so a part that was stored wrong cannot become part of an
//! object. If the answer of a completion is lost, the client checks the object instead of guessing.

use bytes::Bytes;
use hyper::Method;
use hyper::header::{HeaderName, IF_NONE_MATCH};
use hyper::http::response;

use super::error::{InvalidInput, Operation, S3Error, S3ErrorKind};
use super::exchange::{Call, S3Client};
use super::objects::{PutOptions, PutResult, crc32_base64, etag, option_headers};
use super::retry::Repeat;
use super::signing::Payload;
use super::xml::{self, Element};

/// S3's own limit of parts per upload.
pub const PARTS_MAX: u32 = 10_000;
/// Headers of an answer about an encrypted object.
const ENCRYPTION: [&str; 2] = [
    "x-amz-server-side-encryption",
    "x-amz-server-side-encryption-customer-algorithm",
];
/// Limit for short XML answers.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// A server's id of an open upload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UploadId(String);

impl UploadId {
    /// The text, for messages.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A stored part, as needed for completion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartTag {
    number: u32,
    etag: String,
    crc32: u32,
}

impl PartTag {
    pub(super) fn new(number: u32, etag: String, crc32: u32) -> Self {
        Self {
            number,
            etag,
            crc32,
        }
    }

    /// 1 to [`PARTS_MAX`].
    pub fn number(&self) -> u32 {
        self.number
    }

    /// The part's entity tag without quotes.
    pub fn etag(&self) -> &str {
        &self.etag
    }

    pub(super) fn crc32_base64(&self) -> String {
        crc32_base64(self.crc32)
    }
}

/// What to do with an object that already has the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    /// Replace it.
    Replace,
    /// Keep it and fail.
    Keep,
}

impl S3Client {
    /// Creates an upload. Its parts are invisible until it is completed, and use space until it is completed or aborted.
    ///
    /// # Errors
    /// [`S3ErrorKind::NotFound`] if the bucket does not exist.
    pub async fn create_upload(
        &self,
        bucket: &str,
        key: &str,
        options: &PutOptions,
    ) -> Result<UploadId, S3Error> {
        let mut call = Call::new(
            Operation::CreateUpload,
            Method::POST,
            Some(bucket),
            Some(key),
        );
        call.repeat = Repeat::UnlessDone;
        call.parts.query.push(("uploads", ""));
        call.parts
            .headers
            .extend(option_headers(options).map_err(|kind| self.error(&call, kind))?);
        call.parts.headers.push((
            HeaderName::from_static("x-amz-checksum-algorithm"),
            "CRC32".to_owned(),
        ));
        let (_parts, bytes) = self.collect(&call, ANSWER_BYTES_MAX).await?;
        let root = self.xml(&call, &bytes)?;
        let id = root.child_text("UploadId").filter(|id| !id.is_empty());
        id.map(|id| UploadId(id.to_owned())).ok_or_else(|| {
            self.error(
                &call,
                S3ErrorKind::Malformed {
                    what: "an upload without an id",
                },
            )
        })
    }

    /// Stores one part; a repeated number replaces it.
    ///
    /// # Errors
    /// [`S3ErrorKind::NotFound`] if the upload was aborted or completed.
    pub async fn upload_part(
        &self,
        bucket: &str,
        key: &str,
        upload: &UploadId,
        number: u32,
        bytes: Bytes,
    ) -> Result<PartTag, S3Error> {
        let mut call = Call::new(Operation::UploadPart, Method::PUT, Some(bucket), Some(key));
        if !(1..=PARTS_MAX).contains(&number) {
            return Err(self.error(
                &call,
                S3ErrorKind::Invalid(InvalidInput::PartNumber { number }),
            ));
        }
        let number_text = number.to_string();
        call.parts.query.extend([
            ("partNumber", number_text.as_str()),
            ("uploadId", upload.as_str()),
        ]);
        let (payload, crc32) = self.digested(bytes).await;
        call.parts.payload = payload;
        call.parts.headers.push((
            HeaderName::from_static("x-amz-checksum-crc32"),
            crc32_base64(crc32),
        ));
        let (parts, _bytes) = self.collect(&call, ANSWER_BYTES_MAX).await?;
        let etag = etag(&parts);
        if etag.is_empty() {
            return Err(self.error(
                &call,
                S3ErrorKind::Malformed {
                    what: "a part without an entity tag",
                },
            ));
        }
        Ok(PartTag::new(number, etag, crc32))
    }

    /// Joins the parts, in the given order (ascending numbers), into the object.
    ///
    /// # Errors
    /// If a part is missing or the server refuses it. Then nothing is visible, and the upload can still be aborted. If the object
    /// exists and must not be replaced, [`S3Error::is_taken`].
    pub async fn complete_upload(
        &self,
        bucket: &str,
        key: &str,
        upload: &UploadId,
        parts: &[PartTag],
        existing: Existing,
    ) -> Result<PutResult, S3Error> {
        let joined = joined_etag(parts);
        match self.complete(bucket, key, upload, parts, existing).await {
            // The answer of an earlier try may be lost. Then the server does not know the upload any more, or finds our own object.
            Err(error)
                if error.attempts() > 1
                    && (error.code() == Some("NoSuchUpload") || error.is_taken()) =>
            {
                match self.head_object(bucket, key).await {
                    Ok(head) if Some(&head.etag) == joined.as_ref() => {
                        Ok(PutResult { etag: head.etag })
                    }
                    _ => Err(error),
                }
            }
            // A server without conditional writes: looking first leaves only the moment in between.
            Err(error) if existing == Existing::Keep && error.code() == Some("NotImplemented") => {
                if self.head_object(bucket, key).await.is_ok() {
                    return Err(error.into_taken());
                }
                self.complete(bucket, key, upload, parts, Existing::Replace)
                    .await
            }
            outcome => outcome,
        }
    }

    async fn complete(
        &self,
        bucket: &str,
        key: &str,
        upload: &UploadId,
        parts: &[PartTag],
        existing: Existing,
    ) -> Result<PutResult, S3Error> {
        let mut call = Call::new(
            Operation::CompleteUpload,
            Method::POST,
            Some(bucket),
            Some(key),
        );
        call.answer = self.config().limits.complete;
        call.parts.query.push(("uploadId", upload.as_str()));
        call.parts.payload = Payload::short(Bytes::from(xml::complete_document(parts)));
        if existing == Existing::Keep {
            call.parts.headers.push((IF_NONE_MATCH, "*".to_owned()));
        }
        let (head, bytes) = self.collect(&call, ANSWER_BYTES_MAX).await?;
        let root = self.xml(&call, &bytes)?;
        let etag = completed_etag(&root, is_encrypted(&head), parts)
            .map_err(|kind| self.error(&call, kind))?;
        Ok(PutResult { etag })
    }

    /// Aborts an upload and frees its parts. A missing upload is not an error.
    ///
    /// # Errors
    /// If the server cannot be reached or refuses it.
    pub async fn abort_upload(
        &self,
        bucket: &str,
        key: &str,
        upload: &UploadId,
    ) -> Result<(), S3Error> {
        let mut call = Call::new(
            Operation::AbortUpload,
            Method::DELETE,
            Some(bucket),
            Some(key),
        );
        call.parts.query.push(("uploadId", upload.as_str()));
        match self.collect(&call, ANSWER_BYTES_MAX).await {
            Err(error) if !error.is_not_found() => Err(error),
            _ => Ok(()),
        }
    }
}

/// The entity tag in the answer of a completion. A success whose answer is not S3's, or whose object is joined from other parts
/// than ours, is no success.
fn completed_etag(
    root: &Element,
    encrypted: bool,
    parts: &[PartTag],
) -> Result<String, S3ErrorKind> {
    if root.name != "CompleteMultipartUploadResult" {
        return Err(S3ErrorKind::Malformed {
            what: "a completed upload whose answer is another document",
        });
    }
    let etag = root.child_text("ETag").unwrap_or_default().trim();
    let etag = etag.trim_matches('"').to_owned();
    match joined_etag(parts) {
        Some(joined) if !encrypted && is_joined(&etag) && etag != joined => {
            Err(S3ErrorKind::Integrity {
                what: "entity tag of the object joined from the parts",
                expected: joined,
                actual: etag,
            })
        }
        _ if etag.is_empty() => Err(S3ErrorKind::Malformed {
            what: "a completed upload without an entity tag",
        }),
        _ => Ok(etag),
    }
}

/// Whether a tag has S3's form for joined objects. Other stores have tags of their own, which prove nothing.
fn is_joined(etag: &str) -> bool {
    etag.split_once('-').is_some_and(|(digest, count)| {
        digest.len() == 32
            && digest.bytes().all(|byte| byte.is_ascii_hexdigit())
            && count.parse::<u32>().is_ok()
    })
}

/// Tags of encrypted objects are not made of MD5s.
fn is_encrypted(head: &response::Parts) -> bool {
    ENCRYPTION
        .iter()
        .any(|name| head.headers.contains_key(*name))
}

/// The entity tag of an object joined from these parts: MD5 of the parts' MD5s, then their count. `None` if a part's tag is not
/// an MD5 (encrypted stores), so that nothing can be concluded.
fn joined_etag(parts: &[PartTag]) -> Option<String> {
    use md5::Digest as _;
    let mut joined = md5::Md5::new();
    for part in parts {
        joined.update(<[u8; 16]>::try_from(hex::decode(&part.etag).ok()?).ok()?);
    }
    Some(format!(
        "{}-{}",
        hex::encode(joined.finalize()),
        parts.len()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_completion_is_believed_only_with_its_own_document_and_tag() {
        const RESULT: &str = "CompleteMultipartUploadResult";
        let parts = [PartTag::new(
            1,
            "d41d8cd98f00b204e9800998ecf8427e".to_owned(),
            0,
        )];
        let answer = |root: &str, etag: &str, encrypted| {
            let xml = format!("<{root}><ETag>&quot;{etag}&quot;</ETag></{root}>");
            let root = Element::parse(xml.as_bytes()).expect("well-formed");
            completed_etag(&root, encrypted, &parts)
        };
        let ours = "59adb24ef3cdbe0297f05b395827453f-1";
        let other = "59adb24ef3cdbe0297f05b395827453e-1";
        assert_eq!(answer(RESULT, ours, false).as_deref(), Ok(ours));
        assert!(matches!(
            answer("html", ours, false),
            Err(S3ErrorKind::Malformed { .. })
        ));
        assert!(matches!(
            answer(RESULT, "", false),
            Err(S3ErrorKind::Malformed { .. })
        ));
        assert!(matches!(
            answer(RESULT, other, false),
            Err(S3ErrorKind::Integrity { .. })
        ));
        assert_eq!(answer(RESULT, other, true).as_deref(), Ok(other));
        assert_eq!(answer(RESULT, "opaque", false).as_deref(), Ok("opaque"));
    }

    #[test]
    fn joined_tags_are_s3_s() {
        let empty = "d41d8cd98f00b204e9800998ecf8427e".to_owned();
        let one = PartTag::new(1, empty.clone(), 0);
        assert_eq!(
            joined_etag(std::slice::from_ref(&one)).as_deref(),
            Some("59adb24ef3cdbe0297f05b395827453f-1")
        );
        assert_eq!(
            joined_etag(&[one, PartTag::new(2, "not-md5".to_owned(), 0)]),
            None
        );
    }
}

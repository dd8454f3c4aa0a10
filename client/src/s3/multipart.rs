//! Multipart uploads: create, upload parts, complete, abort.
//!
//! Each part has a signed CRC32, which is sent again on completion, so a part that was stored wrong cannot become part of an
//! object. If the answer of a completion is lost, the client checks the object instead of guessing.

use bytes::Bytes;
use hyper::Method;
use hyper::header::HeaderName;

use super::error::{InvalidInput, Operation, S3Error, S3ErrorKind};
use super::exchange::{Call, S3Client};
use super::objects::{PutOptions, PutResult, crc32_base64, etag, option_headers};
use super::retry::Repeat;
use super::signing::Payload;
use super::xml;

/// S3's own limit of parts per upload.
pub const PARTS_MAX: u32 = 10_000;
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
    /// If a part is missing or the server refuses it. Then nothing is visible, and the upload can still be aborted.
    pub async fn complete_upload(
        &self,
        bucket: &str,
        key: &str,
        upload: &UploadId,
        parts: &[PartTag],
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
        match self.collect(&call, ANSWER_BYTES_MAX).await {
            Ok((_parts, bytes)) => {
                let root = self.xml(&call, &bytes)?;
                let etag = root
                    .child_text("ETag")
                    .unwrap_or_default()
                    .trim_matches('"')
                    .to_owned();
                Ok(PutResult { etag })
            }
            // An earlier try may have succeeded, but its answer was lost. Then the server does not know the upload any more.
            Err(error) if error.code() == Some("NoSuchUpload") && error.attempts() > 1 => {
                let expected = joined_etag(parts);
                match self.head_object(bucket, key).await {
                    Ok(head) if Some(&head.etag) == expected.as_ref() => {
                        Ok(PutResult { etag: head.etag })
                    }
                    _ => Err(error),
                }
            }
            Err(error) => Err(error),
        }
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

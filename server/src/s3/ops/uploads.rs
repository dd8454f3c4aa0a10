//! Multipart uploads: create, upload part, complete, abort.

use hyper::StatusCode;
use hyper::header::HeaderName;

use super::put::{attributes, body_of, take, write_done, write_version};
use crate::bodies::incoming::BodyTarget;
use crate::model::{BucketName, Checksum, ChecksumAlgorithm, ChecksumKind, ObjectKey};
use crate::objects::{CompleteRequest, NewUpload};
use crate::s3::addressing::check_new_key;
use crate::s3::arguments::{part_number, upload_id};
use crate::s3::call::{Answer, Call};
use crate::s3::error::{S3Error, S3ErrorCode};
use crate::s3::head::Headers;
use crate::s3::payload::expect::parse_checksum;
use crate::s3::xml::uploads as xml;
use crate::s3::{conditions, object_headers, reply};
use crate::tables::UploadChecksumKind;

/// CreateMultipartUpload.
pub(crate) async fn create(call: &mut Call<'_>, bucket: &BucketName, key: &ObjectKey) -> Answer {
    check_new_key(key)?;
    let new = NewUpload {
        attributes: attributes(call)?,
        checksum: upload_checksum(call.headers())?,
    };
    let checksum = new.checksum;
    let upload = call.objects().create_upload(bucket, key, new).await?;
    let mut response = reply::xml(StatusCode::OK, xml::upload_created(bucket, key, upload));
    if let Some((algorithm, kind)) = checksum {
        let out = response.headers_mut();
        object_headers::insert(
            out,
            HeaderName::from_static("x-amz-checksum-algorithm"),
            algorithm.name(),
        );
        object_headers::insert(
            out,
            HeaderName::from_static("x-amz-checksum-type"),
            xml::upload_checksum_type(kind),
        );
    }
    Ok(response)
}

/// UploadPart.
pub(crate) async fn put_part(call: &mut Call<'_>, bucket: &BucketName, key: &ObjectKey) -> Answer {
    let (upload, number) = (upload_id(call.query())?, part_number(call.query())?);
    let expected = body_of(call)?;
    let (id, row) = call.objects().upload(bucket, key, upload).await?;
    let wanted = row.checksum.map(|(algorithm, _)| algorithm);
    let promised = expected.checksum.as_ref().map(|(algorithm, _)| *algorithm);
    // Who asked for a checksum of the upload relies on one that the client computed, not on ours of whatever arrived.
    if wanted.is_some() && wanted != promised {
        let name = |of: Option<ChecksumAlgorithm>| of.map_or("null", ChecksumAlgorithm::name);
        return Err(invalid(format!(
            "Checksum Type mismatch occurred, expected checksum Type: {}, actual checksum Type: {}",
            name(wanted),
            name(promised)
        )));
    }
    let target = BodyTarget {
        bucket: id,
        key: key.clone(),
        part: Some((upload, number)),
    };
    let body = take(call, target, expected).await?;
    let part = call
        .objects()
        .put_part(bucket, key, upload, number, body)
        .await?;
    let mut response = reply::empty(StatusCode::OK);
    write_done(response.headers_mut(), part.etag, &part.checksums);
    Ok(response)
}

/// CompleteMultipartUpload.
pub(crate) async fn complete(call: &mut Call<'_>, bucket: &BucketName, key: &ObjectKey) -> Answer {
    let upload = upload_id(call.query())?;
    let wanted = CompleteRequest {
        condition: conditions::for_write(call.headers())?,
        checksum: whole_checksum(call.headers())?,
        size: whole_size(call.headers())?,
        parts: xml::complete_upload(&call.document.bytes)?,
    };
    let done = call
        .objects()
        .complete_upload(bucket, key, upload, wanted)
        .await?;
    let body = xml::upload_completed(bucket, key, call.head.raw_path(), &done);
    let mut response = reply::xml(StatusCode::OK, body);
    write_version(response.headers_mut(), done.version);
    Ok(response)
}

/// AbortMultipartUpload.
pub(crate) async fn abort(call: &mut Call<'_>, bucket: &BucketName, key: &ObjectKey) -> Answer {
    let upload = upload_id(call.query())?;
    call.objects().abort_upload(bucket, key, upload).await?;
    Ok(reply::empty(StatusCode::NO_CONTENT))
}

/// `x-amz-checksum-algorithm` and `x-amz-checksum-type` of a new upload, with S3's defaults. S3 refuses some pairs.
fn upload_checksum(
    headers: Headers<'_>,
) -> Result<Option<(ChecksumAlgorithm, UploadChecksumKind)>, S3Error> {
    let kind = match headers.text("x-amz-checksum-type")? {
        None => None,
        Some("FULL_OBJECT") => Some(UploadChecksumKind::FullObject),
        Some("COMPOSITE") => Some(UploadChecksumKind::Composite),
        Some(_) => return Err(invalid("Value for x-amz-checksum-type header is invalid.")),
    };
    let Some(name) = headers.text("x-amz-checksum-algorithm")? else {
        return match kind {
            None => Ok(None),
            Some(_) => Err(invalid(
                "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.",
            )),
        };
    };
    let algorithm = ChecksumAlgorithm::parse(name).ok_or_else(|| {
        invalid("Checksum algorithm provided is unsupported. Please try again with any of the valid types: [CRC32, CRC32C, CRC64NVME, SHA1, SHA256]")
    })?;
    let combines = !matches!(
        algorithm,
        ChecksumAlgorithm::Sha1 | ChecksumAlgorithm::Sha256
    );
    let kind = match (algorithm, kind) {
        (ChecksumAlgorithm::Crc64Nvme, None | Some(UploadChecksumKind::FullObject)) => {
            UploadChecksumKind::FullObject
        }
        (ChecksumAlgorithm::Crc64Nvme, Some(UploadChecksumKind::Composite)) => {
            return Err(invalid(
                "The COMPOSITE checksum type cannot be used with the crc64nvme checksum algorithm.",
            ));
        }
        (_, Some(UploadChecksumKind::FullObject)) if !combines => {
            return Err(invalid(format!(
                "The FULL_OBJECT checksum type cannot be used with the {} checksum algorithm.",
                algorithm.name().to_ascii_lowercase()
            )));
        }
        (_, kind) => kind.unwrap_or(UploadChecksumKind::Composite),
    };
    Ok(Some((algorithm, kind)))
}

/// The object's checksum in a Complete: `value`, or `value-N` over the parts.
fn whole_checksum(headers: Headers<'_>) -> Result<Option<Checksum>, S3Error> {
    for algorithm in ChecksumAlgorithm::ALL {
        let Some(text) = headers.text(algorithm.header())? else {
            continue;
        };
        let (value, kind) = match text.split_once('-') {
            None => (text, ChecksumKind::FullObject),
            Some((value, parts)) => {
                let parts = parts.parse().map_err(|_| {
                    invalid(format!(
                        "Value for {} header is invalid.",
                        algorithm.header()
                    ))
                })?;
                (value, ChecksumKind::Composite { parts })
            }
        };
        return Ok(Some(Checksum {
            algorithm,
            kind,
            value: parse_checksum(algorithm, value)?,
        }));
    }
    Ok(None)
}

fn whole_size(headers: Headers<'_>) -> Result<Option<u64>, S3Error> {
    const NAME: &str = "x-amz-mp-object-size";
    let Some(text) = headers.text(NAME)? else {
        return Ok(None);
    };
    text.parse()
        .map(Some)
        .map_err(|_| S3Error::invalid_argument(NAME, text, "The size of the object is no number."))
}

fn invalid(message: impl Into<std::borrow::Cow<'static, str>>) -> S3Error {
    S3Error::new(S3ErrorCode::InvalidRequest, message)
}

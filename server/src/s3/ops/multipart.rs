//! Multipart uploads: create, upload part, complete, abort, and their two listings.

use bytes::Bytes;
use hyper::StatusCode;
use hyper::body::Body;
use hyper::header::HeaderName;

use super::document::{self, DOCUMENT_BYTES_MAX};
use super::put::{attributes, take, write_done, write_version};
use crate::ingest::BodyTarget;
use crate::model::{
    BucketName, Checksum, ChecksumAlgorithm, ChecksumKind, ObjectKey, PartNumber, UploadId,
};
use crate::objects::{CompleteRequest, ListUploadsQuery, NewUpload};
use crate::s3::error::{S3Error, S3ErrorCode};
use crate::s3::payload::expect::{BodyPromise, parse_checksum};
use crate::s3::router::{ListParts, ListUploads, parse_key};
use crate::s3::service::{Answer, Call};
use crate::s3::xml::{answer, request};
use crate::s3::{conditions, object_headers, reply};
use crate::schema::UploadChecksumKind;

/// CreateMultipartUpload.
pub(crate) async fn create<B>(call: &Call<'_, B>, bucket: &BucketName, key: &ObjectKey) -> Answer {
    let new = NewUpload {
        attributes: attributes(call)?,
        checksum: upload_checksum(call)?,
    };
    let checksum = new.checksum;
    let upload = call
        .service
        .layers
        .objects
        .create_upload(bucket, key, new)
        .await?;
    let mut response = reply::xml(StatusCode::OK, answer::upload_created(bucket, key, upload));
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
            answer::upload_checksum_type(kind),
        );
    }
    Ok(response)
}

/// UploadPart.
pub(crate) async fn put_part<B>(
    call: &mut Call<'_, B>,
    bucket: &BucketName,
    key: &ObjectKey,
    upload: UploadId,
    number: PartNumber,
) -> Answer
where
    B: Body<Data = Bytes> + Unpin + Send,
    B::Error: std::error::Error + Send + Sync + 'static,
{
    let promise = BodyPromise::read(&call.parts.headers, call.auth.payload)?;
    let (id, row) = call
        .service
        .layers
        .objects
        .upload(bucket, key, upload)
        .await?;
    let wanted = row.checksum.map(|(algorithm, _)| algorithm);
    if let (Some(wanted), Some(promised)) = (wanted, &promise.checksum)
        && wanted != promised.algorithm()
    {
        return Err(invalid(format!(
            "Checksum Type mismatch occurred, expected checksum Type: {}, actual checksum Type: {}",
            wanted.name(),
            promised.algorithm().name()
        )));
    }
    let target = BodyTarget {
        bucket: id,
        key: key.clone(),
        part: Some((upload, number)),
    };
    let body = take(call, target, promise, wanted).await?;
    let part = call
        .service
        .layers
        .objects
        .put_part(bucket, key, upload, number, body)
        .await?;
    let mut response = reply::empty(StatusCode::OK);
    write_done(response.headers_mut(), part.etag, &part.checksums);
    Ok(response)
}

/// CompleteMultipartUpload.
pub(crate) async fn complete<B>(
    call: &mut Call<'_, B>,
    bucket: &BucketName,
    key: &ObjectKey,
    upload: UploadId,
) -> Answer
where
    B: Body<Data = Bytes> + Unpin + Send,
    B::Error: std::error::Error + Send + Sync + 'static,
{
    let condition = conditions::for_write(&call.parts.headers)?;
    let checksum = whole_checksum(call)?;
    let size = whole_size(call)?;
    let document = document::read_about_object(call, DOCUMENT_BYTES_MAX).await?;
    let parts = request::complete_upload(&document.bytes)?;
    let wanted = CompleteRequest {
        parts,
        checksum,
        size,
        condition,
    };
    let done = call
        .service
        .layers
        .objects
        .complete_upload(bucket, key, upload, wanted)
        .await?;
    let body = answer::upload_completed(bucket, key, call.parts.uri.path(), &done);
    let mut response = reply::xml(StatusCode::OK, body);
    write_version(response.headers_mut(), done.version);
    Ok(response)
}

/// AbortMultipartUpload.
pub(crate) async fn abort<B>(
    call: &Call<'_, B>,
    bucket: &BucketName,
    key: &ObjectKey,
    upload: UploadId,
) -> Answer {
    call.service
        .layers
        .objects
        .abort_upload(bucket, key, upload)
        .await?;
    Ok(reply::empty(StatusCode::NO_CONTENT))
}

/// ListParts.
pub(crate) async fn list_parts<B>(
    call: &Call<'_, B>,
    bucket: &BucketName,
    key: &ObjectKey,
    asked: &ListParts,
) -> Answer {
    let objects = &call.service.layers.objects;
    let (_, row) = objects.upload(bucket, key, asked.upload).await?;
    let after = asked.after.map_or(0, PartNumber::get);
    let max = usize::try_from(asked.max_parts).unwrap_or(usize::MAX);
    let (parts, more) = objects
        .list_parts(bucket, key, asked.upload, after, max)
        .await?;
    let page = answer::PartsPage {
        bucket,
        key,
        upload: &row,
        parts: &parts,
        more,
    };
    Ok(reply::xml(StatusCode::OK, answer::list_parts(asked, &page)))
}

/// ListMultipartUploads.
pub(crate) async fn list_uploads<B>(
    call: &Call<'_, B>,
    bucket: &BucketName,
    asked: &ListUploads,
) -> Answer {
    let after = match &asked.key_marker {
        None => None,
        Some(key) => Some((parse_key(key)?, asked.upload_marker)),
    };
    let query = ListUploadsQuery {
        prefix: asked.prefix.clone().unwrap_or_default(),
        after,
        max: usize::try_from(asked.max_uploads).unwrap_or(usize::MAX),
    };
    let (uploads, more) = call
        .service
        .layers
        .objects
        .list_uploads(bucket, query)
        .await?;
    Ok(reply::xml(
        StatusCode::OK,
        answer::list_uploads(bucket, asked, &uploads, more),
    ))
}

/// `x-amz-checksum-algorithm` and `x-amz-checksum-type` of a new upload, with S3's defaults and S3's impossible pairs.
fn upload_checksum<B>(
    call: &Call<'_, B>,
) -> Result<Option<(ChecksumAlgorithm, UploadChecksumKind)>, S3Error> {
    let kind = match call.header("x-amz-checksum-type") {
        None => None,
        Some("FULL_OBJECT") => Some(UploadChecksumKind::FullObject),
        Some("COMPOSITE") => Some(UploadChecksumKind::Composite),
        Some(_) => return Err(invalid("Value for x-amz-checksum-type header is invalid.")),
    };
    let Some(name) = call.header("x-amz-checksum-algorithm") else {
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

/// The object's checksum as Complete names it: `value`, or `value-N` over the parts.
fn whole_checksum<B>(call: &Call<'_, B>) -> Result<Option<Checksum>, S3Error> {
    for algorithm in ChecksumAlgorithm::ALL {
        let Some(text) = call.header(algorithm.header()) else {
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

fn whole_size<B>(call: &Call<'_, B>) -> Result<Option<u64>, S3Error> {
    const NAME: &str = "x-amz-mp-object-size";
    let Some(text) = call.header(NAME) else {
        return Ok(None);
    };
    text.parse()
        .map(Some)
        .map_err(|_| S3Error::invalid_argument(NAME, text, "The size of the object is no number."))
}

fn invalid(message: impl Into<std::borrow::Cow<'static, str>>) -> S3Error {
    S3Error::new(S3ErrorCode::InvalidRequest, message)
}

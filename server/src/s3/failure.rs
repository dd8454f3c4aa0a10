//! Maps the errors of the layers below to S3's.
//!
//! Errors of the client have their own codes. Errors of the disk become 503, which clients retry. Only unforeseen
//! errors become 500. The cause goes to the log, never to the client.

use hyper::header::{HeaderName, HeaderValue};

use crate::bodies::incoming::IngestError;
use crate::objects::ObjectsError;
use crate::s3::arguments::no_such_upload;
use crate::s3::error::{S3Error, S3ErrorCode};
use crate::s3::payload::incomplete_body;
use crate::s3::xml::uploads::invalid_part;
use crate::store::{ErrorClass, StoreError};

impl From<ObjectsError> for S3Error {
    fn from(error: ObjectsError) -> S3Error {
        match error {
            ObjectsError::NoSuchBucket(bucket) => {
                S3Error::new(S3ErrorCode::NoSuchBucket, "The specified bucket does not exist")
                    .with_field("BucketName", bucket.as_str())
            }
            ObjectsError::BucketNotEmpty(bucket) => S3Error::new(
                S3ErrorCode::BucketNotEmpty,
                "The bucket you tried to delete is not empty",
            )
            .with_field("BucketName", bucket.as_str()),
            ObjectsError::TooManyBuckets { max } => S3Error::new(
                S3ErrorCode::TooManyBuckets,
                format!("You have attempted to create more than {max} buckets"),
            ),
            ObjectsError::NoSuchKey(key) | ObjectsError::NothingToMatch(key) => no_such_key(key.as_str()),
            ObjectsError::NoSuchVersion(key) => {
                S3Error::new(S3ErrorCode::NoSuchVersion, "The specified version does not exist.")
                    .with_field("Key", key.as_str())
            }
            ObjectsError::DeleteMarker { key, version, named } => deleted(key.as_str(), version.as_deref(), named),
            ObjectsError::PreconditionFailed(key) => S3Error::new(
                S3ErrorCode::PreconditionFailed,
                "At least one of the pre-conditions you specified did not hold",
            )
            .with_field("Key", key.as_str()),
            ObjectsError::Locked(key) => S3Error::new(
                S3ErrorCode::AccessDenied,
                "Access Denied because object protected by object lock.",
            )
            .with_field("Key", key.as_str()),
            ObjectsError::NoSuchUpload(key) => no_such_upload("").with_field("Key", key.as_str()),
            ObjectsError::NoParts => {
                S3Error::new(S3ErrorCode::MalformedXml, "The XML you provided names no part, or too many.")
            }
            ObjectsError::InvalidPart(number) => invalid_part(number),
            ObjectsError::PartChecksum { number, algorithm } => {
                checksum_mismatch(algorithm).with_field("PartNumber", number.to_string())
            }
            ObjectsError::PartOrder(number) => S3Error::new(
                S3ErrorCode::InvalidPartOrder,
                "The list of parts was not in ascending order. Parts must be ordered by part number.",
            )
            .with_field("PartNumber", number.to_string()),
            ObjectsError::PartTooSmall { number, size, min } => S3Error::new(
                S3ErrorCode::EntityTooSmall,
                "Your proposed upload is smaller than the minimum allowed size",
            )
            .with_field("PartNumber", number.to_string())
            .with_field("ProposedSize", size.to_string())
            .with_field("MinSizeAllowed", min.to_string()),
            ObjectsError::WholeMismatch { what: "size" } => S3Error::new(
                S3ErrorCode::InvalidRequest,
                "The provided 'x-amz-mp-object-size' header value does not match what was uploaded.",
            ),
            ObjectsError::WholeMismatch { what } => checksum_mismatch(what),
            ObjectsError::BucketBusy(_)
            | ObjectsError::PackGone(_)
            | ObjectsError::Busy { .. } => {
                S3Error::new(S3ErrorCode::SlowDown, "Please reduce your request rate.").caused_by(error)
            }
            ObjectsError::Store(store) => store.into(),
        }
    }
}

impl From<IngestError> for S3Error {
    fn from(error: IngestError) -> S3Error {
        match error {
            IngestError::Md5 { expected, computed } => S3Error::new(
                S3ErrorCode::BadDigest,
                "The Content-MD5 you specified did not match what we received.",
            )
            .with_field("ExpectedDigest", expected)
            .with_field("CalculatedDigest", computed),
            IngestError::Sha256 { expected, computed } => sha256_mismatch(&expected, &computed),
            IngestError::Checksum { algorithm } => checksum_mismatch(algorithm.name()),
            IngestError::ChecksumMissing { algorithm } => S3Error::new(
                S3ErrorCode::MalformedTrailer,
                format!(
                    "The trailer {} was announced and did not come.",
                    algorithm.header()
                ),
            ),
            IngestError::Length { expected, got } => {
                incomplete_body(format_args!("{expected} bytes were announced, {got} came"))
            }
            IngestError::TooLarge { max } => S3Error::new(
                S3ErrorCode::EntityTooLarge,
                "Your proposed upload exceeds the maximum allowed object size.",
            )
            .with_field("MaxSizeAllowed", max.to_string()),
            IngestError::Store(store) => store.into(),
        }
    }
}

impl From<StoreError> for S3Error {
    fn from(error: StoreError) -> S3Error {
        match retry_message(&error) {
            Some(told) => S3Error::new(S3ErrorCode::ServiceUnavailable, told).caused_by(error),
            None if matches!(error, StoreError::DamagedRow { .. }) => {
                S3Error::new(S3ErrorCode::InternalError, DAMAGED_ROW).caused_by(error)
            }
            None => S3Error::internal(error),
        }
    }
}

/// The message about damaged metadata.
const DAMAGED_ROW: &str = "The metadata of this resource is damaged, and a retry does not mend it: the server's log and \
strongroom-server doctor name the damage. A PUT or DELETE of the object with the header x-strongroom-force: true gives up what \
cannot be read.";

/// The message for a client that should retry; `None` for damage, which a retry does not repair.
fn retry_message(error: &StoreError) -> Option<&'static str> {
    match error.class() {
        ErrorClass::Full => Some("The storage is full. Please try again later."),
        ErrorClass::Latched => {
            Some("The storage takes no writes at the moment. Please try again later.")
        }
        ErrorClass::Retry => Some("The storage has failed to do it. Please try again later."),
        ErrorClass::Closing => Some("The server is shutting down. Please try again."),
        ErrorClass::Damaged
        | ErrorClass::Misplaced
        | ErrorClass::Newer
        | ErrorClass::Held
        | ErrorClass::Absent
        | ErrorClass::Bug => None,
    }
}

/// The signed digest does not match the body.
pub(crate) fn sha256_mismatch(expected: &str, computed: &str) -> S3Error {
    S3Error::new(
        S3ErrorCode::XAmzContentSha256Mismatch,
        "The provided 'x-amz-content-sha256' header does not match what was computed.",
    )
    .with_field("ClientComputedContentSHA256", expected)
    .with_field("S3ComputedContentSHA256", computed)
}

/// A checksum does not match the body.
pub(crate) fn checksum_mismatch(name: &str) -> S3Error {
    S3Error::new(
        S3ErrorCode::BadDigest,
        format!("The {name} you specified did not match the calculated checksum."),
    )
}

fn no_such_key(key: &str) -> S3Error {
    S3Error::new(S3ErrorCode::NoSuchKey, "The specified key does not exist.").with_field("Key", key)
}

fn deleted(key: &str, version: Option<&str>, named: bool) -> S3Error {
    let error = if named {
        S3Error::new(
            S3ErrorCode::MethodNotAllowed,
            "The specified method is not allowed against this resource.",
        )
    } else {
        no_such_key(key)
    };
    let error = error.with_header(
        HeaderName::from_static("x-amz-delete-marker"),
        HeaderValue::from_static("true"),
    );
    match version.and_then(|version| HeaderValue::try_from(version).ok()) {
        Some(version) => error.with_header(HeaderName::from_static("x-amz-version-id"), version),
        None => error,
    }
}

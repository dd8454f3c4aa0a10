//! From method, path and query to one [`Operation`], before anything else is looked at.
//!
//! Path style only: `/bucket/key`. Pure: knows neither headers that carry conditions nor any store. Invariants: a known
//! subresource that is not served becomes [`Operation::Unsupported`] by name, never the plain operation under it (a
//! `DELETE ?tagging` must not delete the object); an unknown parameter is refused on whatever changes state.

mod arguments;
mod operation;

pub use operation::OPERATION_NAMES;
pub(crate) use operation::{
    BucketOperation, ListObjects, ListParts, ListUploads, ListVersion, NameEncoding,
    ObjectOperation, Operation,
};

use std::borrow::Cow;

use hyper::Method;

use crate::model::key::KEY_BYTES_MAX;
use crate::model::{BucketName, KeyError, ObjectKey, VersionId};
use crate::objects::VersionSelector;
use crate::s3::error::{S3Error, S3ErrorCode};
use crate::s3::query::{Query, decode_path};
use arguments::{list_objects, list_parts, list_uploads, part_number, upload_id};

/// Paths of the server itself on the S3 port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OwnPath {
    /// The process answers.
    Live,
    /// The process can serve.
    Ready,
    /// Reserved, nothing there.
    Unknown,
}

/// Whether the path is one of the server's own, which need no credentials.
pub(crate) fn own_path(raw_path: &str) -> Option<OwnPath> {
    let rest = raw_path.strip_prefix("/minio")?;
    match rest {
        "/health/live" => Some(OwnPath::Live),
        "/health/ready" => Some(OwnPath::Ready),
        "" => Some(OwnPath::Unknown),
        rest if rest.starts_with('/') => Some(OwnPath::Unknown),
        _ => None,
    }
}

impl Operation {
    /// Reads a request line.
    ///
    /// # Errors
    /// The S3 error for a name, key, parameter or method that cannot be used.
    pub(crate) fn parse(
        method: &Method,
        raw_path: &str,
        query: &Query,
    ) -> Result<Operation, S3Error> {
        let path = raw_path.strip_prefix('/').unwrap_or(raw_path);
        if path.is_empty() {
            return service_operation(method, query);
        }
        let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
        let bucket = parse_bucket(&decode_path(bucket)?)?;
        let key = decode_path(key)?;
        if key.is_empty() {
            return bucket_operation(method, bucket, query);
        }
        let key = parse_key(&key)?;
        object_operation(method, bucket, key, query)
    }
}

/// Checks a bucket's name.
pub(crate) fn parse_bucket(name: &str) -> Result<BucketName, S3Error> {
    BucketName::parse(name).map_err(|why| {
        S3Error::new(
            S3ErrorCode::InvalidBucketName,
            format!("The specified bucket is not valid: {why}."),
        )
        .with_field("BucketName", name)
    })
}

/// Checks an object's key.
pub(crate) fn parse_key(key: &str) -> Result<ObjectKey, S3Error> {
    ObjectKey::parse(key).map_err(|why| match why {
        KeyError::TooLong(len) => S3Error::new(S3ErrorCode::KeyTooLong, "Your key is too long.")
            .with_field("Size", len.to_string())
            .with_field("MaxSizeAllowed", KEY_BYTES_MAX.to_string()),
        KeyError::Empty => S3Error::invalid_argument("Key", "", "An object key is not empty."),
    })
}

fn service_operation(method: &Method, query: &Query) -> Result<Operation, S3Error> {
    match *method {
        Method::GET => Ok(Operation::ListBuckets),
        Method::POST if query.has("Action") => Ok(Operation::Unsupported(Cow::Borrowed("STS"))),
        _ => Err(method_not_allowed(method)),
    }
}

/// Subresources of buckets that S3 has and this server has not, and the noun in S3's operation names.
const BUCKET_SUBRESOURCES: &[(&str, &str)] = &[
    ("accelerate", "BucketAccelerateConfiguration"),
    ("acl", "BucketAcl"),
    ("analytics", "BucketAnalyticsConfiguration"),
    ("cors", "BucketCors"),
    ("encryption", "BucketEncryption"),
    ("events", "BucketEvents"),
    (
        "intelligent-tiering",
        "BucketIntelligentTieringConfiguration",
    ),
    ("inventory", "BucketInventoryConfiguration"),
    ("lifecycle", "BucketLifecycleConfiguration"),
    ("logging", "BucketLogging"),
    ("metadataTable", "BucketMetadataTableConfiguration"),
    ("metrics", "BucketMetricsConfiguration"),
    ("notification", "BucketNotificationConfiguration"),
    ("object-lock", "ObjectLockConfiguration"),
    ("ownershipControls", "BucketOwnershipControls"),
    ("policy", "BucketPolicy"),
    ("policyStatus", "BucketPolicyStatus"),
    ("publicAccessBlock", "PublicAccessBlock"),
    ("replication", "BucketReplication"),
    ("requestPayment", "BucketRequestPayment"),
    ("session", "Session"),
    ("tagging", "BucketTagging"),
    ("versions", "ObjectVersions"),
    ("website", "BucketWebsite"),
];

/// The same for objects.
const OBJECT_SUBRESOURCES: &[(&str, &str)] = &[
    ("acl", "ObjectAcl"),
    ("append", "ObjectAppend"),
    ("attributes", "ObjectAttributes"),
    ("encryption", "ObjectEncryption"),
    ("lambdaArn", "ObjectLambda"),
    ("legal-hold", "ObjectLegalHold"),
    ("renameObject", "ObjectRename"),
    ("restore", "ObjectRestore"),
    ("retention", "ObjectRetention"),
    ("select", "ObjectContentSelection"),
    ("tagging", "ObjectTagging"),
    ("torrent", "ObjectTorrent"),
];

/// Parameters that say nothing: `x-id` repeats the operation's name (AWS' JavaScript SDK).
const NOISE: &[&str] = &["x-id"];

fn unsupported(
    method: &Method,
    query: &Query,
    known: &[&str],
    table: &[(&str, &str)],
) -> Option<Operation> {
    let reads = matches!(*method, Method::GET | Method::HEAD);
    for name in query.names() {
        if let Some((_, noun)) = table.iter().find(|(parameter, _)| *parameter == name) {
            let verb = match *method {
                Method::GET if name == "versions" => "List",
                Method::GET => "Get",
                Method::HEAD => "Head",
                Method::PUT => "Put",
                Method::POST => "Post",
                _ => "Delete",
            };
            return Some(Operation::Unsupported(Cow::Owned(format!("{verb}{noun}"))));
        }
        let harmless = known.contains(&name)
            || NOISE.contains(&name)
            || name
                .get(..6)
                .is_some_and(|start| start.eq_ignore_ascii_case("x-amz-"))
            || (reads && query.nonempty(name).is_some());
        if !harmless {
            return Some(Operation::Unsupported(Cow::Owned(format!(
                "The query parameter `{name}`"
            ))));
        }
    }
    None
}

fn bucket_operation(
    method: &Method,
    bucket: BucketName,
    query: &Query,
) -> Result<Operation, S3Error> {
    const KNOWN: &[&str] = &[
        "location",
        "versioning",
        "uploads",
        "delete",
        "list-type",
        "prefix",
        "delimiter",
        "marker",
        "max-keys",
        "encoding-type",
        "start-after",
        "continuation-token",
        "fetch-owner",
        "key-marker",
        "upload-id-marker",
        "max-uploads",
    ];
    if let Some(operation) = unsupported(method, query, KNOWN, BUCKET_SUBRESOURCES) {
        return Ok(operation);
    }
    let operation = match *method {
        Method::GET if query.has("location") => BucketOperation::Location,
        Method::GET if query.has("versioning") => BucketOperation::Versioning,
        Method::GET if query.has("uploads") => BucketOperation::ListUploads(list_uploads(query)?),
        Method::GET => BucketOperation::List(list_objects(query)?),
        Method::HEAD => BucketOperation::Head,
        Method::PUT if query.has("versioning") => {
            return Ok(Operation::Unsupported(Cow::Borrowed("PutBucketVersioning")));
        }
        Method::PUT => BucketOperation::Create,
        Method::DELETE => BucketOperation::Delete,
        Method::POST if query.has("delete") => BucketOperation::DeleteObjects,
        Method::POST => return Ok(Operation::Unsupported(Cow::Borrowed("PostObject"))),
        _ => return Err(method_not_allowed(method)),
    };
    Ok(Operation::Bucket(bucket, operation))
}

fn object_operation(
    method: &Method,
    bucket: BucketName,
    key: ObjectKey,
    query: &Query,
) -> Result<Operation, S3Error> {
    const KNOWN: &[&str] = &[
        "uploads",
        "uploadId",
        "partNumber",
        "part-number-marker",
        "max-parts",
        "encoding-type",
        "versionId",
        "response-cache-control",
        "response-content-disposition",
        "response-content-encoding",
        "response-content-language",
        "response-content-type",
        "response-expires",
    ];
    if let Some(operation) = unsupported(method, query, KNOWN, OBJECT_SUBRESOURCES) {
        return Ok(operation);
    }
    let version = version(query)?;
    let operation = match *method {
        Method::GET if query.has("uploadId") => ObjectOperation::ListParts(list_parts(query)?),
        Method::GET | Method::HEAD if query.has("partNumber") => {
            return Ok(Operation::Unsupported(Cow::Borrowed(
                "GetObject with partNumber",
            )));
        }
        Method::GET => ObjectOperation::Get(version),
        Method::HEAD => ObjectOperation::Head(version),
        Method::PUT if query.has("uploadId") || query.has("partNumber") => {
            ObjectOperation::UploadPart(upload_id(query)?, part_number(query)?)
        }
        Method::PUT => ObjectOperation::Put,
        Method::POST if query.has("uploads") => ObjectOperation::CreateUpload,
        Method::POST if query.has("uploadId") => ObjectOperation::CompleteUpload(upload_id(query)?),
        Method::DELETE if query.has("uploadId") => ObjectOperation::AbortUpload(upload_id(query)?),
        Method::DELETE => ObjectOperation::Delete(version),
        _ => return Err(method_not_allowed(method)),
    };
    Ok(Operation::Object(bucket, key, operation))
}

fn version(query: &Query) -> Result<VersionSelector, S3Error> {
    query
        .nonempty("versionId")
        .map_or(Ok(VersionSelector::Current), parse_version)
}

/// Reads a VersionId that a client names.
pub(crate) fn parse_version(text: &str) -> Result<VersionSelector, S3Error> {
    if text == "null" {
        return Ok(VersionSelector::Null);
    }
    VersionId::parse(text)
        .map(VersionSelector::Id)
        .ok_or_else(|| S3Error::invalid_argument("versionId", text, "Invalid version id specified"))
}

fn method_not_allowed(method: &Method) -> S3Error {
    S3Error::new(
        S3ErrorCode::MethodNotAllowed,
        "The specified method is not allowed against this resource.",
    )
    .with_field("Method", method.as_str())
}

/// The upload is not there, or never was.
pub(crate) fn no_such_upload(id: &str) -> S3Error {
    S3Error::new(
        S3ErrorCode::NoSuchUpload,
        "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.",
    )
    .with_field("UploadId", id)
}

#[cfg(test)]
mod tests;

//! From method, path and query to one [`Operation`], before anything else is looked at.
//!
//! Path style only: `/bucket/key`. Pure: knows neither headers that carry conditions nor any store. Invariants: a known
//! subresource that is not served becomes [`Operation::Unsupported`] by name, never the plain operation under it (a
//! `DELETE ?tagging` must not delete the object); an unknown parameter is refused on whatever changes state.

use std::borrow::Cow;

use hyper::Method;

use crate::model::{BucketName, ObjectKey, PartNumber, UploadId, VersionId};
use crate::objects::VersionSelector;
use crate::s3::error::{S3Error, S3ErrorCode};
use crate::s3::query::{Query, decode_path};

/// Most keys, prefixes, uploads or parts in one answer; S3's own limit.
pub(crate) const PAGE_ENTRIES_MAX: u32 = 1000;

/// What a request asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Operation {
    /// `GET /`
    ListBuckets,
    /// On a bucket.
    Bucket(BucketName, BucketOperation),
    /// On an object.
    Object(BucketName, ObjectKey, ObjectOperation),
    /// Part of S3, not of this server; the name is S3's.
    Unsupported(Cow<'static, str>),
}

/// An operation on a bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum BucketOperation {
    /// `PUT`
    Create,
    /// `HEAD`
    Head,
    /// `DELETE`
    Delete,
    /// `GET ?location`
    Location,
    /// `GET ?versioning`
    Versioning,
    /// `GET`, and with `list-type=2`
    List(ListObjects),
    /// `GET ?uploads`
    ListUploads(ListUploads),
    /// `POST ?delete`
    DeleteObjects,
}

/// An operation on an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ObjectOperation {
    /// `PUT`
    Put,
    /// `GET`
    Get(VersionSelector),
    /// `HEAD`
    Head(VersionSelector),
    /// `DELETE`
    Delete(VersionSelector),
    /// `POST ?uploads`
    CreateUpload,
    /// `PUT ?partNumber&uploadId`
    UploadPart(UploadId, PartNumber),
    /// `POST ?uploadId`
    CompleteUpload(UploadId),
    /// `DELETE ?uploadId`
    AbortUpload(UploadId),
    /// `GET ?uploadId`
    ListParts(ListParts),
}

/// How names are written in a listing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NameEncoding {
    /// As XML text.
    Plain,
    /// Percent-encoded, then as XML text.
    Url,
}

/// The two generations of ListObjects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ListVersion {
    /// `marker`
    V1 {
        /// Keys and prefixes after this one.
        marker: Option<String>,
    },
    /// `list-type=2`
    V2 {
        /// Keys after this one.
        start_after: Option<String>,
        /// The last answer's token, as sent.
        continuation_token: Option<String>,
        /// Whether owners are shown.
        fetch_owner: bool,
    },
}

/// Arguments of ListObjects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ListObjects {
    pub(crate) version: ListVersion,
    pub(crate) prefix: Option<String>,
    pub(crate) delimiter: Option<String>,
    pub(crate) encoding: NameEncoding,
    pub(crate) max_keys: u32,
}

/// Arguments of ListMultipartUploads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ListUploads {
    pub(crate) prefix: Option<String>,
    pub(crate) delimiter: Option<String>,
    pub(crate) key_marker: Option<String>,
    pub(crate) upload_marker: Option<UploadId>,
    pub(crate) encoding: NameEncoding,
    pub(crate) max_uploads: u32,
}

/// Arguments of ListParts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ListParts {
    pub(crate) upload: UploadId,
    pub(crate) after: Option<PartNumber>,
    pub(crate) encoding: NameEncoding,
    pub(crate) max_parts: u32,
}

/// Every value of [`Operation::name`].
pub const OPERATION_NAMES: &[&str] = &[
    "ListBuckets",
    "CreateBucket",
    "HeadBucket",
    "DeleteBucket",
    "GetBucketLocation",
    "GetBucketVersioning",
    "ListObjects",
    "ListObjectsV2",
    "ListMultipartUploads",
    "DeleteObjects",
    "PutObject",
    "GetObject",
    "HeadObject",
    "DeleteObject",
    "CreateMultipartUpload",
    "UploadPart",
    "CompleteMultipartUpload",
    "AbortMultipartUpload",
    "ListParts",
    "Unsupported",
];

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
    /// S3's name of the operation, from a fixed set: it labels metrics.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Operation::ListBuckets => "ListBuckets",
            Operation::Bucket(_, operation) => match operation {
                BucketOperation::Create => "CreateBucket",
                BucketOperation::Head => "HeadBucket",
                BucketOperation::Delete => "DeleteBucket",
                BucketOperation::Location => "GetBucketLocation",
                BucketOperation::Versioning => "GetBucketVersioning",
                BucketOperation::List(ListObjects {
                    version: ListVersion::V1 { .. },
                    ..
                }) => "ListObjects",
                BucketOperation::List(ListObjects {
                    version: ListVersion::V2 { .. },
                    ..
                }) => "ListObjectsV2",
                BucketOperation::ListUploads(_) => "ListMultipartUploads",
                BucketOperation::DeleteObjects => "DeleteObjects",
            },
            Operation::Object(_, _, operation) => match operation {
                ObjectOperation::Put => "PutObject",
                ObjectOperation::Get(_) => "GetObject",
                ObjectOperation::Head(_) => "HeadObject",
                ObjectOperation::Delete(_) => "DeleteObject",
                ObjectOperation::CreateUpload => "CreateMultipartUpload",
                ObjectOperation::UploadPart(..) => "UploadPart",
                ObjectOperation::CompleteUpload(_) => "CompleteMultipartUpload",
                ObjectOperation::AbortUpload(_) => "AbortMultipartUpload",
                ObjectOperation::ListParts(_) => "ListParts",
            },
            Operation::Unsupported(_) => "Unsupported",
        }
    }

    /// The bucket and key it is about.
    pub(crate) fn target(&self) -> (Option<BucketName>, Option<ObjectKey>) {
        match self {
            Operation::Bucket(bucket, _) => (Some(bucket.clone()), None),
            Operation::Object(bucket, key, _) => (Some(bucket.clone()), Some(key.clone())),
            Operation::ListBuckets | Operation::Unsupported(_) => (None, None),
        }
    }

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
        crate::model::KeyError::TooLong(len) => {
            S3Error::new(S3ErrorCode::KeyTooLong, "Your key is too long.")
                .with_field("Size", len.to_string())
                .with_field(
                    "MaxSizeAllowed",
                    crate::model::key::KEY_BYTES_MAX.to_string(),
                )
        }
        crate::model::KeyError::Empty => {
            S3Error::invalid_argument("Key", "", "An object key is not empty.")
        }
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

fn list_objects(query: &Query) -> Result<ListObjects, S3Error> {
    let owned = |name| query.nonempty(name).map(str::to_owned);
    let version = match query.nonempty("list-type") {
        Some("2") => ListVersion::V2 {
            start_after: owned("start-after"),
            continuation_token: owned("continuation-token"),
            fetch_owner: query
                .get("fetch-owner")
                .is_some_and(|value| value.eq_ignore_ascii_case("true")),
        },
        None | Some("1") => ListVersion::V1 {
            marker: owned("marker"),
        },
        Some(other) => {
            return Err(S3Error::invalid_argument(
                "list-type",
                other,
                "Invalid List Type specified in Request",
            ));
        }
    };
    Ok(ListObjects {
        version,
        prefix: owned("prefix"),
        delimiter: owned("delimiter"),
        encoding: encoding(query)?,
        max_keys: page_size(query, "max-keys")?,
    })
}

fn list_uploads(query: &Query) -> Result<ListUploads, S3Error> {
    let owned = |name| query.nonempty(name).map(str::to_owned);
    let upload_marker = match query.nonempty("upload-id-marker") {
        None => None,
        Some(text) => Some(UploadId::parse(text).ok_or_else(|| {
            S3Error::invalid_argument("upload-id-marker", text, "Invalid uploadId marker")
        })?),
    };
    Ok(ListUploads {
        prefix: owned("prefix"),
        delimiter: owned("delimiter"),
        key_marker: owned("key-marker"),
        upload_marker,
        encoding: encoding(query)?,
        max_uploads: page_size(query, "max-uploads")?,
    })
}

fn list_parts(query: &Query) -> Result<ListParts, S3Error> {
    let name = "part-number-marker";
    let after = match query.nonempty(name) {
        None | Some("0") => None,
        Some(text) => Some(text.parse().ok().and_then(PartNumber::new).ok_or_else(|| {
            S3Error::invalid_argument(name, text, "Argument part-number-marker must be an integer")
        })?),
    };
    Ok(ListParts {
        upload: upload_id(query)?,
        after,
        encoding: encoding(query)?,
        max_parts: page_size(query, "max-parts")?,
    })
}

fn encoding(query: &Query) -> Result<NameEncoding, S3Error> {
    match query.nonempty("encoding-type") {
        None => Ok(NameEncoding::Plain),
        Some(url) if url.eq_ignore_ascii_case("url") => Ok(NameEncoding::Url),
        Some(other) => Err(S3Error::invalid_argument(
            "encoding-type",
            other,
            "Invalid Encoding Method specified in Request",
        )),
    }
}

fn page_size(query: &Query, name: &'static str) -> Result<u32, S3Error> {
    let Some(text) = query.nonempty(name) else {
        return Ok(PAGE_ENTRIES_MAX);
    };
    let message = format!("Provided {name} not an integer or within integer range");
    let number: i32 = text
        .parse()
        .map_err(|_| S3Error::invalid_argument(name, text, message))?;
    let number = u32::try_from(number).map_err(|_| {
        S3Error::invalid_argument(
            name,
            text,
            format!("Argument {name} must be a non-negative integer"),
        )
    })?;
    Ok(number.min(PAGE_ENTRIES_MAX))
}

fn upload_id(query: &Query) -> Result<UploadId, S3Error> {
    let text = query.get("uploadId").unwrap_or("");
    UploadId::parse(text).ok_or_else(|| no_such_upload(text))
}

/// The upload is not there, or never was.
pub(crate) fn no_such_upload(id: &str) -> S3Error {
    S3Error::new(
        S3ErrorCode::NoSuchUpload,
        "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.",
    )
    .with_field("UploadId", id)
}

fn part_number(query: &Query) -> Result<PartNumber, S3Error> {
    let text = query.get("partNumber").unwrap_or("");
    text.parse().ok().and_then(PartNumber::new).ok_or_else(|| {
        S3Error::invalid_argument(
            "partNumber",
            text,
            "Part number must be an integer between 1 and 10000, inclusive",
        )
    })
}

#[cfg(test)]
mod tests;

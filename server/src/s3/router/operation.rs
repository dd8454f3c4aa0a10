//! What a request can ask for, as one type, and S3's names for it.

use std::borrow::Cow;

use crate::model::{BucketName, ObjectKey, PartNumber, UploadId};
use crate::objects::VersionSelector;

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
}

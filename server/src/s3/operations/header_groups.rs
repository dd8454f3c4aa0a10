//! Groups of request headers, for the rows of the table. Each of these headers has one value.

/// Preconditions and options of a read.
pub(super) const READ: &[&str] = &[
    "if-match",
    "if-none-match",
    "if-modified-since",
    "if-unmodified-since",
    "if-range",
    "range",
    "x-amz-checksum-mode",
];

/// Gives up what cannot be read: see [`crate::s3::ops::force`].
pub(super) const FORCE: &[&str] = &[crate::s3::ops::force::HEADER];

/// Preconditions of a write.
pub(super) const WRITE: &[&str] = &["if-match", "if-none-match"];

/// Attributes of an object. Lists and user metadata are not here: they may be repeated.
pub(super) const OBJECT: &[&str] = &[
    "content-type",
    "content-disposition",
    "expires",
    "x-amz-acl",
    "x-amz-storage-class",
    "x-amz-tagging",
];

/// Length and checksums of a body. `x-amz-trailer` is not here: it is a list.
pub(super) const BODY: &[&str] = &[
    "content-length",
    "content-md5",
    "x-amz-decoded-content-length",
    "x-amz-sdk-checksum-algorithm",
    "x-amz-checksum-crc32",
    "x-amz-checksum-crc32c",
    "x-amz-checksum-crc64nvme",
    "x-amz-checksum-sha1",
    "x-amz-checksum-sha256",
];

/// The checksum settings of an upload.
pub(super) const UPLOAD_CHECKSUM: &[&str] = &["x-amz-checksum-algorithm", "x-amz-checksum-type"];

/// The size of the object that a Complete creates.
pub(super) const WHOLE_OBJECT: &[&str] = &["x-amz-mp-object-size"];

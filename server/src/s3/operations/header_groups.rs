//! Headers that operations take, in the groups in which they come. Each has one value.

/// Preconditions and choices of a read.
pub(super) const READ: &[&str] = &[
    "if-match",
    "if-none-match",
    "if-modified-since",
    "if-unmodified-since",
    "if-range",
    "range",
    "x-amz-checksum-mode",
];

/// Preconditions of a write.
pub(super) const WRITE: &[&str] = &["if-match", "if-none-match"];

/// What an object carries beside its bytes. Not here: headers that are lists, and user metadata.
pub(super) const OBJECT: &[&str] = &[
    "content-type",
    "content-disposition",
    "expires",
    "x-amz-acl",
    "x-amz-storage-class",
    "x-amz-tagging",
];

/// What is promised of a body. Not here: `x-amz-trailer`, a list.
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

/// Which checksum an upload will have.
pub(super) const UPLOAD_CHECKSUM: &[&str] = &["x-amz-checksum-algorithm", "x-amz-checksum-type"];

/// What a Complete says of its object.
pub(super) const WHOLE_OBJECT: &[&str] = &["x-amz-mp-object-size"];

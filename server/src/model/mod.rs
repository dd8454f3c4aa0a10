//! Pure values of the domain: names, digests, versions, objects. No I/O, no clock, no storage engine.
//!
//! A value that exists is valid: parsing happens at the edge, once.

pub mod bucket;
pub mod checksum;
pub mod etag;
pub mod key;
pub mod object;
pub mod upload;
pub mod version;

pub use bucket::{BucketId, BucketName, BucketNameError};
pub use checksum::{Checksum, ChecksumAlgorithm, ChecksumKind};
pub use etag::ETag;
pub use key::{KeyError, ObjectKey};
pub use object::{
    ContentHeaders, LegalHold, Owner, Retention, RetentionMode, StorageClass, Tags, UserMetadata,
};
pub use upload::{PartNumber, UploadId};
pub use version::{VersionId, VersionNumber};

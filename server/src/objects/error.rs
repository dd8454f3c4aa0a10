//! Why an operation on objects was refused.

use crate::model::{BucketName, ObjectKey};
use crate::store::{PackId, StoreError};

/// Errors that the S3 layer maps to S3's codes.
#[derive(Debug, thiserror::Error)]
pub enum ObjectsError {
    /// No such bucket.
    #[error("there is no bucket {0}")]
    NoSuchBucket(BucketName),
    /// The bucket is being deleted, which may still be refused; the client may send the write again.
    #[error("bucket {0} is being deleted")]
    BucketBusy(BucketName),
    /// The bucket to delete is not empty.
    #[error("bucket {0} is not empty")]
    BucketNotEmpty(BucketName),
    /// [`super::buckets::BUCKETS_MAX`] is reached.
    #[error("there are already {max} buckets")]
    TooManyBuckets {
        /// The limit.
        max: usize,
    },
    /// No current object under the key.
    #[error("there is no object {0:?}")]
    NoSuchKey(ObjectKey),
    /// The version asked for does not exist.
    #[error("object {0:?} has no such version")]
    NoSuchVersion(ObjectKey),
    /// The version asked for is a delete marker, or the current one is.
    #[error("object {key:?} was deleted")]
    DeleteMarker {
        /// The key.
        key: ObjectKey,
        /// The marker's version id as shown to clients; `None` in a bucket without versions.
        version: Option<String>,
        /// Whether the client named the marker's version (405) or not (404).
        named: bool,
    },
    /// If-Match or If-None-Match failed.
    #[error("the condition on object {0:?} does not hold")]
    PreconditionFailed(ObjectKey),
    /// If-Match on a key without object.
    #[error("If-Match on {0:?}, which does not exist")]
    NothingToMatch(ObjectKey),
    /// Protected by retention or legal hold.
    #[error("object {0:?} is under retention or legal hold")]
    Locked(ObjectKey),
    /// The upload does not exist, or was completed or aborted.
    #[error("there is no such upload of {0:?}")]
    NoSuchUpload(ObjectKey),
    /// Complete names no part.
    #[error("complete names no part")]
    NoParts,
    /// Complete names a part that does not exist, or whose ETag differs.
    #[error("part {0} is missing or its ETag differs")]
    InvalidPart(u16),
    /// Complete names a part with another checksum.
    #[error("the {algorithm} of part {number} differs")]
    PartChecksum {
        /// The part.
        number: u16,
        /// The checksum's name.
        algorithm: &'static str,
    },
    /// Complete names parts out of order.
    #[error("parts are not in ascending order at part {0}")]
    PartOrder(u16),
    /// A part that is not the last is below the minimum.
    #[error("part {number} has {size} bytes; all but the last need {min}")]
    PartTooSmall {
        /// The part.
        number: u16,
        /// Its size.
        size: u64,
        /// The minimum.
        min: u64,
    },
    /// The checksum or size of the whole object differs from the client's.
    #[error("the object's {what} is not what the request says")]
    WholeMismatch {
        /// "size" or a checksum's name.
        what: &'static str,
    },
    /// The pack of the body was removed before the commit; the client may send the body again.
    #[error("pack {0} was marked for deletion before its commit")]
    PackGone(PackId),
    /// The rows changed at each of many tries.
    #[error("too many concurrent changes of the same rows ({tries} tries)")]
    Busy {
        /// The number of tries.
        tries: u32,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

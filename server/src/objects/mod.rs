//! The rules of S3's state: bucket, object, version, upload, lock. Pure decisions over rows, then one commit.
//!
//! Each operation reads the rows that its decision needs, decides, and commits a transaction conditional on those rows.
//! After a conflict it reads and decides again, so concurrent requests behave as if they ran one after the other. This
//! layer moves no bytes (see `bodies`) and knows neither HTTP nor a storage engine.

pub mod body;
pub mod bucket_deletion;
mod buckets;
pub mod complete;
mod decision;
pub mod delete;
pub mod error;
pub mod list;
pub mod lookup;
pub mod manifest;
pub mod put;
mod unreadable;
mod upload_list;
pub mod uploads;
mod versions;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

pub use crate::packs::{PackClaim, PlacedSegment};
pub use crate::tables::Attributes;
pub use body::StoredBody;
pub use buckets::{BucketCreated, NewBucket};
pub use complete::{CompletePart, CompleteRequest, Completed};
pub use delete::Deleted;
pub use error::ObjectsError;
pub use list::{ListEntry, ListQuery, Listing};
pub use lookup::{Found, OpenObject, VersionSelector};
pub use put::{PutCondition, PutDone};
pub use upload_list::{ListUploadsQuery, UploadEntry, UploadListing};
pub use uploads::NewUpload;

use crate::clock::{Clock, Entropy};
use crate::store::blocking_pool::BlockingPool;
use crate::store::meta::Meta;
use crate::store::{Epoch, ManifestId};

/// The objects of a store. Each process has one.
pub struct Objects {
    meta: Arc<dyn Meta>,
    pool: BlockingPool,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    epoch: Epoch,
    next_manifest: AtomicU64,
}

impl Objects {
    /// Objects over the rows of an open store; `epoch` is this process's.
    pub fn new(
        meta: Arc<dyn Meta>,
        pool: BlockingPool,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        epoch: Epoch,
    ) -> Objects {
        Objects {
            meta,
            pool,
            clock,
            entropy,
            epoch,
            next_manifest: AtomicU64::new(1),
        }
    }

    fn new_manifest_id(&self) -> ManifestId {
        ManifestId {
            epoch: self.epoch,
            serial: self.next_manifest.fetch_add(1, Ordering::Relaxed),
        }
    }
}

#[cfg(test)]
mod tests;

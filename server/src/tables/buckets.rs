//! Buckets by name.

use serde::{Deserialize, Serialize};

use crate::clock::UnixMillis;
use crate::model::{BucketId, BucketName, Owner};
use crate::store::StoreError;
use crate::tables::key::{KeyReader, KeyWriter};
use crate::tables::keyspace::Keyspace;
use crate::tables::record::{Record, Unreadable, exactly};
use crate::tables::table::{Keyed, Table};

/// Whether a bucket accepts requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum BucketState {
    /// It does.
    Active,
    /// DeleteBucket is checking whether it is empty.
    Deleting,
}

/// A bucket. Its settings have rows of their own (see [`super::bucket_settings`]), because every PUT requires this row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BucketRow {
    /// The id with which its objects' rows start.
    pub id: BucketId,
    /// When it was created.
    pub created: UnixMillis,
    /// The user who created it.
    pub owner: Owner,
    /// Whether it accepts requests.
    pub state: BucketState,
    /// Whether object lock was enabled at creation.
    pub object_lock: bool,
}

impl Record for BucketRow {
    const VERSION: u16 = 2;

    fn read_older(version: u16, body: &[u8]) -> Result<BucketRow, Unreadable> {
        match version {
            1 => exactly::<v1::BucketRow>(body).map(v1::BucketRow::without_settings),
            _ => Err(Unreadable("a record version that no program wrote")),
        }
    }
}

/// The record that also held the bucket's settings. Opening a store moves them to rows of their own: see
/// [`super::upgrade`].
pub(super) mod v1 {
    use super::{BucketId, BucketState, Deserialize, Owner, Serialize, UnixMillis};
    use crate::model::{RetentionMode, Tags};
    use crate::tables::Versioning;

    /// A bucket and its settings.
    #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
    pub(crate) struct BucketRow {
        pub(crate) id: BucketId,
        pub(crate) created: UnixMillis,
        pub(crate) owner: Owner,
        pub(crate) state: BucketState,
        pub(crate) versioning: Versioning,
        pub(crate) object_lock: bool,
        /// No program ever set it.
        pub(crate) default_retention: Option<(RetentionMode, u32)>,
        /// No program ever set any.
        pub(crate) tags: Tags,
    }

    impl BucketRow {
        pub(super) fn without_settings(self) -> super::BucketRow {
            super::BucketRow {
                id: self.id,
                created: self.created,
                owner: self.owner,
                state: self.state,
                object_lock: self.object_lock,
            }
        }
    }
}

/// Every bucket by its name.
#[derive(Debug, Clone, Copy)]
pub struct Buckets;

impl Keyed for Buckets {
    const KEYSPACE: Keyspace = Keyspace::Bucket;
    type Key<'a> = &'a BucketName;
    type Found = BucketName;

    fn write(name: Self::Key<'_>, out: &mut KeyWriter) {
        out.escaped(name.as_str().as_bytes());
    }

    fn read(fields: &mut KeyReader<'_>) -> Result<BucketName, StoreError> {
        let name = fields.text()?;
        BucketName::parse(&name).map_err(|_| fields.damaged("bucket name"))
    }
}

impl Table for Buckets {
    type Value = BucketRow;
}

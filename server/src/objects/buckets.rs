//! Buckets: create, inspect, list, change. [`super::bucket_deletion`] deletes them.

use crate::model::{BucketId, BucketName, Owner};
use crate::objects::decision::{Decision, Operation, Rows as _, active, present, with_versioning};
use crate::objects::{Objects, ObjectsError};
use crate::store::StoreError;
use crate::store::meta::Meta;
use crate::tables::table::scan;
use crate::tables::{BucketRow, BucketState, BucketVersioning, Buckets, Keyed as _, Versioning};

/// S3's default quota of buckets per account: it limits ListBuckets, which has no pages.
pub(super) const BUCKETS_MAX: usize = 1000;

/// The settings of CreateBucket.
#[derive(Debug, Clone)]
pub struct NewBucket {
    /// Who creates it.
    pub owner: Owner,
    /// Versioning from the start; object lock needs [`Versioning::Enabled`].
    pub versioning: Versioning,
    /// Whether object lock is on.
    pub object_lock: bool,
}

impl NewBucket {
    /// A bucket without versions or locks.
    pub fn plain(owner: Owner) -> NewBucket {
        NewBucket {
            owner,
            versioning: Versioning::Unversioned,
            object_lock: false,
        }
    }
}

/// The result of CreateBucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BucketCreated {
    /// It is new.
    New,
    /// It existed already, with its contents.
    AlreadyThere,
}

impl Objects {
    /// Creates a bucket.
    ///
    /// # Errors
    /// [`ObjectsError::TooManyBuckets`]; [`ObjectsError::BucketBusy`] while it is being deleted.
    pub async fn create_bucket(
        &self,
        name: &BucketName,
        new: NewBucket,
    ) -> Result<BucketCreated, ObjectsError> {
        let name = name.clone();
        let (id, created) = (BucketId(self.entropy.next_u64()), self.clock.now());
        self.decide(Operation::CreateBucket, move |draft| {
            match draft.read(Buckets, &name)? {
                Some(row) if row.state == BucketState::Active => {
                    return Ok(Decision::Answer(BucketCreated::AlreadyThere));
                }
                Some(_) => return Err(ObjectsError::BucketBusy(name.clone()).into()),
                None => {}
            }
            let others = draft.unrequired("the quota may be passed by those who create at once");
            if scan_buckets(others)?.len() >= BUCKETS_MAX {
                return Err(ObjectsError::TooManyBuckets { max: BUCKETS_MAX }.into());
            }
            let row = BucketRow {
                id,
                created,
                owner: new.owner.clone(),
                state: BucketState::Active,
                object_lock: new.object_lock,
            };
            draft.put(Buckets, &name, &row);
            if new.versioning != Versioning::Unversioned {
                draft.put(BucketVersioning, id, &new.versioning);
            }
            Ok(Decision::Commit(BucketCreated::New))
        })
        .await
    }

    /// The bucket's row.
    ///
    /// # Errors
    /// [`ObjectsError::NoSuchBucket`].
    pub async fn bucket(&self, name: &BucketName) -> Result<BucketRow, ObjectsError> {
        let name = name.clone();
        self.look(move |mut meta| present(&mut meta, &name)).await
    }

    /// A bucket's versioning state.
    ///
    /// # Errors
    /// [`ObjectsError::NoSuchBucket`].
    pub async fn versioning(&self, name: &BucketName) -> Result<Versioning, ObjectsError> {
        let name = name.clone();
        self.look(move |mut meta| {
            let bucket = present(&mut meta, &name)?;
            Ok(with_versioning(&mut meta, bucket)?.versioning)
        })
        .await
    }

    /// Every bucket, by name.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn list_buckets(&self) -> Result<Vec<(BucketName, BucketRow)>, ObjectsError> {
        self.look(|meta| Ok(scan_buckets(meta)?)).await
    }

    /// Changes a bucket's versioning state.
    ///
    /// # Errors
    /// [`ObjectsError::NoSuchBucket`].
    pub async fn set_versioning(
        &self,
        name: &BucketName,
        versioning: Versioning,
    ) -> Result<(), ObjectsError> {
        let name = name.clone();
        self.decide(Operation::ChangeBucket, move |draft| {
            let id = active(draft, &name)?.id;
            draft.put(BucketVersioning, id, &versioning);
            Ok(Decision::Commit(()))
        })
        .await
    }
}

pub(super) fn scan_buckets(meta: &dyn Meta) -> Result<Vec<(BucketName, BucketRow)>, StoreError> {
    let buckets = scan(meta, Buckets, &Buckets.whole(), BUCKETS_MAX + 1)?;
    Ok(buckets
        .into_iter()
        .map(|bucket| (bucket.key, bucket.value))
        .collect())
}

//! Buckets: create, inspect, list, delete.

use crate::model::{BucketId, BucketName, Owner};
use crate::objects::decision::{Decision, Operation, Rows as _, active, versioned};
use crate::objects::{Objects, ObjectsError};
use crate::store::StoreError;
use crate::store::meta::Meta;
use crate::store::meta::walk::KeyRange;
use crate::tables::table::scan;
use crate::tables::{
    BucketRow, BucketState, BucketVersioning, Buckets, DeadRow, DeadUploads, Keyed as _, Uploads,
    Versioning, Versions,
};

/// S3's default quota of buckets per account: it limits ListBuckets, which has no pages.
pub const BUCKETS_MAX: usize = 1000;

/// Uploads that one commit of DeleteBucket hands to garbage collection: keeps a transaction small.
const UPLOADS_PER_COMMIT: usize = 500;

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
    /// [`ObjectsError::TooManyBuckets`]; [`ObjectsError::NoSuchBucket`] while it is being deleted.
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
                Some(_) => return Err(ObjectsError::NoSuchBucket(name.clone()).into()),
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
        self.look(move |mut meta| active(&mut meta, &name)).await
    }

    /// A bucket's versioning state.
    ///
    /// # Errors
    /// [`ObjectsError::NoSuchBucket`].
    pub async fn versioning(&self, name: &BucketName) -> Result<Versioning, ObjectsError> {
        let name = name.clone();
        self.look(move |mut meta| Ok(versioned(&mut meta, &name)?.versioning))
            .await
    }

    /// Every bucket that accepts requests, by name.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn list_buckets(&self) -> Result<Vec<(BucketName, BucketRow)>, ObjectsError> {
        self.look(|meta| {
            let mut all = scan_buckets(meta)?;
            all.retain(|(_, row)| row.state == BucketState::Active);
            Ok(all)
        })
        .await
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

    /// Deletes an empty bucket: marks it, so that nothing new can come in, checks that it is empty, then removes it or
    /// reverts the mark.
    ///
    /// # Errors
    /// [`ObjectsError::NoSuchBucket`], [`ObjectsError::BucketNotEmpty`].
    pub async fn delete_bucket(&self, name: &BucketName) -> Result<(), ObjectsError> {
        let marked = self.change_bucket(name, |row| row.state = BucketState::Deleting);
        let id = marked.await?.id;
        let emptied = self.empty_bucket(id).await;
        let name = name.clone();
        if !matches!(emptied, Ok(true)) {
            self.revert_deleting(&name).await?;
            emptied?;
            return Err(ObjectsError::BucketNotEmpty(name));
        }
        self.decide(Operation::RemoveBucket, move |draft| {
            let row = draft.read(Buckets, &name)?;
            if row.is_none_or(|r| r.id != id || r.state != BucketState::Deleting) {
                return Ok(Decision::Answer(()));
            }
            draft.delete(Buckets, &name);
            draft.delete(BucketVersioning, id);
            Ok(Decision::Commit(()))
        })
        .await
    }

    /// Reverts buckets that a crash left between mark and removal. Runs once, at start.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn revert_interrupted_deletes(&self) -> Result<(), ObjectsError> {
        let marked = self.look(|meta| Ok(scan_buckets(meta)?)).await?;
        for (name, row) in marked {
            if row.state == BucketState::Deleting {
                self.revert_deleting(&name).await?;
            }
        }
        Ok(())
    }

    /// Whether a marked bucket holds no version; its uploads are handed to garbage collection.
    async fn empty_bucket(&self, id: BucketId) -> Result<bool, ObjectsError> {
        if self
            .look(move |meta| any(meta, &Versions.of_bucket(id).keys))
            .await?
        {
            return Ok(false);
        }
        let since = self.clock.now();
        loop {
            let moved = self
                .decide(Operation::HandOverUploads, move |draft| {
                    let range = Uploads.of_bucket(id);
                    let uploads = draft.scan(Uploads, &range, UPLOADS_PER_COMMIT)?;
                    if uploads.is_empty() {
                        return Ok(Decision::Answer(0));
                    }
                    for upload in &uploads {
                        let (_, key, upload) = &upload.key;
                        draft.delete(Uploads, (id, key, *upload));
                        draft.put(DeadUploads, *upload, &DeadRow { since });
                    }
                    Ok(Decision::Commit(uploads.len()))
                })
                .await?;
            if moved == 0 {
                return Ok(true);
            }
        }
    }

    async fn revert_deleting(&self, name: &BucketName) -> Result<(), ObjectsError> {
        let name = name.clone();
        self.decide(Operation::RevertDeleting, move |draft| {
            let row = draft.read(Buckets, &name)?;
            let Some(mut row) = row.filter(|row| row.state == BucketState::Deleting) else {
                return Ok(Decision::Answer(()));
            };
            row.state = BucketState::Active;
            draft.put(Buckets, &name, &row);
            Ok(Decision::Commit(()))
        })
        .await
    }

    /// Changes a bucket's row, and returns the new row.
    async fn change_bucket<F>(
        &self,
        name: &BucketName,
        change: F,
    ) -> Result<BucketRow, ObjectsError>
    where
        F: Fn(&mut BucketRow) + Send + Sync + 'static,
    {
        let name = name.clone();
        self.decide(Operation::ChangeBucket, move |draft| {
            let mut row = active(draft, &name)?;
            change(&mut row);
            draft.put(Buckets, &name, &row);
            Ok(Decision::Commit(row))
        })
        .await
    }
}

fn any(meta: &dyn Meta, range: &KeyRange) -> Result<bool, ObjectsError> {
    Ok(!meta.scan(&range.from, &range.to, 1)?.is_empty())
}

fn scan_buckets(meta: &dyn Meta) -> Result<Vec<(BucketName, BucketRow)>, StoreError> {
    let buckets = scan(meta, Buckets, &Buckets.whole(), BUCKETS_MAX + 1)?;
    Ok(buckets
        .into_iter()
        .map(|bucket| (bucket.key, bucket.value))
        .collect())
}

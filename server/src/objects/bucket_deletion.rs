//! Deleting a bucket: several commits, each of which a crash may be the last of.
//!
//! ```text
//! look        a bucket that has versions is refused; nothing has changed
//! mark        its row says `Deleting`: reads go on, writes are told to try again, so nothing new comes in
//! look again  a version that came before the mark: revert the mark, refuse
//! hand over   its uploads, to garbage collection
//! remove      its row and settings
//! ```
//! The steps run on a task of their own, which a client that hangs up does not end. What a crash leaves marked, the next
//! start reverts.

use std::ops::ControlFlow;
use std::sync::Arc;

use crate::clock::UnixMillis;
use crate::model::{BucketId, BucketName};
use crate::objects::buckets::scan_buckets;
use crate::objects::decision::{Operation, Rows as _};
use crate::objects::{Objects, ObjectsError};
use crate::store::StoreError;
use crate::store::meta::Meta;
use crate::tables::draft::{Settled, settle};
use crate::tables::{
    BucketRow, BucketState, BucketVersioning, Buckets, DeadRow, DeadUploads, Uploads, Versions,
};

/// Uploads that one commit hands to garbage collection: keeps a transaction small.
const UPLOADS_PER_COMMIT: usize = 500;

impl Objects {
    /// Deletes an empty bucket. Once begun it runs to its end, whether its caller waits or not.
    ///
    /// # Errors
    /// [`ObjectsError::NoSuchBucket`], [`ObjectsError::BucketNotEmpty`]; [`ObjectsError::BucketBusy`] when another request
    /// is deleting it.
    pub async fn delete_bucket(&self, name: &BucketName) -> Result<(), ObjectsError> {
        let mut deletion = Deletion {
            meta: Arc::clone(&self.meta),
            name: name.clone(),
            since: self.clock.now(),
            step: Step::Mark,
        };
        let mut running = self.pool.take_turns(move || deletion.turn());
        running.end().await
    }

    /// Reverts deletions that a crash interrupted. Runs once, at start.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn revert_interrupted_deletes(&self) -> Result<(), ObjectsError> {
        self.look(|meta| {
            for (name, row) in scan_buckets(meta)? {
                if row.state == BucketState::Deleting {
                    revert(meta, &name, row.id)?;
                }
            }
            Ok(())
        })
        .await
    }
}

struct Deletion {
    meta: Arc<dyn Meta>,
    name: BucketName,
    /// When it began: the age of the uploads that it hands over.
    since: UnixMillis,
    step: Step,
}

/// What the next turn does.
enum Step {
    Mark,
    LookAgain(BucketId),
    HandOver(BucketId),
    Remove(BucketId),
    Revert(BucketId, ObjectsError),
}

impl Deletion {
    /// Does one step.
    fn turn(&mut self) -> ControlFlow<Result<(), ObjectsError>> {
        match std::mem::replace(&mut self.step, Step::Mark) {
            Step::Mark => match mark(&*self.meta, &self.name) {
                Ok(id) => self.step = Step::LookAgain(id),
                Err(refused) => return ControlFlow::Break(Err(refused)),
            },
            Step::LookAgain(id) => {
                self.step = match has_versions(&*self.meta, id) {
                    Ok(false) => Step::HandOver(id),
                    Ok(true) => Step::Revert(id, ObjectsError::BucketNotEmpty(self.name.clone())),
                    Err(error) => Step::Revert(id, error.into()),
                }
            }
            Step::HandOver(id) => {
                self.step = match hand_over(&*self.meta, id, self.since) {
                    Ok(0) => Step::Remove(id),
                    Ok(_) => Step::HandOver(id),
                    Err(error) => Step::Revert(id, error.into()),
                }
            }
            Step::Remove(id) => match remove(&*self.meta, &self.name, id) {
                Ok(()) => return ControlFlow::Break(Ok(())),
                Err(error) => self.step = Step::Revert(id, error.into()),
            },
            Step::Revert(id, why) => {
                let reverted = revert(&*self.meta, &self.name, id);
                return ControlFlow::Break(Err(reverted.err().map_or(why, ObjectsError::Store)));
            }
        }
        ControlFlow::Continue(())
    }
}

/// Marks an empty bucket.
fn mark(meta: &dyn Meta, name: &BucketName) -> Result<BucketId, ObjectsError> {
    settle(meta, Operation::ChangeBucket, |draft| {
        let Some(mut row) = draft.read(Buckets, name)? else {
            return Ok(Settled::Nothing(Err(ObjectsError::NoSuchBucket(
                name.clone(),
            ))));
        };
        if row.state == BucketState::Deleting {
            return Ok(Settled::Nothing(Err(ObjectsError::BucketBusy(
                name.clone(),
            ))));
        }
        if has_versions(meta, row.id)? {
            return Ok(Settled::Nothing(Err(ObjectsError::BucketNotEmpty(
                name.clone(),
            ))));
        }
        row.state = BucketState::Deleting;
        draft.put(Buckets, name, &row);
        Ok(Settled::Commit(Ok(row.id)))
    })?
}

fn has_versions(meta: &dyn Meta, id: BucketId) -> Result<bool, StoreError> {
    let range = Versions.of_bucket(id).keys;
    Ok(!meta.scan(&range.from, &range.to, 1)?.is_empty())
}

/// Hands some uploads of a marked bucket to garbage collection; returns how many.
fn hand_over(meta: &dyn Meta, id: BucketId, since: UnixMillis) -> Result<usize, StoreError> {
    let range = Uploads.of_bucket(id);
    settle(meta, Operation::HandOverUploads, |draft| {
        let uploads = draft.scan(Uploads, &range, UPLOADS_PER_COMMIT)?;
        for upload in &uploads {
            let (_, key, upload) = &upload.key;
            draft.delete(Uploads, (id, key, *upload));
            draft.put(DeadUploads, *upload, &DeadRow { since });
        }
        Ok(if uploads.is_empty() {
            Settled::Nothing(0)
        } else {
            Settled::Commit(uploads.len())
        })
    })
}

fn remove(meta: &dyn Meta, name: &BucketName, id: BucketId) -> Result<(), StoreError> {
    settle(meta, Operation::RemoveBucket, |draft| {
        let row = draft.read(Buckets, name)?;
        if row.is_none_or(|row| row.id != id || row.state != BucketState::Deleting) {
            return Ok(Settled::Nothing(()));
        }
        draft.delete(Buckets, name);
        draft.delete(BucketVersioning, id);
        Ok(Settled::Commit(()))
    })
}

fn revert(meta: &dyn Meta, name: &BucketName, id: BucketId) -> Result<(), StoreError> {
    settle(meta, Operation::RevertDeleting, |draft| {
        let marked = |row: &BucketRow| row.id == id && row.state == BucketState::Deleting;
        let Some(mut row) = draft.read(Buckets, name)?.filter(marked) else {
            return Ok(Settled::Nothing(()));
        };
        row.state = BucketState::Active;
        draft.put(Buckets, name, &row);
        Ok(Settled::Commit(()))
    })
}

//! The loop of every change: read, decide, commit; after a conflict, start again.
//!
//! Invariant: a decision reads rows only through its [`Draft`], and its commit requires that each of them is unchanged.
//! [`Draft::unrequired`] is the only exception, and its caller names the reason. A refusal commits nothing; it is
//! returned only if all rows that were read are still unchanged.

use std::sync::Arc;

use crate::model::BucketName;
use crate::objects::{Objects, ObjectsError};
use crate::packs::ClaimError;
use crate::store::StoreError;
use crate::store::meta::{Meta, Outcome};
pub(super) use crate::tables::draft::{Draft, Operation};
pub(super) use crate::tables::table::Rows;
use crate::tables::{BucketRow, BucketState, BucketVersioning, Buckets, Table, Versioning};

/// Maximum number of decisions. Each conflict means that another commit on the same rows succeeded, so this many
/// writers can compete for one key before one of them is told to try again.
const TRIES_MAX: u32 = 256;

/// A transaction that requires so many rows would keep the committer, and every other commit, for milliseconds. Tests and
/// simulations have small uploads.
const PREFETCH_ROWS_MIN: usize = if cfg!(test) { 8 } else { 256 };

/// The result of a decision.
pub(super) enum Decision<T> {
    /// Commit the draft; the answer holds once it is durable.
    Commit(T),
    /// Nothing to change.
    Answer(T),
}

/// Why there is no decision.
pub(super) enum Undecided {
    /// Another commit came between two reads. Read again.
    Stale,
    /// The rules refuse.
    Refused(ObjectsError),
}

impl From<ObjectsError> for Undecided {
    fn from(error: ObjectsError) -> Undecided {
        Undecided::Refused(error)
    }
}

impl From<StoreError> for Undecided {
    fn from(error: StoreError) -> Undecided {
        Undecided::Refused(ObjectsError::Store(error))
    }
}

impl From<ClaimError> for Undecided {
    fn from(error: ClaimError) -> Undecided {
        Undecided::Refused(match error {
            ClaimError::Gone(pack) => ObjectsError::PackGone(pack),
            ClaimError::Store(error) => ObjectsError::Store(error),
        })
    }
}

impl Objects {
    /// Runs `decide` over the rows until its transaction applies.
    pub(super) async fn decide<T, F>(
        &self,
        operation: Operation,
        decide: F,
    ) -> Result<T, ObjectsError>
    where
        T: Send + 'static,
        F: Fn(&mut Draft<'_>) -> Result<Decision<T>, Undecided> + Send + Sync + 'static,
    {
        let decide = Arc::new(decide);
        for tries in 1..=TRIES_MAX {
            let (meta, once) = (Arc::clone(&self.meta), Arc::clone(&decide));
            let decided = self.pool.run(move || {
                let mut draft = Draft::new(&*meta, operation);
                let decision = once(&mut draft);
                let commits = matches!(decision, Ok(Decision::Commit(_)));
                // If the rows cannot be read again, the first reading counts.
                if !commits && !draft.still_holds().unwrap_or(true) {
                    return Err(Undecided::Stale);
                }
                let txn = draft.into_txn();
                let large = commits && txn.conditions.len() >= PREFETCH_ROWS_MIN;
                let rows = large.then(|| meta.prefetch(&txn)).transpose()?;
                decision.map(|decision| (decision, txn, rows))
            });
            let (txn, rows, answer) = match decided.await {
                Err(Undecided::Stale) => continue,
                Err(Undecided::Refused(error)) => return Err(error),
                Ok((Decision::Answer(answer), ..)) => return Ok(answer),
                Ok((Decision::Commit(answer), txn, rows)) => (txn, rows, answer),
            };
            match self.meta.commit_prefetched(txn, rows).wait().await? {
                Outcome::Done(_) => return Ok(answer),
                Outcome::Conflict(_) => {
                    tracing::trace!(?operation, tries, "another commit came first");
                }
            }
        }
        Err(ObjectsError::Busy { tries: TRIES_MAX })
    }

    /// Runs a read outside the async threads.
    pub(super) async fn look<T, F>(&self, look: F) -> Result<T, ObjectsError>
    where
        T: Send + 'static,
        F: FnOnce(&dyn Meta) -> Result<T, ObjectsError> + Send + 'static,
    {
        let meta = Arc::clone(&self.meta);
        self.pool.run(move || look(&*meta)).await
    }
}

/// A row that another row names, and that is not there: damage, if the naming row is unchanged.
pub(super) fn missing<T: Table>(table: T, key: T::Key<'_>, what: &'static str) -> StoreError {
    StoreError::DamagedRow {
        key: table.key(key).to_vec(),
        what,
    }
}

/// A bucket and the settings that matter for its versions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct VersionedBucket {
    pub(super) row: BucketRow,
    pub(super) versioning: Versioning,
}

/// The bucket, for a request that reads: one that is being deleted is still there, since its deletion may be refused.
pub(super) fn present(rows: &mut impl Rows, name: &BucketName) -> Result<BucketRow, ObjectsError> {
    rows.read(Buckets, name)?
        .ok_or_else(|| ObjectsError::NoSuchBucket(name.clone()))
}

/// The bucket, for a request that writes: it waits until a deletion is decided.
pub(super) fn active(rows: &mut impl Rows, name: &BucketName) -> Result<BucketRow, ObjectsError> {
    let row = present(rows, name)?;
    match row.state {
        BucketState::Active => Ok(row),
        BucketState::Deleting => Err(ObjectsError::BucketBusy(name.clone())),
    }
}

/// A bucket's versioning state.
pub(super) fn with_versioning(
    rows: &mut impl Rows,
    row: BucketRow,
) -> Result<VersionedBucket, StoreError> {
    let versioning = rows.read(BucketVersioning, row.id)?;
    let versioning = versioning.unwrap_or(Versioning::Unversioned);
    Ok(VersionedBucket { row, versioning })
}

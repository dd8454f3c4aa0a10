//! The loop every change runs: read, decide, commit; on a conflict again.

use std::sync::Arc;

use crate::model::BucketName;
use crate::objects::{Objects, ObjectsError};
use crate::schema::{BucketRow, BucketState, Record, RowKey};
use crate::store::StoreError;
use crate::store::meta::walk::row_of;
use crate::store::meta::{Condition, Key, Meta, Outcome, Row, Txn, Write};

/// How often a decision is taken anew. Each conflict means that another commit on the same rows went through, so
/// this many writers can meet on one key before one of them is told to come back.
const TRIES_MAX: u32 = 256;

/// A transaction being written down.
#[derive(Debug, Default)]
pub(super) struct Draft {
    txn: Txn,
}

impl Draft {
    /// The row must still be as it was read (or still absent).
    pub(super) fn unchanged(&mut self, key: Key, row: Option<&Row>) {
        self.txn.conditions.push(match row {
            Some(row) => Condition::Same(key, row.version),
            None => Condition::Absent(key),
        });
    }

    pub(super) fn put<R: Record>(&mut self, key: &RowKey<'_>, record: &R) {
        self.txn
            .writes
            .push(Write::Put(key.encode(), record.encode()));
    }

    pub(super) fn delete(&mut self, key: &RowKey<'_>) {
        self.txn.writes.push(Write::Delete(key.encode()));
    }

    pub(super) fn add(&mut self, key: &RowKey<'_>, n: i64) {
        if n != 0 {
            self.txn.writes.push(Write::Add(key.encode(), n));
        }
    }
}

/// What a decision comes to.
pub(super) enum Decision<T> {
    /// Commit this; the answer holds once it is durable.
    Commit(Draft, T),
    /// Nothing to change.
    Answer(T),
}

/// Why a decision was not reached.
pub(super) enum Undecided {
    /// A row that another one names is gone: another commit came between two reads. Read again.
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

impl Objects {
    /// Runs `decide` over the rows until its transaction applies.
    pub(super) async fn decide<T, F>(&self, decide: F) -> Result<T, ObjectsError>
    where
        T: Send + 'static,
        F: Fn(&dyn Meta) -> Result<Decision<T>, Undecided> + Send + Sync + 'static,
    {
        let decide = Arc::new(decide);
        for _ in 0..TRIES_MAX {
            let (meta, once) = (Arc::clone(&self.meta), Arc::clone(&decide));
            let (draft, answer) = match self.gate.run(move || once(&*meta)).await {
                Err(Undecided::Stale) => continue,
                Err(Undecided::Refused(error)) => return Err(error),
                Ok(Decision::Answer(answer)) => return Ok(answer),
                Ok(Decision::Commit(draft, answer)) => (draft, answer),
            };
            match self.meta.commit(draft.txn).wait().await? {
                Outcome::Done(_) => return Ok(answer),
                Outcome::Conflict(_) => {}
            }
        }
        Err(ObjectsError::Busy { tries: TRIES_MAX })
    }

    /// Runs a read off the asynchronous threads.
    pub(super) async fn look<T, F>(&self, look: F) -> Result<T, ObjectsError>
    where
        T: Send + 'static,
        F: FnOnce(&dyn Meta) -> Result<T, ObjectsError> + Send + 'static,
    {
        let meta = Arc::clone(&self.meta);
        self.gate.run(move || look(&*meta)).await
    }
}

/// A row as read, decoded.
pub(super) struct Read<R> {
    pub(super) key: Key,
    pub(super) row: Option<Row>,
    pub(super) record: Option<R>,
}

impl<R: Record> Read<R> {
    pub(super) fn of(key: Key, row: Option<Row>) -> Result<Read<R>, StoreError> {
        let record = row.as_ref().map(|row| R::decode(&key, row)).transpose()?;
        Ok(Read { key, row, record })
    }

    /// Makes the draft depend on what was read.
    pub(super) fn guard(&self, draft: &mut Draft) {
        draft.unchanged(self.key.clone(), self.row.as_ref());
    }
}

/// Reads one row.
pub(super) fn read<R: Record>(meta: &dyn Meta, key: &RowKey<'_>) -> Result<Read<R>, StoreError> {
    let key = key.encode();
    let row = row_of(meta, &key)?;
    Read::of(key, row)
}

/// The bucket, if it takes requests.
pub(super) fn active<'a>(
    name: &BucketName,
    read: &'a Read<BucketRow>,
) -> Result<&'a BucketRow, ObjectsError> {
    match &read.record {
        Some(row) if row.state == BucketState::Active => Ok(row),
        _ => Err(ObjectsError::NoSuchBucket(name.clone())),
    }
}

//! The loop every change runs: read, decide, commit; on a conflict again.
//!
//! Invariant: a decision reads rows through its [`Draft`] alone, and its commit requires each of them to be as it was
//! read. [`Draft::unrequired`] is the one way around that, and names its reason.

#[cfg(test)]
pub(crate) mod requirements;

use std::sync::Arc;

use crate::model::BucketName;
use crate::objects::{Objects, ObjectsError};
use crate::planted::{Bug, planted};
use crate::store::StoreError;
use crate::store::meta::walk::{KeyRange, row_of};
use crate::store::meta::{Condition, Key, Meta, Outcome, Row, Txn, Write};
use crate::tables::{BucketRow, BucketState, Keyspace, Record, RowKey};

/// How often a decision is taken anew. Each conflict means that another commit on the same rows went through, so
/// this many writers can meet on one key before one of them is told to come back.
const TRIES_MAX: u32 = 256;

/// What is being decided: names a decision in the log and in tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Operation {
    CreateBucket,
    ChangeBucket,
    HandOverUploads,
    RemoveBucket,
    RevertDeleting,
    Put,
    Delete,
    CreateUpload,
    PutPart,
    AbortUpload,
    CompleteUpload,
}

/// Where rows are read from: a [`Draft`], which requires them, or the rows themselves for an answer without a commit.
pub(super) trait Rows {
    /// Reads one row.
    fn read<R: Record>(&mut self, key: &RowKey<'_>) -> Result<Option<R>, StoreError>;
}

impl Rows for &dyn Meta {
    fn read<R: Record>(&mut self, key: &RowKey<'_>) -> Result<Option<R>, StoreError> {
        let key = key.encode();
        let row = row_of(*self, &key)?;
        row.map(|row| R::decode(&key, &row)).transpose()
    }
}

/// A transaction being written down: what its decision read, and what it changes.
pub(super) struct Draft<'a> {
    meta: &'a dyn Meta,
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "names the requirements that a test leaves out")
    )]
    operation: Operation,
    txn: Txn,
}

impl Rows for Draft<'_> {
    fn read<R: Record>(&mut self, key: &RowKey<'_>) -> Result<Option<R>, StoreError> {
        let encoded = key.encode();
        let row = row_of(self.meta, &encoded)?;
        self.required(key.keyspace(), &encoded, row)
    }
}

impl<'a> Draft<'a> {
    fn new(meta: &'a dyn Meta, operation: Operation) -> Draft<'a> {
        Draft {
            meta,
            operation,
            txn: Txn::default(),
        }
    }

    /// Reads several rows in one view.
    pub(super) fn read_many<R: Record>(
        &mut self,
        keys: &[RowKey<'_>],
    ) -> Result<Vec<Option<R>>, StoreError> {
        let encoded: Vec<Key> = keys.iter().map(RowKey::encode).collect();
        let rows = self.meta.get_many(&encoded)?;
        keys.iter()
            .zip(encoded)
            .zip(rows)
            .map(|((key, encoded), row)| self.required(key.keyspace(), &encoded, row))
            .collect()
    }

    /// Reads the first `limit` rows of a range. Each is required; that no other joins them is not.
    pub(super) fn scan(
        &mut self,
        keyspace: Keyspace,
        range: &KeyRange,
        limit: usize,
    ) -> Result<Vec<(Key, Row)>, StoreError> {
        let rows = self.meta.scan(&range.from, &range.to, limit)?;
        for (key, row) in &rows {
            self.require(keyspace, key.clone(), Some(row));
        }
        Ok(rows)
    }

    /// The rows, to be read without requiring them. `_reason` says why the decision stays right when they change
    /// before its commit.
    pub(super) fn unrequired(&self, _reason: &'static str) -> &'a dyn Meta {
        self.meta
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

    fn required<R: Record>(
        &mut self,
        keyspace: Keyspace,
        key: &Key,
        row: Option<Row>,
    ) -> Result<Option<R>, StoreError> {
        self.require(keyspace, key.clone(), row.as_ref());
        row.map(|row| R::decode(key, &row)).transpose()
    }

    /// The row must still be as it was read (or still absent) when the transaction is applied.
    fn require(&mut self, keyspace: Keyspace, key: Key, row: Option<&Row>) {
        if keyspace == Keyspace::Pack && planted(Bug::RowConditionLeftOut) {
            return;
        }
        #[cfg(test)]
        if requirements::is_left_out(self.operation, keyspace) {
            return;
        }
        self.txn.conditions.push(match row {
            Some(row) => Condition::Same(key, row.version),
            None => Condition::Absent(key),
        });
    }
}

/// What a decision comes to.
pub(super) enum Decision<T> {
    /// Commit the draft; the answer holds once it is durable.
    Commit(T),
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
            let decided = self.gate.run(move || {
                let mut draft = Draft::new(&*meta, operation);
                let decision = once(&mut draft);
                decision.map(|decision| (decision, draft.txn))
            });
            let (txn, answer) = match decided.await {
                Err(Undecided::Stale) => continue,
                Err(Undecided::Refused(error)) => return Err(error),
                Ok((Decision::Answer(answer), _)) => return Ok(answer),
                Ok((Decision::Commit(answer), txn)) => (txn, answer),
            };
            match self.meta.commit(txn).wait().await? {
                Outcome::Done(_) => return Ok(answer),
                Outcome::Conflict(_) => {
                    tracing::trace!(?operation, tries, "another commit came first");
                }
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

/// Reads one row for an answer without a commit.
pub(super) fn read<R: Record>(
    mut meta: &dyn Meta,
    key: &RowKey<'_>,
) -> Result<Option<R>, StoreError> {
    Rows::read(&mut meta, key)
}

/// The bucket, if it takes requests.
pub(super) fn active(rows: &mut impl Rows, name: &BucketName) -> Result<BucketRow, ObjectsError> {
    let row: Option<BucketRow> = rows.read(&RowKey::Bucket(name))?;
    match row {
        Some(row) if row.state == BucketState::Active => Ok(row),
        _ => Err(ObjectsError::NoSuchBucket(name.clone())),
    }
}

//! Meta: ordered byte keys to (value, version), changed only by mini-transactions.
//!
//! The seam has four calls: [`Meta::get_many`], [`Meta::scan`], [`Meta::commit`], [`Meta::now`]. A [`Version`] is the
//! global commit sequence number of the transaction that last wrote the row. It is never reused, not even when a row is
//! deleted and created again, so `Same(key, version)` is a safe compare-and-swap.
//!
//! Invariants: nothing is visible before it is durable; a [`Txn`] applies completely or not at all.

mod dry_run;
pub mod engine;
pub mod group_commit;
mod pending;
pub mod read_only;
#[cfg(any(test, feature = "rocksdb"))]
pub mod rocks;
pub mod row;
pub mod walk;

use bytes::Bytes;

pub use dry_run::DryRunMeta;
pub use group_commit::prefetch::Prefetched;
pub use pending::{Deferred, Pending};

use crate::StoreError;
use crate::clock::UnixMillis;
use engine::SEQUENCE_KEY;

/// The sequence number of the commit that last wrote a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Version(pub u64);

/// A row's key.
pub type Key = Bytes;

/// A row as read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The stored value; for a counter, a big-endian `i64`.
    pub value: Bytes,
    /// The commit that wrote it.
    pub version: Version,
}

/// A precondition of a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// The row exists and was last written by this commit.
    Same(Key, Version),
    /// The row does not exist.
    Absent(Key),
    /// The counter is absent or zero.
    Zero(Key),
}

/// A change made by a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Write {
    /// Creates or replaces a row.
    Put(Key, Bytes),
    /// Removes a row; a missing row is no error.
    Delete(Key),
    /// Adds to a counter (absent counts as zero); a counter that reaches zero is removed. If one would fall below zero,
    /// the whole transaction fails with [`StoreError::DamagedRow`].
    Add(Key, i64),
    /// Adds to a tally: a signed counter that is only a hint, such as a sum of bytes. It never makes a transaction
    /// fail: sums saturate at the limits of an `i64`, negative sums are kept, and a stored value that is no counter
    /// counts as zero. A tally that reaches zero is removed.
    Tally(Key, i64),
}

/// One mini-transaction: all conditions are checked, then all writes applied in order, atomically.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Txn {
    /// The preconditions.
    pub conditions: Vec<Condition>,
    /// The changes.
    pub writes: Vec<Write>,
}

/// Largest transaction in bytes, in every backend. The largest real one is the Complete of an upload of 10,000 parts:
/// it removes 10,000 rows and writes a manifest and a part table, together below 4 MiB.
pub const TXN_BYTES_MAX: usize = 8 * 1024 * 1024;

impl Txn {
    /// Bytes of its keys and values.
    ///
    /// # Errors
    /// [`StoreError::TxnTooLarge`] above [`TXN_BYTES_MAX`].
    ///
    /// # Panics
    /// On a write to the engine's own row. No caller can build such a key with the key schema.
    pub fn bytes(&self) -> Result<usize, StoreError> {
        let conditions = self.conditions.iter().map(|condition| match condition {
            Condition::Same(key, _) | Condition::Absent(key) | Condition::Zero(key) => key.len(),
        });
        let writes = self.writes.iter().map(|write| {
            let (key, value) = match write {
                Write::Put(key, value) => (key, value.len()),
                Write::Delete(key) | Write::Add(key, _) | Write::Tally(key, _) => (key, 0),
            };
            assert!(
                key != SEQUENCE_KEY,
                "the commit sequence is the engine's own row"
            );
            key.len() + value
        });
        let bytes = conditions.chain(writes).sum();
        if bytes > TXN_BYTES_MAX {
            return Err(StoreError::TxnTooLarge {
                bytes,
                max: TXN_BYTES_MAX,
            });
        }
        Ok(bytes)
    }
}

/// The result of a commit in a healthy store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Applied and durable.
    Done(Version),
    /// The condition at this index of [`Txn::conditions`] did not hold; nothing was changed.
    Conflict(usize),
}

/// The ordered rows of a store.
pub trait Meta: Send + Sync + 'static {
    /// Reads each key, in one consistent view, in the order of `keys`.
    ///
    /// # Errors
    /// When the engine cannot read or a row is damaged.
    fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Row>>, StoreError>;

    /// Reads up to `limit` rows with `from <= key < to`, ascending, in one consistent view.
    ///
    /// # Errors
    /// When the engine cannot read or a row is damaged.
    fn scan(&self, from: &[u8], to: &[u8], limit: usize) -> Result<Vec<(Key, Row)>, StoreError>;

    /// Queues a transaction; the answer comes when it is durable or refused.
    fn commit(&self, txn: Txn) -> Pending;

    /// Reads the rows that a large transaction will need, so that other commits need not wait for that.
    ///
    /// # Errors
    /// When the engine cannot read.
    fn prefetch(&self, _txn: &Txn) -> Result<Prefetched, StoreError> {
        Ok(Prefetched::default())
    }

    /// As [`Meta::commit`], perhaps with rows that [`Meta::prefetch`] has read.
    fn commit_prefetched(&self, txn: Txn, _prefetched: Option<Prefetched>) -> Pending {
        self.commit(txn)
    }

    /// The store's wall time, for ages only.
    fn now(&self) -> UnixMillis;
}

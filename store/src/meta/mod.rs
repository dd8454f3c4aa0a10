//! Meta: ordered byte keys to (value, version), changed only by mini-transactions.
//!
//! The seam has four calls: [`Meta::get_many`], [`Meta::scan`], [`Meta::commit`], [`Meta::now`]. A [`Version`] is the
//! global commit sequence number of the transaction that last wrote the row; it is never reused, also not across
//! delete and re-create, so `Same(key, version)` is a safe compare-and-swap.
//!
//! Invariants: nothing is visible before it is durable; a [`Txn`] applies wholly or not at all.

mod batch;
pub mod committer;
pub mod engine;
pub mod frozen;
#[cfg(any(test, feature = "rocksdb"))]
mod log_check;
pub mod mem;
#[cfg(feature = "rocksdb")]
pub mod rocks;
pub mod row;
pub mod walk;

use bytes::Bytes;
use tokio::sync::oneshot;
use tokio::sync::oneshot::error::TryRecvError;

use crate::StoreError;
use crate::clock::UnixMillis;

/// The sequence number of the commit that last wrote a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Version(pub u64);

/// A row's key.
pub type Key = Bytes;

/// A row as read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The stored value; for a counter, its `i64` in big-endian.
    pub value: Bytes,
    /// Which commit wrote it.
    pub version: Version,
}

/// What must hold for a transaction to apply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// The row exists and was last written by this commit.
    Same(Key, Version),
    /// No such row.
    Absent(Key),
    /// The counter is absent or zero.
    Zero(Key),
}

/// What a transaction changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Write {
    /// Creates or replaces a row.
    Put(Key, Bytes),
    /// Removes a row; removing none is no error.
    Delete(Key),
    /// Adds to a counter (absent counts as zero); a counter that reaches zero is removed. One that would fall below
    /// zero makes the whole transaction fail with [`StoreError::DamagedRow`].
    Add(Key, i64),
    /// Adds to a tally: a signed counter that is only a hint, such as a sum of bytes. It never makes a transaction
    /// fail: a sum beyond the bounds of an `i64` stays at the bound, one below zero is kept, and a stored value that is
    /// no counter counts as zero. A tally that reaches zero is removed.
    Tally(Key, i64),
}

/// One mini-transaction: all conditions are checked, then all writes applied in order, atomically.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Txn {
    /// What must hold.
    pub conditions: Vec<Condition>,
    /// What is then changed.
    pub writes: Vec<Write>,
}

/// How a commit ended when the store itself is well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Applied and durable.
    Done(Version),
    /// The condition at this index of [`Txn::conditions`] did not hold; nothing was changed.
    Conflict(usize),
}

/// The answer to a commit, once it comes. It can be awaited, or waited for by a blocking caller.
///
/// When the queue was full, waiting also queues the transaction, so that no thread is held meanwhile; one that is
/// dropped before is then never applied. Otherwise a dropped one is applied or not, like any unanswered request.
#[derive(Debug)]
pub struct Pending {
    unsent: Option<committer::Unsent>,
    answer: oneshot::Receiver<Result<Outcome, StoreError>>,
}

impl Pending {
    /// A pending answer and the end that gives it.
    pub fn new() -> (oneshot::Sender<Result<Outcome, StoreError>>, Pending) {
        let (give, answer) = oneshot::channel();
        (
            give,
            Pending {
                unsent: None,
                answer,
            },
        )
    }

    /// An answer known at once.
    pub fn ready(answer: Result<Outcome, StoreError>) -> Pending {
        let (give, pending) = Pending::new();
        // The receiver is alive in `pending`, so the send cannot fail.
        drop(give.send(answer));
        pending
    }

    /// The same, with a transaction still to be queued.
    fn deferred(self, unsent: committer::Unsent) -> Pending {
        Pending {
            unsent: Some(unsent),
            ..self
        }
    }

    /// Waits without holding a thread.
    ///
    /// # Errors
    /// What the commit met; [`StoreError::Closed`] when the committer went away before it answered.
    pub async fn wait(self) -> Result<Outcome, StoreError> {
        if let Some(unsent) = self.unsent {
            unsent.send().await?;
        }
        self.answer.await.unwrap_or(Err(StoreError::Closed))
    }

    /// Waits on this thread; for blocking callers and tests only.
    ///
    /// # Errors
    /// As [`Pending::wait`].
    pub fn wait_blocking(mut self) -> Result<Outcome, StoreError> {
        if let Some(unsent) = self.unsent.take() {
            unsent.send_blocking()?;
        }
        match self.answer.try_recv() {
            // Known already: also a thread that drives tasks may take it.
            Ok(answer) => answer,
            Err(TryRecvError::Closed) => Err(StoreError::Closed),
            Err(TryRecvError::Empty) => self
                .answer
                .blocking_recv()
                .unwrap_or(Err(StoreError::Closed)),
        }
    }
}

/// The ordered rows of a store.
pub trait Meta: Send + Sync + 'static {
    /// Reads each key, in one consistent view, in the order asked.
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

    /// The store's wall time, for ages only.
    fn now(&self) -> UnixMillis;
}

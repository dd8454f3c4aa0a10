//! Events that the store reports while it works. It does not know who counts them.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use crate::health::Health;

/// One durable batch of commits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CommitBatch {
    /// Transactions answered, conflicts included.
    pub txns: usize,
    /// Transactions applied.
    pub applied: usize,
    /// Bytes of keys and values handed to the engine.
    pub bytes: usize,
    /// From the start of the check to the end of the sync.
    pub took: Duration,
}

/// One sync of a pack file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PackSync {
    /// Bytes appended since the previous sync.
    pub bytes: u64,
    /// Duration of the sync.
    pub took: Duration,
}

/// A thread that lives as long as the store is open. None is restarted after a panic: nobody knows how far its work had
/// come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreThread {
    /// Decides transactions.
    Committer,
    /// Appends small bodies to the shared pack.
    Appender,
}

impl fmt::Display for StoreThread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            StoreThread::Committer => "committer",
            StoreThread::Appender => "appender",
        })
    }
}

/// Receives events of the store. Called on the store's own threads, so it must not block.
pub trait Observer: Send + Sync + 'static {
    /// A batch of transactions was decided.
    fn committed(&self, batch: CommitBatch);

    /// A pack was synced.
    fn pack_synced(&self, sync: PackSync);

    /// A thread ended by a panic; the store is read-only.
    fn thread_panicked(&self, thread: StoreThread);
}

/// Where an [`Observer`] registers once, after the store is opened.
#[derive(Default)]
pub struct Watch {
    observer: OnceLock<Arc<dyn Observer>>,
}

impl Watch {
    /// No listener yet.
    pub fn new() -> Watch {
        Watch::default()
    }

    /// Sets the listener. A second one is ignored: there is one telemetry per process.
    pub fn register(&self, observer: Arc<dyn Observer>) {
        drop(self.observer.set(observer));
    }

    pub(super) fn committed(&self, batch: CommitBatch) {
        if let Some(observer) = self.observer.get() {
            observer.committed(batch);
        }
    }

    pub(super) fn pack_synced(&self, sync: PackSync) {
        if let Some(observer) = self.observer.get() {
            observer.pack_synced(sync);
        }
    }
}

/// Lives in a thread of the store. When the thread ends by a panic, it makes the store read-only, so that readiness
/// says why, and notifies the observer.
pub struct ThreadGuard {
    /// The thread.
    pub thread: StoreThread,
    /// The store's latch.
    pub health: Arc<Health>,
    /// The store's observer.
    pub watch: Arc<Watch>,
}

impl Drop for ThreadGuard {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.health
                .latch(format!("the {} stopped by a bug", self.thread));
            if let Some(observer) = self.watch.observer.get() {
                observer.thread_panicked(self.thread);
            }
        }
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch")
            .field("registered", &self.observer.get().is_some())
            .finish()
    }
}

//! Group commit: one thread that decides transactions in batches, with one synced write per batch.
//!
//! It knows no engine by name and no meaning of rows. Callers queue and await without holding a blocking thread. While
//! one batch is being synced, the next one fills up: there is no timer, and no added latency when idle.
//!
//! Invariants: an answer is given only after the engine's batch is durable. This also holds for a conflict, which may
//! depend on a transaction of the same batch. After a failed batch, this process applies nothing more.

pub(crate) mod batch;
pub mod prefetch;

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::thread::JoinHandle;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::oneshot;

use self::batch::{decide, keys_read};
use self::prefetch::{Applied, Prefetched, RecentKeys};
use crate::StoreError;
use crate::clock::{Clock, UnixMillis};
use crate::health::Health;
use crate::meta::engine::{Engine, read_rows, scan_rows};
use crate::meta::{Deferred, Key, Meta, Outcome, Pending, Row, Txn, Version};
use crate::observer::{CommitBatch, StoreThread, ThreadGuard, Watch};

/// Transactions that may wait in the queue: a few batches' worth. Each belongs to a request that waits for its answer
/// and holds the transaction's bytes anyway, so the queue adds no memory. Further callers wait in [`Pending::wait`].
pub const QUEUE_TXNS_MAX: usize = 1024;

/// Transactions in one batch. A sync takes 0.1 to 10 ms. Checking 256 transactions of a few rows takes about as long as
/// a fast sync, so a larger batch would gain little and delay its first caller.
pub const BATCH_TXNS_MAX: usize = 256;

/// Bytes after which a batch takes no more transactions: a good size for one RocksDB write group.
pub const BATCH_BYTES_MAX: usize = 1024 * 1024;

/// [`Meta`] over an [`Engine`].
pub struct Committer {
    engine: Arc<dyn Engine>,
    clock: Arc<dyn Clock>,
    health: Arc<Health>,
    applied: Arc<Applied>,
    intake: Intake,
}

/// How transactions reach the worker.
enum Intake {
    Thread {
        queue: Mutex<Option<mpsc::Sender<Job>>>,
        thread: Mutex<Option<JoinHandle<()>>>,
    },
    #[cfg(any(test, feature = "testing"))]
    Inline { worker: Mutex<Option<Worker>> },
}

/// A transaction and its waiting caller.
#[derive(Debug)]
struct Job {
    txn: Txn,
    prefetched: Option<Prefetched>,
    bytes: usize,
    answer: oneshot::Sender<Result<Outcome, StoreError>>,
}

/// A transaction that found the queue full: it is queued when its caller waits.
#[derive(Debug)]
struct Unsent {
    // Weak: a forgotten `Pending` must not keep a closing committer's queue open.
    queue: mpsc::WeakSender<Job>,
    job: Job,
}

impl Deferred for Unsent {
    fn send(self: Box<Self>) -> Pin<Box<dyn Future<Output = Result<(), StoreError>> + Send>> {
        Box::pin(async move {
            let queue = self.queue.upgrade().ok_or(StoreError::Closed)?;
            queue.send(self.job).await.map_err(|_| StoreError::Closed)
        })
    }

    fn send_blocking(self: Box<Self>) -> Result<(), StoreError> {
        let queue = self.queue.upgrade().ok_or(StoreError::Closed)?;
        queue
            .blocking_send(self.job)
            .map_err(|_| StoreError::Closed)
    }
}

impl Committer {
    /// Starts the committer's thread.
    ///
    /// # Errors
    /// When the engine cannot read its last sequence, or no thread can be started.
    pub fn start(
        engine: Arc<dyn Engine>,
        clock: Arc<dyn Clock>,
        health: Arc<Health>,
        watch: Arc<Watch>,
    ) -> Result<Committer, StoreError> {
        let worker = Worker::new(&engine, &clock, &health, watch)?;
        let applied = Arc::clone(&worker.applied);
        let (queue, jobs) = mpsc::channel(QUEUE_TXNS_MAX);
        // The one thread of the store; `close` joins it.
        let thread = std::thread::Builder::new()
            .name("committer".to_owned())
            .spawn(move || worker.run(jobs))
            .map_err(|source| StoreError::Io {
                op: "start a thread for",
                path: "committer".into(),
                source,
            })?;
        let intake = Intake::Thread {
            queue: Mutex::new(Some(queue)),
            thread: Mutex::new(Some(thread)),
        };
        Ok(Committer {
            engine,
            clock,
            health,
            applied,
            intake,
        })
    }

    /// A committer that decides each transaction on its caller's thread before [`Meta::commit`] returns: without
    /// batches, a seeded simulation has the same outcome at each run.
    ///
    /// # Errors
    /// When the engine cannot read its last sequence.
    #[cfg(any(test, feature = "testing"))]
    pub fn inline(
        engine: Arc<dyn Engine>,
        clock: Arc<dyn Clock>,
        health: Arc<Health>,
        watch: Arc<Watch>,
    ) -> Result<Committer, StoreError> {
        let worker = Worker::new(&engine, &clock, &health, watch)?;
        Ok(Committer {
            engine,
            clock,
            health,
            applied: Arc::clone(&worker.applied),
            intake: Intake::Inline {
                worker: Mutex::new(Some(worker)),
            },
        })
    }

    /// Decides what is queued, ends the thread and closes the engine. Later calls return [`StoreError::Closed`].
    pub fn close(&self) {
        match &self.intake {
            Intake::Thread { queue, thread } => {
                // ORDER: queue, thread, engine. When the last sender is gone, the thread drains the queue and ends.
                // Only then may the engine close, else a queued commit would be lost.
                drop(queue.lock().take());
                if let Some(thread) = thread.lock().take() {
                    // The worker's guard has latched its panic.
                    drop(thread.join());
                }
            }
            #[cfg(any(test, feature = "testing"))]
            Intake::Inline { worker } => drop(worker.lock().take()),
        }
        self.engine.close();
    }

    fn enqueue(&self, job: Job, pending: Pending) -> Pending {
        match &self.intake {
            Intake::Thread { queue, .. } => {
                let Some(queue) = queue.lock().clone() else {
                    return Pending::ready(Err(StoreError::Closed));
                };
                match queue.try_send(job) {
                    Ok(()) => pending,
                    Err(TrySendError::Full(job)) => pending.deferred(Unsent {
                        queue: queue.downgrade(),
                        job,
                    }),
                    Err(TrySendError::Closed(_)) => Pending::ready(Err(StoreError::Closed)),
                }
            }
            #[cfg(any(test, feature = "testing"))]
            Intake::Inline { worker } => {
                let mut worker = worker.lock();
                let Some(worker) = worker.as_mut() else {
                    return Pending::ready(Err(StoreError::Closed));
                };
                worker.settle(vec![job]);
                pending
            }
        }
    }
}

impl Meta for Committer {
    fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Row>>, StoreError> {
        read_rows(&*self.engine, keys)
    }

    fn scan(&self, from: &[u8], to: &[u8], limit: usize) -> Result<Vec<(Key, Row)>, StoreError> {
        scan_rows(&*self.engine, from, to, limit)
    }

    fn commit(&self, txn: Txn) -> Pending {
        self.commit_prefetched(txn, None)
    }

    fn prefetch(&self, txn: &Txn) -> Result<Prefetched, StoreError> {
        let keys = keys_read(std::iter::once(txn));
        Prefetched::read(&*self.engine, &self.applied, keys)
    }

    fn commit_prefetched(&self, txn: Txn, prefetched: Option<Prefetched>) -> Pending {
        if let Err(read_only) = self.health.writable() {
            return Pending::ready(Err(read_only));
        }
        let bytes = match txn.bytes() {
            Ok(bytes) => bytes,
            Err(too_large) => return Pending::ready(Err(too_large)),
        };
        let (answer, pending) = Pending::new();
        let job = Job {
            txn,
            prefetched,
            bytes,
            answer,
        };
        self.enqueue(job, pending)
    }

    fn now(&self) -> UnixMillis {
        self.clock.now()
    }
}

impl Drop for Committer {
    fn drop(&mut self) {
        self.close();
    }
}

impl std::fmt::Debug for Committer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Committer")
            .field("health", &self.health)
            .finish_non_exhaustive()
    }
}

/// The single writer of the engine.
struct Worker {
    engine: Arc<dyn Engine>,
    clock: Arc<dyn Clock>,
    health: Arc<Health>,
    watch: Arc<Watch>,
    last: Version,
    applied: Arc<Applied>,
    recent: RecentKeys,
}

impl Worker {
    fn new(
        engine: &Arc<dyn Engine>,
        clock: &Arc<dyn Clock>,
        health: &Arc<Health>,
        watch: Arc<Watch>,
    ) -> Result<Worker, StoreError> {
        let last = engine.last_sequence()?;
        Ok(Worker {
            engine: Arc::clone(engine),
            clock: Arc::clone(clock),
            health: Arc::clone(health),
            watch,
            last,
            applied: Arc::new(Applied::new(last)),
            recent: RecentKeys::after(last),
        })
    }

    fn run(mut self, mut jobs: mpsc::Receiver<Job>) {
        // After a panic of the committer, its callers get `Closed`, and readiness says why.
        let _guard = ThreadGuard {
            thread: StoreThread::Committer,
            health: Arc::clone(&self.health),
            watch: Arc::clone(&self.watch),
        };
        while let Some(first) = jobs.blocking_recv() {
            let batch = gather(first, &mut jobs);
            self.settle(batch);
        }
    }

    fn settle(&mut self, jobs: Vec<Job>) {
        let started = self.clock.elapsed();
        match self.try_settle(&jobs) {
            Ok((verdicts, mut summary)) => {
                summary.took = self.clock.elapsed().saturating_sub(started);
                self.watch.committed(summary);
                for (job, verdict) in jobs.into_iter().zip(verdicts) {
                    // A caller that has left does not need the answer.
                    drop(job.answer.send(verdict));
                }
            }
            Err(error) => self.refuse(jobs, error),
        }
    }

    fn refuse(&mut self, jobs: Vec<Job>, error: StoreError) {
        if let Some(reason) = self.health.read_only() {
            for job in jobs {
                drop(job.answer.send(Err(StoreError::ReadOnly {
                    reason: reason.to_owned(),
                })));
            }
        } else if jobs.len() > 1 {
            // A row that cannot be read must not fail the other transactions of the batch.
            for job in jobs {
                self.settle(vec![job]);
            }
        } else if let Some(job) = jobs.into_iter().next() {
            drop(job.answer.send(Err(error)));
        }
    }

    /// Decides and applies. An error while health is still writable is a read error: nothing was changed.
    fn try_settle(
        &mut self,
        jobs: &[Job],
    ) -> Result<(Vec<Result<Outcome, StoreError>>, CommitBatch), StoreError> {
        self.health.writable()?;
        let stored = self.rows_of(jobs)?;
        let decided = decide(&stored, self.last, jobs.iter().map(|job| &job.txn));
        if decided.applied > 0 {
            self.engine.apply(&decided.batch).map_err(|error| {
                // Only a restart can tell whether the batch is there. Everything decided from now on would rest on a
                // guess.
                self.health
                    .latch(format!("a metadata commit failed: {error}"));
                error
            })?;
            assert!(
                decided.batch.sequence > self.last,
                "the commit sequence only grows"
            );
            self.last = decided.batch.sequence;
            self.recent.remember(&decided.batch);
            self.applied.set(self.last);
        }
        let summary = CommitBatch {
            txns: jobs.len(),
            applied: decided.applied,
            bytes: decided.batch.bytes(),
            took: std::time::Duration::ZERO,
        };
        Ok((decided.verdicts, summary))
    }
}

impl Worker {
    /// The engine's rows of each key that the transactions need: those prefetched, if they are still the same, else
    /// read now.
    fn rows_of(&self, jobs: &[Job]) -> Result<HashMap<Key, Bytes>, StoreError> {
        let mut known = HashMap::new();
        for prefetched in jobs.iter().filter_map(|job| job.prefetched.as_ref()) {
            self.recent.add_unchanged(prefetched, &mut known);
        }
        let keys = keys_read(jobs.iter().map(|job| &job.txn));
        let mut rows = HashMap::with_capacity(keys.len());
        let mut unknown = Vec::new();
        for key in keys {
            match known.get(&key) {
                Some(Some(bytes)) => drop(rows.insert(key, Bytes::clone(bytes))),
                Some(None) => {}
                None => unknown.push(key),
            }
        }
        let read = self.engine.get_many(&unknown)?;
        let read = unknown.into_iter().zip(read);
        rows.extend(read.filter_map(|(key, bytes)| Some((key, bytes?))));
        Ok(rows)
    }
}

/// Takes the waiting transactions, up to the limits of a batch.
fn gather(first: Job, jobs: &mut mpsc::Receiver<Job>) -> Vec<Job> {
    let mut bytes = first.bytes;
    let mut batch = vec![first];
    while batch.len() < BATCH_TXNS_MAX && bytes < BATCH_BYTES_MAX {
        let Ok(job) = jobs.try_recv() else { break };
        bytes += job.bytes;
        batch.push(job);
    }
    batch
}

#[cfg(test)]
mod tests;

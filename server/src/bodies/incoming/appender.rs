//! Group append: small bodies that arrive during one sync form the next batch.
//!
//! One thread owns the shared pack. It opens the pack (its row becomes `live` before anything is appended), appends
//! batches, and seals the pack when it is full, after a failed append and at a clean stop. After a crash, the next
//! start seals the pack that the dead process left open: see `packs::writers`. A simulation has no thread: the first
//! caller to resume serves all waiting callers.

use std::sync::Arc;
use std::thread::JoinHandle;

use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot};

use crate::bodies::incoming::IngestError;
use crate::bodies::incoming::sink::Durable;
use crate::packs::{PackClaim, PlacedSegment, shared, writers};
#[cfg(any(test, feature = "testing"))]
use crate::store::blocking_pool::let_others_run;
use crate::store::meta::Meta;
use crate::store::observer::ThreadGuard;
use crate::store::packs::format::header::PACK_HEADER_BYTES;
use crate::store::packs::{PackOwner, Packs, SegmentDraft};
use crate::store::{Epoch, PackId, StoreError};

/// Bodies that may wait for the next batch; the ingest's budget limits their memory.
const QUEUE_MAX: usize = 1024;

/// Largest number of bodies in one batch, which share one sync.
const BATCH_MAX: usize = 256;

struct Request {
    draft: SegmentDraft,
    answer: oneshot::Sender<Result<Durable, StoreError>>,
}

/// Access to the shared pack.
pub struct Appender {
    way: Way,
}

enum Way {
    Thread {
        queue: Mutex<Option<mpsc::Sender<Request>>>,
        thread: Mutex<Option<JoinHandle<Result<(), StoreError>>>>,
    },
    #[cfg(any(test, feature = "testing"))]
    Inline(Mutex<Waiting>),
}

/// Bodies that the next caller appends together.
#[cfg(any(test, feature = "testing"))]
struct Waiting {
    requests: Vec<Request>,
    worker: Option<Worker>,
}

impl Appender {
    /// Starts the thread; packs are sealed at `pack_bytes`. `guard` reports a panic of the thread.
    ///
    /// # Errors
    /// When the system cannot start a thread.
    pub fn start(
        meta: Arc<dyn Meta>,
        packs: Arc<dyn Packs>,
        epoch: Epoch,
        pack_bytes: u64,
        guard: ThreadGuard,
    ) -> Result<Appender, StoreError> {
        let (queue, requests) = mpsc::channel(QUEUE_MAX);
        let worker = Worker::new(meta, packs, epoch, pack_bytes);
        let thread = std::thread::Builder::new()
            .name("group-append".to_owned())
            .spawn(move || {
                let _guard = guard;
                worker.run(requests)
            })
            .map_err(|source| StoreError::Io {
                op: "start the appending thread",
                path: "group-append".into(),
                source,
            })?;
        let way = Way::Thread {
            queue: Mutex::new(Some(queue)),
            thread: Mutex::new(Some(thread)),
        };
        Ok(Appender { way })
    }

    /// An appender without a thread: its callers do the work.
    ///
    /// # Errors
    /// None; the signature is close to that of [`Appender::start`].
    #[cfg(any(test, feature = "testing"))]
    pub fn inline(
        meta: Arc<dyn Meta>,
        packs: Arc<dyn Packs>,
        epoch: Epoch,
        pack_bytes: u64,
    ) -> Result<Appender, StoreError> {
        let waiting = Waiting {
            requests: Vec::new(),
            worker: Some(Worker::new(meta, packs, epoch, pack_bytes)),
        };
        Ok(Appender {
            way: Way::Inline(Mutex::new(waiting)),
        })
    }

    /// Appends a small body, which is durable when this returns.
    ///
    /// # Errors
    /// When the disk fails or the store is closing.
    pub(super) async fn append(&self, draft: SegmentDraft) -> Result<Durable, IngestError> {
        let (answer, placed) = oneshot::channel();
        let request = Request { draft, answer };
        match &self.way {
            Way::Thread { queue, .. } => {
                let queue = queue.lock().clone().ok_or(StoreError::Closed)?;
                queue.send(request).await.map_err(|_| StoreError::Closed)?;
            }
            #[cfg(any(test, feature = "testing"))]
            Way::Inline(waiting) => {
                waiting.lock().requests.push(request);
                let_others_run().await;
                waiting.lock().serve();
                let_others_run().await;
            }
        }
        Ok(placed.await.map_err(|_| StoreError::Closed)??)
    }

    /// Stops accepting bodies, seals the shared pack, joins the thread.
    ///
    /// # Errors
    /// When the seal cannot be committed.
    pub fn close(&self) -> Result<(), StoreError> {
        match &self.way {
            Way::Thread { queue, thread } => {
                drop(queue.lock().take());
                let thread = thread.lock().take();
                match thread.map(JoinHandle::join) {
                    None => Ok(()),
                    Some(Ok(done)) => done,
                    // Its guard has made the store read-only; the next start seals the pack.
                    Some(Err(_panic)) => Err(StoreError::Closed),
                }
            }
            #[cfg(any(test, feature = "testing"))]
            Way::Inline(waiting) => {
                let worker = waiting.lock().worker.take();
                worker.map_or(Ok(()), |mut worker| worker.end())
            }
        }
    }
}

#[cfg(any(test, feature = "testing"))]
impl Waiting {
    fn serve(&mut self) {
        let requests = std::mem::take(&mut self.requests);
        // Without a worker the store is closing: a dropped request tells its caller so.
        if let Some(worker) = self.worker.as_mut().filter(|_| !requests.is_empty()) {
            worker.serve(requests);
        }
    }
}

struct OpenPack {
    pack: PackId,
    /// Length up to the end of the last good batch.
    len: u64,
    /// An append to it failed: it takes no more.
    failed: bool,
}

struct Worker {
    meta: Arc<dyn Meta>,
    packs: Arc<dyn Packs>,
    /// This process's epoch: the writer ends with its last pack.
    epoch: Epoch,
    pack_bytes: u64,
    open: Option<OpenPack>,
}

impl Worker {
    fn new(meta: Arc<dyn Meta>, packs: Arc<dyn Packs>, epoch: Epoch, pack_bytes: u64) -> Worker {
        Worker {
            meta,
            packs,
            epoch,
            pack_bytes,
            open: None,
        }
    }

    fn run(mut self, mut requests: mpsc::Receiver<Request>) -> Result<(), StoreError> {
        while let Some(first) = requests.blocking_recv() {
            let mut batch = vec![first];
            while batch.len() < BATCH_MAX {
                match requests.try_recv() {
                    Ok(request) => batch.push(request),
                    Err(_) => break,
                }
            }
            self.serve(batch);
        }
        self.end()
    }

    /// Seals the shared pack, and records that this process writes no more.
    fn end(&mut self) -> Result<(), StoreError> {
        // ORDER: the writer ends after its last pack is sealed, so that nobody who sees it ended finds an open pack.
        self.seal()?;
        writers::end(&*self.meta, self.epoch)
    }

    fn serve(&mut self, batch: Vec<Request>) {
        let (drafts, answers): (Vec<_>, Vec<_>) =
            batch.into_iter().map(|r| (r.draft, r.answer)).unzip();
        match self.append(&drafts) {
            Ok(segments) => {
                for (answer, segment) in answers.into_iter().zip(segments) {
                    // If the client has disconnected, its segment stays unused.
                    drop(answer.send(Ok(segment)));
                }
            }
            Err(failure) => {
                tracing::error!(error = %failure, bodies = answers.len(), "append to the shared pack failed");
                let failure = Arc::new(failure);
                for answer in answers {
                    drop(answer.send(Err(StoreError::Shared(Arc::clone(&failure)))));
                }
            }
        }
    }

    fn append(&mut self, drafts: &[SegmentDraft]) -> Result<Vec<Durable>, StoreError> {
        if self
            .open
            .as_ref()
            .is_some_and(|open| open.failed || open.len >= self.pack_bytes)
        {
            self.seal()?;
        }
        if self.open.is_none() {
            self.open_pack()?;
        }
        match self.packs.append(drafts) {
            Ok(appended) => {
                let len = appended.pack_len;
                let (claim, lease) = match appended.owner {
                    PackOwner::Shared => {
                        let pack = appended.pack;
                        self.open = Some(OpenPack {
                            pack,
                            len,
                            failed: false,
                        });
                        (PackClaim::Shared, None)
                    }
                    PackOwner::Batch(lease) => (PackClaim::Own { len }, Some(lease)),
                };
                let segments = appended.segments.into_iter();
                let durable = segments.map(|segment| Durable {
                    placed: PlacedSegment { segment, claim },
                    lease: lease.clone(),
                });
                Ok(durable.collect())
            }
            Err(failure) => {
                // The pack ends at its last good batch; the next body opens another pack.
                if let Some(open) = &mut self.open {
                    open.failed = true;
                }
                if let Err(second) = self.seal() {
                    tracing::warn!(error = %second, "the pack of a failed append is sealed before the next one opens");
                }
                Err(failure)
            }
        }
    }

    fn open_pack(&mut self) -> Result<(), StoreError> {
        let pack = self.packs.open_shared()?;
        shared::open(&*self.meta, pack)?;
        self.open = Some(OpenPack {
            pack,
            len: PACK_HEADER_BYTES,
            failed: false,
        });
        Ok(())
    }

    /// Seals the open pack. If that fails, the pack stays open, and the next call tries again: a pack that is forgotten
    /// would never be sealed, and so never be freed.
    fn seal(&mut self) -> Result<(), StoreError> {
        if let Some(open) = &self.open {
            shared::seal(&*self.meta, open.pack, open.len)?;
        }
        self.open = None;
        Ok(())
    }
}

#[cfg(test)]
mod tests;

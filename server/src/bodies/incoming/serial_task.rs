//! Work on a value that must be done in order, outside the async threads, while the caller hands over more pieces.
//!
//! Knows nothing of digests or packs. Invariants: pieces go through a [`Stage`] in the order in which they were handed
//! over; no piece follows a failed one; an idle task holds no thread and no permit.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::OwnedSemaphorePermit;

use crate::bodies::incoming::IngestError;
use crate::store::StoreError;
use crate::store::blocking_pool::{BlockingPool, Running};

/// A processing stage for the frames of a body.
pub(super) trait Stage: Sized + Send + 'static {
    /// Processes the next frames. May block.
    fn take(self, frames: &[Bytes]) -> Result<Self, IngestError>;
}

/// Frames that are handed over together, with the permit that they hold until every task has processed them.
pub(super) struct Piece {
    pub(super) frames: Vec<Bytes>,
    pub(super) _room: OwnedSemaphorePermit,
}

/// A stage, and the pieces that wait for it.
pub(super) struct SerialTask<S> {
    pool: BlockingPool,
    queue: Arc<Mutex<Queue<S>>>,
    worker: Option<Running<()>>,
}

struct Queue<S> {
    state: State<S>,
    waiting: VecDeque<Arc<Piece>>,
}

enum State<S> {
    /// No worker has it.
    Idle(S),
    /// A worker has it and processes pieces until none waits.
    AtWork,
    Failed(IngestError),
    /// Taken, or lost with its worker.
    Gone,
}

impl<S: Stage> SerialTask<S> {
    pub(super) fn new(pool: BlockingPool, stage: S) -> SerialTask<S> {
        let queue = Queue {
            state: State::Idle(stage),
            waiting: VecDeque::new(),
        };
        SerialTask {
            pool,
            queue: Arc::new(Mutex::new(queue)),
            worker: None,
        }
    }

    /// Adds a piece after the waiting ones.
    ///
    /// # Errors
    /// The failure of an earlier piece.
    pub(super) async fn hand_over(&mut self, piece: &Arc<Piece>) -> Result<(), IngestError> {
        let added = self.queue.lock().add(piece);
        let stage = match added {
            Added::Waits => return Ok(()),
            Added::Begins(stage) => stage,
            Added::Lost => return self.take().await.map(drop),
        };
        let mut work = Worker {
            queue: Arc::clone(&self.queue),
            next: Some((stage, Arc::clone(piece))),
            within: false,
        };
        let mut worker = self.pool.take_turns(move || work.turn());
        // Nobody else would run it: in a simulation, work is done while somebody waits for it.
        if worker.waits_for_caller() {
            worker.end().await;
        } else {
            self.worker = Some(worker);
        }
        Ok(())
    }

    /// Waits for all pieces and takes the stage out.
    ///
    /// # Errors
    /// The failure of a piece.
    pub(super) async fn take(&mut self) -> Result<S, IngestError> {
        if let Some(mut worker) = self.worker.take() {
            worker.end().await;
        }
        match std::mem::replace(&mut self.queue.lock().state, State::Gone) {
            State::Idle(stage) => Ok(stage),
            State::Failed(failure) => Err(failure),
            State::AtWork | State::Gone => Err(IngestError::Store(StoreError::Closed)),
        }
    }
}

impl<S> Drop for SerialTask<S> {
    fn drop(&mut self) {
        // Nobody needs the waiting pieces. A worker inside a piece ends after it; a worker that waits for a permit ends
        // at once.
        self.queue.lock().waiting.clear();
        if let Some(worker) = self.worker.take() {
            worker.abandon();
        }
    }
}

/// A worker's share of a queue: a stage and its next piece.
struct Worker<S: Stage> {
    queue: Arc<Mutex<Queue<S>>>,
    next: Option<(S, Arc<Piece>)>,
    /// Whether it is inside the stage.
    within: bool,
}

impl<S: Stage> Worker<S> {
    /// Processes the next piece.
    fn turn(&mut self) -> ControlFlow<()> {
        let Some((stage, piece)) = self.next.take() else {
            return ControlFlow::Break(());
        };
        self.within = true;
        let done = stage.take(&piece.frames);
        self.within = false;
        // Dropped before the queue is updated, so that a caller waiting for this piece finds its permit free.
        drop(piece);
        self.next = self.queue.lock().after(done);
        match self.next {
            Some(_) => ControlFlow::Continue(()),
            None => ControlFlow::Break(()),
        }
    }
}

/// The result of adding a piece.
enum Added<S> {
    /// No worker had the stage: a new worker must begin with this piece.
    Begins(S),
    /// The current worker will process it.
    Waits,
    /// The stage no longer exists: taken, failed or lost.
    Lost,
}

impl<S> Queue<S> {
    fn add(&mut self, piece: &Arc<Piece>) -> Added<S> {
        match std::mem::replace(&mut self.state, State::AtWork) {
            State::Idle(stage) => Added::Begins(stage),
            State::AtWork => {
                self.waiting.push_back(Arc::clone(piece));
                Added::Waits
            }
            lost @ (State::Failed(_) | State::Gone) => {
                self.state = lost;
                Added::Lost
            }
        }
    }

    /// The next work after a piece, if any.
    fn after(&mut self, done: Result<S, IngestError>) -> Option<(S, Arc<Piece>)> {
        match (done, self.waiting.pop_front()) {
            (Ok(stage), Some(piece)) => return Some((stage, piece)),
            (Ok(stage), None) => self.state = State::Idle(stage),
            (Err(failure), _) => {
                self.state = State::Failed(failure);
                self.waiting.clear();
            }
        }
        None
    }
}

impl<S: Stage> Drop for Worker<S> {
    fn drop(&mut self) {
        // Abandoned or panicking: the stage is lost, and no waiting piece may keep its permit.
        if self.within || self.next.is_some() {
            let mut queue = self.queue.lock();
            queue.state = State::Gone;
            queue.waiting.clear();
        }
    }
}

#[cfg(test)]
mod tests;

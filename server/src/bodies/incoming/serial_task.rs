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

/// What frames of a body go through.
pub(super) trait Stage: Sized + Send + 'static {
    /// Takes in the next frame. May block.
    fn take(self, frame: &Bytes) -> Result<Self, IngestError>;
}

/// Frames that are handed over together, and the room that they take until every task is done with them.
pub(super) struct Piece {
    pub(super) frames: Vec<Bytes>,
    pub(super) _room: OwnedSemaphorePermit,
}

/// A stage, and the pieces that wait for it.
pub(super) struct SerialTask<S> {
    gate: BlockingPool,
    queue: Arc<Mutex<Queue<S>>>,
    worker: Option<Running<()>>,
}

struct Queue<S> {
    state: State<S>,
    waiting: VecDeque<Arc<Piece>>,
}

enum State<S> {
    /// Nobody works on it.
    Idle(S),
    /// A worker has it and looks for pieces until none waits.
    AtWork,
    Failed(IngestError),
    /// Taken, or lost with its worker.
    Gone,
}

impl<S: Stage> SerialTask<S> {
    pub(super) fn new(gate: BlockingPool, stage: S) -> SerialTask<S> {
        let queue = Queue {
            state: State::Idle(stage),
            waiting: VecDeque::new(),
        };
        SerialTask {
            gate,
            queue: Arc::new(Mutex::new(queue)),
            worker: None,
        }
    }

    /// Adds a piece behind those that wait.
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
        let mut worker = self.gate.take_turns(move || work.turn());
        // Nobody else would run it: a simulation's work is done while it is waited for.
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
        // Nobody wants what still waits; a worker that is within a piece ends after it, one that waits for a permit at once.
        self.queue.lock().waiting.clear();
        if let Some(worker) = self.worker.take() {
            worker.abandon();
        }
    }
}

/// A worker's hold of a queue: a stage and the piece to go through it.
struct Worker<S: Stage> {
    queue: Arc<Mutex<Queue<S>>>,
    next: Option<(S, Arc<Piece>)>,
    /// Within the stage.
    within: bool,
}

impl<S: Stage> Worker<S> {
    /// Works on the next piece.
    fn turn(&mut self) -> ControlFlow<()> {
        let Some((stage, piece)) = self.next.take() else {
            return ControlFlow::Break(());
        };
        self.within = true;
        let done = piece.frames.iter().try_fold(stage, S::take);
        self.within = false;
        // Before the queue is told: who waits for a piece finds its room free.
        drop(piece);
        self.next = self.queue.lock().after(done);
        match self.next {
            Some(_) => ControlFlow::Continue(()),
            None => ControlFlow::Break(()),
        }
    }
}

/// What becomes of a piece that is handed over.
enum Added<S> {
    /// Nobody worked on the stage: a worker is to begin with the piece.
    Begins(S),
    /// The worker comes to it.
    Waits,
    /// There is no stage any more: taken, failed or lost.
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

    /// What to do after a piece, if anything.
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
        // Abandoned, or in a panic: the stage is lost, and nothing that waits may keep its room.
        if self.within || self.next.is_some() {
            let mut queue = self.queue.lock();
            queue.state = State::Gone;
            queue.waiting.clear();
        }
    }
}

#[cfg(test)]
mod tests;

//! The MD5 of many bodies, several at once on the lanes of one core's vector unit.
//!
//! Nothing within one MD5 can be done in parallel: each of its steps needs the one before. But a vector unit takes 8 or 16
//! independent steps in little more than the time of two. So the frames of the bodies that wait are hashed together. Few
//! workers do that for all bodies, and what becomes ready during one step is part of the next.
//!
//! Knows no packs and no clients. Invariants: the frames of a body are taken in order; a body is in one step at a time;
//! a piece is dropped, with its permit, after its last frame or with its body; an idle body holds no thread.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::sync::Arc;

use bytes::Bytes;
use md5_many::{Md5Many, Md5State};
use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::bodies::incoming::IngestError;
use crate::bodies::incoming::serial_task::Piece;
use crate::store::StoreError;
use crate::store::blocking_pool::BlockingPool;

/// Fewer frames are faster one after the other: a step of all lanes takes as long as 2.3 single frames with 16 lanes, as
/// 2.6 with 8.
const TOGETHER_MIN: usize = 3;

/// Four lanes (SSE2) gain a twentieth at best.
const LANES_MIN: usize = 8;

/// Waiting bodies looked at for frames of the same length, so that a crowd makes no step slow.
const LOOKED_AT_MAX: usize = 64;

/// The hashing of all bodies of a server.
#[derive(Clone)]
pub(super) struct Md5Lanes {
    pool: BlockingPool,
    shared: Arc<Shared>,
}

/// The MD5 of one body.
pub(super) struct Md5Task {
    lanes: Md5Lanes,
    body: Arc<Body>,
}

struct Shared {
    engine: Md5Many,
    workers_max: usize,
    queue: Mutex<Queue>,
}

struct Queue {
    /// Bodies with frames that are in no step, longest waiting first.
    ready: VecDeque<Arc<Body>>,
    workers: usize,
}

struct Body(Mutex<Progress>);

struct Progress {
    state: State,
    pieces: VecDeque<Arc<Piece>>,
    /// The next frame of the first piece.
    frame: usize,
    /// Who waits for the digest.
    asked: Option<oneshot::Sender<Md5State>>,
}

enum State {
    /// Has no frames.
    Idle(Md5State),
    /// In the queue.
    Ready(Md5State),
    /// In a step.
    AtWork,
    /// Taken, or lost with its worker.
    Gone,
}

impl Md5Lanes {
    /// At most `workers_max` threads of `pool` hash at once.
    pub(super) fn new(pool: BlockingPool, workers_max: usize) -> Md5Lanes {
        let queue = Queue {
            ready: VecDeque::new(),
            workers: 0,
        };
        let shared = Shared {
            engine: Md5Many::new(),
            workers_max,
            queue: Mutex::new(queue),
        };
        Md5Lanes {
            pool,
            shared: Arc::new(shared),
        }
    }

    /// The digest of a new body.
    pub(super) fn begin(&self) -> Md5Task {
        let progress = Progress {
            state: State::Idle(Md5State::new()),
            pieces: VecDeque::new(),
            frame: 0,
            asked: None,
        };
        Md5Task {
            lanes: self.clone(),
            body: Arc::new(Body(Mutex::new(progress))),
        }
    }

    async fn add(&self, body: &Arc<Body>) {
        {
            let mut queue = self.shared.queue.lock();
            queue.ready.push_back(Arc::clone(body));
            if queue.workers >= self.shared.workers_max {
                return;
            }
            queue.workers += 1;
        }
        let mut worker = Worker {
            shared: Arc::clone(&self.shared),
            done: false,
        };
        let mut running = self.pool.take_turns(move || worker.turn());
        // Nobody else would run it: in a simulation, work is done while somebody waits for it.
        if running.waits_for_caller() {
            running.end().await;
        }
    }
}

impl Md5Task {
    /// Adds a piece after the waiting ones.
    ///
    /// # Errors
    /// When a worker was lost with an earlier piece.
    pub(super) async fn hand_over(&mut self, piece: &Arc<Piece>) -> Result<(), IngestError> {
        if self.body.add(piece)? {
            self.lanes.add(&self.body).await;
        }
        Ok(())
    }

    /// Waits for all pieces and takes the digest, once.
    ///
    /// # Errors
    /// When a worker was lost with a piece.
    pub(super) async fn take(&mut self) -> Result<[u8; 16], IngestError> {
        let waiting = {
            let mut progress = self.body.0.lock();
            match std::mem::replace(&mut progress.state, State::Gone) {
                State::Idle(state) => return Ok(state.finalize()),
                State::Gone => return Err(lost()),
                busy @ (State::Ready(_) | State::AtWork) => progress.state = busy,
            }
            let (asked, answer) = oneshot::channel();
            progress.asked = Some(asked);
            answer
        };
        let state = waiting.await.map_err(|_| lost())?;
        Ok(state.finalize())
    }
}

impl Drop for Md5Task {
    fn drop(&mut self) {
        // Nobody needs the waiting pieces.
        self.body.0.lock().pieces.clear();
    }
}

fn lost() -> IngestError {
    IngestError::Store(StoreError::Closed)
}

impl Body {
    /// Adds a piece; returns whether the body is to be queued.
    fn add(&self, piece: &Arc<Piece>) -> Result<bool, IngestError> {
        assert!(
            !piece.frames.is_empty(),
            "a piece has frames, or its body would wait for ever"
        );
        let mut progress = self.0.lock();
        match std::mem::replace(&mut progress.state, State::AtWork) {
            State::Idle(state) => {
                progress.state = State::Ready(state);
                progress.pieces.push_back(Arc::clone(piece));
                Ok(true)
            }
            State::Gone => {
                progress.state = State::Gone;
                Err(lost())
            }
            busy @ (State::Ready(_) | State::AtWork) => {
                progress.state = busy;
                progress.pieces.push_back(Arc::clone(piece));
                Ok(false)
            }
        }
    }

    /// Length of its next frame; `None` without one.
    fn next_len(&self) -> Option<usize> {
        self.0.lock().next().map(Bytes::len)
    }

    /// Its digest so far and its next frame, for a step; `None` if its task was dropped.
    fn begin_step(&self) -> Option<(Md5State, Bytes)> {
        let mut progress = self.0.lock();
        let frame = progress.next().cloned()?;
        match std::mem::replace(&mut progress.state, State::AtWork) {
            State::Ready(state) => Some((state, frame)),
            other => {
                progress.state = other;
                None
            }
        }
    }

    /// Takes the digest back after a step; returns whether the body is to be queued again.
    fn end_step(&self, state: Md5State) -> bool {
        let (piece, asked) = {
            let mut progress = self.0.lock();
            let piece = progress.advance();
            if progress.next().is_some() {
                progress.state = State::Ready(state);
                return true;
            }
            let asked = progress.asked.take();
            progress.state = match asked {
                Some(_) => State::Gone,
                None => State::Idle(state),
            };
            (piece, asked)
        };
        // First the piece, so that whoever waits for the digest finds its permit free.
        drop(piece);
        if let Some(asked) = asked {
            // A task that was dropped meanwhile needs no answer.
            let _nobody = asked.send(state);
        }
        false
    }

    fn lose(&self) {
        let mut progress = self.0.lock();
        progress.state = State::Gone;
        progress.pieces.clear();
        progress.asked = None;
    }
}

impl Progress {
    fn next(&self) -> Option<&Bytes> {
        self.pieces.front()?.frames.get(self.frame)
    }

    /// Goes to the next frame; returns the piece that ended with this one.
    fn advance(&mut self) -> Option<Arc<Piece>> {
        let piece = self.pieces.front()?;
        self.frame += 1;
        if self.frame < piece.frames.len() {
            return None;
        }
        self.frame = 0;
        self.pieces.pop_front()
    }
}

/// Frames of different bodies that are hashed together. Bodies that do not get their digests back are lost.
struct Step {
    bodies: Vec<Arc<Body>>,
    states: Vec<Md5State>,
    frames: Vec<Bytes>,
}

impl Step {
    fn of(bodies: Vec<Arc<Body>>) -> Step {
        let mut step = Step {
            bodies: Vec::new(),
            states: Vec::new(),
            frames: Vec::new(),
        };
        for body in bodies {
            if let Some((state, frame)) = body.begin_step() {
                step.bodies.push(body);
                step.states.push(state);
                step.frames.push(frame);
            }
        }
        step
    }

    fn hash(&mut self, engine: Md5Many) {
        let mut inputs: Vec<&[u8]> = self.frames.iter().map(|frame| &frame[..]).collect();
        if inputs.len() < TOGETHER_MIN {
            for (state, input) in self.states.iter_mut().zip(inputs) {
                state.update(input);
            }
            return;
        }
        // The engine is fast only with a frame of the same length for each lane: idle lanes repeat the first.
        let used = inputs.len();
        let idle = used.next_multiple_of(engine.lanes());
        self.states.resize(idle, Md5State::new());
        inputs.resize(idle, inputs[0]);
        engine.update_many(&mut self.states, &inputs);
        self.states.truncate(used);
    }

    /// Gives the digests back; returns the bodies that have more frames.
    fn end(mut self) -> Vec<Arc<Body>> {
        let bodies = std::mem::take(&mut self.bodies);
        let ended = bodies.into_iter().zip(&self.states);
        ended
            .filter_map(|(body, state)| body.end_step(*state).then_some(body))
            .collect()
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        for body in &self.bodies {
            body.lose();
        }
    }
}

struct Worker {
    shared: Arc<Shared>,
    /// Whether it has said that it ends.
    done: bool,
}

impl Worker {
    /// One step.
    fn turn(&mut self) -> ControlFlow<()> {
        let bodies = {
            let mut queue = self.shared.queue.lock();
            let bodies = queue.next(self.shared.engine.lanes());
            if bodies.is_empty() {
                // Under the same lock as the look: whoever adds a body now starts a worker.
                queue.workers -= 1;
                self.done = true;
                return ControlFlow::Break(());
            }
            bodies
        };
        let mut step = Step::of(bodies);
        step.hash(self.shared.engine);
        let more = step.end();
        self.shared.queue.lock().ready.extend(more);
        ControlFlow::Continue(())
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        if self.done {
            return;
        }
        // Panicking, or the runtime ends. Who waits in the queue must not wait for ever.
        let mut queue = self.shared.queue.lock();
        queue.workers -= 1;
        if queue.workers == 0 {
            for body in queue.ready.drain(..) {
                body.lose();
            }
        }
    }
}

impl Queue {
    /// The bodies of the next step: those whose frames are as long as the first one's, if they are worth a step of all
    /// lanes; else the first.
    fn next(&mut self, lanes: usize) -> Vec<Arc<Body>> {
        let Some(first) = self.ready.pop_front() else {
            return Vec::new();
        };
        if lanes < LANES_MIN || self.ready.len() + 1 < TOGETHER_MIN {
            return vec![first];
        }
        let len = first.next_len();
        let alike: Vec<_> = (0..self.ready.len().min(LOOKED_AT_MAX))
            .filter(|at| self.ready[*at].next_len() == len)
            .take(lanes - 1)
            .collect();
        if alike.len() + 1 < TOGETHER_MIN {
            return vec![first];
        }
        let mut bodies = vec![first];
        // From the back, so that the places before stay valid.
        bodies.extend(
            alike
                .into_iter()
                .rev()
                .filter_map(|at| self.ready.remove(at)),
        );
        bodies
    }
}

#[cfg(test)]
mod tests;

//! A worker that reads pieces while earlier ones are being sent.
//!
//! Knows no object and no client. Invariants: pieces come in order and nothing comes after an error; the worker reads
//! no more pieces than [`Window`] allows or the consumer asked for; it holds neither a thread nor a permit while the
//! queue is full.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::Notify;

use crate::store::StoreError;
use crate::store::blocking_pool::{BlockingPool, Running};

/// Frames in order.
pub(super) type Piece = Result<Vec<Bytes>, StoreError>;

/// A source of pieces.
pub(super) trait Source: Send + 'static {
    /// Whether nothing is left.
    fn is_over(&self) -> bool;

    /// The next piece, of at most this many frames. Blocks.
    fn next(&mut self, frames: usize) -> Piece;
}

/// How far to read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window {
    /// Frames of a piece.
    pub(super) frames: usize,
    /// Pieces read before anybody asks for them.
    pub(super) ahead: usize,
}

/// A source, and the pieces already read from it.
pub(super) struct Prefetcher<S: Source> {
    pool: BlockingPool,
    shared: Arc<Shared<S>>,
    worker: Option<Running<()>>,
}

struct Shared<S> {
    queue: Mutex<Queue<S>>,
    /// Notified of each piece and of the end.
    changed: Notify,
}

struct Queue<S> {
    ready: VecDeque<Piece>,
    window: Window,
    reading: Reading<S>,
}

enum Reading<S> {
    /// No worker has the source.
    AtRest(S),
    /// A worker has the source.
    AtWork,
    /// At the end, after an error, or lost with the worker.
    Over,
    /// The consumer has gone.
    Unwanted,
}

impl<S: Source> Prefetcher<S> {
    /// Reads from the first frame.
    pub(super) fn start(pool: BlockingPool, source: S) -> Prefetcher<S> {
        let queue = Queue {
            ready: VecDeque::new(),
            window: Window {
                frames: 1,
                ahead: 0,
            },
            reading: Reading::resting(source),
        };
        let shared = Shared {
            queue: Mutex::new(queue),
            changed: Notify::new(),
        };
        let mut ahead = Prefetcher {
            pool,
            shared: Arc::new(shared),
            worker: None,
        };
        ahead.read(1);
        ahead
    }

    /// Changes the window from now on.
    pub(super) fn window(&self, window: Window) {
        self.shared.queue().window = window;
    }

    /// The next piece; `None` at the end and after an error. Dropping the future loses nothing.
    pub(super) async fn next(&mut self) -> Option<Piece> {
        loop {
            let taken = self.shared.queue().take();
            match taken {
                Taken::Piece { piece, least } => {
                    self.read(least);
                    return Some(piece);
                }
                Taken::End => {
                    self.end_worker().await;
                    return None;
                }
                Taken::Nothing => {}
            }
            self.read(1);
            let worker = self.worker.as_ref();
            if worker.is_some_and(Running::waits_for_caller) {
                self.end_worker().await;
            } else {
                self.shared.changed.notified().await;
            }
        }
    }

    /// Starts a worker if fewer than `least` pieces are ready and no worker is reading.
    fn read(&mut self, least: usize) {
        let Some(source) = self.shared.queue().begin(least) else {
            return;
        };
        let mut worker = Worker {
            shared: Arc::clone(&self.shared),
            source: Some(source),
            within: false,
        };
        self.worker = Some(self.pool.take_turns(move || worker.turn()));
    }

    /// Waits for the worker; a panic of the worker panics here.
    async fn end_worker(&mut self) {
        if let Some(worker) = &mut self.worker {
            worker.end().await;
            self.worker = None;
        }
    }
}

impl<S: Source> Drop for Prefetcher<S> {
    fn drop(&mut self) {
        // A piece that is still being read is dropped as soon as it is ready.
        self.shared.queue().close();
        if let Some(worker) = self.worker.take() {
            worker.abandon();
        }
    }
}

/// A worker's share of a source.
struct Worker<S: Source> {
    shared: Arc<Shared<S>>,
    source: Option<S>,
    /// Whether it is inside the source.
    within: bool,
}

impl<S: Source> Worker<S> {
    /// Reads a piece.
    fn turn(&mut self) -> ControlFlow<()> {
        let frames = self.shared.queue().window.frames;
        let Some(mut source) = self.source.take() else {
            return ControlFlow::Break(());
        };
        self.within = true;
        let piece = source.next(frames);
        self.within = false;
        self.source = self.shared.queue().put(source, piece);
        self.shared.changed.notify_one();
        match self.source {
            Some(_) => ControlFlow::Continue(()),
            None => ControlFlow::Break(()),
        }
    }
}

impl<S: Source> Drop for Worker<S> {
    fn drop(&mut self) {
        // Panicking or abandoned: the source is lost, and a waiting consumer must learn it.
        if self.within || self.source.is_some() {
            self.shared.queue().reading = Reading::Over;
            self.shared.changed.notify_one();
        }
    }
}

impl<S> Shared<S> {
    /// Holds only whole values, so a panic of the last holder damaged nothing.
    fn queue(&self) -> MutexGuard<'_, Queue<S>> {
        self.queue.lock()
    }
}

/// The result of looking at the queue.
enum Taken {
    Piece {
        piece: Piece,
        /// With fewer pieces left than this, a worker is to be started. Not after each piece, so that a woken worker
        /// has most of a queue to fill.
        least: usize,
    },
    Nothing,
    End,
}

impl<S: Source> Reading<S> {
    fn resting(source: S) -> Reading<S> {
        if source.is_over() {
            Reading::Over
        } else {
            Reading::AtRest(source)
        }
    }
}

impl<S: Source> Queue<S> {
    fn take(&mut self) -> Taken {
        match (self.ready.pop_front(), &self.reading) {
            (Some(piece), _) => Taken::Piece {
                piece,
                least: self.window.ahead / 2,
            },
            (None, Reading::Over) => Taken::End,
            (None, _) => Taken::Nothing,
        }
    }

    fn close(&mut self) {
        self.reading = Reading::Unwanted;
        self.ready.clear();
    }

    /// The source for a new worker, if one is needed.
    fn begin(&mut self, least: usize) -> Option<S> {
        if self.ready.len() >= least {
            return None;
        }
        match std::mem::replace(&mut self.reading, Reading::AtWork) {
            Reading::AtRest(source) => Some(source),
            other => {
                self.reading = other;
                None
            }
        }
    }

    /// Stores what a worker read; returns the source if the worker should continue.
    fn put(&mut self, source: S, piece: Piece) -> Option<S> {
        if matches!(self.reading, Reading::Unwanted) {
            return None;
        }
        let failed = piece.is_err();
        self.ready.push_back(piece);
        if failed {
            self.reading = Reading::Over;
        } else if self.ready.len() < self.window.ahead && !source.is_over() {
            return Some(source);
        } else {
            self.reading = Reading::resting(source);
        }
        None
    }
}

#[cfg(test)]
mod tests;

//! The only way from async code into the store: blocking calls on blocking threads, a bounded number at a time.
//!
//! Invariant: a permit is returned when the call ends, even if its caller has given up. So a client that disconnects
//! cannot make more calls run at once than there are permits.

use std::ops::ControlFlow;
use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::{JoinError, JoinHandle};
use tracing::{Instrument as _, Span};

/// Concurrent reads: enough to fill an NVMe disk's queue of 32. Each holds at most 1 MiB of stored and 1 MiB of plain
/// bytes while it runs; callers bound what streams keep afterwards.
pub const READ_PERMITS: usize = 32;

/// Concurrent decisions: reads of a few rows each. They have permits of their own, so that no put waits for bulk reads.
pub const DECISION_PERMITS: usize = 16;

/// Concurrent writes. They have permits of their own, so that no read waits for a sync. Callers bound the data that
/// waits.
pub const WRITE_PERMITS: usize = 16;

/// Bounded permits to run blocking calls.
#[derive(Debug, Clone)]
pub struct BlockingPool {
    way: Way,
}

#[derive(Debug, Clone)]
enum Way {
    Threads(Arc<Semaphore>, usize),
    #[cfg(any(test, feature = "testing"))]
    Inline,
}

impl BlockingPool {
    /// A pool that lets `permits` calls run at once.
    pub fn new(permits: usize) -> BlockingPool {
        BlockingPool {
            way: Way::Threads(Arc::new(Semaphore::new(permits)), permits),
        }
    }

    /// A pool that runs each call on its caller's thread and lets other tasks run before and after it. The polling
    /// order alone decides, so a seeded simulation can repeat it.
    #[cfg(any(test, feature = "testing"))]
    pub fn inline() -> BlockingPool {
        BlockingPool { way: Way::Inline }
    }

    /// Runs `f` on a thread that may block, once a permit is free. A panic of `f` panics in the caller.
    ///
    /// When the caller is dropped, an `f` that has started runs to its end.
    pub async fn run<T, F>(&self, f: F) -> T
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        let permits = match &self.way {
            Way::Threads(permits, _) => permits,
            #[cfg(any(test, feature = "testing"))]
            Way::Inline => {
                let_others_run().await;
                let answer = f();
                let_others_run().await;
                return answer;
            }
        };
        let permit = Arc::clone(permits)
            .acquire_owned()
            .await
            .expect("the semaphore is never closed");
        // The call's log lines belong to the request or job that asked for it.
        let span = Span::current();
        let call = tokio::task::spawn_blocking(move || {
            let answer = span.in_scope(f);
            drop(permit);
            answer
        });
        joined(call.await).await
    }

    /// Starts `f` in the background; [`Running::end`] waits for it.
    pub fn start<T, F>(&self, f: F) -> Running<T>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        match &self.way {
            Way::Threads(..) => {
                let pool = self.clone();
                let call = async move { pool.run(f).await };
                Running::Task(tokio::spawn(call.in_current_span()))
            }
            #[cfg(any(test, feature = "testing"))]
            Way::Inline => {
                let mut call = Some(f);
                Running::Waiting(Box::new(move || {
                    let call = call.take().expect("a call's answer is taken once");
                    ControlFlow::Break(call())
                }))
            }
        }
    }

    /// Runs `turn` in the background, repeatedly until it breaks. While no permit is free, the call returns its permit
    /// after each turn, so that others wait for one turn only. While permits are free, it keeps its thread from turn to
    /// turn.
    ///
    /// [`Running::abandon`] stops it only while it waits for a permit; while it runs, `turn` must notice by itself.
    pub fn take_turns<T, F>(&self, mut turn: F) -> Running<T>
    where
        T: Send + 'static,
        F: FnMut() -> ControlFlow<T> + Send + 'static,
    {
        #[cfg(any(test, feature = "testing"))]
        if matches!(self.way, Way::Inline) {
            return Running::Waiting(Box::new(turn));
        }
        let pool = self.clone();
        let mut stretch = move || {
            loop {
                let flow = turn();
                if flow.is_break() || pool.free() == 0 {
                    return flow;
                }
            }
        };
        let pool = self.clone();
        let stretches = async move {
            loop {
                let run = pool.run(move || (stretch(), stretch));
                match run.await {
                    (ControlFlow::Break(answer), _) => return answer,
                    (ControlFlow::Continue(()), rest) => stretch = rest,
                }
            }
        };
        Running::Task(tokio::spawn(stretches.in_current_span()))
    }

    /// Permits free now.
    pub fn free(&self) -> usize {
        match &self.way {
            Way::Threads(permits, _) => permits.available_permits(),
            #[cfg(any(test, feature = "testing"))]
            Way::Inline => usize::MAX,
        }
    }

    /// Calls that hold a permit now.
    pub fn at_work(&self) -> usize {
        match &self.way {
            Way::Threads(permits, all) => all.saturating_sub(permits.available_permits()),
            #[cfg(any(test, feature = "testing"))]
            Way::Inline => 0,
        }
    }
}

/// A call started by [`BlockingPool::start`] or [`BlockingPool::take_turns`].
pub enum Running<T> {
    /// On a thread of its own.
    Task(JoinHandle<T>),
    /// Runs its turns while somebody waits for it.
    #[cfg(any(test, feature = "testing"))]
    Waiting(Box<dyn FnMut() -> ControlFlow<T> + Send>),
}

impl<T> Running<T> {
    /// Its answer, which can be taken only once. A panic of the call panics in the caller. Dropping the future loses
    /// nothing.
    pub async fn end(&mut self) -> T {
        match self {
            Running::Task(task) => {
                let ended = task.await;
                joined(ended).await
            }
            #[cfg(any(test, feature = "testing"))]
            Running::Waiting(turn) => loop {
                let_others_run().await;
                if let ControlFlow::Break(answer) = turn() {
                    return answer;
                }
            },
        }
    }

    /// Whether it does nothing until [`Running::end`] is called.
    pub fn waits_for_caller(&self) -> bool {
        !matches!(self, Running::Task(_))
    }

    /// Discards the answer. A call that has not started never starts.
    pub fn abandon(self) {
        match self {
            Running::Task(task) => task.abort(),
            #[cfg(any(test, feature = "testing"))]
            Running::Waiting(_) => {}
        }
    }
}

async fn joined<T>(ended: Result<T, JoinError>) -> T {
    match ended {
        Ok(answer) => answer,
        Err(failure) if failure.is_panic() => std::panic::resume_unwind(failure.into_panic()),
        // A call is cancelled only when the runtime shuts down: nobody waits for an answer then.
        Err(_) => std::future::pending().await,
    }
}

/// Yields once to other ready tasks.
#[cfg(any(test, feature = "testing"))]
pub async fn let_others_run() {
    let mut gave_way = false;
    std::future::poll_fn(|context| {
        if std::mem::replace(&mut gave_way, true) {
            return std::task::Poll::Ready(());
        }
        context.waker().wake_by_ref();
        std::task::Poll::Pending
    })
    .await;
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;

    use parking_lot::Mutex;

    use super::*;

    #[tokio::test]
    async fn at_most_the_permitted_number_runs_at_once() {
        let pool = BlockingPool::new(2);
        let running = Arc::new(AtomicUsize::new(0));
        let most = Arc::new(AtomicUsize::new(0));
        let mut calls = Vec::new();
        for _ in 0..16 {
            let (pool, running, most) = (pool.clone(), Arc::clone(&running), Arc::clone(&most));
            calls.push(tokio::spawn(async move {
                pool.run(move || {
                    let now = running.fetch_add(1, Ordering::SeqCst) + 1;
                    most.fetch_max(now, Ordering::SeqCst);
                    std::thread::yield_now();
                    running.fetch_sub(1, Ordering::SeqCst);
                })
                .await;
            }));
        }
        for call in calls {
            call.await.expect("the task ends");
        }
        assert!(most.load(Ordering::SeqCst) <= 2);
        assert_eq!(pool.free(), 2);
    }

    #[tokio::test]
    async fn a_caller_that_leaves_does_not_free_the_permit_of_a_running_call() {
        let pool = BlockingPool::new(1);
        let (started_send, started) = tokio::sync::oneshot::channel();
        let (release, held) = mpsc::channel::<()>();
        let held = Mutex::new(held);
        let leaving = tokio::spawn({
            let pool = pool.clone();
            async move {
                pool.run(move || {
                    started_send.send(()).expect("the test listens");
                    held.lock().recv().expect("the test releases");
                })
                .await;
            }
        });
        started.await.expect("the call starts");
        leaving.abort();
        drop(leaving.await);
        assert_eq!((pool.free(), pool.at_work()), (0, 1));
        release.send(()).expect("the call waits");
        pool.run(|| ()).await;
        assert_eq!((pool.free(), pool.at_work()), (1, 0));
    }

    #[tokio::test]
    async fn others_get_the_permit_between_two_turns() {
        let pool = BlockingPool::new(1);
        let (turned, turns) = mpsc::channel();
        let mut left = 100;
        let mut working = pool.take_turns(move || {
            // Nobody listens after the other call has ended.
            let _nobody = turned.send(());
            left -= 1;
            match left {
                0 => ControlFlow::Break("done"),
                _ => ControlFlow::Continue(()),
            }
        });
        // There is only one async thread, so the call asks for its permit before the second turn can.
        let other = tokio::spawn(async move { pool.run(move || turns.try_iter().count()).await });
        assert_eq!(other.await.expect("no panic"), 1);
        assert_eq!(working.end().await, "done");
    }
}

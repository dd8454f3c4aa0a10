//! The order of tasks, decided by one seed. Tasks are polled by hand, so there is no other source of order.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use parking_lot::{Mutex, MutexGuard};

use crate::clock::{Entropy, SeededEntropy};

/// Numbers generated from the seed.
pub(super) struct SeededChoices {
    entropy: SeededEntropy,
}

impl SeededChoices {
    pub(super) fn new(seed: u64) -> SeededChoices {
        SeededChoices {
            entropy: SeededEntropy::new(seed),
        }
    }

    /// A number below `n`.
    pub(super) fn below(&self, n: u64) -> u64 {
        self.entropy.next_u64() % n.max(1)
    }

    /// An index below `n`.
    pub(super) fn index(&self, n: usize) -> usize {
        let n = u64::try_from(n).expect("small");
        usize::try_from(self.below(n)).expect("small")
    }

    /// True once in `n` times.
    pub(super) fn one_in(&self, n: u64) -> bool {
        self.below(n) == 0
    }
}

type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The tasks of one life. A task may let others run while it is being polled.
#[derive(Default)]
pub(super) struct Tasks {
    slots: Mutex<Vec<Option<Task>>>,
}

impl Tasks {
    pub(super) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.slots().push(Some(Box::pin(task)));
    }

    /// Polls one randomly chosen task that is not being polled already; false when there is none.
    pub(super) fn step(&self, dice: &SeededChoices) -> bool {
        let (slot, mut task) = {
            let mut slots = self.slots();
            let ready: Vec<usize> = (0..slots.len()).filter(|i| slots[*i].is_some()).collect();
            if ready.is_empty() {
                return false;
            }
            let slot = ready[dice.index(ready.len())];
            (slot, slots[slot].take().expect("just seen"))
        };
        let mut context = Context::from_waker(Waker::noop());
        if task.as_mut().poll(&mut context).is_pending() {
            self.slots()[slot] = Some(task);
        }
        true
    }

    /// The process dies: none of its tasks runs any more.
    pub(super) fn kill(&self) {
        // Taken out first: dropping a task may access this list.
        let dead = std::mem::take(&mut *self.slots());
        drop(dead);
    }

    fn slots(&self) -> MutexGuard<'_, Vec<Option<Task>>> {
        self.slots.lock()
    }
}

/// Runs one future to its end, without other tasks.
pub(super) fn alone<T>(future: impl Future<Output = T>) -> T {
    let mut future = Box::pin(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(done) = future.as_mut().poll(&mut context) {
            return done;
        }
    }
}

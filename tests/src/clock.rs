//! Time for the harness: the only module that reads a clock or sleeps.
//!
//! Tests wait for conditions, never for durations: [`until`] is the only way to wait.
#![expect(
    clippy::disallowed_methods,
    reason = "this module is the harness' clock"
)]

use std::fmt::Debug;
use std::time::{Duration, Instant, SystemTime};

/// Time for a program to become ready or to stop. Ten times what the slowest one needs on two busy cores.
pub const READY_WITHIN: Duration = Duration::from_mins(1);

/// Interval between two checks of a condition: short compared with the waits, long compared with the cost of a check.
const POLL_EVERY: Duration = Duration::from_millis(20);

/// Waits until `condition` holds and returns its result.
///
/// # Panics
/// When `within` has passed; the message contains `what` and the last reason.
pub fn until<T, E: Debug>(
    what: &str,
    within: Duration,
    mut condition: impl FnMut() -> Result<T, E>,
) -> T {
    let begin = Instant::now();
    loop {
        match condition() {
            Ok(found) => return found,
            Err(reason) if begin.elapsed() > within => {
                panic!("waited {within:?} in vain for {what}; last: {reason:?}")
            }
            Err(_) => std::thread::sleep(POLL_EVERY),
        }
    }
}

/// Sleeps: only for faults at random moments and for clients that are slow on purpose. Never to wait for something.
pub fn pass(time: Duration) {
    std::thread::sleep(time);
}

/// A running stopwatch.
#[derive(Debug, Clone, Copy)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts now.
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// Time since the start.
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

/// Seconds since 1970 by the wall clock.
pub fn unix_now_secs() -> u64 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .expect("the clock is past 1970")
        .as_secs()
}

/// The wall clock, for signing requests by hand.
pub fn now() -> SystemTime {
    SystemTime::now()
}

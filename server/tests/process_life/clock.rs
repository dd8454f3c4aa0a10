//! Time for these tests: the only module that reads a clock or sleeps. Tests wait for conditions, never for durations.
#![expect(clippy::disallowed_methods, reason = "this module is the tests' clock")]

use std::fmt::Debug;
use std::time::{Duration, Instant, SystemTime};

/// How long a condition may take. Far beyond what a busy two-core machine needs; a passing test never waits for it.
pub(crate) const DEADLINE: Duration = Duration::from_mins(1);

/// Waits until `condition` holds and returns what it found.
pub(crate) fn until<T, E: Debug>(what: &str, mut condition: impl FnMut() -> Result<T, E>) -> T {
    let begin = Instant::now();
    loop {
        match condition() {
            Ok(found) => return found,
            Err(reason) if begin.elapsed() > DEADLINE => {
                panic!("waited in vain for {what}; last: {reason:?}")
            }
            Err(_) => std::thread::sleep(Duration::from_millis(10)),
        }
    }
}

/// The wall clock, for signing.
pub(crate) fn now() -> SystemTime {
    SystemTime::now()
}

//! The suite's only use of time and environment: waiting for a condition with a deadline, and one variable.

use std::{
    env, thread,
    time::{Duration, Instant},
};

/// Generous: a machine that compiles during the tests is slow, and a passing test never waits this long.
const DEADLINE: Duration = Duration::from_mins(1);
const POLL: Duration = Duration::from_millis(20);

/// Polls until there is an answer.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place of this suite that waits"
)]
pub(crate) fn eventually<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(
            started.elapsed() < DEADLINE,
            "{what}: not within {DEADLINE:?}"
        );
        thread::sleep(POLL);
    }
}

/// The static program that `make` built, if it did.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place of this suite that reads the environment"
)]
pub(crate) fn environment(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

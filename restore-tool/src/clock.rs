//! The only module of this crate that reads the clock.
//!
//! Times have two uses: the duration of a step, and timeouts for a peer that does not answer. No decision about data depends on
//! the local clock, which may be wrong by hours.

use std::time::{Duration, Instant};

/// A running stopwatch.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
    #[expect(
        clippy::disallowed_methods,
        reason = "this module is the crate's clock"
    )]
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    pub(crate) fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}

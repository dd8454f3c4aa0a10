//! The only place of this crate that reads the clock.
//!
//! Times are used for two things: telling how long a step took, and giving up on a silent neighbour. No decision
//! about data depends on the local clock; a master's clock may be wrong by hours.

use std::time::{Duration, Instant};

/// A started measurement.
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

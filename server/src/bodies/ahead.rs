//! Places for bodies that run ahead: they hold more memory than others, and keep the cores busy.
//!
//! A body asks for a place once its client has been faster than the server, and gives it back once the client is slow.
//! So slow clients do not keep the places from fast ones.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::clock::Clock;
use crate::store::packs::FRAME_PLAIN_BYTES;

/// Bounds of the number of places of each direction: a single fast body keeps two cores busy, and eight that receive
/// and eight that send hold 112 MiB together.
const PLACES_MIN: usize = 2;
const PLACES_MAX: usize = 8;

/// Time for one frame of 256 KiB. A client that takes longer, with less than 2.5 MiB/s, gains nothing from a place.
const SLOW_FRAME: Duration = Duration::from_millis(100);

/// The places of one direction.
#[derive(Clone)]
pub struct Places {
    free: Arc<Semaphore>,
    clock: Arc<dyn Clock>,
}

/// A body's place.
pub(super) type Place = OwnedSemaphorePermit;

impl Places {
    /// Two for each core.
    pub fn new(clock: Arc<dyn Clock>, cores: usize) -> Places {
        let places = (2 * cores).clamp(PLACES_MIN, PLACES_MAX);
        Places {
            free: Arc::new(Semaphore::new(places)),
            clock,
        }
    }

    /// A place, if one is free.
    pub(super) fn take(&self) -> Option<Place> {
        Arc::clone(&self.free).try_acquire_owned().ok()
    }

    /// Starts to measure a client.
    pub(super) fn measure(&self) -> Pace {
        Pace {
            clock: Arc::clone(&self.clock),
            since: self.clock.elapsed(),
        }
    }
}

/// The pace of a client.
pub(super) struct Pace {
    clock: Arc<dyn Clock>,
    since: Duration,
}

impl Pace {
    /// Whether the client was slow with these bytes, which it took or sent since the last call.
    pub(super) fn is_slow(&mut self, bytes: usize) -> bool {
        let now = self.clock.elapsed();
        let took = now.saturating_sub(std::mem::replace(&mut self.since, now));
        let frames = u32::try_from(bytes.div_ceil(FRAME_PLAIN_BYTES)).unwrap_or(u32::MAX);
        took > SLOW_FRAME.saturating_mul(frames)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{ManualClock, UnixMillis};

    #[test]
    fn a_client_is_slow_when_its_bytes_take_long() {
        let clock = Arc::new(ManualClock::at(UnixMillis(5)));
        let mut pace = Places::new(clock.clone(), 2).measure();
        for (millis, bytes, slow) in [
            (100, 1, false),
            (101, FRAME_PLAIN_BYTES, true),
            (400, 4 * FRAME_PLAIN_BYTES, false),
            (401, 4 * FRAME_PLAIN_BYTES, true),
            (0, 0, false),
        ] {
            clock.advance(Duration::from_millis(millis));
            assert_eq!(pace.is_slow(bytes), slow, "{bytes} bytes in {millis} ms");
        }
    }
}

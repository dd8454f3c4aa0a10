//! Time and randomness. This is the only module that asks the operating system for them.
//!
//! All other modules take a [`Clock`] or an [`Entropy`], so that tests control both. Time is used only for ages and
//! protocol fields; no safety argument depends on it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// The last second that a calendar of four-digit years can name.
const LAST_UTC: time::OffsetDateTime = time::macros::datetime!(9999-12-31 23:59:59 UTC);

/// Milliseconds since 1970-01-01T00:00:00Z.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct UnixMillis(pub u64);

impl UnixMillis {
    /// Whole seconds since the epoch.
    pub fn secs(self) -> u64 {
        self.0 / 1000
    }

    /// This time as a `time` value in UTC; times after year 9999 are clamped to its end.
    pub fn utc(self) -> time::OffsetDateTime {
        // By seconds: a listing writes a thousand of these, and the other way divides by 128 bits.
        let secs = i64::try_from(self.0 / 1000).unwrap_or(i64::MAX);
        let millis = u16::try_from(self.0 % 1000).expect("below 1000");
        time::OffsetDateTime::from_unix_timestamp(secs)
            .and_then(|at| at.replace_millisecond(millis))
            .unwrap_or(LAST_UTC)
    }

    /// How long ago `earlier` was; zero when it is in the future (clocks step back).
    pub fn since(self, earlier: UnixMillis) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

/// A source of wall time and of monotonic time.
pub trait Clock: Send + Sync + 'static {
    /// Wall time now.
    fn now(&self) -> UnixMillis;

    /// Time since some fixed start; never steps back.
    fn elapsed(&self) -> Duration;
}

/// The machine's clocks.
#[derive(Debug)]
pub struct SystemClock {
    start: Instant,
}

impl SystemClock {
    /// Starts the monotonic count.
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the machine's clock"
    )]
    pub fn new() -> SystemClock {
        SystemClock {
            start: Instant::now(),
        }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        SystemClock::new()
    }
}

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the machine's clock"
    )]
    fn now(&self) -> UnixMillis {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        UnixMillis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }

    fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }
}

/// A clock that changes only when told.
#[derive(Debug, Default)]
pub struct ManualClock {
    millis: AtomicU64,
}

impl ManualClock {
    /// Starts at `now`.
    pub fn at(now: UnixMillis) -> ManualClock {
        ManualClock {
            millis: AtomicU64::new(now.0),
        }
    }

    /// Lets `by` pass.
    pub fn advance(&self, by: Duration) {
        let by = u64::try_from(by.as_millis()).unwrap_or(u64::MAX);
        self.millis.fetch_add(by, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> UnixMillis {
        UnixMillis(self.millis.load(Ordering::SeqCst))
    }

    fn elapsed(&self) -> Duration {
        Duration::from_millis(self.millis.load(Ordering::SeqCst))
    }
}

/// A source of unpredictable numbers.
pub trait Entropy: Send + Sync + 'static {
    /// Fills `out` with random bytes.
    fn fill(&self, out: &mut [u8]);

    /// A random 64-bit number.
    fn next_u64(&self) -> u64 {
        let mut bytes = [0; 8];
        self.fill(&mut bytes);
        u64::from_le_bytes(bytes)
    }
}

/// The kernel's random numbers.
#[derive(Debug, Default)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn fill(&self, out: &mut [u8]) {
        getrandom::fill(out).expect("the kernel gives random bytes once it has booted");
    }
}

/// Numbers that follow from a seed (SplitMix64), so that a test can be repeated.
#[derive(Debug)]
pub struct SeededEntropy {
    state: AtomicU64,
}

impl SeededEntropy {
    /// The sequence of `seed`.
    pub fn new(seed: u64) -> SeededEntropy {
        SeededEntropy {
            state: AtomicU64::new(seed),
        }
    }
}

impl Entropy for SeededEntropy {
    fn fill(&self, out: &mut [u8]) {
        const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;
        for piece in out.chunks_mut(8) {
            let mut z = self
                .state
                .fetch_add(GAMMA, Ordering::SeqCst)
                .wrapping_add(GAMMA);
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            z ^= z >> 31;
            for (to, from) in piece.iter_mut().zip(z.to_le_bytes()) {
                *to = from;
            }
        }
    }
}

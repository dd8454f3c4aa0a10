//! The only module of this crate that reads a clock or waits.
//!
//! Everything else takes a [`Clock`], so that a test (or a user with a wrong clock) can shift it. Must not know S3: `s3::skew`
//! keeps the offset learned from a server.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The wall clock, optionally shifted by a fixed number of seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clock {
    shift_secs: i64,
}

impl Clock {
    /// The machine's own clock.
    pub fn system() -> Self {
        Self { shift_secs: 0 }
    }

    /// The machine's clock plus `secs`: tests use it to simulate a wrong clock.
    pub fn shifted_by_secs(secs: i64) -> Self {
        Self { shift_secs: secs }
    }

    /// The current time.
    pub fn now(&self) -> SystemTime {
        #[expect(clippy::disallowed_methods, reason = "this is the crate's clock")]
        let machine = SystemTime::now();
        shift(machine, self.shift_secs)
    }

    /// Seconds since 1970, negative before.
    pub fn unix_secs(&self) -> i64 {
        unix_secs(self.now())
    }

    /// A fraction in 0..1000 that differs between callers, so that the retries of many clients are not synchronized.
    pub(crate) fn jitter_per_mille(self) -> u32 {
        let nanos = self
            .now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.subsec_nanos());
        nanos / 1_000 % 1_000
    }
}

/// `time` plus `secs`, or unchanged `time` if the sum cannot be represented.
pub(crate) fn shift(time: SystemTime, secs: i64) -> SystemTime {
    let by = Duration::from_secs(secs.unsigned_abs());
    let moved = if secs < 0 {
        time.checked_sub(by)
    } else {
        time.checked_add(by)
    };
    moved.unwrap_or(time)
}

/// Seconds since 1970, negative before, saturating.
pub(crate) fn unix_secs(time: SystemTime) -> i64 {
    match time.duration_since(UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_secs()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_secs()).map_or(i64::MIN, |secs| -secs),
    }
}

/// A stopwatch.
#[derive(Debug, Clone, Copy)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts now.
    pub fn start() -> Self {
        #[expect(clippy::disallowed_methods, reason = "this is the crate's clock")]
        let now = Instant::now();
        Self(now)
    }

    /// Time since the start.
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

/// Waits without blocking a thread. An immediate retry would only add load to a server that has just failed.
pub async fn pause(duration: Duration) {
    tokio::time::sleep(duration).await;
}

/// Runs `work` for at most `limit`; `None` if it took longer (the work is dropped).
pub async fn within<T>(limit: Duration, work: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout(limit, work).await.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shifted_clock_differs_by_the_shift() {
        let early = Clock::shifted_by_secs(-7_200).unix_secs();
        let real = Clock::system().unix_secs();
        assert!(
            (real - early - 7_200).abs() <= 2,
            "shifted {early}, real {real}"
        );
    }

    #[test]
    fn times_before_1970_are_negative() {
        assert_eq!(unix_secs(shift(UNIX_EPOCH, -5)), -5);
        assert_eq!(unix_secs(shift(UNIX_EPOCH, 5)), 5);
    }
}

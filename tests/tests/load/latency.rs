//! Durations of many requests, reported as p50, p99 and maximum.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use strongroom_tests::clock::Stopwatch;

/// Durations by operation.
#[derive(Debug, Clone, Default)]
pub(crate) struct Latencies(BTreeMap<&'static str, Vec<Duration>>);

impl Latencies {
    /// Runs `work` and records its duration.
    pub(crate) fn time<T>(&mut self, operation: &'static str, work: impl FnOnce() -> T) -> T {
        let watch = Stopwatch::start();
        let done = work();
        let times = self.0.entry(operation).or_default();
        times.push(watch.elapsed());
        done
    }

    /// Adds the durations of another client.
    pub(crate) fn join(&mut self, other: Self) {
        for (operation, times) in other.0 {
            self.0.entry(operation).or_default().extend(times);
        }
    }

    /// The duration below which 99 of 100 requests stay, over all operations.
    pub(crate) fn p99(&self) -> Duration {
        let mut all: Vec<_> = self.0.values().flatten().copied().collect();
        quantile(&mut all, 99)
    }

    /// How many.
    pub(crate) fn count(&self) -> usize {
        self.0.values().map(Vec::len).sum()
    }
}

impl fmt::Display for Latencies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (operation, times) in &self.0 {
            let mut times = times.clone();
            let [p50, p99, max] = [50, 99, 100].map(|percent| quantile(&mut times, percent));
            writeln!(
                f,
                "latency | {operation} | {} requests | p50 {p50:.1?} | p99 {p99:.1?} | max {max:.1?}",
                times.len()
            )?;
        }
        Ok(())
    }
}

fn quantile(times: &mut [Duration], percent: usize) -> Duration {
    times.sort_unstable();
    let at = (times.len() * percent / 100).min(times.len().saturating_sub(1));
    times.get(at).copied().unwrap_or_default()
}

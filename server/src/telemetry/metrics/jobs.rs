//! Metrics of background jobs, sampled from their board.

use std::time::Duration;

use parking_lot::Mutex;
use prometheus::{Gauge, GaugeVec, IntCounterVec, IntGaugeVec, Opts, Registry};

use super::register::{counters, gauges, keep};
use crate::jobs::{JobState, JobStatus};
use crate::telemetry::names;

/// Series of all jobs.
#[derive(Debug)]
pub(super) struct JobSeries {
    runs: IntCounterVec,
    last_success: GaugeVec,
    last_duration: GaugeVec,
    running: IntGaugeVec,
    skipped: IntGaugeVec,
    /// Held while counters are raised to the board's values: two concurrent scrapes must not both add.
    sampling: Mutex<()>,
}

impl JobSeries {
    pub(super) fn register(registry: &Registry) -> JobSeries {
        let by_name = |name, help| {
            keep(
                registry,
                GaugeVec::new(Opts::new(name, help), &[names::LABEL_NAME]),
            )
        };
        JobSeries {
            runs: counters(
                registry,
                names::JOB_RUNS,
                "Runs of background jobs by job and how they ended",
                &[names::LABEL_NAME, names::LABEL_RESULT],
            ),
            last_success: by_name(
                names::JOB_LAST_SUCCESS,
                "When the job's last run without error or panic ended, in Unix seconds; 0 before the first",
            ),
            last_duration: by_name(
                names::JOB_LAST_DURATION,
                "Seconds that the job's last run took",
            ),
            running: gauges(
                registry,
                names::JOB_RUNNING,
                "1 while the job runs",
                names::LABEL_NAME,
            ),
            skipped: gauges(
                registry,
                names::JOB_SKIPPED,
                "Rows and files that the job's last run could not read or process; the log names each",
                names::LABEL_NAME,
            ),
            sampling: Mutex::new(()),
        }
    }

    pub(super) fn set(&self, jobs: &[JobStatus]) {
        let _one_at_a_time = self.sampling.lock();
        for job in jobs {
            let label: &[&str] = &[job.name];
            let of = |vec: &GaugeVec| -> Gauge { vec.with_label_values(label) };
            let unsuccessful = job.failures.saturating_add(job.panics);
            for (result, runs) in [
                (names::RESULT_SUCCESS, job.runs.saturating_sub(unsuccessful)),
                (names::RESULT_FAILURE, job.failures),
                (names::RESULT_PANIC, job.panics),
            ] {
                let counter = self.runs.with_label_values(&[job.name, result]);
                counter.inc_by(runs.saturating_sub(counter.get()));
            }
            if let Some(ended) = job.last_success {
                of(&self.last_success).set(Duration::from_millis(ended.0).as_secs_f64());
            } else {
                of(&self.last_success).set(0.0);
            }
            of(&self.last_duration).set(job.last.as_ref().map_or(0.0, |last| last.took_secs));
            let running = matches!(job.state, JobState::Running { .. });
            self.running.with_label_values(label).set(running.into());
            let skipped = i64::try_from(job.skipped).unwrap_or(i64::MAX);
            self.skipped.with_label_values(label).set(skipped);
        }
    }
}

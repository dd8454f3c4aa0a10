//! The job statuses that operators see: changed by the scheduler, read by `/jobs` and by metrics.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use serde::Serialize;

use crate::clock::UnixMillis;
use crate::jobs::{Job, JobClass};

/// A job as operators see it. `/jobs` prints it as JSON, so the field names are a public contract.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct JobStatus {
    /// Its name.
    pub name: &'static str,
    /// Its class.
    pub class: JobClass,
    /// Whether it runs or waits.
    pub state: JobState,
    /// The progress of the current run.
    pub progress: Option<JobProgress>,
    /// The number of ended runs.
    pub runs: u64,
    /// The number of runs that ended with an error.
    pub failures: u64,
    /// The number of runs that ended with a panic.
    pub panics: u64,
    /// The number of rows and files that the last run had to leave as they were; the log names each.
    pub skipped: u64,
    /// When the last run without error or panic ended, in Unix milliseconds.
    pub last_success: Option<UnixMillis>,
    /// The result of the last run.
    pub last: Option<LastRun>,
}

/// Whether a job runs or waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "is")]
pub enum JobState {
    /// It waits until its next run is due.
    Waiting {
        /// Time of the next run, in Unix milliseconds.
        next: UnixMillis,
    },
    /// It is due and waits for another job of its class.
    Queued {
        /// Since when, in Unix milliseconds.
        since: UnixMillis,
    },
    /// It runs.
    Running {
        /// Since when, in Unix milliseconds.
        since: UnixMillis,
    },
    /// The server is stopping.
    Stopped,
}

/// The progress of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct JobProgress {
    /// The current step.
    pub doing: &'static str,
    /// Rows or files that this step has checked.
    pub seen: u64,
}

/// The result of a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LastRun {
    /// When it began, in Unix milliseconds.
    pub began: UnixMillis,
    /// How long it took.
    pub took_secs: f64,
    /// Its report, or the text of its error or panic.
    pub result: Result<serde_json::Value, String>,
}

/// The status of every job of a server.
#[derive(Debug, Default)]
pub struct JobBoard {
    jobs: Mutex<Vec<JobStatus>>,
}

/// A job's entry on the board.
#[derive(Debug, Clone)]
pub(super) struct BoardEntry {
    board: Arc<JobBoard>,
    index: usize,
}

impl JobBoard {
    /// A board without jobs.
    pub fn new() -> Arc<JobBoard> {
        Arc::new(JobBoard::default())
    }

    /// Every job, in the order in which they were started.
    pub fn list(&self) -> Vec<JobStatus> {
        self.jobs.lock().clone()
    }

    /// Adds a job, whose first run is due at `next`.
    pub(super) fn add(self: &Arc<Self>, job: &Job, next: UnixMillis) -> BoardEntry {
        let mut jobs = self.jobs.lock();
        jobs.push(JobStatus {
            name: job.name,
            class: job.class,
            state: JobState::Waiting { next },
            progress: None,
            runs: 0,
            failures: 0,
            panics: 0,
            skipped: 0,
            last_success: None,
            last: None,
        });
        BoardEntry {
            board: Arc::clone(self),
            index: jobs.len() - 1,
        }
    }
}

impl BoardEntry {
    /// Changes the job's status.
    pub(super) fn change(&self, change: impl FnOnce(&mut JobStatus)) {
        if let Some(job) = self.board.jobs.lock().get_mut(self.index) {
            change(job);
        }
    }
}

/// The end of a wait that begins at `now`.
pub(super) fn after(now: UnixMillis, wait: Duration) -> UnixMillis {
    let wait = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
    UnixMillis(now.0.saturating_add(wait))
}

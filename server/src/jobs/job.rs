//! A job: a name, a class, an interval, and work.

use std::error::Error;
use std::time::Duration;

use serde::Serialize;
use tokio_util::sync::CancellationToken;

use crate::jobs::JobProgress;
use crate::jobs::board::BoardEntry;

/// The work of each run. It blocks. The returned value is shown to operators.
pub type Work = Box<dyn Fn(&JobRun) -> Result<serde_json::Value, JobError> + Send + Sync>;

/// Why a run failed. The scheduler logs and shows it.
pub type JobError = Box<dyn Error + Send + Sync>;

/// A job, to be given to [`super::Scheduler::start`].
pub struct Job {
    /// Its name on the board, in metrics and in the log.
    pub name: &'static str,
    /// Its class.
    pub class: JobClass,
    /// The wait before each run.
    pub every: Duration,
    /// Its work.
    pub work: Work,
}

/// Jobs of one class take turns. A job waits only for jobs of its own class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum JobClass {
    /// Maintains rows and space, in minutes: garbage collection.
    Upkeep,
    /// Reads everything that is stored, in hours.
    Scan,
}

impl JobClass {
    /// Every class.
    pub const ALL: [JobClass; 2] = [JobClass::Upkeep, JobClass::Scan];

    /// Concurrent runs of one class. One: jobs share the disk with requests, which come first.
    pub const LANES: usize = 1;
}

/// A run in progress, as the work sees it.
pub struct JobRun {
    pub(super) entry: BoardEntry,
    pub(super) stop: CancellationToken,
}

impl JobRun {
    /// Shows operators the progress of the run.
    pub fn report(&self, progress: JobProgress) {
        self.entry.change(|job| job.progress = Some(progress));
    }

    /// Tells how many rows and files the run could not read or process. The work calls this once, at its end.
    pub fn report_skipped(&self, count: u64) {
        self.entry.change(|job| job.skipped = count);
    }

    /// Whether the server is stopping. The work checks this after each step, and ends if it is.
    pub fn is_stopping(&self) -> bool {
        self.stop.is_cancelled()
    }
}

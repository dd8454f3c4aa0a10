//! A job: a name, a class, an interval, and work.

use std::error::Error;
use std::time::Duration;

use serde::Serialize;
use tokio_util::sync::CancellationToken;

use crate::jobs::JobProgress;
use crate::jobs::board::BoardEntry;

/// What a job does in each run. It blocks. The value tells operators what was done.
pub type Work = Box<dyn Fn(&JobRun) -> Result<serde_json::Value, JobError> + Send + Sync>;

/// Why a run failed. The scheduler logs and shows it.
pub type JobError = Box<dyn Error + Send + Sync>;

/// A job, to be given to [`super::Scheduler::start`].
pub struct Job {
    /// Its name on the board, in metrics and in the log.
    pub name: &'static str,
    /// What it takes turns with.
    pub class: JobClass,
    /// The wait before each run.
    pub every: Duration,
    /// What it does.
    pub work: Work,
}

/// Jobs that take turns with each other. A job waits for the jobs of its own class only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum JobClass {
    /// Keeps rows and space in order, in minutes: garbage collection.
    Upkeep,
    /// Reads everything that is stored, in hours.
    Scan,
}

impl JobClass {
    /// Every class.
    pub const ALL: [JobClass; 2] = [JobClass::Upkeep, JobClass::Scan];

    /// Runs of one class at the same time. One: jobs share the disk with requests, which come first.
    pub const LANES: usize = 1;
}

/// A run under way, as the work sees it.
pub struct JobRun {
    pub(super) entry: BoardEntry,
    pub(super) stop: CancellationToken,
}

impl JobRun {
    /// Shows operators how far the run is.
    pub fn report(&self, progress: JobProgress) {
        self.entry.change(|job| job.progress = Some(progress));
    }

    /// Whether the server is stopping: work asks after each step, and ends when it is.
    pub fn is_stopping(&self) -> bool {
        self.stop.is_cancelled()
    }
}

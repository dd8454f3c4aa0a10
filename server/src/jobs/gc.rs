//! The job `gc`: frees unused data with the steps of [`crate::gc`].

use std::time::Duration;

use crate::gc::{Collector, GcProgress};
use crate::jobs::{Job, JobClass, JobError, JobProgress, JobRun};

/// The job, which runs `collector` every `every`.
pub fn job(collector: Collector, every: Duration) -> Job {
    Job {
        name: "gc",
        class: JobClass::Upkeep,
        every,
        work: Box::new(move |run| collect(&collector, run)),
    }
}

fn collect(collector: &Collector, run: &JobRun) -> Result<serde_json::Value, JobError> {
    let go_on = |at: GcProgress| {
        run.report(JobProgress {
            doing: at.step,
            seen: at.seen,
        });
        !run.is_stopping()
    };
    let done = collector.run_while(&go_on)?;
    Ok(serde_json::to_value(done)?)
}

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
    run.report_skipped(done.skipped);
    Ok(serde_json::to_value(done)?)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;

    use super::*;
    use crate::gc::CollectorSettings;
    use crate::jobs::{JobBoard, Scheduler};
    use crate::store::ManifestId;
    use crate::store::meta::{Txn, Write};
    use crate::tables::{DeadManifests, Keyed as _, Versioning};
    use crate::trial::TestStorage;

    #[tokio::test]
    async fn what_a_run_skips_stands_on_the_board() {
        let storage = TestStorage::new(Versioning::Unversioned).await;
        let meta = Arc::clone(&storage.storage.store.meta);
        let damaged = DeadManifests.key(ManifestId::from_bytes([0; 12]));
        let damage = Write::Put(damaged, Bytes::from_static(b"\x01\x00?!"));
        let txn = Txn {
            conditions: Vec::new(),
            writes: vec![damage],
        };
        let committed = tokio::task::spawn_blocking(move || meta.commit(txn).wait_blocking());
        committed.await.expect("no panic").expect("committed");

        let board = JobBoard::new();
        let mut scheduler = Scheduler::new(Arc::clone(&board), storage.clock.clone());
        let collector = storage.storage.collector(CollectorSettings {
            grace: Duration::from_mins(1),
            quarantine: Duration::from_hours(1),
        });
        scheduler.start(job(collector, Duration::from_millis(1)));
        let skipped = async {
            while board.list().first().map(|job| job.skipped) != Some(1) {
                tokio::task::yield_now().await;
            }
        };
        let found = tokio::time::timeout(Duration::from_secs(30), skipped).await;
        scheduler.end().await;
        found.expect("a run tells of the damaged row");
    }
}

//! The background jobs that the server runs. A new job is started here.

use std::sync::Arc;

use crate::config::Config;
use crate::gc::CollectorSettings;
use crate::jobs::{Scheduler, gc};
use crate::process::startup::Handles;
use crate::storage::Storage;

/// Starts every job.
pub(crate) fn start(config: &Config, handles: &Handles, storage: &Storage) -> Scheduler {
    let mut scheduler = Scheduler::new(Arc::clone(&handles.jobs), Arc::clone(&handles.clock));
    let collector = storage.collector(CollectorSettings {
        grace: config.gc.grace,
        quarantine: config.gc.quarantine,
    });
    scheduler.start(gc::job(collector, config.gc.interval));
    scheduler
}

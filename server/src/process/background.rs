//! The jobs that run beside requests: which there are, and their end before the store closes.

use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::config::Config;
use crate::gc::{CollectorSettings, Place};
use crate::jobs::{JobClock, Step, Work};
use crate::process::startup::Watchers;
use crate::store::gate::Gate;
use crate::vault::Vault;

/// Jobs that work at once. One: they share the disk with requests, which come first.
const JOBS_AT_ONCE: usize = 1;

/// The running jobs and the way to end them.
pub(crate) struct Background {
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
}

/// Starts every job.
pub(crate) fn start(config: &Config, watchers: &Watchers, vault: &Vault) -> Background {
    let (stop, stopping) = watch::channel(false);
    let collector = vault.collector(CollectorSettings {
        grace: config.gc.grace,
    });
    let collect: Work = Box::new(move |progress| {
        let go_on = |place: Place| {
            progress.at(Step {
                doing: place.step,
                seen: place.seen,
            })
        };
        let round = collector.round_while(&go_on);
        let round = round.map_err(|error| error.to_string())?;
        Ok(serde_json::to_value(round).expect("plain data always encodes"))
    });
    let timing = JobClock {
        clock: Arc::clone(&watchers.clock),
        gate: Gate::new(JOBS_AT_ONCE),
        stopping,
    };
    let gc = watchers
        .jobs
        .start("gc", config.gc.interval, timing, collect);
    Background {
        stop,
        tasks: vec![gc],
    }
}

impl Background {
    /// Lets the work under way finish; nothing begins after it.
    pub(crate) async fn end(self) {
        self.stop.send_replace(true);
        for task in self.tasks {
            if let Err(failure) = task.await {
                tracing::error!(%failure, "a job ended by a panic");
            }
        }
    }
}

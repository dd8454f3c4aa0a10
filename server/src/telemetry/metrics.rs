//! The registry of metrics.
//!
//! Counters and histograms are updated where things happen. Gauges that are expensive to read (usage, files) are set
//! just before a scrape by the module that owns the numbers. Prometheus' library reads the `process_*` values itself.

mod jobs;
mod register;
mod s3;
mod store;

use std::time::Duration;

use prometheus::process_collector::ProcessCollector;
use prometheus::{IntCounterVec, IntGauge, IntGaugeVec, Registry, TextEncoder};

use self::jobs::JobSeries;
use self::register::{counters, gauge, gauges, signed};
use self::s3::S3Series;
use self::store::StoreSeries;
use crate::jobs::JobStatus;
use crate::telemetry::names;

/// The measured values of a request whose answer was sent completely or ended early.
#[derive(Debug, Clone, Copy)]
pub struct FinishedRequest {
    /// The operation's name, from the list given to [`Metrics::new`]; anything else counts as `other`.
    pub api: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// From the request's head to the end of the answer.
    pub duration: Duration,
    /// Body bytes received.
    pub received: u64,
    /// Body bytes sent.
    pub sent: u64,
}

/// Storage usage.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StorageUsage {
    /// Bytes of all object versions as clients sent them.
    pub logical_bytes: u64,
    /// Bytes of pack files.
    pub packs_bytes: u64,
    /// Bytes of the metadata engine's files.
    pub meta_bytes: u64,
    /// Packs in quarantine.
    pub quarantined: u64,
}

/// All metrics of the process.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    s3: S3Series,
    store: StoreSeries,
    jobs: JobSeries,
    ready: IntGauge,
    log_overridden: IntGauge,
    connections: IntGaugeVec,
    displaced: IntCounterVec,
}

impl Metrics {
    /// Registers everything. `apis` are the names of the S3 operations; `other` is added.
    pub fn new(apis: &[&'static str]) -> Metrics {
        let registry = Registry::new();
        let connections = gauges(
            &registry,
            names::CONNECTIONS,
            "Open connections",
            names::LABEL_LISTENER,
        );
        let displaced = counters(
            &registry,
            names::CONNECTIONS_DISPLACED,
            "Connections closed because too many were open: the one that waited longest for a request, or the newest",
            &[names::LABEL_LISTENER],
        );
        for listener in [names::LISTENER_S3, names::LISTENER_ADMIN] {
            displaced.with_label_values(&[listener]).reset();
            connections.with_label_values(&[listener]).set(0);
        }
        register_build(&registry);
        let process = Box::new(ProcessCollector::for_self());
        registry
            .register(process)
            .expect("each metric is registered once");
        Metrics {
            s3: S3Series::register(&registry, apis),
            store: StoreSeries::register(&registry),
            jobs: JobSeries::register(&registry),
            log_overridden: gauge(
                &registry,
                names::LOG_OVERRIDDEN,
                "1 while another log filter applies than the configured one",
            ),
            ready: gauge(
                &registry,
                names::READY,
                "1 while requests are taken: started, not stopping, not read-only",
            ),
            connections,
            displaced,
            registry,
        }
    }

    /// Counts a request as in flight until the guard is dropped.
    pub fn request_started(&self, api: &'static str) -> InFlight {
        let gauge = self.s3.started(api);
        gauge.inc();
        InFlight { gauge }
    }

    /// Records that a request's answer begins, `took` after its head.
    pub fn request_answered(&self, api: &'static str, took: Duration) {
        self.s3.answered(api, took);
    }

    /// Records an answer that ended early because its bytes could not be read.
    pub fn answer_broken(&self) {
        self.s3.broken.inc();
    }

    /// Records a finished request.
    pub fn request_finished(&self, done: FinishedRequest) {
        self.s3.finished(done);
    }

    /// Records one group commit: how long its sync took and how many transactions shared it.
    pub fn committed(&self, took: Duration, transactions: usize) {
        self.store.commit_seconds.observe(took.as_secs_f64());
        self.store
            .commit_batch
            .observe(f64::from(u32::try_from(transactions).unwrap_or(u32::MAX)));
    }

    /// Records one sync of a pack file and the bytes it made durable.
    pub fn pack_synced(&self, took: Duration, bytes: u64) {
        self.store.pack_sync_seconds.observe(took.as_secs_f64());
        self.store.pack_written.inc_by(bytes);
    }

    /// Records a panic that ended a thread of the store; `thread` is one of the names in [`names`].
    pub fn store_thread_panicked(&self, thread: &'static str) {
        self.store.thread_panics.with_label_values(&[thread]).inc();
    }

    /// Sets the storage usage.
    pub fn set_storage(&self, usage: StorageUsage) {
        self.store.logical.set(signed(usage.logical_bytes));
        self.store.quarantined.set(signed(usage.quarantined));
        self.store
            .stored
            .with_label_values(&[names::KIND_PACKS])
            .set(signed(usage.packs_bytes));
        self.store
            .stored
            .with_label_values(&[names::KIND_META])
            .set(signed(usage.meta_bytes));
    }

    /// Sets the number of blocking calls of the store in progress, by their kind in [`names`].
    pub fn set_store_calls(&self, kinds: [(&'static str, usize); 3]) {
        for (kind, calls) in kinds {
            let calls = i64::try_from(calls).unwrap_or(i64::MAX);
            self.store.calls.with_label_values(&[kind]).set(calls);
        }
    }

    /// Sets the metrics of background jobs from their board.
    pub fn set_jobs(&self, jobs: &[JobStatus]) {
        self.jobs.set(jobs);
    }

    /// Sets whether the current log filter differs from the configured one.
    pub fn set_log_overridden(&self, overridden: bool) {
        self.log_overridden.set(i64::from(overridden));
    }

    /// Sets the size and free bytes of the data directory's file system.
    pub fn set_filesystem(&self, size: u64, free: u64) {
        self.store.filesystem_size.set(signed(size));
        self.store.filesystem_free.set(signed(free));
    }

    /// Sets whether the store refuses writes.
    pub fn set_read_only(&self, read_only: bool) {
        self.store.read_only.set(i64::from(read_only));
    }

    /// Sets whether requests are accepted.
    pub fn set_ready(&self, ready: bool) {
        self.ready.set(i64::from(ready));
    }

    /// Counts a connection as open until the guard is dropped. `listener` is one of the two listener names.
    pub fn connection_opened(&self, listener: &'static str) -> InFlight {
        let gauge = self.connections.with_label_values(&[listener]);
        gauge.inc();
        InFlight { gauge }
    }

    /// Records that a connection gave way, or was refused, because too many were open.
    pub fn connection_displaced(&self, listener: &'static str) {
        self.displaced.with_label_values(&[listener]).inc();
    }

    /// All metrics in Prometheus' text format.
    ///
    /// # Errors
    /// When a series cannot be written, which only a fault of the registry causes.
    pub fn encode(&self) -> Result<String, prometheus::Error> {
        TextEncoder::new().encode_to_string(&self.registry.gather())
    }
}

/// One request or connection, counted while this value lives.
#[derive(Debug)]
pub struct InFlight {
    gauge: IntGauge,
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.gauge.dec();
    }
}

fn register_build(registry: &Registry) {
    let build = gauges(
        registry,
        names::BUILD_INFO,
        "Always 1; the label tells the version",
        "version",
    );
    build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
}

#[cfg(test)]
mod tests;

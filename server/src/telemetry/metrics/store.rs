//! Metrics of the store: some are reported as events while it works, others are sampled.

use prometheus::{Histogram, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Registry};

use super::register::{counters, gauge, gauges, histogram, keep};
use crate::telemetry::names;

/// Seconds of a commit or a sync: an SSD syncs in well under a millisecond, a dying disk in seconds.
const SYNC_SECONDS: [f64; 13] = [
    0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0,
];

/// Transactions per group commit, in powers of two up to the committer's largest batch.
const COMMIT_BATCH: [f64; 9] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0];

/// Series of the store.
#[derive(Debug)]
pub(super) struct StoreSeries {
    pub(super) stored: IntGaugeVec,
    pub(super) logical: IntGauge,
    pub(super) quarantined: IntGauge,
    pub(super) commit_seconds: Histogram,
    pub(super) commit_batch: Histogram,
    pub(super) pack_sync_seconds: Histogram,
    pub(super) pack_written: IntCounter,
    pub(super) read_only: IntGauge,
    pub(super) calls: IntGaugeVec,
    pub(super) thread_panics: IntCounterVec,
    pub(super) filesystem_size: IntGauge,
    pub(super) filesystem_free: IntGauge,
}

impl StoreSeries {
    pub(super) fn register(registry: &Registry) -> StoreSeries {
        let one_gauge = |name, help| gauge(registry, name, help);
        let timing = |name, help| histogram(registry, name, help, &SYNC_SECONDS);
        let stored = gauges(
            registry,
            names::STORED_BYTES,
            "Bytes on disk by kind of file",
            names::LABEL_KIND,
        );
        for kind in [names::KIND_PACKS, names::KIND_META] {
            stored.with_label_values(&[kind]).set(0);
        }
        let calls = gauges(
            registry,
            names::STORE_CALLS,
            "Blocking calls of the store at work, by kind of call",
            names::LABEL_CALLS,
        );
        let thread_panics = counters(
            registry,
            names::STORE_THREAD_PANICS,
            "Threads of the store that a panic has ended; writes are refused until a restart",
            &[names::LABEL_THREAD],
        );
        for thread in [names::THREAD_COMMITTER, names::THREAD_APPENDER] {
            thread_panics.with_label_values(&[thread]).reset();
        }
        let batch_help = "Transactions that shared one synced group commit";
        StoreSeries {
            stored,
            logical: one_gauge(
                names::LOGICAL_BYTES,
                "Bytes of all object versions as clients sent them",
            ),
            quarantined: one_gauge(
                names::QUARANTINED_PACKS,
                "Packs of earlier starts with bodies that no row names",
            ),
            commit_seconds: timing(
                names::COMMIT_SECONDS,
                "Seconds of one synced group commit of metadata",
            ),
            commit_batch: histogram(registry, names::COMMIT_BATCH, batch_help, &COMMIT_BATCH),
            pack_sync_seconds: timing(
                names::PACK_SYNC_SECONDS,
                "Seconds of one sync of a pack file",
            ),
            pack_written: keep(
                registry,
                IntCounter::new(names::PACK_WRITTEN, "Bytes appended to pack files"),
            ),
            read_only: one_gauge(
                names::READ_ONLY,
                "1 while writes are refused after a failed sync or commit",
            ),
            calls,
            thread_panics,
            filesystem_size: one_gauge(
                names::FILESYSTEM_SIZE,
                "Size of the data directory's file system",
            ),
            filesystem_free: one_gauge(
                names::FILESYSTEM_FREE,
                "Free bytes of the data directory's file system",
            ),
        }
    }
}

//! The metric registry: every series exists from the start, every label comes from a closed set.
//!
//! Counters and histograms are fed where things happen; gauges that cost something to know (usage, files, memory) are
//! set just before a scrape by whoever owns the numbers.

use std::collections::HashMap;
use std::time::Duration;

use prometheus::core::Collector;
use prometheus::{
    Gauge, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge,
    IntGaugeVec, Opts, Registry, TextEncoder,
};

use crate::clock::UnixMillis;
use crate::telemetry::names;
use crate::telemetry::own::OwnProcess;

/// Request seconds: 5 ms is a cached answer, 60 s a large body on a slow line (beyond: `+Inf`).
const REQUEST_SECONDS: [f64; 13] = [
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0,
];

/// Seconds of a commit or a sync: an SSD syncs in well under a millisecond, a dying disk in seconds.
const SYNC_SECONDS: [f64; 13] = [
    0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0,
];

/// Transactions per group commit, in powers of two up to the committer's queue.
const COMMIT_BATCH: [f64; 9] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0];

/// What is known of a request once its answer has been sent or given up.
#[derive(Debug, Clone, Copy)]
pub struct FinishedRequest {
    /// The operation's name out of the list given to [`Metrics::new`]; anything else counts as `other`.
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

/// How much is stored, as sampled by the store's owner.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StorageUsage {
    /// Bytes of all object versions as clients sent them.
    pub logical_bytes: u64,
    /// Bytes of pack files.
    pub packs_bytes: u64,
    /// Bytes of the metadata engine's files.
    pub meta_bytes: u64,
}

/// Series of one operation, looked up once.
#[derive(Debug)]
struct PerApi {
    in_flight: IntGauge,
    duration: Histogram,
    received: IntCounter,
    sent: IntCounter,
}

/// What S3 requests count.
#[derive(Debug)]
struct S3Series {
    apis: HashMap<&'static str, PerApi>,
    requests: IntCounterVec,
}

/// What the store tells, and what is sampled from it.
#[derive(Debug)]
struct StoreSeries {
    stored: IntGaugeVec,
    logical: IntGauge,
    commit_seconds: Histogram,
    commit_batch: Histogram,
    pack_sync_seconds: Histogram,
    pack_written: IntCounter,
    read_only: IntGauge,
    filesystem_size: IntGauge,
    filesystem_free: IntGauge,
}

/// All metrics of the process.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    s3: S3Series,
    store: StoreSeries,
    ready: IntGauge,
    connections: IntGaugeVec,
    own: OwnProcess,
}

impl S3Series {
    fn register(registry: &Registry, apis: &[&'static str]) -> S3Series {
        let in_flight = gauges(
            registry,
            names::S3_IN_FLIGHT,
            "S3 requests being answered now",
            names::LABEL_API,
        );
        let options = HistogramOpts::new(
            names::S3_DURATION,
            "Seconds from a request's head to the end of its answer",
        )
        .buckets(REQUEST_SECONDS.to_vec());
        let duration = keep(registry, HistogramVec::new(options, &[names::LABEL_API]));
        let received = counters(
            registry,
            names::S3_RECEIVED,
            "Body bytes that clients sent",
            &[names::LABEL_API],
        );
        let sent = counters(
            registry,
            names::S3_SENT,
            "Body bytes sent to clients",
            &[names::LABEL_API],
        );
        let by_code = [names::LABEL_API, names::LABEL_CODE];
        let requests = counters(
            registry,
            names::S3_REQUESTS,
            "Finished S3 requests by operation and HTTP status",
            &by_code,
        );
        let mut per_api = HashMap::new();
        for api in apis.iter().copied().chain([names::API_OTHER]) {
            for code in names::CODES_AT_START {
                requests.with_label_values(&[api, code]).reset();
            }
            let series = PerApi {
                in_flight: in_flight.with_label_values(&[api]),
                duration: duration.with_label_values(&[api]),
                received: received.with_label_values(&[api]),
                sent: sent.with_label_values(&[api]),
            };
            per_api.insert(api, series);
        }
        S3Series {
            apis: per_api,
            requests,
        }
    }

    fn api(&self, api: &str) -> &PerApi {
        self.apis
            .get(api)
            .or_else(|| self.apis.get(names::API_OTHER))
            .expect("the series of `other` are created with the registry")
    }
}

impl StoreSeries {
    fn register(registry: &Registry) -> StoreSeries {
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
        let batch_help = "Transactions that shared one synced group commit";
        StoreSeries {
            stored,
            logical: one_gauge(
                names::LOGICAL_BYTES,
                "Bytes of all object versions as clients sent them",
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

impl Metrics {
    /// Registers everything. `apis` are the names of the S3 operations; `other` is added.
    pub fn new(apis: &[&'static str], started: UnixMillis) -> Metrics {
        let registry = Registry::new();
        let connections = gauges(
            &registry,
            names::CONNECTIONS,
            "Open connections",
            names::LABEL_LISTENER,
        );
        for listener in [names::LISTENER_S3, names::LISTENER_ADMIN] {
            connections.with_label_values(&[listener]).set(0);
        }
        register_facts(&registry, started);
        Metrics {
            s3: S3Series::register(&registry, apis),
            store: StoreSeries::register(&registry),
            ready: gauge(
                &registry,
                names::READY,
                "1 while requests are taken: started, not stopping, not read-only",
            ),
            connections,
            own: OwnProcess::register(&registry),
            registry,
        }
    }

    /// Counts a request in; the guard counts it out when dropped.
    pub fn request_started(&self, api: &'static str) -> InFlight {
        let gauge = self.s3.api(api).in_flight.clone();
        gauge.inc();
        InFlight { gauge }
    }

    /// Records a finished request.
    pub fn request_finished(&self, done: FinishedRequest) {
        let api = if self.s3.apis.contains_key(done.api) {
            done.api
        } else {
            names::API_OTHER
        };
        self.s3
            .requests
            .with_label_values(&[api, code_label(done.status)])
            .inc();
        let series = self.s3.api(api);
        series.duration.observe(done.duration.as_secs_f64());
        series.received.inc_by(done.received);
        series.sent.inc_by(done.sent);
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

    /// Sets what is stored.
    pub fn set_storage(&self, usage: StorageUsage) {
        self.store.logical.set(signed(usage.logical_bytes));
        self.store
            .stored
            .with_label_values(&[names::KIND_PACKS])
            .set(signed(usage.packs_bytes));
        self.store
            .stored
            .with_label_values(&[names::KIND_META])
            .set(signed(usage.meta_bytes));
    }

    /// Sets the data directory's file system figures.
    pub fn set_filesystem(&self, size: u64, free: u64) {
        self.store.filesystem_size.set(signed(size));
        self.store.filesystem_free.set(signed(free));
    }

    /// Tells whether the store refuses writes.
    pub fn set_read_only(&self, read_only: bool) {
        self.store.read_only.set(i64::from(read_only));
    }

    /// Tells whether requests are taken.
    pub fn set_ready(&self, ready: bool) {
        self.ready.set(i64::from(ready));
    }

    /// Counts a connection in; the guard counts it out when dropped. `listener` is one of the two listener names.
    pub fn connection_opened(&self, listener: &'static str) -> InFlight {
        let gauge = self.connections.with_label_values(&[listener]);
        gauge.inc();
        InFlight { gauge }
    }

    /// Everything in Prometheus' text format.
    ///
    /// # Errors
    /// When a series cannot be written, which only a fault of the registry causes.
    pub fn encode(&self) -> Result<String, prometheus::Error> {
        self.own.sample();
        TextEncoder::new().encode_to_string(&self.registry.gather())
    }
}

/// One request or connection that is counted while it lives.
#[derive(Debug)]
pub struct InFlight {
    gauge: IntGauge,
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.gauge.dec();
    }
}

/// The label of a status: itself when listed, else `other`.
fn code_label(status: u16) -> &'static str {
    let text = status.to_string();
    names::CODES
        .into_iter()
        .find(|known| *known == text)
        .unwrap_or(names::CODE_OTHER)
}

/// Gauges are signed in Prometheus' library; no disk of ours holds 8 EiB.
fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn register_facts(registry: &Registry, started: UnixMillis) {
    let build = gauges(
        registry,
        names::BUILD_INFO,
        "Always 1; the label tells the version",
        "version",
    );
    build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
    let start = keep(
        registry,
        Gauge::new(
            names::PROCESS_START,
            "Start of this process in Unix seconds",
        ),
    );
    start.set(Duration::from_millis(started.0).as_secs_f64());
}

fn keep<C: Collector + Clone + 'static>(registry: &Registry, made: prometheus::Result<C>) -> C {
    let collector = made.expect("names of metrics are constants that a test has seen accepted");
    registry
        .register(Box::new(collector.clone()))
        .expect("each metric is registered once");
    collector
}

fn counters(registry: &Registry, name: &str, help: &str, labels: &[&str]) -> IntCounterVec {
    keep(registry, IntCounterVec::new(Opts::new(name, help), labels))
}

fn gauges(registry: &Registry, name: &str, help: &str, label: &str) -> IntGaugeVec {
    keep(registry, IntGaugeVec::new(Opts::new(name, help), &[label]))
}

fn gauge(registry: &Registry, name: &str, help: &str) -> IntGauge {
    keep(registry, IntGauge::new(name, help))
}

fn histogram(registry: &Registry, name: &str, help: &str, buckets: &[f64]) -> Histogram {
    keep(
        registry,
        Histogram::with_opts(HistogramOpts::new(name, help).buckets(buckets.to_vec())),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metrics() -> Metrics {
        Metrics::new(&["PutObject", "GetObject"], UnixMillis(1_700_000_000_500))
    }

    fn finished(api: &'static str, status: u16) -> FinishedRequest {
        FinishedRequest {
            api,
            status,
            duration: Duration::from_millis(20),
            received: 7,
            sent: 11,
        }
    }

    #[test]
    fn series_that_alerts_need_exist_before_the_first_request() {
        let text = metrics().encode().expect("the registry encodes");
        for line in [
            "strongroom_s3_requests_total{api=\"PutObject\",code=\"500\"} 0",
            "strongroom_s3_requests_total{api=\"other\",code=\"403\"} 0",
            "strongroom_s3_request_duration_seconds_count{api=\"GetObject\"} 0",
            "strongroom_s3_received_bytes_total{api=\"PutObject\"} 0",
            "strongroom_storage_stored_bytes{kind=\"packs\"} 0",
            "strongroom_storage_logical_bytes 0",
            "strongroom_meta_commit_seconds_count 0",
            "strongroom_store_read_only 0",
            "process_start_time_seconds 1700000000.5",
        ] {
            assert!(text.lines().any(|l| l == line), "missing {line} in\n{text}");
        }
        assert!(text.contains("strongroom_build_info{version="), "{text}");
    }

    #[test]
    fn every_metric_is_in_the_operators_manual() {
        let manual = include_str!("../../../docs/operations.md");
        let families = metrics().registry.gather();
        assert!(families.len() > 15, "{families:?}");
        for family in families {
            let name = format!("`{}`", family.name());
            assert!(
                manual.contains(&name),
                "{name} is not in docs/operations.md"
            );
        }
    }

    #[test]
    fn a_finished_request_counts_once_under_its_operation_and_code() {
        let metrics = metrics();
        metrics.request_finished(finished("PutObject", 200));
        let text = metrics.encode().expect("the registry encodes");
        assert!(
            text.contains("strongroom_s3_requests_total{api=\"PutObject\",code=\"200\"} 1\n"),
            "{text}"
        );
        assert!(
            text.contains("strongroom_s3_received_bytes_total{api=\"PutObject\"} 7\n"),
            "{text}"
        );
        assert!(
            text.contains("strongroom_s3_sent_bytes_total{api=\"PutObject\"} 11\n"),
            "{text}"
        );
        assert!(text.contains(
            "strongroom_s3_request_duration_seconds_bucket{api=\"PutObject\",le=\"0.025\"} 1\n"
        ));
        assert!(text.contains(
            "strongroom_s3_request_duration_seconds_bucket{api=\"PutObject\",le=\"0.01\"} 0\n"
        ));
    }

    #[test]
    fn unknown_operations_and_codes_fall_into_other() {
        let metrics = metrics();
        let series = |m: &Metrics| m.encode().expect("the registry encodes").lines().count();
        metrics.request_finished(finished("SomethingNew", 299));
        let before = series(&metrics);
        metrics.request_finished(finished("SomethingElse", 298));
        assert_eq!(
            series(&metrics),
            before,
            "an unknown operation or code must not add series"
        );
        let text = metrics.encode().expect("the registry encodes");
        assert!(
            text.contains("strongroom_s3_requests_total{api=\"other\",code=\"other\"} 2\n"),
            "{text}"
        );
    }

    #[test]
    fn in_flight_requests_are_counted_out_when_their_guard_goes() {
        let metrics = metrics();
        let guard = metrics.request_started("GetObject");
        let line = "strongroom_s3_requests_in_flight{api=\"GetObject\"} 1\n";
        assert!(
            metrics
                .encode()
                .expect("the registry encodes")
                .contains(line)
        );
        drop(guard);
        assert!(
            !metrics
                .encode()
                .expect("the registry encodes")
                .contains(line)
        );
    }

    #[test]
    fn commits_and_syncs_feed_their_histograms() {
        let metrics = metrics();
        metrics.committed(Duration::from_millis(3), 17);
        metrics.pack_synced(Duration::from_millis(3), 4096);
        let text = metrics.encode().expect("the registry encodes");
        assert!(
            text.contains("strongroom_pack_sync_seconds_count 1\n"),
            "{text}"
        );
        assert!(
            text.contains("strongroom_pack_written_bytes_total 4096\n"),
            "{text}"
        );
        assert!(
            text.contains("strongroom_meta_commit_seconds_bucket{le=\"0.005\"} 1\n"),
            "{text}"
        );
        assert!(
            text.contains("strongroom_meta_commit_seconds_bucket{le=\"0.0025\"} 0\n"),
            "{text}"
        );
        assert!(
            text.contains("strongroom_meta_commit_batch_transactions_sum 17\n"),
            "{text}"
        );
    }
}

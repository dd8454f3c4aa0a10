//! Names of metrics and labels, each defined once. The process metrics (`process_*`) are Prometheus' own.
//!
//! Prometheus' rules: base units, `_total` on counters only, `_info` for text. docs/metrics.md explains each metric.

/// Finished S3 requests by `api` and `code`.
pub const S3_REQUESTS: &str = "strongroom_s3_requests_total";
/// S3 requests between their head and the end of their answer, by `api`.
pub const S3_IN_FLIGHT: &str = "strongroom_s3_requests_in_flight";
/// Seconds from a request's head to the end of its answer, by `api`.
pub const S3_DURATION: &str = "strongroom_s3_request_duration_seconds";
/// Seconds from a request's head to the head of its answer, by `api`.
pub const S3_FIRST_BYTE: &str = "strongroom_s3_time_to_first_byte_seconds";
/// Answers that ended early.
pub const S3_BROKEN: &str = "strongroom_s3_broken_answers_total";
/// Body bytes that clients sent, by `api`.
pub const S3_RECEIVED: &str = "strongroom_s3_received_bytes_total";
/// Body bytes sent to clients, by `api`.
pub const S3_SENT: &str = "strongroom_s3_sent_bytes_total";

/// Bytes on disk by `kind`.
pub const STORED_BYTES: &str = "strongroom_storage_stored_bytes";
/// Bytes of all object versions as clients sent them.
pub const LOGICAL_BYTES: &str = "strongroom_storage_logical_bytes";

/// Packs in quarantine.
pub const QUARANTINED_PACKS: &str = "strongroom_storage_quarantined_packs";
/// Seconds of one synced group commit of metadata.
pub const COMMIT_SECONDS: &str = "strongroom_meta_commit_duration_seconds";
/// Transactions that shared one synced group commit.
pub const COMMIT_BATCH: &str = "strongroom_meta_commit_batch_transactions";
/// Seconds of one sync of a pack file.
pub const PACK_SYNC_SECONDS: &str = "strongroom_pack_sync_duration_seconds";
/// Bytes appended to pack files.
pub const PACK_WRITTEN: &str = "strongroom_pack_written_bytes_total";
/// 1 while the store refuses writes after a failed sync or commit.
pub const READ_ONLY: &str = "strongroom_store_read_only";
/// Blocking calls of the store in progress, by `calls`.
pub const STORE_CALLS: &str = "strongroom_store_blocking_calls";
/// Panics of the store's own threads, by `thread`.
pub const STORE_THREAD_PANICS: &str = "strongroom_store_thread_panics_total";
/// Runs of background jobs by `name` and `result`.
pub const JOB_RUNS: &str = "strongroom_job_runs_total";
/// When a job's last run without error or panic ended, by `name`.
pub const JOB_LAST_SUCCESS: &str = "strongroom_job_last_success_timestamp_seconds";
/// How long a job's last run took, by `name`.
pub const JOB_LAST_DURATION: &str = "strongroom_job_last_duration_seconds";
/// 1 while a job runs, by `name`.
pub const JOB_RUNNING: &str = "strongroom_job_running";
/// Rows and files that a job's last run skipped, by `name`.
pub const JOB_SKIPPED: &str = "strongroom_job_last_skipped";
/// 1 while the current log filter differs from the configured one.
pub const LOG_OVERRIDDEN: &str = "strongroom_log_filter_overridden";
/// Size of the file system that holds the data directory.
pub const FILESYSTEM_SIZE: &str = "strongroom_filesystem_size_bytes";
/// Free bytes of that file system for an unprivileged process.
pub const FILESYSTEM_FREE: &str = "strongroom_filesystem_free_bytes";

/// 1 while the server accepts requests: started, not stopping, not read-only.
pub const READY: &str = "strongroom_ready";
/// Connections that were closed or refused because there were too many, by `listener`.
pub const CONNECTIONS_DISPLACED: &str = "strongroom_connections_displaced_total";
/// Open connections by `listener`.
pub const CONNECTIONS: &str = "strongroom_connections";
/// Always 1; its labels identify the build.
pub const BUILD_INFO: &str = "strongroom_build_info";

/// Label: the S3 operation, or [`API_OTHER`].
pub const LABEL_API: &str = "api";
/// Label: the HTTP status, or [`CODE_OTHER`].
pub const LABEL_CODE: &str = "code";
/// Label: the kind of bytes on disk.
pub const LABEL_KIND: &str = "kind";
/// Label: the kind of blocking call of the store.
pub const LABEL_CALLS: &str = "calls";
/// Label: the thread of the store.
pub const LABEL_THREAD: &str = "thread";
/// Label: the background job.
pub const LABEL_NAME: &str = "name";
/// Label: the result of a job's run.
pub const LABEL_RESULT: &str = "result";
/// Label: the listener.
pub const LABEL_LISTENER: &str = "listener";

/// The `api` of everything that is not a known operation: unknown paths, health checks, malformed requests.
pub const API_OTHER: &str = "other";
/// The `code` of a status outside [`CODES`].
pub const CODE_OTHER: &str = "other";
/// The `kind` of pack files.
pub const KIND_PACKS: &str = "packs";
/// The `kind` of the metadata engine's files.
pub const KIND_META: &str = "meta";
/// The `calls` that read packs.
pub const CALLS_READ: &str = "read";
/// The `calls` that read rows and decide.
pub const CALLS_DECIDE: &str = "decide";
/// The `calls` that digest, compress and write bodies.
pub const CALLS_WRITE: &str = "write";
/// The `thread` that decides transactions.
pub const THREAD_COMMITTER: &str = "committer";
/// The `thread` that appends small bodies to the shared pack.
pub const THREAD_APPENDER: &str = "appender";
/// The `result` of a run without error or panic.
pub const RESULT_SUCCESS: &str = "success";
/// The `result` of a run that ended with an error.
pub const RESULT_FAILURE: &str = "failure";
/// The `result` of a run that ended with a panic.
pub const RESULT_PANIC: &str = "panic";
/// The `listener` of S3 clients.
pub const LISTENER_S3: &str = "s3";
/// The `listener` of operators.
pub const LISTENER_ADMIN: &str = "admin";

/// Every value of `code`; any other status becomes [`CODE_OTHER`]. 499 is a client that left before it had an answer.
pub const CODES: [&str; 20] = [
    "200", "204", "206", "304", "400", "403", "404", "405", "408", "409", "411", "412", "413",
    "416", "429", "499", "500", "501", "503", CODE_OTHER,
];

/// The codes that exist from the start for each api: success, and those that alerts use. `increase()` does not see the
/// failure that creates its own series.
pub const CODES_AT_START: [&str; 6] = ["200", "400", "403", "404", "500", "503"];

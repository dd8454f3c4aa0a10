//! Observation: metrics, the log, readiness, the admission of requests.
//!
//! The names of metrics are defined only here; other modules hand over values. Telemetry knows no S3 types (operations
//! come as a closed list of names), no store and no configuration. ARCHITECTURE.md explains how to add a metric.
//!
//! Invariants: every label takes values of a closed set, so that no client can grow the number of series; no value that
//! a client chose (key, bucket, address, error text) becomes a label; nothing here gets contents or credentials.

pub mod admission;
pub mod log;
pub mod metrics;
pub mod names;
pub mod readiness;

pub use admission::Admission;
pub use metrics::{FinishedRequest, Metrics, StorageUsage};
pub use readiness::{NotReady, Readiness};

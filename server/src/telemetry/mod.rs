//! What the program tells about itself: metrics, log lines, readiness.
//!
//! This is the one place with names of metrics and of log fields; other layers hand over values. It knows no S3 types
//! (operations come as a closed list of names), no store and no configuration.
//!
//! Invariants: every label takes values of a closed set, so that no client can grow the number of series; no value that
//! a client chose (key, bucket, address, error text) becomes a label; nothing here is given contents or credentials.

pub mod log;
pub mod metrics;
pub mod names;
pub mod own;
pub mod readiness;

pub use metrics::{FinishedRequest, Metrics, StorageUsage};
pub use readiness::{NotReady, Readiness};

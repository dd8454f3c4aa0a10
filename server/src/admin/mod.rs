//! The admin listener's routes: liveness, readiness, metrics, background jobs, the log's filter.
//!
//! Whoever can reach the listener may read, so its default address is loopback; [`access`] keeps web pages out and asks
//! for credentials before a change. This module knows no S3 types
//! and does no I/O of its own: a closure of the caller samples values that are expensive to read.
//!
//! Invariants: `/livez` answers as long as the process runs, even with a broken disk, because a restart does not repair
//! a disk; `/readyz` and `/metrics` never wait for the store's writers.

mod access;
mod log;
mod reply;
mod routes;

pub use access::Changes;
pub use routes::Admin;

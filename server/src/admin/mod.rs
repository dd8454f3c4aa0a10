//! The admin listener's routes: liveness, readiness, metrics, background jobs, the log's filter.
//!
//! They answer everybody who can reach the listener, so its default address is loopback. This module knows no S3 types
//! and does no I/O of its own: a closure of the caller samples values that are expensive to read.
//!
//! Invariants: `/livez` answers as long as the process runs, even with a broken disk, because a restart does not repair
//! a disk; `/readyz` and `/metrics` never wait for the store's writers.

mod log;
mod reply;
mod routes;

pub use routes::Admin;

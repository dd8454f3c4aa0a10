//! The operators' listener: liveness, readiness, metrics, background jobs, what is logged. The JSON API and the console will join it.
//!
//! It answers whoever reaches it, so its default is loopback. It knows no S3 types, and it does no I/O of its own: what
//! costs something to know is sampled by the closure it is given.
//!
//! Invariants: `/livez` answers as long as the process runs, whatever the disk does, since restarting a process does not
//! mend a disk; `/readyz` and `/metrics` never block on the store's writers.

mod log;
pub mod routes;

pub use routes::Admin;

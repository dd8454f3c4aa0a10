//! The process: opens the store, starts listeners and jobs, waits for a signal, drains, closes.
//!
//! Only this module combines configuration, store, services and signals. It decides nothing about S3.
//!
//! Invariants: every task is joined or aborted before the process ends; no S3 connection is accepted before the store
//! is open; the store is closed only after the last request has ended.
#![cfg_attr(
    not(feature = "rocksdb"),
    expect(dead_code, reason = "without an engine there is nothing to serve")
)]

#[cfg(feature = "rocksdb")]
mod background;
mod bind;
mod connections;
mod data_dir;
mod disk_watch;
mod error;
mod exit;
mod limits;
mod linger;
mod listener;
#[cfg(feature = "rocksdb")]
mod offline;
#[cfg(feature = "rocksdb")]
mod run;
#[cfg(feature = "rocksdb")]
mod serve;
mod signals;
mod stall;
#[cfg(feature = "rocksdb")]
mod startup;
mod usage;

pub use connections::ConnectionLimits;
pub use error::StartError;
pub use exit::Exit;
pub use linger::LingerLimits;
pub use listener::{ConnectionTimes, HttpRequest, Listener, RunningListener};
#[cfg(feature = "rocksdb")]
pub use run::run;

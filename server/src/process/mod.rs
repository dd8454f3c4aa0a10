//! The running process: opens the store, builds what serves, listens, drains, closes.
//!
//! The only module that names configuration, store, services and signals together. It decides nothing about S3.
//!
//! Invariants: whatever is started is joined or cut before the process ends; nothing is accepted before the store is
//! open, and the store is closed only after the last request has ended.

mod bind;
mod error;
mod exit;
mod limits;
mod listener;
mod signals;
mod stall;

pub use error::StartError;
pub use exit::Exit;

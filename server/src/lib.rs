//! The Strongroom server: an S3 endpoint that stores etcd snapshots.
//!
//! Modules are listed bottom up. Each may name the modules above it but never those below it (the tidy test checks
//! this). `main.rs` only parses arguments and calls [`process`].

pub use strongroom_store as store;
pub use strongroom_store::{clock, planted};

pub mod model;

pub mod tables;

pub mod packs;

pub mod objects;

pub mod bodies;

pub mod snapshots;

pub mod gc;

pub mod doctor;
pub mod storage;

pub mod jobs;

pub mod telemetry;

pub mod admin;
pub mod s3;

pub mod config;
pub mod process;

#[cfg(test)]
mod simulation;
#[cfg(test)]
mod trial;

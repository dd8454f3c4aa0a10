//! The Strongroom server: an S3 endpoint that keeps etcd snapshots.
//!
//! Modules are listed bottom up; each may name those above it and never those below it
//! (a tidy test holds them to it). `main.rs` only parses arguments and calls [`process`].

pub use strongroom_store as store;
pub use strongroom_store::{clock, planted};

pub mod model;

pub mod tables;

pub mod packs;

pub mod objects;

pub mod bodies;

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

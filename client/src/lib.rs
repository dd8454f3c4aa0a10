//! The Strongroom client library: signed S3 calls, etcd snapshot streams, and the parts of the `strongroom` command.
//!
//! The S3 side (`s3`, `uri`, `exit`, `clock`, `environment`) is free of gRPC and of a command line, so that the restore
//! tool links it statically. The feature `etcd` adds the snapshot stream and `save`, `cli` the command and `image`, by
//! which it looks into snapshots.
//!
//! Invariants: never imports the server; never resolves names through the C library on the S3 side; reads the
//! environment only in `environment` and the clock only in `clock`; no credential is ever printed or logged.

pub mod causes;
#[cfg(feature = "cli")]
pub mod cli;
pub mod clock;
pub mod environment;
#[cfg(feature = "etcd")]
pub mod etcd;
pub mod exit;
#[cfg(feature = "cli")]
pub mod image;
pub mod s3;
#[cfg(feature = "etcd")]
pub mod save;
pub mod uri;

//! The Strongroom client library: signed S3 calls, etcd snapshot streams, and the parts of the `strongroom` command.
//!
//! The S3 part (`s3`, `tls`, `uri`, `exit`, `clock`, `environment`) has no gRPC and no command line, so that the restore tool can link
//! it statically. The feature `etcd` adds the snapshot stream and `save`. The feature `cli` adds the command and `image`, which
//! inspects snapshots.
//!
//! Invariants: it never imports the server; the S3 part never resolves names through the C library; only `environment` reads the
//! environment, and only `clock` reads the clock; no credential is ever printed or logged.

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
pub mod tls;
pub mod uri;

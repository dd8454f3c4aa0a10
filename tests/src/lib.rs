//! The harness of Strongroom's end-to-end suites: it starts the real programs, real etcd clusters and real S3 clients
//! on loopback, and stops what it started.
//!
//! A step that fails panics with the command, its result and the tail of the relevant logs: this is the report of a
//! test and the failure message of the demo. Invariants: every child process is owned by a [`process::Process`] that
//! kills it by id when dropped; every file is below a temporary folder; ports are on 127.0.0.1; only [`clock`] sleeps:
//! between two checks of a condition, or to let a fault come at a random moment.

pub mod backup;
pub mod clock;
pub mod etcd;
pub mod fake_s3;
pub mod footprint;
pub mod garbage;
pub mod history;
pub mod http;
pub mod inject;
pub mod loopfs;
pub mod metrics;
pub mod ports;
pub mod process;
pub mod programs;
pub mod proxy;
pub mod put_objects;
pub mod s3;
pub mod server;
pub mod soak;
pub mod tls;
pub mod tls_front;
pub mod trace;
pub mod traffic;
pub mod tree;
pub mod walog;
pub mod workload;
pub mod zoo;

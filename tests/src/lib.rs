//! The one harness of Strongroom's end-to-end suites: it starts the real programs, real etcd clusters and real S3 clients on
//! loopback, and stops what it started.
//!
//! A step that fails panics with what was done, what came back and the tail of the logs concerned: in a test that is the
//! report, in the demo it is the failure message. Invariants: every child process is owned by a [`process::Process`] that
//! kills it by id when dropped; every file lies below a temporary folder; ports are on 127.0.0.1; only [`clock`]
//! sleeps: to look again for what is waited for, or to let a fault come at a moment of chance.

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
pub mod trace;
pub mod traffic;
pub mod tree;
pub mod walog;
pub mod workload;
pub mod zoo;

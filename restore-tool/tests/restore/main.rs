//! Tests of the restore tool as users run it: the real program, a real etcd, a small S3 store that misbehaves on demand.
//!
//! There is one test binary, so that one etcd is filled and saved only once for all tests (`sample`). It needs etcd and etcdctl
//! 3.4 from `make peers`, and root for the full-disk test (a private mount namespace).

mod bad_input;
mod boot;
mod choice;
mod clock;
mod etcd;
mod kept;
mod options;
mod sample;
mod static_binary;
mod store;
mod surroundings;
mod target;
mod tool;
mod traps;

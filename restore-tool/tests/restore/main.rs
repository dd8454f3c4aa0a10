//! Tests of the restore tool as users run it: the real program, a real etcd, a small S3 store that misbehaves on demand.
//!
//! There is one test binary, so that one etcd is filled and saved only once for all tests (`sample`). It needs etcd and etcdctl
//! 3.4 from `make peers` (and 3.5 to 3.7 for the comparison of single records), and root for the full-disk tests (a private
//! mount namespace).

mod bad_input;
mod boot;
mod choice;
mod clock;
mod etcd;
mod kept;
mod mutations;
mod options;
mod sample;
mod static_binary;
mod store;
mod store_time;
mod surroundings;
mod target;
mod tool;
mod traps;

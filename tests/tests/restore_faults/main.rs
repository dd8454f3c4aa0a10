//! The restore tool is killed, and its disk fails, at the n-th file-changing system call for every n; the store dies and
//! its line is cut while it downloads.
//!
//! Whatever happens, what lay in the data directory before is there byte for byte, `member` is either absent or complete,
//! and the next run finishes the work.

mod cases;
mod disk;
mod kill;
mod network;

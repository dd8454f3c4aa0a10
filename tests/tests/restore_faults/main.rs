//! The restore tool is killed, and its disk fails, at the n-th file-changing system call for every n; the store dies
//! and the connection is cut during the download.
//!
//! In every case, the previous contents of the data directory are unchanged byte for byte, `member` is either absent or
//! complete, and the next run finishes the work.

mod cases;
mod disk;
mod kill;
mod network;

//! Disks that are full, that fail single calls, that lose or change files under a running or a stopped server.
//!
//! Nothing acknowledged is lost while the disk keeps what it has; what the disk lost is refused or reported by name; no
//! wrong byte is ever served.

mod calls;
mod full;
mod meddle;
mod store;

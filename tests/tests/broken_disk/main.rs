//! Disks that are full, that fail single calls, or that lose or change files under a running or a stopped server.
//!
//! Nothing acknowledged is lost while the disk keeps its contents; lost contents are refused or reported by name; wrong
//! bytes are never served.

mod calls;
mod full;
mod meddle;
mod store;

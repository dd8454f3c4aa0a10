//! Limits of the process and of its connections, each with its derivation.

use std::time::Duration;

use rustix::fs::Mode;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit, umask};

use crate::store::gate::{READ_PERMITS, WRITE_PERMITS};

/// Most S3 connections at once. A backup site has tens of writers; 500 fit twice, and each costs at most
/// [`BUFFER_BYTES_MAX`] twice outside of a body.
pub(crate) const S3_CONNECTIONS_MAX: usize = 1024;

/// Most connections of operators: a few scrapers and probes, each short.
pub(crate) const ADMIN_CONNECTIONS_MAX: usize = 64;

/// Descriptors kept for everything that is no connection: Meta's files (256), shared packs, logs, the listeners.
const FILES_RESERVED: u64 = 512;

/// Descriptors of a busy connection: its socket, and a pack that is read or written.
const FILES_PER_CONNECTION: u64 = 2;

/// Most bytes of a request's line and headers: a key of 1024 bytes is 3 KiB when escaped, S3 allows 2 KiB of user
/// metadata and 8 KiB of headers in all; four times that is generous.
pub(crate) const HEAD_BYTES_MAX: usize = 32 * 1024;

/// Most header lines: SDKs send about 20; 2 KiB of metadata in its smallest entries are about 100 more.
pub(crate) const HEADERS_MAX: usize = 128;

/// Most bytes that a connection reads ahead of its request, or holds to be written.
pub(crate) const BUFFER_BYTES_MAX: usize = 128 * 1024;

/// How long a connection may take to send a request's head, and so how long it may be idle between two requests.
/// Longer than the pools of Go (90 s) and boto (60 s) keep an idle one, so that the client closes first.
pub(crate) const HEAD_MAX: Duration = Duration::from_secs(100);

/// How long a connection may neither take nor give a byte while a request is on: the peer or the line is gone. Longer
/// than any single step of ours takes (a Complete answers within 30 s).
pub(crate) const STALL_MAX: Duration = Duration::from_mins(2);

/// Wait after `accept` failed for a reason that is ours (no descriptors, no memory), so that it is no busy loop.
pub(crate) const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Pending connections that the kernel keeps while all slots are taken; more than Linux' usual cap is cut to it.
pub(crate) const BACKLOG: u32 = 1024;

/// How long the operators' listener may take to end after the S3 one has: its answers are short.
pub(crate) const ADMIN_DRAIN: Duration = Duration::from_secs(1);

/// Threads for blocking calls: every permit of the store's gates at work, the one job, and some for scrapes and for calls
/// that have given their permit back and not yet their thread. tokio's own bound of 512 let a crowd of slow clients have
/// 257 of them, with a stack and a share of the heap each.
pub(crate) const BLOCKING_THREADS_MAX: usize = READ_PERMITS + WRITE_PERMITS + 16;

/// How long blocking calls may take after everything is closed; they hold nothing that must be saved.
pub(crate) const RUNTIME_DRAIN: Duration = Duration::from_secs(2);

/// Snapshots hold every Secret of a cluster: whatever this process creates, also by way of an engine, is its owner's alone.
pub(crate) fn keep_files_private() {
    umask(Mode::from_raw_mode(0o077));
}

/// Raises this process's limit of open files as far as it may, and returns it. Shells give 1024, which is for programs
/// that use `select`; we do not.
pub(crate) fn raise_open_files() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    // Refused only where a sandbox forbids the call: then the old limit stands.
    let _refused = setrlimit(
        Resource::Nofile,
        Rlimit {
            current: limit.maximum,
            maximum: limit.maximum,
        },
    );
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

/// The S3 connections that `open_files` descriptors allow.
pub(crate) fn s3_connections(open_files: u64) -> usize {
    let admin = u64::try_from(ADMIN_CONNECTIONS_MAX).unwrap_or(u64::MAX);
    let free = open_files
        .saturating_sub(FILES_RESERVED)
        .saturating_sub(admin);
    usize::try_from(free / FILES_PER_CONNECTION)
        .unwrap_or(usize::MAX)
        .clamp(1, S3_CONNECTIONS_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_fit_into_the_open_files() {
        assert_eq!(s3_connections(u64::MAX), S3_CONNECTIONS_MAX);
        assert_eq!(s3_connections(1 << 20), S3_CONNECTIONS_MAX);
        assert_eq!(s3_connections(1024), 224);
        assert_eq!(
            s3_connections(64),
            1,
            "a starved process still serves one at a time"
        );
    }
}

//! Limits of the process and of its connections, each with its derivation.

use std::time::Duration;

use rustix::fs::Mode;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit, umask};

use crate::jobs::JobClass;
use crate::process::connections::ConnectionLimits;
use crate::process::linger::LingerLimits;
use crate::store::blocking_pool::{DECISION_PERMITS, READ_PERMITS, WRITE_PERMITS};
use crate::store::{READ_HANDLES_MAX, TABLE_HANDLES_MAX};

/// Maximum number of S3 connections. A backup site has tens of writers; 500 fit twice. Outside of a body, a connection
/// holds at most [`BUFFER_BYTES_MAX`] twice.
pub(crate) const S3_CONNECTIONS_MAX: usize = 1024;

/// Share of the connections that served requests leave free, so that a health check always finds one.
const SPARE_SHARE: usize = 16;

/// Share of the connections that a single peer leaves to others. Behind a proxy all clients are one peer, so it is small.
const OTHERS_SHARE: usize = 4;

/// Connections that give way and are not closed yet. They need an instant, unless an answer must still be sent.
pub(crate) const LEAVING_MAX: usize = 64;

/// Time for a connection that gives way to send the rest of an answer.
pub(crate) const LEAVING_TIME_MAX: Duration = Duration::from_secs(1);

/// Maximum number of admin connections: a few scrapers and probes, each short.
pub(crate) const ADMIN_CONNECTIONS_MAX: usize = 64;

/// Descriptors for everything else: Meta's logs and compactions, the listeners, what is being read for other reasons.
const FILES_OTHER: usize = 128;

/// Descriptors that are not left to connections: packs kept open for reading, Meta's tables, the admin listener's
/// connections, and everything else.
const FILES_RESERVED: usize =
    READ_HANDLES_MAX + TABLE_HANDLES_MAX + ADMIN_CONNECTIONS_MAX + FILES_OTHER;

/// Descriptors of a busy connection: its socket, the pack that it writes, and the folder of the pack while it is
/// synced. A reader holds two: its socket, and a pack that may have left the kept ones.
const FILES_PER_CONNECTION: u64 = 3;

/// Largest request line and headers in bytes: a key of 1024 bytes is 3 KiB when escaped, S3 allows 2 KiB of user
/// metadata and 8 KiB of headers in total. This is four times as much.
pub(crate) const HEAD_BYTES_MAX: usize = 32 * 1024;

/// Maximum number of header lines: SDKs send about 20; 2 KiB of metadata in its smallest entries are about 100 more.
pub(crate) const HEADERS_MAX: usize = 128;

/// Largest read buffer and largest write buffer of a connection, in bytes.
pub(crate) const BUFFER_BYTES_MAX: usize = 128 * 1024;

/// Time for the first head of a connection. Clients connect when they have a request; a second or two is a slow network.
pub(crate) const FIRST_HEAD_MAX: Duration = Duration::from_secs(15);

/// Time to send a request's head, and so the longest idle time between two requests. It is longer than the idle timeout
/// of the pools of Go (90 s) and boto (60 s), so that the client closes first.
pub(crate) const HEAD_MAX: Duration = Duration::from_secs(100);

/// Longest time without a byte during a request: after it, the peer or the network is considered gone. This is longer
/// than any single step of a request (a Complete answers within 30 s).
pub(crate) const STALL_MAX: Duration = Duration::from_mins(2);

/// How long a close waits for a client that still sends although it is answered. The bytes are those of a large snapshot
/// sent in one piece, because many clients read an answer only after their whole body; the times are nginx' own.
pub(crate) const LINGER: LingerLimits = LingerLimits {
    bytes_max: 1 << 30,
    time_max: Duration::from_secs(30),
    silence_max: Duration::from_secs(5),
};

/// Shortest time between two lines about connections that gave way: a flood must not fill the log.
pub(crate) const DISPLACED_LINE_PAUSE: Duration = Duration::from_mins(1);

/// Time between two looks at the disk: soon enough to be noticed before the next backup, and one small sync each.
pub(crate) const DISK_WATCH_INTERVAL: Duration = Duration::from_secs(10);

/// A disk that needs longer for one small sync is not one to rely on.
pub(crate) const DISK_ANSWER_MAX: Duration = Duration::from_secs(30);

/// Wait after `accept` failed for a local reason (no descriptors, no memory): without it the loop would spin.
pub(crate) const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Connections that wait in the kernel until they are accepted. Linux caps it at its own limit.
pub(crate) const BACKLOG: u32 = 1024;

/// Drain time of the admin listener: its answers are short.
pub(crate) const ADMIN_DRAIN: Duration = Duration::from_secs(1);

/// Blocking threads beyond those of the store and the jobs: for scrapes, and for calls that have returned their permit
/// but not yet their thread.
const BLOCKING_THREADS_OTHER: usize = 15;

/// Maximum number of threads for blocking calls: all permits of the store, all lanes of jobs, and the others. With
/// tokio's default limit of 512, many slow clients caused 257 threads, each with a stack and a share of the heap.
pub(crate) const BLOCKING_THREADS_MAX: usize = READ_PERMITS
    + DECISION_PERMITS
    + WRITE_PERMITS
    + JobClass::LANES * JobClass::ALL.len()
    + BLOCKING_THREADS_OTHER;

/// Time for blocking calls after everything is closed. They hold nothing that must be saved.
pub(crate) const RUNTIME_DRAIN: Duration = Duration::from_secs(2);

/// Restricts files created by this process and its engine to their owner: snapshots contain every Secret of a cluster.
pub(crate) fn keep_files_private() {
    umask(Mode::from_raw_mode(0o077));
}

/// Raises the open-file limit of this process to the hard limit, and returns it. Shells set 1024, for programs that use
/// `select`; this one does not.
pub(crate) fn raise_open_files() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    // Only a sandbox refuses the call; then the old limit stays.
    let _refused = setrlimit(
        Resource::Nofile,
        Rlimit {
            current: limit.maximum,
            maximum: limit.maximum,
        },
    );
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

/// Maximum number of S3 connections with this many descriptors.
pub(crate) fn s3_connections(open_files: u64) -> usize {
    let reserved = u64::try_from(FILES_RESERVED).unwrap_or(u64::MAX);
    let free = open_files.saturating_sub(reserved);
    usize::try_from(free / FILES_PER_CONNECTION)
        .unwrap_or(usize::MAX)
        .clamp(1, S3_CONNECTIONS_MAX)
}

/// The limits of an S3 listener with this many connections.
pub(crate) fn s3_limits(open_max: usize) -> ConnectionLimits {
    let peer_open_max = open_max - open_max / OTHERS_SHARE;
    ConnectionLimits {
        open_max,
        served_max: open_max - open_max / SPARE_SHARE,
        peer_open_max,
        peer_served_max: peer_open_max - peer_open_max / SPARE_SHARE,
    }
}

/// The limits of the admin listener: its peers are trusted, and one of them may be alone.
pub(crate) const ADMIN_LIMITS: ConnectionLimits = ConnectionLimits {
    open_max: ADMIN_CONNECTIONS_MAX,
    served_max: ADMIN_CONNECTIONS_MAX,
    peer_open_max: ADMIN_CONNECTIONS_MAX,
    peer_served_max: ADMIN_CONNECTIONS_MAX,
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_and_single_peers_leave_room() {
        let limits = s3_limits(S3_CONNECTIONS_MAX);
        let expected = ConnectionLimits {
            open_max: 1024,
            served_max: 960,
            peer_open_max: 768,
            peer_served_max: 720,
        };
        assert_eq!(limits, expected);
        let starved = s3_limits(1);
        assert_eq!((starved.served_max, starved.peer_served_max), (1, 1));
    }

    #[test]
    fn connections_fit_into_the_open_files() {
        assert_eq!(s3_connections(u64::MAX), S3_CONNECTIONS_MAX);
        assert_eq!(s3_connections(1 << 20), S3_CONNECTIONS_MAX);
        assert_eq!(s3_connections(1024), 149);
        assert_eq!(s3_connections(4096), S3_CONNECTIONS_MAX);
        assert_eq!(
            s3_connections(64),
            1,
            "a starved process still serves one at a time"
        );
    }
}

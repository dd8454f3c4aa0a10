//! The resources that a server uses: memory, descriptors, threads, connections.

use std::fs;
use std::time::Duration;

use crate::clock::until;
use crate::metrics;
use crate::server::Server;

/// The promise: the server stays below this, whatever clients do.
pub const RESIDENT_BYTES_MAX: u64 = 256 << 20;

/// Threads that wait for blocking work end after ten idle seconds, connections after their last byte; on a busy
/// machine, both end late.
const SETTLED_WITHIN: Duration = Duration::from_mins(3);

/// Longer than the server reads on after a refusal.
const CONNECTIONS_END_WITHIN: Duration = Duration::from_mins(1);

/// Additional descriptors that are not a leak: packs opened by readers stay open (at most 256), and Meta creates
/// tables. A leak would grow with each connection or request.
const DESCRIPTORS_SLACK: u64 = 256 + 20;

/// The same for threads: a blocking thread may be working for a background job.
const THREADS_SLACK: u64 = 8;

/// One measurement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Footprint {
    /// Resident memory now.
    pub resident_bytes: u64,
    /// Peak resident memory since the start.
    pub peak_bytes: u64,
    /// Open descriptors.
    pub descriptors: u64,
    /// Threads.
    pub threads: u64,
    /// Open S3 connections, by the server's own count.
    pub connections: u64,
}

impl Footprint {
    /// Measures a running server.
    pub fn of(server: &mut Server) -> Self {
        let proc = format!("/proc/{}", server.process().id());
        let status = fs::read_to_string(format!("{proc}/status")).expect("it runs");
        let kib = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            let number = line.and_then(|rest| rest.split_whitespace().next());
            let kib: u64 = number
                .and_then(|n| n.parse().ok())
                .unwrap_or_else(|| panic!("no {name} in {status}"));
            kib << 10
        };
        let connections = metrics::value(server, r#"strongroom_connections{listener="s3"}"#);
        Self {
            resident_bytes: kib("VmRSS:"),
            peak_bytes: kib("VmHWM:"),
            descriptors: count(&format!("{proc}/fd")),
            threads: count(&format!("{proc}/task")),
            connections: format!("{connections}").parse().expect("a count"),
        }
    }

    /// Panics if the server has ever exceeded the promise.
    #[track_caller]
    pub fn assert_bounded(&self, what: &str) {
        println!("footprint | {what} | {self}");
        assert!(
            self.peak_bytes < RESIDENT_BYTES_MAX,
            "{what}: {self}, at most {} MiB",
            RESIDENT_BYTES_MAX >> 20
        );
    }

    /// Waits until a server without clients is back to this footprint.
    #[track_caller]
    pub fn await_return(&self, server: &mut Server, what: &str) {
        // Measured from outside: each scrape of metrics would wake a thread that is about to end.
        let proc = format!("/proc/{}", server.process().id());
        until(what, SETTLED_WITHIN, || {
            let descriptors = count(&format!("{proc}/fd"));
            let threads = count(&format!("{proc}/task"));
            let back = descriptors <= self.descriptors + DESCRIPTORS_SLACK
                && threads <= self.threads + THREADS_SLACK;
            if back {
                Ok(())
            } else {
                Err(format!(
                    "before {self}; now {descriptors} descriptors, {threads} threads"
                ))
            }
        });
        // A refused client's connection is read on for a moment, until the client has closed it, too.
        let settled = until("connections to end", CONNECTIONS_END_WITHIN, || {
            let now = Self::of(server);
            if now.connections <= self.connections {
                Ok(now)
            } else {
                Err(format!("{what}: {now}"))
            }
        });
        println!("footprint | {what} | before {self} | after {settled}");
    }
}

fn count(dir: &str) -> u64 {
    let entries = fs::read_dir(dir).expect("it runs");
    u64::try_from(entries.count()).expect("few")
}

impl std::fmt::Display for Footprint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "resident {} MiB, peak {} MiB, {} descriptors, {} threads, {} connections",
            self.resident_bytes >> 20,
            self.peak_bytes >> 20,
            self.descriptors,
            self.threads,
            self.connections
        )
    }
}

//! Lives: which of the databases in one place are of one cluster, and where a restored or rebuilt one begins anew.
//!
//! Owns: the rules of docs/catalogue.md, Lives. Lives are computed from all verified snapshots of a place, in the order of their
//! capture, so the order in which they were settled does not matter. Must not know keys, rows or the time.
//!
//! What decides, strongest first: the same bytes; a common member id; a common peer URL; the revision. Whoever is none of the
//! cluster's (foreign, or a former life whose masters still write) takes over only by a run: several in a row, while the current
//! life is silent for longer than it ever was lately. So one stray upload never becomes the newest state of a cluster.

mod families;
mod newest;
mod scan;

use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::store::clock::UnixMillis;

/// Masters save at the same minute, and their clocks differ. Within this, the order of two snapshots is unknown.
pub const CLOCKS_DIFFER_MAX: Duration = Duration::from_mins(10);

/// A snapshot that arrives this long after its capture is a copy of an old one: its arrival says nothing about its order.
pub const LATE_MIN: Duration = Duration::from_hours(24);

/// How many snapshots in a row take over from a silent life.
pub const RUN_FULLS_MIN: usize = 4;

/// How long it must be silent, in multiples of its longest recent gap.
pub const SILENT_GAPS_MIN: u64 = 2;

/// The gaps that are recent. Three masters save at the same minute, so most gaps are short.
pub const RECENT_GAPS: usize = 16;

/// How much faster than on average a cluster may write while all of its members are replaced.
pub const PACE_MAX: i64 = 4;

/// The member id of every etcd that was started without flags: SHA-1 of `http://localhost:2380` and `etcd-cluster`. It tells no
/// clusters apart.
pub const DEFAULT_MEMBER: u64 = 0x8e9e_05c5_2164_694d;

/// A verified database of a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Full<'rows> {
    /// When it was captured, as believed.
    pub captured: UnixMillis,
    /// The revision in the file.
    pub revision: i64,
    /// When it arrived.
    pub arrived: UnixMillis,
    /// Of the database.
    pub sha256: [u8; 32],
    /// The ids of its members.
    pub members: &'rows [u64],
    /// The [`peer`]s of its members.
    pub peers: &'rows [u64],
}

/// A delta of a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Delta {
    /// When it was captured, as believed.
    pub captured: UnixMillis,
    /// Its last revision.
    pub last: i64,
    /// Its first revision.
    pub start: i64,
    /// When it arrived.
    pub arrived: UnixMillis,
}

/// Where a full belongs. Lives are counted from 0, as in [`Lives::lives`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Belongs {
    /// To this life.
    Life(usize),
    /// To this life, as a copy of an older state: never the newest one.
    Copy(usize),
    /// To another cluster.
    Foreign,
}

/// How a life began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Began {
    /// With the first snapshot of the place.
    First,
    /// The revision fell: the same members, from an older state.
    Restored,
    /// Other members at an address of the old ones.
    Rebuilt,
    /// Another cluster took the place over.
    Replaced,
}

/// One life of a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Life {
    /// How it began.
    pub began: Began,
    /// The capture of its first full.
    pub since: UnixMillis,
    /// The capture of its newest full.
    pub until: UnixMillis,
    /// The revision of its first full.
    pub first_revision: i64,
    /// The highest revision of its fulls.
    pub last_revision: i64,
    /// The number of its fulls, without copies.
    pub fulls: usize,
}

/// All lives of a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lives {
    /// Where each full belongs, in the order of the input.
    pub fulls: Vec<Belongs>,
    /// The life of each delta, in the order of the input. `None` if it continues a foreign snapshot, or if there is no full.
    pub deltas: Vec<Option<usize>>,
    /// The lives in the order in which they began.
    pub lives: Vec<Life>,
    /// The life that is written now. `None` if there is no full.
    pub current: Option<usize>,
    /// The latest full, by its place in the input: of those of the current life that were captured within
    /// [`CLOCKS_DIFFER_MAX`] of its newest one, the one with the highest revision.
    pub latest: Option<usize>,
}

/// The lives of the fulls and deltas of one place, in any order.
pub fn lives(fulls: &[Full<'_>], deltas: &[Delta]) -> Lives {
    scan::lives(fulls, deltas)
}

/// What stands for a member's peer URL in [`Full::peers`]. `None` for an address of the machine itself, which many clusters have.
pub fn peer(url: &str) -> Option<u64> {
    let url = url.trim().to_ascii_lowercase();
    let address = url.split_once("://").map_or(url.as_str(), |(_, rest)| rest);
    let address = address.trim_end_matches('/');
    let host = match address.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => address.split([':', '/']).next().unwrap_or_default(),
    };
    let is_local = matches!(host, "" | "localhost" | "::1" | "::" | "0.0.0.0");
    if is_local || host.starts_with("127.") {
        return None;
    }
    // The scheme does not count: a cluster may turn TLS on.
    let digest: [u8; 32] = Sha256::digest(address.as_bytes()).into();
    let (first, _) = digest.split_first_chunk()?;
    Some(u64::from_be_bytes(*first))
}

#[cfg(test)]
mod tests;

//! The findings of a run: broken promises by kind, and how much was checked.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

/// Findings printed in full; the rest is counted.
const PRINTED_MAX: usize = 20;

/// A kind of broken promise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Acknowledged, and not there (or there again after a delete).
    Lost,
    /// Served with other bytes, ETag, length, metadata or listing than acknowledged; refused or cut without need.
    Wrong,
}

/// Collected by all threads of a run.
#[derive(Debug, Default)]
pub struct Findings {
    found: Mutex<Vec<(Kind, String)>>,
    acknowledged: AtomicU64,
    checked: AtomicU64,
    read: AtomicU64,
}

impl Findings {
    /// A promise is broken.
    pub fn add(&self, kind: Kind, what: impl fmt::Display) {
        let what = what.to_string();
        let mut found = self.found.lock();
        if found.len() < PRINTED_MAX {
            println!("finding: {kind:?}: {what}");
        }
        found.push((kind, what));
    }

    /// How many of this kind.
    pub fn count(&self, kind: Kind) -> u64 {
        let found = self.found.lock();
        let count = found.iter().filter(|(k, _)| *k == kind).count();
        u64::try_from(count).expect("a count")
    }

    /// Whether nothing was found.
    pub fn is_clean(&self) -> bool {
        self.found.lock().is_empty()
    }

    /// An operation was acknowledged.
    pub fn acknowledged(&self) {
        self.acknowledged.fetch_add(1, Ordering::Relaxed);
    }

    /// The outcome of an acknowledged operation was looked at after a restart.
    pub fn checked(&self) {
        self.checked.fetch_add(1, Ordering::Relaxed);
    }

    /// An object was read while others wrote.
    pub fn read(&self) {
        self.read.fetch_add(1, Ordering::Relaxed);
    }

    /// Operations acknowledged, outcomes looked at after restarts, reads beside writers.
    pub fn totals(&self) -> (u64, u64, u64) {
        let get = |n: &AtomicU64| n.load(Ordering::Relaxed);
        (get(&self.acknowledged), get(&self.checked), get(&self.read))
    }
}

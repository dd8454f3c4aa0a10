//! The findings of a run: broken promises by kind, and how much was checked.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

/// Findings printed in full; further ones are only counted.
const PRINTED_MAX: usize = 20;

/// A kind of broken promise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Acknowledged, but absent (or present after a delete).
    Lost,
    /// Served with other bytes, ETag, length, metadata or listing than acknowledged; refused or cut without reason.
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
    /// Adds a broken promise.
    pub fn add(&self, kind: Kind, what: impl fmt::Display) {
        let what = what.to_string();
        let mut found = self.found.lock();
        if found.len() < PRINTED_MAX {
            println!("finding: {kind:?}: {what}");
        }
        found.push((kind, what));
    }

    /// The number of findings of this kind.
    pub fn count(&self, kind: Kind) -> u64 {
        let found = self.found.lock();
        let count = found.iter().filter(|(k, _)| *k == kind).count();
        u64::try_from(count).expect("a count")
    }

    /// Whether nothing was found.
    pub fn is_clean(&self) -> bool {
        self.found.lock().is_empty()
    }

    /// Counts an acknowledged operation.
    pub fn acknowledged(&self) {
        self.acknowledged.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts an acknowledged operation whose outcome was checked after a restart.
    pub fn checked(&self) {
        self.checked.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts an object read while others wrote.
    pub fn read(&self) {
        self.read.fetch_add(1, Ordering::Relaxed);
    }

    /// Acknowledged operations, outcomes checked after restarts, reads during writes.
    pub fn totals(&self) -> (u64, u64, u64) {
        let get = |n: &AtomicU64| n.load(Ordering::Relaxed);
        (get(&self.acknowledged), get(&self.checked), get(&self.read))
    }
}

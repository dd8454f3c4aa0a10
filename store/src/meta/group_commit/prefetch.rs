//! Rows of a large transaction, read before it is queued, so that the committer need not read them while others wait.
//!
//! The committer is the only writer. It remembers the keys of its last batches. So a row that was read at some commit is
//! still the same if no batch since then wrote its key. If a batch since then is no longer remembered, nothing is known,
//! and the committer reads the rows itself, as for other transactions.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;

use crate::StoreError;
use crate::meta::engine::{Batch, Engine};
use crate::meta::{Key, Version};

/// Keys of the last batches: some seconds at thousands of small puts per second.
const KEYS_MAX: usize = 64 * 1024;

/// Rows as they were after a commit, or after a later one. By default none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Prefetched {
    after: Version,
    rows: HashMap<Key, Option<Bytes>>,
}

impl Prefetched {
    /// Reads these rows. `applied` is the last commit before the call.
    pub(super) fn read(
        engine: &dyn Engine,
        applied: &Applied,
        keys: Vec<Key>,
    ) -> Result<Prefetched, StoreError> {
        // ORDER: first the number, then the rows; they may be newer.
        let after = applied.last();
        let stored = engine.get_many(&keys)?;
        Ok(Prefetched {
            after,
            rows: keys.into_iter().zip(stored).collect(),
        })
    }
}

/// The last commit that everybody can see.
#[derive(Debug)]
pub(super) struct Applied(AtomicU64);

impl Applied {
    pub(super) fn new(last: Version) -> Applied {
        Applied(AtomicU64::new(last.0))
    }

    fn last(&self) -> Version {
        Version(self.0.load(Ordering::Acquire))
    }

    /// After the engine has applied it.
    pub(super) fn set(&self, last: Version) {
        self.0.store(last.0, Ordering::Release);
    }
}

/// The keys that the last batches wrote.
#[derive(Debug)]
pub(super) struct RecentKeys {
    /// Everything after this commit is remembered.
    complete_after: Version,
    batches: VecDeque<(Version, Vec<Key>)>,
    keys: usize,
    keys_max: usize,
}

impl RecentKeys {
    /// Remembers everything after this commit.
    pub(super) fn after(last: Version) -> RecentKeys {
        RecentKeys {
            complete_after: last,
            batches: VecDeque::new(),
            keys: 0,
            keys_max: KEYS_MAX,
        }
    }

    /// Remembers a batch; forgets the oldest ones beyond the limit.
    pub(super) fn remember(&mut self, batch: &Batch) {
        self.keys += batch.writes.len();
        let keys = batch.writes.keys().cloned().collect();
        self.batches.push_back((batch.sequence, keys));
        while self.keys > self.keys_max {
            let Some((sequence, keys)) = self.batches.pop_front() else {
                break;
            };
            self.keys -= keys.len();
            self.complete_after = sequence;
        }
    }

    /// Adds the rows that are still the same to `known`.
    pub(super) fn add_unchanged<'a>(
        &self,
        prefetched: &'a Prefetched,
        known: &mut HashMap<&'a Key, Option<&'a Bytes>>,
    ) {
        if prefetched.after < self.complete_after {
            return;
        }
        let newer = self.batches.iter().rev();
        let newer = newer.take_while(|(sequence, _)| *sequence > prefetched.after);
        let changed: HashSet<&Key> = newer.flat_map(|(_, keys)| keys).collect();
        let rows = prefetched.rows.iter();
        known.extend(
            rows.filter(|(key, _)| !changed.contains(key))
                .map(|(key, row)| (key, row.as_ref())),
        );
    }
}

#[cfg(test)]
mod tests;

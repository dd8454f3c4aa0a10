//! Counts live user keys in bounded memory.
//!
//! Owns: two ways to count. Up to [`REMEMBERED_KEYS_MAX`] keys, it remembers (the hash of) each key, as etcd's tools do. Above,
//! it counts by the history itself: every key begins with a row of version 1 and ends with a tombstone, and of the rows up to the
//! last compaction only the newest of each live key is left. Memory: 18 MiB, however many keys there are.
//!
//! The second way needs a finished compaction: while one runs, rows that it removes are partly there, so the number is only
//! approximate.

use std::fmt;

use crate::{
    live::LiveKeys,
    mvcc::{KeyValue, RevisionKey},
};

/// 18 bytes for each, see [`crate::live`].
const REMEMBERED_KEYS_MAX: u64 = 1 << 20;

/// A number of live keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyCount {
    /// Exactly so many.
    Exact(u64),
    /// More than a million, in the middle of a compaction.
    About(u64),
}

impl KeyCount {
    /// The number, exact or not.
    pub fn number(self) -> u64 {
        match self {
            Self::Exact(number) | Self::About(number) => number,
        }
    }
}

impl fmt::Display for KeyCount {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(number) => write!(out, "{number}"),
            Self::About(number) => write!(out, "about {number}"),
        }
    }
}

/// The compactions of the database, read before its rows.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Compactions {
    pub(super) finished: Option<i64>,
    pub(super) scheduled: Option<i64>,
}

pub(super) struct LiveCount {
    remembered: Option<LiveKeys<()>>,
    remembered_max: u64,
    compactions: Compactions,
    begun: u64,
    ended: u64,
    /// Whether there is a row without a key, which a revision bump writes. There may be several, for one empty key.
    empty_key: bool,
}

impl LiveCount {
    pub(super) fn new(compactions: Compactions) -> Self {
        Self::remembering(compactions, REMEMBERED_KEYS_MAX)
    }

    fn remembering(compactions: Compactions, remembered_max: u64) -> Self {
        Self {
            remembered: Some(LiveKeys::new()),
            remembered_max,
            compactions,
            begun: 0,
            ended: 0,
            empty_key: false,
        }
    }

    pub(super) fn row(&mut self, row: RevisionKey, value: &KeyValue<'_>) {
        self.remember(row, value);
        let left_by_compaction = self
            .compactions
            .finished
            .is_some_and(|compacted| row.main <= compacted);
        match (row.tombstone, left_by_compaction) {
            (false, _) if value.key.is_empty() => self.empty_key = true,
            (false, true) => self.begun += 1,
            (false, false) => self.begun += u64::from(value.version == 1),
            (true, false) => self.ended += 1,
            (true, true) => {}
        }
    }

    fn remember(&mut self, row: RevisionKey, value: &KeyValue<'_>) {
        let Some(keys) = &mut self.remembered else {
            return;
        };
        if row.tombstone {
            keys.delete(value.key);
        } else {
            keys.put(value.key, ());
        }
        if keys.count() > self.remembered_max {
            self.remembered = None;
        }
    }

    pub(super) fn finish(self) -> KeyCount {
        if let Some(keys) = self.remembered {
            return KeyCount::Exact(keys.count());
        }
        let number = self.begun.saturating_sub(self.ended) + u64::from(self.empty_key);
        if self.compactions.scheduled > self.compactions.finished {
            KeyCount::About(number)
        } else {
            KeyCount::Exact(number)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    /// One key at a time, as (revision, tombstone, version, key): the rows of a history.
    type Rows = Vec<(i64, bool, i64, u8)>;

    /// The rows that etcd has after these operations (a key, and whether it is deleted) and a compaction at `compacted`.
    fn history(operations: &[(u8, bool)], compacted: i64) -> Rows {
        let (mut versions, mut rows) = (BTreeMap::<u8, i64>::new(), Rows::new());
        for (main, (key, delete)) in (2..).zip(operations) {
            if *delete {
                if versions.remove(key).is_some() {
                    rows.push((main, true, 0, *key));
                }
            } else {
                let version = versions.entry(*key).or_default();
                *version += 1;
                rows.push((main, false, *version, *key));
            }
        }
        let newest = |key: u8| {
            let before = rows.iter().filter(|row| row.0 <= compacted && row.3 == key);
            before.map(|row| row.0).max()
        };
        let stays = |row: &&(i64, bool, i64, u8)| {
            row.0 > compacted
                || (newest(row.3) == Some(row.0) && !row.1)
                || (row.0 == compacted && row.1)
        };
        rows.iter().filter(stays).copied().collect()
    }

    fn count(rows: &Rows, compacted: i64, remembered_max: u64) -> KeyCount {
        let compactions = Compactions {
            finished: Some(compacted),
            scheduled: Some(compacted),
        };
        let mut live = LiveCount::remembering(compactions, remembered_max);
        for (main, tombstone, version, key) in rows {
            let row = RevisionKey {
                main: *main,
                sub: 0,
                tombstone: *tombstone,
            };
            let key = [*key];
            live.row(
                row,
                &KeyValue {
                    key: &key,
                    version: *version,
                    ..KeyValue::default()
                },
            );
        }
        live.finish()
    }

    proptest! {
        /// Both ways agree on every history.
        #[test]
        fn a_history_tells_its_live_keys_without_remembering_them(
            operations in prop::collection::vec((0_u8..12, prop::bool::weighted(0.3)), 0..80),
            compacted in 0_i64..90,
        ) {
            let rows = history(&operations, compacted);
            let by_keys = count(&rows, compacted, u64::MAX);
            prop_assert_eq!(count(&rows, compacted, 0), by_keys);
        }
    }

    #[test]
    fn a_running_compaction_makes_the_number_approximate() {
        let compactions = Compactions {
            finished: None,
            scheduled: Some(5),
        };
        let mut live = LiveCount::remembering(compactions, 0);
        let row = RevisionKey {
            main: 2,
            sub: 0,
            tombstone: false,
        };
        live.row(
            row,
            &KeyValue {
                key: b"k",
                version: 1,
                ..KeyValue::default()
            },
        );
        assert_eq!(live.finish(), KeyCount::About(1));
        assert_eq!(KeyCount::About(1).to_string(), "about 1");
    }
}

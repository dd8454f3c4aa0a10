//! The live keys of a snapshot: for each user key, the newest row, unless that is a tombstone.
//!
//! Owns: which rows are live, found in the same walk that checks the database, and a second walk that passes them on in the order
//! of their revisions. Rows up to the finished compaction are the newest of their keys at that revision. So only keys that were
//! written since are remembered (by a hash, see [`crate::live`]): 17 to 38 bytes for each, however many keys there are. A
//! Kubernetes API server compacts every five minutes. Must not know what the keys mean.
//!
//! ```
//! use strongroom_etcd_format::{bolt::Bolt, inspect::{InspectError, LiveRows}, snapshot};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let file: &[u8] = include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/etcd-3.4.db"));
//! let bolt = Bolt::open(file, snapshot::db_len(u64::try_from(file.len())?)?)?;
//! let live = LiveRows::find(&bolt)?;
//! let mut keys = 0;
//! live.for_each(&bolt, &mut |row| {
//!     assert!(!row.key.is_empty());
//!     keys += 1;
//!     Ok::<(), InspectError>(())
//! })?;
//! assert_eq!((keys, live.inspection().live_keys.number()), (103, 103));
//! # Ok(())
//! # }
//! ```

use super::{FINISHED_COMPACTION, InspectError, Inspection, Inspector, revision_in_meta, values};
use crate::{
    bolt::{Bolt, CheckReport, Entry, PageSource},
    live::LiveKeys,
    mvcc::{self, KeyValue, RevisionKey},
};

/// The place of a key that was deleted since the compaction: its older row is not live.
const DELETED: u64 = u64::MAX;

/// Which rows of a database are live.
#[derive(Debug)]
pub struct LiveRows {
    newest: Newest,
    report: CheckReport,
    inspection: Inspection,
}

impl LiveRows {
    /// Checks and inspects the whole database, and finds its live rows.
    ///
    /// # Errors
    /// As [`super::check_and_inspect`].
    pub fn find<S: PageSource>(bolt: &Bolt<S>) -> Result<Self, InspectError> {
        super::require_buckets(&bolt.buckets()?)?;
        let mut newest = Newest::since(revision_in_meta(bolt, FINISHED_COMPACTION).ok().flatten());
        let mut inspector = Inspector::new(bolt);
        let mut place = 0;
        let report = bolt.check_each(&mut |entry| {
            inspector.entry(entry)?;
            if entry.bucket == mvcc::BUCKET {
                if let Some((row, value)) = decoded(entry) {
                    newest.row(row, value.key, place);
                }
                place += 1;
            }
            Ok::<(), InspectError>(())
        })?;
        Ok(Self {
            newest,
            report,
            inspection: inspector.finish()?,
        })
    }

    /// Passes each live row to `visit`, in the order of their revisions.
    ///
    /// # Errors
    /// Reading fails, or `visit` does.
    pub fn for_each<S: PageSource, E: From<InspectError>>(
        &self,
        bolt: &Bolt<S>,
        visit: &mut impl FnMut(KeyValue<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut place = 0;
        bolt.for_each(mvcc::BUCKET, &mut |key, value, offset| {
            let bucket = mvcc::BUCKET;
            let here = place;
            place += 1;
            let entry = Entry {
                bucket,
                key,
                value,
                offset,
            };
            match decoded(entry) {
                Some((row, value)) if self.newest.is_live(row, value.key, here) => {
                    visit(value).map_err(Stop::Asked)
                }
                _ => Ok(()),
            }
        })
        .map_err(|stop| match stop {
            Stop::Asked(error) => error,
            Stop::Database(error) => error.into(),
        })
    }

    /// The report of the check, which passed.
    pub fn report(&self) -> &CheckReport {
        &self.report
    }

    /// etcd's records.
    pub fn inspection(&self) -> &Inspection {
        &self.inspection
    }
}

/// Why a walk ended early.
enum Stop<E> {
    Asked(E),
    Database(InspectError),
}

impl<E> From<crate::bolt::BoltError> for Stop<E> {
    fn from(error: crate::bolt::BoltError) -> Self {
        Self::Database(error.into())
    }
}

/// A row that etcd reads. The inspection judges all others.
fn decoded(entry: Entry<'_>) -> Option<(RevisionKey, KeyValue<'_>)> {
    let (row, _) = values::row_key(entry).ok()?;
    let value = KeyValue::decode(entry.value).ok()?;
    Some((row?, value))
}

/// The newest row of each key that was written since the finished compaction, by its place among the rows.
#[derive(Debug)]
struct Newest {
    compacted: Option<i64>,
    written: LiveKeys<u64>,
}

impl Newest {
    fn since(compacted: Option<i64>) -> Self {
        Self {
            compacted,
            written: LiveKeys::new(),
        }
    }

    fn is_left_by_compaction(&self, row: RevisionKey) -> bool {
        self.compacted
            .is_some_and(|compacted| row.main <= compacted)
    }

    fn row(&mut self, row: RevisionKey, key: &[u8], place: u64) {
        if self.is_left_by_compaction(row) {
            return;
        }
        match (row.tombstone, self.compacted) {
            (false, _) => self.written.put(key, place),
            (true, Some(_)) => self.written.put(key, DELETED),
            // Nothing older is live without being remembered.
            (true, None) => self.written.delete(key),
        }
    }

    fn is_live(&self, row: RevisionKey, key: &[u8], place: u64) -> bool {
        match self.written.get(key) {
            _ if row.tombstone => false,
            Some(newest) => *newest == place,
            None => self.is_left_by_compaction(row),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::*;

    /// The rows that etcd has after these operations (a key, and whether it is deleted) and a compaction at `compacted`.
    fn history(operations: &[(u8, bool)], compacted: Option<i64>) -> Vec<(i64, bool, u8)> {
        let (mut alive, mut rows) = (BTreeSet::new(), Vec::new());
        for (main, (key, delete)) in (2..).zip(operations) {
            let written = if *delete {
                alive.remove(key)
            } else {
                alive.insert(*key);
                true
            };
            if written {
                rows.push((main, *delete, *key));
            }
        }
        let Some(compacted) = compacted else {
            return rows;
        };
        let newest = |key: u8| {
            let before = rows.iter().filter(|row| row.0 <= compacted && row.2 == key);
            before.map(|row| row.0).max()
        };
        let stays = |row: &&(i64, bool, u8)| {
            row.0 > compacted
                || (newest(row.2) == Some(row.0) && !row.1)
                || (row.0 == compacted && row.1)
        };
        rows.iter().filter(stays).copied().collect()
    }

    proptest! {
        /// The rows found live are those of the operations' last state.
        #[test]
        fn live_rows_are_the_newest_of_each_key_that_is_left(
            operations in prop::collection::vec((0_u8..12, prop::bool::weighted(0.3)), 0..80),
            compacted in prop::option::of(0_i64..90),
        ) {
            let mut state = BTreeMap::new();
            for (main, (key, delete)) in (2_i64..).zip(&operations) {
                if *delete {
                    state.remove(key);
                } else {
                    state.insert(*key, main);
                }
            }
            let rows = history(&operations, compacted);
            let row = |main, tombstone| RevisionKey { main, sub: 0, tombstone };
            let mut newest = Newest::since(compacted);
            for (place, (main, tombstone, key)) in (0..).zip(&rows) {
                newest.row(row(*main, *tombstone), &[*key], place);
            }
            let live: BTreeMap<u8, i64> = (0..)
                .zip(&rows)
                .filter(|(place, (main, tombstone, key))| {
                    newest.is_live(row(*main, *tombstone), &[*key], *place)
                })
                .map(|(_, (main, _, key))| (*key, *main))
                .collect();
            prop_assert_eq!(live, state);
        }
    }
}

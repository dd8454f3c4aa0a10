//! A dry-run view of Meta: commits stay in memory, on top of another [`Meta`] that never changes.
//!
//! A job runs over it unchanged, so a dry run reports the decisions of a real run. Later commits and reads see the
//! earlier ones. On a running server the rows below may change meanwhile, so the dry run is only a forecast.
//!
//! Invariant: the underlying [`Meta`] is only read.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use parking_lot::Mutex;

use super::group_commit::batch::{decide, keys_read};
use super::row::{decode, encode};
use super::walk::{PAGE_ROWS, after_key};
use super::{Key, Meta, Pending, Row, Txn, Version};
use crate::StoreError;
use crate::clock::UnixMillis;

/// The last version given out by a dry run of this process. No store makes so many commits, so no stored row has such a
/// version.
static LAST_VERSION: AtomicU64 = AtomicU64::new(1 << 63);

/// A [`Meta`] that reads through to another one and keeps its commits in memory.
pub struct DryRunMeta {
    below: Arc<dyn Meta>,
    changes: Mutex<Changes>,
}

/// `None` is a removed row.
#[derive(Default)]
struct Changes {
    rows: BTreeMap<Key, Option<Row>>,
}

impl DryRunMeta {
    /// The rows of `below`, unchanged so far.
    pub fn over(below: Arc<dyn Meta>) -> DryRunMeta {
        DryRunMeta {
            below,
            changes: Mutex::default(),
        }
    }
}

impl Changes {
    fn get_many(&self, below: &dyn Meta, keys: &[Key]) -> Result<Vec<Option<Row>>, StoreError> {
        let rows = below.get_many(keys)?.into_iter().zip(keys);
        Ok(rows
            .map(|(row, key)| self.rows.get(key).map_or(row, Option::clone))
            .collect())
    }

    /// The rows of one page below, with the changes between `from` and `to` merged in.
    fn merge(&self, page: Vec<(Key, Row)>, from: &[u8], to: &[u8]) -> BTreeMap<Key, Row> {
        let mut merged: BTreeMap<Key, Row> = page.into_iter().collect();
        let range = (Bound::Included(from), Bound::Excluded(to));
        for (key, row) in self.rows.range::<[u8], _>(range) {
            match row {
                Some(row) => merged.insert(key.clone(), row.clone()),
                None => merged.remove(key),
            };
        }
        merged
    }

    fn commit(&mut self, below: &dyn Meta, txn: &Txn) -> Pending {
        let keys = keys_read(std::iter::once(txn));
        let rows = match txn.bytes().and_then(|_| self.get_many(below, &keys)) {
            Ok(rows) => rows,
            Err(error) => return Pending::ready(Err(error)),
        };
        let stored: HashMap<Key, Bytes> = keys
            .into_iter()
            .zip(rows)
            .filter_map(|(key, row)| row.map(|row| (key, encode(row.version, &row.value))))
            .collect();
        let last = Version(LAST_VERSION.fetch_add(1, Ordering::Relaxed));
        let mut decided = decide(&stored, last, std::iter::once(txn));
        for (key, bytes) in decided.batch.writes {
            let row =
                bytes.map(|bytes| decode(&key, &bytes).expect("the encoder is the decoder's"));
            self.rows.insert(key, row);
        }
        Pending::ready(decided.verdicts.pop().expect("one verdict per transaction"))
    }
}

impl Meta for DryRunMeta {
    fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Row>>, StoreError> {
        self.changes.lock().get_many(&*self.below, keys)
    }

    fn scan(&self, from: &[u8], to: &[u8], limit: usize) -> Result<Vec<(Key, Row)>, StoreError> {
        let mut out = Vec::new();
        let mut from = Key::copy_from_slice(from);
        let changes = self.changes.lock();
        while out.len() < limit && from[..] < *to {
            let page = self.below.scan(&from, to, PAGE_ROWS)?;
            // After a full page there may be more rows; the changes up to the page's end belong to it.
            let end = match page.last() {
                Some((last, _)) if page.len() == PAGE_ROWS => after_key(last),
                _ => Key::copy_from_slice(to),
            };
            out.extend(changes.merge(page, &from, &end));
            from = end;
        }
        out.truncate(limit);
        Ok(out)
    }

    fn commit(&self, txn: Txn) -> Pending {
        self.changes.lock().commit(&*self.below, &txn)
    }

    fn now(&self) -> UnixMillis {
        self.below.now()
    }
}

//! A [`Meta`] made of a mutex and a map: the minimal implementation. It has no queue, thread, engine or committer,
//! which proves that the seam needs none of them.

use parking_lot::Mutex;
use std::collections::HashMap;

use super::*;
use crate::meta::Pending;
use crate::meta::group_commit::batch::{decide, keys_read};
use crate::meta::row::{decode, encode};

#[derive(Default)]
pub(super) struct MapMeta {
    rows: Mutex<Rows>,
}

#[derive(Default)]
struct Rows {
    last: Version,
    rows: BTreeMap<Key, Row>,
}

impl Meta for MapMeta {
    fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Row>>, StoreError> {
        let rows = &self.rows.lock().rows;
        Ok(keys.iter().map(|key| rows.get(key).cloned()).collect())
    }

    fn scan(&self, from: &[u8], to: &[u8], limit: usize) -> Result<Vec<(Key, Row)>, StoreError> {
        let rows = &self.rows.lock().rows;
        let found = rows
            .iter()
            .filter(|(key, _)| from <= &key[..] && &key[..] < to);
        let found = found.map(|(key, row)| (key.clone(), row.clone()));
        Ok(found.take(limit).collect())
    }

    fn commit(&self, txn: Txn) -> Pending {
        if let Err(too_large) = txn.bytes() {
            return Pending::ready(Err(too_large));
        }
        let mut state = self.rows.lock();
        let txns = || std::iter::once(&txn);
        let stored: HashMap<Key, Bytes> = keys_read(txns())
            .into_iter()
            .filter_map(|key| {
                let row = state.rows.get(&key)?;
                Some((key, encode(row.version, &row.value)))
            })
            .collect();
        let mut decided = decide(&stored, state.last, txns());
        state.last = decided.batch.sequence;
        for (key, value) in decided.batch.writes {
            match value {
                Some(bytes) => {
                    let row = decode(&key, &bytes).expect("just encoded");
                    state.rows.insert(key, row);
                }
                None => drop(state.rows.remove(&key)),
            }
        }
        Pending::ready(decided.verdicts.pop().expect("one verdict a transaction"))
    }

    fn now(&self) -> UnixMillis {
        UnixMillis(1_700_000_000_000)
    }
}

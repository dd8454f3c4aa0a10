//! Decides a batch of transactions: each against the engine's rows and the earlier transactions of the batch.
//!
//! Pure: rows in, verdicts and one engine batch out. Nothing here is visible or durable yet.

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;

use crate::StoreError;
use crate::meta::engine::Batch;
use crate::meta::row::{decode, decode_counter, encode, encode_counter};
use crate::meta::{Condition, Key, Outcome, Row, Txn, Version, Write};

/// The outcome of each transaction, and the batch that the engine must apply for it.
#[derive(Debug)]
pub(crate) struct Decided {
    pub(crate) verdicts: Vec<Result<Outcome, StoreError>>,
    pub(crate) applied: usize,
    pub(crate) batch: Batch,
}

/// Keys whose rows [`decide`] needs.
pub(crate) fn keys_read<'a>(txns: impl Iterator<Item = &'a Txn>) -> Vec<Key> {
    let mut keys: Vec<Key> = Vec::new();
    for txn in txns {
        keys.extend(txn.conditions.iter().map(|condition| match condition {
            Condition::Same(key, _) | Condition::Absent(key) | Condition::Zero(key) => key.clone(),
        }));
        keys.extend(txn.writes.iter().filter_map(|write| match write {
            Write::Add(key, _) | Write::Tally(key, _) => Some(key.clone()),
            Write::Put(..) | Write::Delete(_) => None,
        }));
    }
    keys.sort_unstable();
    keys.dedup();
    keys
}

/// Decides `txns` in order. `stored` holds the engine's bytes of every key of [`keys_read`] that has a row;
/// `last` is the last commit sequence given out.
pub(crate) fn decide<'a>(
    stored: &HashMap<Key, Bytes>,
    last: Version,
    txns: impl Iterator<Item = &'a Txn>,
) -> Decided {
    let mut rows = Overlay {
        stored,
        changed: HashMap::new(),
    };
    let mut decided = Decided {
        verdicts: Vec::new(),
        applied: 0,
        batch: Batch {
            writes: BTreeMap::new(),
            sequence: last,
        },
    };
    for txn in txns {
        let next = Version(decided.batch.sequence.0 + 1);
        let verdict = rows.run(txn, next);
        if matches!(verdict, Ok(Outcome::Done(_))) {
            decided.applied += 1;
            decided.batch.sequence = next;
        }
        decided.verdicts.push(verdict);
    }
    decided.batch.writes = rows.changed.into_iter().collect();
    decided
}

/// The engine's rows as they will be after the transactions decided so far.
struct Overlay<'a> {
    stored: &'a HashMap<Key, Bytes>,
    changed: HashMap<Key, Option<Bytes>>,
}

impl Overlay<'_> {
    fn row(&self, key: &Key) -> Result<Option<Row>, StoreError> {
        let stored = match self.changed.get(key) {
            Some(changed) => changed.as_ref(),
            None => self.stored.get(key),
        };
        stored.map(|bytes| decode(key, bytes)).transpose()
    }

    fn run(&mut self, txn: &Txn, version: Version) -> Result<Outcome, StoreError> {
        for (index, condition) in txn.conditions.iter().enumerate() {
            if !self.holds(condition)? {
                return Ok(Outcome::Conflict(index));
            }
        }
        // Collected first: a transaction that fails at its last write must not leave its first ones.
        let mut writes: HashMap<Key, Option<Bytes>> = HashMap::with_capacity(txn.writes.len());
        for write in &txn.writes {
            match write {
                Write::Put(key, value) => writes.insert(key.clone(), Some(encode(version, value))),
                Write::Delete(key) => writes.insert(key.clone(), None),
                Write::Add(key, n) => {
                    let count = match writes.get(key) {
                        Some(None) => 0,
                        Some(Some(bytes)) => count(key, Some(decode(key, bytes)?))?,
                        None => count(key, self.row(key)?)?,
                    };
                    let sum = add(key, count, *n)?;
                    let row = (sum != 0).then(|| encode(version, &encode_counter(sum)));
                    writes.insert(key.clone(), row)
                }
                Write::Tally(key, n) => {
                    let row = match writes.get(key) {
                        Some(None) => None,
                        Some(Some(bytes)) => decode(key, bytes).ok(),
                        None => self.row(key).unwrap_or(None),
                    };
                    let sum = tally(key, row.as_ref()).saturating_add(*n);
                    let row = (sum != 0).then(|| encode(version, &encode_counter(sum)));
                    writes.insert(key.clone(), row)
                }
            };
        }
        self.changed.extend(writes);
        Ok(Outcome::Done(version))
    }

    fn holds(&self, condition: &Condition) -> Result<bool, StoreError> {
        Ok(match condition {
            Condition::Same(key, version) => {
                self.row(key)?.is_some_and(|row| row.version == *version)
            }
            Condition::Absent(key) => self.row(key)?.is_none(),
            Condition::Zero(key) => count(key, self.row(key)?)? == 0,
        })
    }
}

fn count(key: &Key, row: Option<Row>) -> Result<i64, StoreError> {
    row.map_or(Ok(0), |row| decode_counter(key, &row.value))
}

/// A tally's current sum. It is only a hint, so a damaged row restarts at zero and fails no transaction.
fn tally(key: &Key, row: Option<&Row>) -> i64 {
    row.and_then(|row| decode_counter(key, &row.value).ok())
        .unwrap_or(0)
}

/// Refuses a sum below zero: some user was subtracted twice, and the next user would lose its bytes.
fn add(key: &Key, count: i64, n: i64) -> Result<i64, StoreError> {
    match count.checked_add(n) {
        Some(sum) if sum >= 0 => Ok(sum),
        Some(_) => Err(StoreError::DamagedRow {
            key: key.to_vec(),
            what: "a counter would fall below zero",
        }),
        None => Err(StoreError::DamagedRow {
            key: key.to_vec(),
            what: "a counter would overflow",
        }),
    }
}

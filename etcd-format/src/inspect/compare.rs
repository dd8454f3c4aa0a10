//! What differs between the live keys of two snapshots, whether or not they are of one cluster.
//!
//! Owns: keys are compared by their values, not by revisions: these differ after a restore although nothing was changed. The old
//! snapshot's keys are remembered by a hash, with a hash of the value; what the new one does not have is found in a second walk
//! over the old one. Memory: at most [`COMPARED_KEYS_MAX`] keys of 26 to 52 bytes, regardless of the lengths of keys and values.

use std::hash::{BuildHasher as _, RandomState};

use super::{InspectError, LiveRows};
use crate::{
    bolt::{Bolt, PageSource},
    live::LiveKeys,
    mvcc::KeyValue,
    width::u64_of,
};

/// Most keys of the old snapshot that are compared: 200 MiB. (A table of hashes doubles beyond seven eighths of a power of two.)
pub const COMPARED_KEYS_MAX: u64 = 7 << 20;

/// A snapshot that was checked, with its live rows.
#[derive(Debug)]
pub struct Side<'s, S> {
    /// The database.
    pub bolt: &'s Bolt<S>,
    /// Its live rows.
    pub live: &'s LiveRows,
}

/// What became of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Only the new snapshot has it.
    Added {
        /// Bytes of its value.
        bytes: u64,
    },
    /// Both have it, with different values.
    Changed {
        /// Bytes of the old value.
        from: u64,
        /// Bytes of the new value.
        to: u64,
    },
    /// Both have it, with the same value.
    Same {
        /// Bytes of the value.
        bytes: u64,
    },
    /// Only the old snapshot has it.
    Deleted {
        /// Bytes of its value.
        bytes: u64,
    },
}

/// Why two snapshots cannot be compared.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CompareError {
    /// Reading the old one failed.
    #[error("the old snapshot")]
    Old(#[source] InspectError),
    /// Reading the new one failed.
    #[error("the new snapshot")]
    New(#[source] InspectError),
    /// Too many keys.
    #[error("the old snapshot has more than {limit} of the keys to compare")]
    TooMany {
        /// The limit.
        limit: u64,
    },
}

/// A value that is compared later.
#[derive(Debug, Clone, Copy)]
struct Remembered {
    hash: u64,
    bytes: u32,
}

/// Passes what became of each key that `wanted` selects to `visit`: first the keys of the new snapshot, then those that only the
/// old one has. `limit` bounds the keys of the old one, see [`COMPARED_KEYS_MAX`].
///
/// # Errors
/// See [`CompareError`].
pub fn compare<S: PageSource, T: PageSource>(
    old: &Side<'_, S>,
    new: &Side<'_, T>,
    limit: u64,
    wanted: impl Fn(&[u8]) -> bool,
    visit: &mut impl FnMut(&[u8], Change),
) -> Result<(), CompareError> {
    let seed = RandomState::new();
    let mut left = LiveKeys::new();
    old.live
        .for_each(old.bolt, &mut |row| {
            if !wanted(row.key) {
                return Ok(());
            }
            if left.count() == limit {
                return Err(Refused::TooMany);
            }
            let remembered = Remembered {
                hash: seed.hash_one(row.value),
                // A row is at most as long as a page with its overflow, which is far below.
                bytes: u32::try_from(row.value.len()).unwrap_or(u32::MAX),
            };
            left.put(row.key, remembered);
            Ok(())
        })
        .map_err(|refused| match refused {
            Refused::Database(error) => CompareError::Old(error),
            Refused::TooMany => CompareError::TooMany { limit },
        })?;
    new.live
        .for_each(new.bolt, &mut |row| {
            if wanted(row.key) {
                let change = became(left.get(row.key).copied(), &row, &seed);
                left.delete(row.key);
                visit(row.key, change);
            }
            Ok::<(), InspectError>(())
        })
        .map_err(CompareError::New)?;
    if left.count() == 0 {
        return Ok(());
    }
    old.live
        .for_each(old.bolt, &mut |row| {
            if left.get(row.key).is_some() && wanted(row.key) {
                let bytes = u64_of(row.value.len());
                visit(row.key, Change::Deleted { bytes });
            }
            Ok::<(), InspectError>(())
        })
        .map_err(CompareError::Old)
}

fn became(before: Option<Remembered>, row: &KeyValue<'_>, seed: &RandomState) -> Change {
    let bytes = u64_of(row.value.len());
    match before {
        None => Change::Added { bytes },
        Some(before)
            if u64::from(before.bytes) == bytes && before.hash == seed.hash_one(row.value) =>
        {
            Change::Same { bytes }
        }
        Some(before) => Change::Changed {
            from: before.bytes.into(),
            to: bytes,
        },
    }
}

enum Refused {
    Database(InspectError),
    TooMany,
}

impl From<InspectError> for Refused {
    fn from(error: InspectError) -> Self {
        Self::Database(error)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::{
        bolt::edit::{self, BucketEdit, Edit},
        mvcc::{self, RevisionKey},
    };

    const REAL: &[u8] = include_bytes!("../../tests/fixtures/etcd-3.4.db");

    /// etcd's database, with more rows at its end.
    fn database(rows: &[(&[u8], Option<&[u8]>)]) -> Vec<u8> {
        let real = &REAL[..REAL.len() - 32];
        let bolt = Bolt::open(real, u64_of(real.len())).expect("etcd wrote it");
        let mut all = Vec::new();
        bolt.for_each(mvcc::BUCKET, &mut |key, value, _| {
            all.push((key.to_vec(), value.to_vec()));
            Ok::<(), InspectError>(())
        })
        .expect("it is whole");
        for (main, (key, value)) in (1_000..).zip(rows) {
            let row = RevisionKey {
                main,
                sub: 0,
                tombstone: value.is_none(),
            };
            let mut written = KeyValue {
                key,
                ..KeyValue::default()
            };
            if let Some(value) = value {
                (written.mod_revision, written.version, written.value) = (main, 1, value);
            }
            all.push((row.encode(), written.encode()));
        }
        let buckets = vec![BucketEdit::replace_all(mvcc::BUCKET, all)];
        let appended = edit::append(&bolt, &Edit { buckets }).expect("it fits");
        let mut db = real.to_vec();
        db.extend(&appended.pages);
        db[..4096].copy_from_slice(&appended.metas[0]);
        db
    }

    fn differences(
        old: &[u8],
        new: &[u8],
        limit: u64,
    ) -> Result<BTreeMap<String, Change>, CompareError> {
        let bolts = [old, new].map(|db| Bolt::open(db, u64_of(db.len())).expect("it is whole"));
        let [old, new] = &bolts;
        let live = [old, new].map(|bolt| LiveRows::find(bolt).expect("it is whole"));
        let [old_live, new_live] = &live;
        let (old, new) = (
            Side {
                bolt: old,
                live: old_live,
            },
            Side {
                bolt: new,
                live: new_live,
            },
        );
        let mut found = BTreeMap::new();
        compare(&old, &new, limit, |_| true, &mut |key, change| {
            let told = found.insert(String::from_utf8_lossy(key).into_owned(), change);
            assert_eq!(told, None, "a key is told once");
        })?;
        found.retain(|_, change| !matches!(change, Change::Same { .. }));
        Ok(found)
    }

    #[test]
    fn values_decide_and_not_revisions() {
        let old = database(&[(b"a", Some(b"1")), (b"b", Some(b"2")), (b"c", Some(b"3"))]);
        let new = database(&[
            (b"x", Some(b"four")),
            (b"c", Some(b"other")),
            (b"b", Some(b"2")),
            (b"y", Some(b"gone")),
            (b"y", None),
        ]);
        let found = differences(&old, &new, COMPARED_KEYS_MAX).expect("comparable");
        let expected = [
            ("a", Change::Deleted { bytes: 1 }),
            ("c", Change::Changed { from: 1, to: 5 }),
            ("x", Change::Added { bytes: 4 }),
        ];
        let expected = expected.map(|(key, change)| (key.to_owned(), change));
        assert_eq!(found, BTreeMap::from(expected));
        assert!(
            differences(&new, &new, 1_000)
                .expect("comparable")
                .is_empty()
        );
    }

    #[test]
    fn more_keys_than_the_limit_are_refused() {
        let db = database(&[]);
        assert!(differences(&db, &db, 103).is_ok());
        let refused = differences(&db, &db, 102);
        assert!(
            matches!(refused, Err(CompareError::TooMany { limit: 102 })),
            "{refused:?}"
        );
    }
}

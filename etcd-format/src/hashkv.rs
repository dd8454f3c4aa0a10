//! HashKV: the hash of etcd's history up to a revision, by which members compare their data.
//!
//! Owns: etcd's rules for it, computed from a file. Must not know pages. Equal at one revision before and after a restore,
//! it proves that the data are the same. Source: etcd `server/storage/mvcc/hash.go` (`kvHasher`), `kvstore.go`
//! (`hashByRev`, `restore`) and `key_index.go` (`keep`).
//!
//! # The rules
//! ```text
//! compact = meta/finishedCompactRev, or -1; meta/scheduledCompactRev where that is greater
//! current = max(1, main revision of the last row, compact)
//! at      = the revision asked for; without one, current
//! keep    = for each user key alive at `at`, the row that wrote it last (rows with main <= at, in order)
//! hash    = CRC-32C over "key", then over key and value of each row of bucket `key`, in order, except
//!             rows with main > at
//!             rows with main <= compact that are not in keep, unless keep is empty
//!             tombstones with main == compact
//! ```
//! `at < compact` is refused ("compacted"), `at > current` too ("future revision").
//!
//! # What a file cannot tell
//! A running etcd from 3.5 on remembers the hashes that it computed during its last compactions, *before* it deleted rows,
//! and answers with them when asked for exactly such a revision (`compactRevision` is then the one before). They are gone
//! after its restart, and cannot be computed from the file: compare at a revision above the compacted one.
//!
//! etcd's programs go on with a compaction that a file has begun, beside the hash. When nothing is kept ("unless keep is
//! empty"), their answer depends on which of the two is faster; this one is of the file as it is.
//!
//! ```
//! use strongroom_etcd_format::{bolt::Bolt, hashkv::{self, At, Rules}, snapshot};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let file: &[u8] = include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/etcd-3.4.db"));
//! let bolt = Bolt::open(file, snapshot::db_len(u64::try_from(file.len())?)?)?;
//! let found = hashkv::hash_kv(&bolt, At::Current, Rules::Etcd35)?;
//! assert_eq!((found.hash, found.hash_revision, found.compact_revision), (341_510_213, 186, 150));
//! # Ok(())
//! # }
//! ```

use crate::{
    bolt::{Bolt, PageSource},
    crc32c,
    inspect::{self, InspectError},
    live::LiveKeys,
    mvcc::{self, RevisionKey},
};

/// What etcd reports as compacted when nothing ever was.
pub const NEVER_COMPACTED: i64 = -1;

/// What `etcdutl hashkv` and `etcdctl endpoint hashkv` print.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HashKv {
    /// The hash.
    pub hash: u32,
    /// The revision up to which rows were hashed.
    pub hash_revision: i64,
    /// The compacted revision by which rows were left out, or [`NEVER_COMPACTED`].
    pub compact_revision: i64,
}

/// Up to which revision to hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum At {
    /// The newest one: etcd's revision 0.
    Current,
    /// This one.
    Revision(i64),
}

/// Whose rules apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rules {
    /// etcd 3.4 up to 3.4.33: the compacted revision itself is refused, and a tombstone there is left out only as every
    /// other row that is not kept. (From 3.4.34 on, 3.4 leaves it out always, but still refuses.)
    Etcd34,
    /// etcd 3.5 from 3.5.16 on, 3.6 and 3.7: older versions delete the tombstone at the compacted revision, these keep
    /// it and leave it out, so that all of them come to the same hash.
    Etcd35,
}

/// No hash.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HashKvError {
    /// The database is damaged or is none of etcd's.
    #[error(transparent)]
    Database(#[from] InspectError),
    /// The history at that revision is gone.
    #[error("revision {asked} has been compacted: the history begins at {first}")]
    Compacted {
        /// The revision asked for.
        asked: i64,
        /// The first one that can be asked for.
        first: i64,
    },
    /// The database never had that revision.
    #[error("revision {asked} is a future revision: the newest one is {current}")]
    Future {
        /// The revision asked for.
        asked: i64,
        /// The newest one.
        current: i64,
    },
    /// Revisions begin at 1.
    #[error("{asked} is no revision: revisions begin at 1")]
    NotARevision {
        /// What was asked for.
        asked: i64,
    },
}

/// Checks the whole database, then hashes its history: two walks. Memory: one page, a bit per page and, where history was
/// compacted, 17 to 38 bytes per live key.
///
/// # Errors
/// The revision cannot be asked for, or the database is damaged.
pub fn hash_kv<S: PageSource>(bolt: &Bolt<S>, at: At, rules: Rules) -> Result<HashKv, HashKvError> {
    let compact = compact_revision(bolt)?;
    let asked = match at {
        At::Current => None,
        At::Revision(asked) => Some(in_reach(asked, compact, rules)?),
    };
    let (keep, last) = kept_rows(bolt, asked.unwrap_or(i64::MAX), compact)?;
    let current = last.max(compact).max(1);
    let at = match asked {
        Some(asked) if asked > current => return Err(HashKvError::Future { asked, current }),
        asked => asked.unwrap_or(current),
    };
    let hash = hash_rows(bolt, &keep, compact, at, rules)?;
    Ok(HashKv {
        hash,
        hash_revision: at,
        compact_revision: compact,
    })
}

/// Live keys, each with the place (counted in rows from 0) of the row that wrote it last.
type Kept = LiveKeys<u64>;

fn compact_revision<S: PageSource>(bolt: &Bolt<S>) -> Result<i64, InspectError> {
    let mut compact = NEVER_COMPACTED;
    for name in [inspect::FINISHED_COMPACTION, inspect::SCHEDULED_COMPACTION] {
        if let Some(found) = inspect::revision_in_meta(bolt, name)? {
            compact = compact.max(found);
        }
    }
    Ok(compact)
}

fn in_reach(asked: i64, compact: i64, rules: Rules) -> Result<i64, HashKvError> {
    let first = match rules {
        Rules::Etcd34 => compact.saturating_add(1),
        Rules::Etcd35 => compact,
    };
    if asked < 1 {
        return Err(HashKvError::NotARevision { asked });
    }
    if asked < first {
        return Err(HashKvError::Compacted { asked, first });
    }
    Ok(asked)
}

/// The rows to keep at a revision, and the main revision of the last row of all. Checks the whole database on the way.
///
/// etcd refuses transactions that touch one key twice, so a key is not deleted and written again in one main revision.
fn kept_rows<S: PageSource>(
    bolt: &Bolt<S>,
    at: i64,
    compact: i64,
) -> Result<(Kept, i64), InspectError> {
    let (mut keep, mut last, mut place) = (Kept::new(), 0, 0_u64);
    bolt.check_each(&mut |entry| {
        if entry.bucket != mvcc::BUCKET {
            return Ok(());
        }
        let row = decoded(entry.key, entry.offset)?;
        let user_key = inspect::row_value(entry.value, entry.offset)?.key;
        last = row.main;
        // Without a compaction nothing is left out, and no key needs to be remembered.
        if row.main <= at && compact > NEVER_COMPACTED {
            if row.tombstone {
                keep.delete(user_key);
            } else {
                keep.put(user_key, place);
            }
        }
        place += 1;
        Ok::<(), InspectError>(())
    })?;
    Ok((keep, last))
}

fn hash_rows<S: PageSource>(
    bolt: &Bolt<S>,
    keep: &Kept,
    compact: i64,
    at: i64,
    rules: Rules,
) -> Result<u32, InspectError> {
    let mut crc = crc32c::running();
    crc.update(mvcc::BUCKET);
    let mut place = 0_u64;
    bolt.for_each(mvcc::BUCKET, &mut |key, value, offset| {
        let row = decoded(key, offset)?;
        let here = place;
        place += 1;
        let tombstone_at_compaction =
            row.tombstone && row.main == compact && rules == Rules::Etcd35;
        if row.main > at || tombstone_at_compaction {
            return Ok(());
        }
        if row.main <= compact && keep.count() > 0 {
            let user_key = inspect::row_value(value, offset)?.key;
            if keep.get(user_key) != Some(&here) {
                return Ok(());
            }
        }
        crc.update(key);
        crc.update(value);
        Ok::<(), InspectError>(())
    })?;
    Ok(crc32c::value(&crc))
}

fn decoded(key: &[u8], offset: u64) -> Result<RevisionKey, InspectError> {
    RevisionKey::decode(key).map_err(|source| InspectError::RowKey { offset, source })
}

#[cfg(test)]
mod tests;

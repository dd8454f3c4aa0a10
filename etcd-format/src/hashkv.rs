//! HashKV: the hash of etcd's history up to a revision. Members use it to compare their data.
//!
//! Owns: etcd's rules for it, applied to a file. Must not know pages. If the hash at one revision is equal before and after a
//! restore, the data are the same. Source: etcd `server/storage/mvcc/hash.go` (`kvHasher`), `kvstore.go`
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
//! `at < compact` is refused ("compacted"), and also `at > current` ("future revision").
//!
//! # Limits of a file
//! Since 3.5, a running etcd remembers the hashes that it computed during its last compactions, *before* it deleted rows. It
//! returns them for exactly these revisions (`compactRevision` is then the previous one). They are lost at its restart and cannot
//! be computed from the file: compare at a revision above the compacted one.
//!
//! etcd's programs continue a compaction that was started in the file, concurrently with the hash. If nothing is kept ("unless
//! keep is empty"), their answer depends on which of the two is faster. This module hashes the file as it is.
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

/// The compacted revision that etcd reports if nothing was ever compacted.
pub const NEVER_COMPACTED: i64 = -1;

/// The values that `etcdutl hashkv` and `etcdctl endpoint hashkv` print.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HashKv {
    /// The hash.
    pub hash: u32,
    /// The revision up to which rows were hashed.
    pub hash_revision: i64,
    /// The compacted revision that decided which rows are left out, or [`NEVER_COMPACTED`].
    pub compact_revision: i64,
}

/// The last revision to hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum At {
    /// The newest one: etcd's revision 0.
    Current,
    /// This one.
    Revision(i64),
}

/// The etcd version whose rules apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rules {
    /// etcd 3.4 up to 3.4.33: the compacted revision itself is refused. A tombstone there is left out only under the rule for
    /// other rows, that is, if it is not kept. (Since 3.4.34, 3.4 always leaves it out, but still refuses.)
    Etcd34,
    /// etcd 3.5 since 3.5.16, 3.6 and 3.7: older versions delete the tombstone at the compacted revision. These versions keep
    /// it, but leave it out of the hash, so that all get the same hash.
    Etcd35,
}

/// Why there is no hash.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HashKvError {
    /// The database is damaged or not written by etcd.
    #[error(transparent)]
    Database(#[from] InspectError),
    /// The history at that revision is gone.
    #[error("revision {asked} has been compacted: the history begins at {first}")]
    Compacted {
        /// The requested revision.
        asked: i64,
        /// The first available revision.
        first: i64,
    },
    /// The database never had that revision.
    #[error("revision {asked} is a future revision: the newest one is {current}")]
    Future {
        /// The requested revision.
        asked: i64,
        /// The newest one.
        current: i64,
    },
    /// Revisions begin at 1.
    #[error("{asked} is no revision: revisions begin at 1")]
    NotARevision {
        /// The requested revision.
        asked: i64,
    },
}

/// Checks the whole database, then hashes its history: two walks. Memory: one page, a bit per page and, if history was
/// compacted, 17 to 38 bytes per live key.
///
/// # Errors
/// The revision is not available, or the database is damaged.
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

/// Live keys, each with the position (in rows, from 0) of the row that wrote it last.
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

/// The rows to keep at a revision, and the main revision of the last row. Also checks the whole database.
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
        // Without a compaction nothing is left out, so keys need not be tracked.
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

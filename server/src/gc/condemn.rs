//! Condemning: a sealed pack in which no manifest holds a segment may be used by nothing any more.

use crate::clock::UnixMillis;
use crate::gc::reaper::{Reaped, each_row};
use crate::gc::{row_of, settle};
use crate::schema::keys::{split_pack, whole};
use crate::schema::{Keyspace, PackRow, Record, RowKey};
use crate::store::meta::{Condition, Meta, Txn, Write};
use crate::store::{PackId, StoreError};

/// Condemns each sealed pack without segments.
///
/// # Errors
/// When rows cannot be read or written.
pub fn sealed_packs(meta: &dyn Meta, now: UnixMillis) -> Result<Reaped, StoreError> {
    each_row(meta, whole(Keyspace::Pack), |key, row| {
        let PackRow::Sealed { len } = PackRow::decode(key, row)? else {
            return Ok(false);
        };
        let segments = RowKey::PackSegments(split_pack(key, Keyspace::Pack)?).encode();
        if row_of(meta, &segments)?.is_some() {
            return Ok(false);
        }
        let stored = i64::try_from(len).unwrap_or(i64::MAX);
        // A commit that uses the pack requires its row unchanged, and this one changes it: one of both loses.
        settle(
            meta,
            Txn {
                conditions: vec![
                    Condition::Same(key.clone(), row.version),
                    Condition::Zero(segments),
                ],
                writes: vec![
                    Write::Put(key.clone(), PackRow::Condemned { since: now }.encode()),
                    Write::Add(RowKey::StoredBytes.encode(), -stored),
                ],
            },
        )
    })
}

/// Sealed packs without segments, and their bytes: what [`sealed_packs`] would condemn.
///
/// # Errors
/// When rows cannot be read.
pub fn candidates(meta: &dyn Meta) -> Result<Vec<(PackId, u64)>, StoreError> {
    let mut found = Vec::new();
    each_row(meta, whole(Keyspace::Pack), |key, row| {
        if let PackRow::Sealed { len } = PackRow::decode(key, row)? {
            let pack = split_pack(key, Keyspace::Pack)?;
            if row_of(meta, &RowKey::PackSegments(pack).encode())?.is_none() {
                found.push((pack, len));
            }
        }
        Ok(false)
    })?;
    Ok(found)
}

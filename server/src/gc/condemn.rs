//! Condemning: a sealed pack in which no manifest holds a segment may be used by nothing any more.

use crate::clock::UnixMillis;
use crate::gc::Walk;
use crate::gc::reaper::{Reaped, each_row};
use crate::planted::{Bug, planted};
use crate::store::StoreError;
use crate::store::meta::walk::row_of;
use crate::store::meta::{Condition, Txn, Write};
use crate::tables::keys::{split_pack, whole};
use crate::tables::{Keyspace, PackRow, Record, RowKey};

/// Condemns each sealed pack without segments.
///
/// # Errors
/// When rows cannot be read or written.
pub(crate) fn sealed_packs(walk: &Walk<'_>, now: UnixMillis) -> Result<Reaped, StoreError> {
    each_row(walk, whole(Keyspace::Pack), |key, row| {
        let len = match PackRow::decode(key, row)? {
            PackRow::Sealed { len } => len,
            PackRow::Live if planted(Bug::SealedRuleIgnored) => 0,
            _ => return Ok(None),
        };
        let segments = RowKey::PackSegments(split_pack(key, Keyspace::Pack)?).encode();
        if row_of(walk.meta, &segments)?.is_some() {
            return Ok(None);
        }
        let stored = i64::try_from(len).unwrap_or(i64::MAX);
        // A commit that uses the pack requires its row unchanged, and this one changes it: one of both loses.
        Ok(Some(Txn {
            conditions: vec![
                Condition::Same(key.clone(), row.version),
                Condition::Zero(segments),
            ],
            writes: vec![
                Write::Put(key.clone(), PackRow::Condemned { since: now }.encode()),
                Write::Add(RowKey::StoredBytes.encode(), -stored),
            ],
        }))
    })
}

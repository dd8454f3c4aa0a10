//! Hygiene: pack files without a row, left by crashes and lost commits, get one that says `condemned`.

use crate::clock::UnixMillis;
use crate::gc::reaper::Reaped;
use crate::gc::{PAGE_ROWS, row_of, settle};
use crate::schema::{PackRow, Record, RowKey};
use crate::store::meta::{Condition, Meta, Txn, Write};
use crate::store::packs::Packs;
use crate::store::{Epoch, StoreError};

/// Condemns each pack file of an ended epoch that has no row, by creating the row: a late commit that wants the pack
/// finds it and loses with a conflict, never with data. Packs of this epoch belong to live writers, which remove what
/// they give up; the next start's hygiene finds what they could not.
///
/// # Errors
/// When the folder or rows cannot be read, or rows cannot be written.
pub fn orphans(
    meta: &dyn Meta,
    packs: &dyn Packs,
    epoch: Epoch,
    now: UnixMillis,
) -> Result<Reaped, StoreError> {
    let mut reaped = Reaped::default();
    let mut after = None;
    loop {
        let files = packs.list(after, PAGE_ROWS)?;
        for file in files.iter().filter(|file| file.pack.epoch < epoch) {
            reaped.seen += 1;
            let key = RowKey::Pack(file.pack).encode();
            if row_of(meta, &key)?.is_some() {
                continue;
            }
            let condemned = PackRow::Condemned { since: now }.encode();
            let txn = Txn {
                conditions: vec![Condition::Absent(key.clone())],
                writes: vec![Write::Put(key, condemned)],
            };
            reaped.done += u64::from(settle(meta, txn)?);
        }
        match files.last() {
            Some(last) if files.len() == PAGE_ROWS => after = Some(last.pack),
            _ => return Ok(reaped),
        }
    }
}

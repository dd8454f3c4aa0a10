//! Hygiene: pack files without a row, left by crashes and lost commits, get one that says `condemned`.

use crate::clock::UnixMillis;
use crate::gc::reaper::Reaped;
use crate::gc::{Walk, settle};
use crate::store::StoreError;
use crate::store::meta::walk::{PAGE_ROWS, row_of};
use crate::store::meta::{Condition, Txn, Write};
use crate::store::packs::Packs;
use crate::tables::{PackRow, Record, RowKey};

/// Condemns each pack file that has no row and no live writer, by creating the row: a late commit that wants the pack
/// finds it and loses with a conflict, never with data.
///
/// # Errors
/// When the folder or rows cannot be read, or rows cannot be written.
pub(crate) fn orphans(
    walk: &Walk<'_>,
    packs: &dyn Packs,
    now: UnixMillis,
) -> Result<Reaped, StoreError> {
    let mut reaped = Reaped::default();
    let mut after = None;
    let meta = walk.meta;
    loop {
        if !walk.goes_on(reaped.seen) {
            return Ok(reaped);
        }
        let files = packs.list(after, PAGE_ROWS)?;
        // ORDER: the list, then who is held, then the row. A writer holds its pack before the file exists and until its
        // commit is answered, so a file without a holder was given up or has a row by now.
        for file in files.iter().filter(|file| !packs.is_held(file.pack)) {
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

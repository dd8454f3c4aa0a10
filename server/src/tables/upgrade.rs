//! Upgrades the rows of older stores once, when the store is opened. Each row changes in its own transaction, so the
//! next start continues after a crash.
//!
//! - A bucket record of version 1 holds its settings: they get rows of their own.
//! - The totals of all bytes (0x60, 0x61) become the share of this process.
//! - The only open pack (0x54) becomes the pack of its writer.
//! - The shares of ended processes are added to the share of this one.

use bytes::Bytes;

use crate::clock::UnixMillis;
use crate::store::meta::row::decode_counter;
use crate::store::meta::walk::row_of;
use crate::store::meta::{Condition, Key, Meta, Outcome, Row, Txn, Write};
use crate::store::{Epoch, PackId, StoreError};
use crate::tables::bucket_settings::{BucketVersioning, Versioning};
use crate::tables::buckets::{self, BucketRow, Buckets};
use crate::tables::record::{self, Record, exactly};
use crate::tables::sums::{LogicalBytes, StoredBytes};
use crate::tables::table::{Keyed, Table as _, Tally};
use crate::tables::writers::{WriterRow, Writers};

/// Rows that older programs stored under a one-byte key.
const OPEN_PACK: &[u8] = &[0x54];
const LOGICAL_BYTES: &[u8] = &[0x60];
const STORED_BYTES: &[u8] = &[0x61];

/// The epoch under which an offline command keeps its shares of totals: no process ever has it.
pub const NO_PROCESS: Epoch = Epoch(u32::MAX);

/// Maximum number of buckets, and of shares, that are upgraded: far above what a store has.
const ROWS_MAX: usize = 100_000;

/// Upgrades all rows. Runs once, at start, before anything else reads tables. Blocks.
///
/// # Errors
/// When rows cannot be read or written.
pub fn upgrade(meta: &dyn Meta, epoch: Epoch, now: UnixMillis) -> Result<(), StoreError> {
    bucket_settings(meta)?;
    open_pack(meta, now)?;
    single_sum(meta, LOGICAL_BYTES, LogicalBytes, epoch)?;
    single_sum(meta, STORED_BYTES, StoredBytes, epoch)?;
    shares(meta, LogicalBytes, epoch)?;
    shares(meta, StoredBytes, epoch)
}

fn bucket_settings(meta: &dyn Meta) -> Result<(), StoreError> {
    let range = Buckets.whole();
    for (key, row) in meta.scan(&range.keys.from, &range.keys.to, ROWS_MAX)? {
        let Some([1, 0, body @ ..]) = row.value.get(..) else {
            continue;
        };
        let Ok(old) = exactly::<buckets::v1::BucketRow>(body) else {
            // The next reader of the row reports the damage and names the row.
            continue;
        };
        let bucket = Buckets.value(&key, &row)?;
        let mut writes = vec![Write::Put(
            key.clone(),
            record::encode::<BucketRow>(&bucket),
        )];
        if old.versioning != Versioning::Unversioned {
            let setting = BucketVersioning.key(bucket.id);
            writes.push(Write::Put(setting, record::encode(&old.versioning)));
        }
        replace(meta, &key, &row, writes)?;
    }
    Ok(())
}

/// The record of the only open pack.
#[derive(serde::Serialize, serde::Deserialize)]
struct OpenPackRow {
    pack: PackId,
}

impl Record for OpenPackRow {}

fn open_pack(meta: &dyn Meta, since: UnixMillis) -> Result<(), StoreError> {
    let key = Bytes::from_static(OPEN_PACK);
    let Some(row) = row_of(meta, &key)? else {
        return Ok(());
    };
    let OpenPackRow { pack } = record::decode("the row of the open pack", &key, &row.value)?;
    let open = Some(pack);
    let row_of_writer = record::encode(&WriterRow { since, open });
    let changes = vec![
        Write::Delete(key.clone()),
        Write::Put(Writers.key(pack.epoch), row_of_writer),
    ];
    replace(meta, &key, &row, changes)
}

fn single_sum<H>(
    meta: &dyn Meta,
    key: &'static [u8],
    tally: H,
    epoch: Epoch,
) -> Result<(), StoreError>
where
    H: for<'k> Tally<Key<'k> = Epoch>,
{
    let key = Bytes::from_static(key);
    match row_of(meta, &key)? {
        Some(row) => take_over(meta, &key, &row, tally.key(epoch)),
        None => Ok(()),
    }
}

/// Adds the shares of other epochs to that of `epoch`.
fn shares<H>(meta: &dyn Meta, tally: H, epoch: Epoch) -> Result<(), StoreError>
where
    H: for<'k> Tally<Key<'k> = Epoch>,
{
    let range = tally.whole();
    let mine = tally.key(epoch);
    for (key, row) in meta.scan(&range.keys.from, &range.keys.to, ROWS_MAX)? {
        if key != mine {
            take_over(meta, &key, &row, mine.clone())?;
        }
    }
    Ok(())
}

/// Moves the value of one tally to another. A value that is not a counter is a damaged hint and is dropped.
fn take_over(meta: &dyn Meta, key: &Key, row: &Row, to: Key) -> Result<(), StoreError> {
    let sum = decode_counter(key, &row.value).unwrap_or(0);
    let writes = vec![Write::Delete(key.clone()), Write::Tally(to, sum)];
    replace(meta, key, row, writes)
}

/// Applies writes that depend on one row.
fn replace(meta: &dyn Meta, key: &Key, row: &Row, writes: Vec<Write>) -> Result<(), StoreError> {
    let conditions = vec![Condition::Same(key.clone(), row.version)];
    match meta.commit(Txn { conditions, writes }).wait_blocking()? {
        Outcome::Done(_) => Ok(()),
        // The store is being opened: nobody else writes.
        Outcome::Conflict(_) => Err(StoreError::DamagedRow {
            key: key.to_vec(),
            what: "changed while the store was being opened",
        }),
    }
}

#[cfg(test)]
mod tests;

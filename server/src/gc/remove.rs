//! Removing the files of condemned packs, once their grace has passed and no reader holds them.

use std::time::Duration;

use crate::clock::UnixMillis;
use crate::gc::reaper::{Reaped, each_row};
use crate::gc::{Walk, delete_same};
use crate::planted::{Bug, planted};
use crate::read::Pins;
use crate::store::packs::Packs;
use crate::store::{Epoch, StoreError};
use crate::tables::keys::{split_pack, whole};
use crate::tables::{Keyspace, PackRow, Record};

/// Removes the files of condemned packs. A row outlives its file until the epoch of its writer has ended, so that a
/// late commit of that process still finds it condemned.
///
/// # Errors
/// When rows cannot be read or written, or a file cannot be removed.
pub(crate) fn condemned_packs(
    walk: &Walk<'_>,
    packs: &dyn Packs,
    pins: &Pins,
    epoch: Epoch,
    grace: Duration,
    now: UnixMillis,
) -> Result<Reaped, StoreError> {
    each_row(walk, whole(Keyspace::Pack), |key, row| {
        let PackRow::Condemned { since } = PackRow::decode(key, row)? else {
            return Ok(None);
        };
        let pack = split_pack(key, Keyspace::Pack)?;
        let reserved = now.since(since) < grace || pins.is_pinned(pack);
        if reserved && !planted(Bug::PinsIgnored) {
            return Ok(None);
        }
        // ORDER: the file, then its row. A crash in between leaves a condemned row without a file, which is removed
        // again; the other way round a file without a row would be left.
        packs.remove(pack)?;
        if pack.epoch >= epoch {
            return Ok(None);
        }
        Ok(Some(delete_same(key, row)))
    })
}

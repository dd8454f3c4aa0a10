//! Quarantine of packs with bodies that no row names.
//!
//! A crash leaves such bodies: synced, not yet committed, so never acknowledged. A Meta that was put back from an older
//! copy leaves them too, and those were acknowledged. The two cannot be told apart, so both are kept: for days, counted
//! and shown by `doctor`, until an operator had the time to put the newer Meta back.
//!
//! Only packs of ended epochs are concerned: a running process knows its own packs.

use std::time::Duration;

use crate::clock::UnixMillis;
use crate::store::packs::scan::PackScan;
use crate::store::packs::{PackEntry, Packs};
use crate::store::{PackId, StoreError};
use crate::tables::{Draft, Entry, PackRow, PackRows, Quarantine, QuarantineRow, Rows as _};

/// Whether a whole body lies in the pack at `from`, where the bytes end that rows name. Reads it; blocks.
///
/// # Errors
/// When the file cannot be read, or is not a pack of this store and of a known format.
pub(crate) fn holds_unnamed(
    packs: &dyn Packs,
    pack: &PackEntry,
    from: u64,
) -> Result<bool, StoreError> {
    match PackScan::starting_at(pack.clone(), from).next(packs) {
        Some(Ok(_)) => Ok(true),
        None
        // Torn by the crash.
        | Some(Err(StoreError::DamagedFrame { .. } | StoreError::PackShort { .. })) => Ok(false),
        Some(Err(error)) => Err(error),
    }
}

/// Drafts the begin of a pack's quarantine.
pub(crate) fn begin(draft: &mut Draft<'_>, pack: PackId, now: UnixMillis) {
    draft.put(Quarantine, pack, &QuarantineRow { since: now });
}

/// Drafts the end of a pack's quarantine, if it is over; returns whether it is. A file without a row is marked, so that
/// it is not found again.
///
/// # Errors
/// When rows cannot be read.
pub(crate) fn end(
    draft: &mut Draft<'_>,
    pack: &Entry<Quarantine>,
    kept: Duration,
    now: UnixMillis,
) -> Result<bool, StoreError> {
    if now.since(pack.value.since) < kept {
        return Ok(false);
    }
    if draft.read(PackRows, pack.key)?.is_none() {
        draft.put(PackRows, pack.key, &PackRow::Marked { since: now });
    }
    draft.delete_entry(pack);
    Ok(true)
}

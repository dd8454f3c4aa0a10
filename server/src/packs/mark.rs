//! Marks a pack for deletion (`Marked`): nothing may use it any more, and its file will be removed.

use crate::clock::UnixMillis;
use crate::packs::claim::signed;
use crate::packs::{quarantine, writers};
use crate::planted::{Bug, planted};
use crate::store::packs::format::header::PACK_HEADER_BYTES;
use crate::store::packs::{PackEntry, Packs};
use crate::store::{Epoch, StoreError};
use crate::tables::table::count;
use crate::tables::{
    Draft, Entry, PackRow, PackRows, PackSegments, Quarantine, Rows as _, StoredBytes,
};

/// Marks a sealed pack in which no manifest has a segment, and returns its length; `None` when the pack stays, because
/// it is in use or in quarantine. `epoch` is the epoch of the process that marks.
///
/// A commit that uses the pack requires its row unchanged, and the mark changes it: one of the two loses.
///
/// # Errors
/// When rows cannot be read.
pub(crate) fn unused(
    draft: &mut Draft<'_>,
    pack: &Entry<PackRows>,
    epoch: Epoch,
    now: UnixMillis,
) -> Result<Option<u64>, StoreError> {
    let len = match pack.value {
        PackRow::Sealed { len } => len,
        PackRow::Live if planted(Bug::SealedRuleIgnored) => 0,
        PackRow::Live | PackRow::Marked { .. } => return Ok(None),
    };
    let rows = draft.unrequired("the counter is required to be zero below");
    if count(rows, PackSegments, pack.key)? != 0 {
        return Ok(None);
    }
    if draft.read(Quarantine, pack.key)?.is_some() {
        return Ok(None);
    }
    draft.require_entry(pack);
    draft.require_zero(PackSegments, pack.key);
    draft.put(PackRows, pack.key, &PackRow::Marked { since: now });
    draft.tally(StoredBytes, epoch, -signed(len));
    Ok(Some(len))
}

/// What becomes of a pack file without a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Orphan {
    /// It has a row by now, or is already in quarantine.
    Known,
    /// The draft marks it.
    Marked,
    /// The draft puts it into quarantine.
    Quarantined,
}

/// Marks a pack file without a row, by creating the row: a late commit that needs the pack finds the row and loses with
/// a conflict, so no data is lost. If its writer has ended and it holds a whole body, it goes into quarantine instead.
///
/// # Errors
/// When rows or the file cannot be read, or the file is not a pack of this store: it stays then.
pub(crate) fn orphan(
    draft: &mut Draft<'_>,
    packs: &dyn Packs,
    file: &PackEntry,
    now: UnixMillis,
) -> Result<Orphan, StoreError> {
    if draft.read(PackRows, file.pack)?.is_some() {
        return Ok(Orphan::Known);
    }
    let rows = draft.unrequired("an ended epoch never begins again");
    if !writers::is_running(rows, file.pack.epoch)? {
        if draft.read(Quarantine, file.pack)?.is_some() {
            return Ok(Orphan::Known);
        }
        if quarantine::holds_unnamed(packs, file, PACK_HEADER_BYTES)? {
            quarantine::begin(draft, file.pack, now);
            return Ok(Orphan::Quarantined);
        }
    }
    draft.put(PackRows, file.pack, &PackRow::Marked { since: now });
    Ok(Orphan::Marked)
}

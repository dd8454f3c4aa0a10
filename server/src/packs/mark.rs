//! Marks a pack for deletion (`Marked`): nothing may use it any more, and its file will be removed.

use crate::clock::UnixMillis;
use crate::packs::claim::signed;
use crate::planted::{Bug, planted};
use crate::store::{Epoch, PackId, StoreError};
use crate::tables::table::count;
use crate::tables::{Draft, Entry, PackRow, PackRows, PackSegments, Rows as _, StoredBytes};

/// Marks a sealed pack in which no manifest has a segment, and returns its length; `None` when the pack stays. `epoch`
/// is the epoch of the process that marks.
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
    draft.require_entry(pack);
    draft.require_zero(PackSegments, pack.key);
    draft.put(PackRows, pack.key, &PackRow::Marked { since: now });
    draft.tally(StoredBytes, epoch, -signed(len));
    Ok(Some(len))
}

/// Marks a pack file without a row, by creating the row: a late commit that needs the pack finds the row and loses with
/// a conflict, so no data is lost. Returns whether there is something to commit.
///
/// # Errors
/// When rows cannot be read.
pub(crate) fn orphan(
    draft: &mut Draft<'_>,
    pack: PackId,
    now: UnixMillis,
) -> Result<bool, StoreError> {
    if draft.read(PackRows, pack)?.is_some() {
        return Ok(false);
    }
    draft.put(PackRows, pack, &PackRow::Marked { since: now });
    Ok(true)
}

//! Sweeps a marked pack: first its file, then its row.

use std::time::Duration;

use crate::clock::UnixMillis;
use crate::packs::{Pins, writers};
use crate::planted::{Bug, planted};
use crate::store::packs::Packs;
use crate::store::{Epoch, StoreError};
use crate::tables::{Draft, Entry, PackRow, PackRows};

/// What protects the files of marked packs.
#[derive(Clone, Copy)]
pub(crate) struct Reserve<'a> {
    /// Packs that are being read.
    pub(crate) pins: &'a Pins,
    /// How long a file stays after its pack was marked.
    pub(crate) grace: Duration,
    /// The current time.
    pub(crate) now: UnixMillis,
    /// The epoch of the process that sweeps.
    pub(crate) epoch: Epoch,
}

/// The result of a sweep of one pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Swept {
    /// It is not marked.
    InUse,
    /// Its grace period is not over, or a reader pins it.
    Reserved,
    /// Its file is gone; its row stays until no commit of its writer may come any more.
    File,
    /// Its file is gone, and the draft removes its row.
    FileAndRow,
}

/// Removes the file of a marked pack, and drafts the removal of its row. Blocks.
///
/// # Errors
/// When rows cannot be read, or the file cannot be removed.
pub(crate) fn sweep(
    draft: &mut Draft<'_>,
    packs: &dyn Packs,
    pack: &Entry<PackRows>,
    reserve: Reserve<'_>,
) -> Result<Swept, StoreError> {
    let PackRow::Marked { since } = pack.value else {
        return Ok(Swept::InUse);
    };
    let fresh = reserve.now.since(since) < reserve.grace;
    if (fresh || reserve.pins.is_pinned(pack.key)) && !planted(Bug::PinsIgnored) {
        return Ok(Swept::Reserved);
    }
    // ORDER: first the file, then its row. A crash in between leaves a marked row without a file, and the next sweep
    // removes the row; the other order could leave a file without a row.
    packs.remove(pack.key)?;
    let rows = draft.unrequired("an ended epoch never begins again");
    let own = pack.key.epoch == reserve.epoch;
    // A process commits a pack of its own only under a lease, and no pack is leased a second time. A commit that was
    // queued before its lease ended was decided before the mark, because commits are decided in the order of the queue.
    let may_come = if own {
        packs.is_held(pack.key)
    } else {
        writers::is_running(rows, pack.key.epoch)?
    };
    if may_come {
        return Ok(Swept::File);
    }
    draft.delete_entry(pack);
    Ok(Swept::FileAndRow)
}

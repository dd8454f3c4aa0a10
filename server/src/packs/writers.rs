//! The life of a writer: a process that may write packs has a row from before its first pack until after its last.
//!
//! The row of a marked pack stays after its file is removed, until its writer has ended, or knows that it holds no
//! lease of the pack. So a late commit of that process still finds the pack marked. An epoch has ended when its writer's row is absent; its
//! number does not matter, because several processes may write at once.

use crate::clock::UnixMillis;
use crate::packs::quarantine;
use crate::packs::shared::seal_at_last_use;
use crate::store::meta::Meta;
use crate::store::packs::Packs;
use crate::store::{Epoch, PackId, StoreError};
use crate::tables::draft::{Operation, Settled, settle};
use crate::tables::table::{exists, scan};
use crate::tables::{Keyed as _, Rows as _, WriterRow, Writers};

/// Writers ended per page.
const PAGE_WRITERS: usize = 100;

/// Records that this process may write from now on. Runs once, before its first pack is created. Blocks.
///
/// # Errors
/// When rows cannot be read or written.
pub(crate) fn begin(meta: &dyn Meta, epoch: Epoch, since: UnixMillis) -> Result<(), StoreError> {
    settle(meta, Operation::BeginWriter, |draft| {
        draft.require_absent(Writers, epoch);
        draft.put(Writers, epoch, &WriterRow { since, open: None });
        Ok(Settled::Commit(()))
    })
}

/// Records that a process writes no more. Its shared pack is already sealed. Blocks.
///
/// # Errors
/// When rows cannot be read or written.
pub(crate) fn end(meta: &dyn Meta, epoch: Epoch) -> Result<(), StoreError> {
    settle(meta, Operation::EndWriter, |draft| {
        match draft.read(Writers, epoch)? {
            // If sealing the pack failed, the writer keeps its row: the next start seals the pack and ends the writer.
            None | Some(WriterRow { open: Some(_), .. }) => Ok(Settled::Nothing(())),
            Some(WriterRow { open: None, .. }) => {
                draft.delete(Writers, epoch);
                Ok(Settled::Commit(()))
            }
        }
    })
}

/// Ends the writers that died: seals the packs that they left open, puts those with unnamed bodies into quarantine, and
/// records that they write no more. Returns the sealed packs. Runs once, at start. Blocks.
///
/// The caller holds the directory's lock, so no other process uses the store.
///
/// # Errors
/// When rows cannot be read or written.
pub(crate) fn end_crashed_writers(
    meta: &dyn Meta,
    packs: &dyn Packs,
    now: UnixMillis,
) -> Result<Vec<PackId>, StoreError> {
    let mut sealed = Vec::new();
    loop {
        let writers = scan(meta, Writers, &Writers.whole(), PAGE_WRITERS)?;
        for writer in &writers {
            if let Some(pack) = writer.value.open {
                let end = seal_at_last_use(meta, pack)?;
                quarantine_tail(meta, packs, pack, end, now)?;
                sealed.push(pack);
            }
            end(meta, writer.key)?;
        }
        if writers.len() < PAGE_WRITERS {
            return Ok(sealed);
        }
    }
}

/// Puts a pack into quarantine if a body follows the bytes that rows name.
fn quarantine_tail(
    meta: &dyn Meta,
    packs: &dyn Packs,
    pack: PackId,
    end: u64,
    now: UnixMillis,
) -> Result<(), StoreError> {
    // A file that is missing or cannot be read has no bodies to keep, and must not keep the server from its start.
    let Ok(Some(file)) = packs.entry(pack) else {
        return Ok(());
    };
    match quarantine::holds_unnamed(packs, &file, end) {
        Ok(true) => settle(meta, Operation::EndWriter, |draft| {
            quarantine::begin(draft, pack, now);
            Ok(Settled::Commit(()))
        }),
        Ok(false) => Ok(()),
        Err(error) => {
            tracing::error!(%pack, %error, "cannot tell whether the pack holds bodies that no row names");
            Ok(())
        }
    }
}

/// Whether packs of this epoch may still be written.
///
/// # Errors
/// When rows cannot be read.
pub(crate) fn is_running(meta: &dyn Meta, epoch: Epoch) -> Result<bool, StoreError> {
    exists(meta, Writers, epoch)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tables::Versioning;
    use crate::trial::{NOW, TestStorage};

    /// Each crash leaves a writer, and a store that crashes at each start collects them.
    #[tokio::test]
    async fn more_dead_writers_than_a_page_are_all_ended() {
        let storage = TestStorage::new(Versioning::Unversioned).await;
        let store = &storage.storage.store;
        // With the store's own writer, one more than two pages.
        for number in 1..=2 * PAGE_WRITERS {
            let epoch = Epoch(1000 + u32::try_from(number).expect("small"));
            begin(&*store.meta, epoch, NOW).expect("a new epoch");
        }
        end_crashed_writers(&*store.meta, &*store.packs, NOW).expect("ended");
        let left = scan(&*store.meta, Writers, &Writers.whole(), 10).expect("readable");
        assert_eq!(left.len(), 0);
    }
}

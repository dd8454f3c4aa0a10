//! Unused packs: first marked for deletion, then deleted after the grace period. Also pack files without a row.

use crate::gc::run::GcRun;
use crate::gc::walk::{RowDecision, Walk, Walked};
use crate::packs::mark::{self, Orphan};
use crate::packs::quarantine;
use crate::packs::sweep::{Reserve, Swept, sweep};
use crate::store::StoreError;
use crate::store::meta::walk::PAGE_ROWS;
use crate::store::packs::PackEntry;
use crate::tables::draft::Operation;
use crate::tables::{Draft, Keyed as _, PackRows, Quarantine};

/// Ends each quarantine that is over.
pub(super) fn end_quarantine(run: &GcRun<'_>) -> Result<Walked, StoreError> {
    run.walk("packs in quarantine")
        .each(Quarantine, Quarantine.whole(), |draft, pack| {
            let over = quarantine::end(draft, &pack, run.settings.quarantine, run.now)?;
            Ok(if over {
                RowDecision::Done
            } else {
                RowDecision::Keep
            })
        })
}

/// Marks each sealed pack without segments.
pub(super) fn mark_unused(run: &GcRun<'_>) -> Result<Walked, StoreError> {
    run.walk("packs without use")
        .each(PackRows, PackRows.whole(), |draft, pack| {
            let marked = mark::unused(draft, &pack, run.epoch, run.now)?;
            Ok(match marked {
                Some(_) => RowDecision::Done,
                None => RowDecision::Keep,
            })
        })
}

/// The result of the look at files without a row.
#[derive(Default)]
pub(super) struct Orphans {
    /// Those marked.
    pub(super) marked: Walked,
    /// Those put into quarantine.
    pub(super) quarantined: u64,
}

/// Marks each pack file that has no row and no live writer, or puts it into quarantine.
pub(super) fn mark_orphans(run: &GcRun<'_>) -> Result<Orphans, StoreError> {
    let mut walk = run.walk("files without a row");
    let mut quarantined = 0;
    let mut after = None;
    while walk.may_continue() {
        let files = match run.packs.list(after, PAGE_ROWS) {
            Ok(files) => files,
            Err(error) => {
                walk.skip(error)?;
                break;
            }
        };
        // ORDER: the list, then the leases, then the row. A writer holds its pack from before the file exists until its
        // commit is answered, so the pack of a file without a lease was either abandoned or has a row by now.
        for file in files.iter().filter(|file| !run.packs.is_held(file.pack)) {
            walk.walked.seen += 1;
            match orphan(&mut walk, file) {
                Ok(Orphan::Quarantined) => quarantined += 1,
                Ok(Orphan::Known | Orphan::Marked) => {}
                Err(error) => walk.skip(error)?,
            }
        }
        match files.last() {
            Some(last) if files.len() == PAGE_ROWS => after = Some(last.pack),
            _ => break,
        }
    }
    Ok(Orphans {
        marked: walk.walked,
        quarantined,
    })
}

fn orphan(walk: &mut Walk<'_>, file: &PackEntry) -> Result<Orphan, StoreError> {
    let mut draft = Draft::new(walk.meta(), Operation::Collect);
    let found = mark::orphan(&mut draft, walk.run.packs, file, walk.run.now)?;
    let done = match found {
        Orphan::Known => return Ok(found),
        Orphan::Marked => 1,
        Orphan::Quarantined => {
            tracing::warn!(
                pack = %file.pack,
                "a pack of an earlier start holds bodies that no row names; it stays for the time of quarantine: \
                 strongroom-server doctor shows them"
            );
            0
        }
    };
    let pending = walk.meta().commit(draft.into_txn());
    walk.settle(&mut vec![(pending, done)])?;
    Ok(found)
}

/// Sweeps marked packs.
pub(super) fn sweep_marked(run: &GcRun<'_>) -> Result<Walked, StoreError> {
    let reserve = Reserve {
        pins: run.pins,
        grace: run.settings.grace,
        now: run.now,
        epoch: run.epoch,
    };
    run.walk("marked packs")
        .each(PackRows, PackRows.whole(), |draft, pack| {
            let swept = sweep(draft, run.packs, &pack, reserve)?;
            Ok(match swept {
                Swept::FileAndRow => RowDecision::Done,
                Swept::InUse | Swept::Reserved | Swept::File => RowDecision::Keep,
            })
        })
}

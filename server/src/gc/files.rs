//! Unused packs: first marked for deletion, then deleted after the grace period. Also pack files without a row.

use crate::gc::run::GcRun;
use crate::gc::walk::{RowDecision, Walk, Walked};
use crate::packs::mark;
use crate::packs::sweep::{Reserve, Swept, sweep};
use crate::store::StoreError;
use crate::store::meta::walk::PAGE_ROWS;
use crate::store::packs::PackEntry;
use crate::tables::draft::Operation;
use crate::tables::{Draft, Keyed as _, PackRows};

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

/// Marks each pack file that has no row and no live writer.
pub(super) fn mark_orphans(run: &GcRun<'_>) -> Result<Walked, StoreError> {
    let mut walk = run.walk("files without a row");
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
            if let Err(error) = mark_orphan(&mut walk, file) {
                walk.skip(error)?;
            }
        }
        match files.last() {
            Some(last) if files.len() == PAGE_ROWS => after = Some(last.pack),
            _ => break,
        }
    }
    Ok(walk.walked)
}

fn mark_orphan(walk: &mut Walk<'_>, file: &PackEntry) -> Result<(), StoreError> {
    let mut draft = Draft::new(walk.meta(), Operation::Collect);
    if !mark::orphan(&mut draft, file.pack, walk.run.now)? {
        return Ok(());
    }
    let pending = walk.meta().commit(draft.into_txn());
    walk.settle(&mut vec![(pending, 1)])
}

/// Sweeps marked packs.
pub(super) fn sweep_marked(run: &GcRun<'_>) -> Result<Walked, StoreError> {
    let reserve = Reserve {
        pins: run.pins,
        grace: run.settings.grace,
        now: run.now,
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

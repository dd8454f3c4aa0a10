//! Frees what lost its last user: parts of completed or aborted uploads, then manifests.

use crate::gc::run::GcRun;
use crate::gc::walk::{RowDecision, Walked};
use crate::model::upload::PARTS_MAX;
use crate::objects::manifest;
use crate::packs::claim;
use crate::store::StoreError;
use crate::store::meta::walk::PAGE_ROWS;
use crate::tables::table::count;
use crate::tables::{
    DeadManifests, DeadRow, DeadUploads, Draft, Entry, Keyed as _, ManifestUsers, Parts,
};

/// Passes over dead uploads: each pass removes one page of parts from every upload, and the last pass removes the
/// upload's row. Uploads that end meanwhile are left to the next run.
fn passes_max() -> usize {
    usize::from(PARTS_MAX) / PAGE_ROWS + 2
}

/// Removes the parts of dead uploads.
pub(super) fn uploads(run: &GcRun<'_>) -> Result<Walked, StoreError> {
    let mut total = Walked::default();
    for _ in 0..passes_max() {
        let walk = run.walk("parts of dead uploads");
        let pass = walk.each(DeadUploads, DeadUploads.whole(), |draft, upload| {
            if upload.value.since > run.now {
                return Ok(RowDecision::Keep);
            }
            some_parts(run, draft, &upload)
        })?;
        total.seen += pass.seen;
        total.done += pass.done;
        total.applied += pass.applied;
        total.skipped += pass.skipped;
        // Rows that met a conflict are left to the next run.
        if pass.applied == 0 {
            break;
        }
    }
    Ok(total)
}

/// Removes one page of an upload's parts; with the last page, also the upload's row.
fn some_parts(
    run: &GcRun<'_>,
    draft: &mut Draft<'_>,
    upload: &Entry<DeadUploads>,
) -> Result<RowDecision, StoreError> {
    let parts = draft.scan(Parts, &Parts.of_upload(upload.key), PAGE_ROWS)?;
    for part in &parts {
        draft.delete(Parts, part.key);
        if let Some(manifest) = part.value.manifest {
            draft.add(ManifestUsers, manifest, -1);
            draft.put(DeadManifests, manifest, &DeadRow { since: run.now });
        }
    }
    if parts.len() == PAGE_ROWS {
        return Ok(RowDecision::Step);
    }
    draft.delete_entry(upload);
    Ok(RowDecision::Done)
}

/// Frees dead manifests without users, and removes the dead rows of manifests that have a user again.
pub(super) fn manifests(run: &GcRun<'_>) -> Result<Walked, StoreError> {
    run.walk("dead manifests")
        .each(DeadManifests, DeadManifests.whole(), |draft, dead| {
            // What dies while the run goes on is left to the next one, so that the run ends however fast clients delete.
            if dead.value.since > run.now {
                return Ok(RowDecision::Keep);
            }
            let id = dead.key;
            draft.delete_entry(&dead);
            let rows = draft.unrequired("the counter is required to be zero below");
            if count(rows, ManifestUsers, id)? != 0 {
                // It still has a user: the next release writes the dead row again.
                return Ok(RowDecision::Step);
            }
            draft.require_zero(ManifestUsers, id);
            let segments = manifest::remove(draft, id)?;
            claim::release(draft, id, &segments);
            Ok(RowDecision::Done)
        })
}

//! The reaper: manifests that lost their last user, uploads that were given up or expired, old answers of Complete.

use std::ops::ControlFlow;

use crate::clock::UnixMillis;
use crate::gc::{Walk, delete_same, same};
use crate::planted::{Bug, planted};
use crate::store::meta::walk::{KeyRange, PAGE_ROWS, each_page, row_of};
use crate::store::meta::{Condition, Key, Meta, Outcome, Pending, Row, Txn, Write};
use crate::store::packs::Segment;
use crate::store::{ManifestId, StoreError};
use crate::tables::keys::{
    of_manifest, of_upload, split_manifest, split_upload, split_upload_id, whole,
};
use crate::tables::{
    CompletedRow, DeadRow, Keyspace, ManifestChunk, ManifestHead, PartRow, Record, RowKey,
    UploadRow,
};

/// Commits that wait for one sync: enough to make it cheap, few enough that the largest transactions fit in memory.
const COMMITS_AT_ONCE: usize = 64;

/// What one pass over a keyspace did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Reaped {
    /// Rows looked at.
    pub seen: u64,
    /// Rows settled: manifests freed or found in use again, pages of parts taken, answers forgotten.
    pub done: u64,
}

/// Frees each dead manifest that has no user; forgets those that have one again.
///
/// # Errors
/// When rows cannot be read or written.
pub(crate) fn manifests(walk: &Walk<'_>) -> Result<Reaped, StoreError> {
    each_row(walk, whole(Keyspace::DeadManifest), |key, row| {
        let id = split_manifest(key, Keyspace::DeadManifest)?;
        manifest(walk.meta, id, key, row).map(Some)
    })
}

fn manifest(
    meta: &dyn Meta,
    id: ManifestId,
    dead: &Key,
    dead_row: &Row,
) -> Result<Txn, StoreError> {
    let users = RowKey::ManifestUsers(id).encode();
    let mut txn = delete_same(dead, dead_row);
    if row_of(meta, &users)?.is_some() {
        // A counter at zero has no row: this one has a user left, so the next release will tell us again.
        return Ok(txn);
    }
    txn.conditions.push(Condition::Zero(users));
    let range = of_manifest(id);
    let chunks = meta.scan(
        &range.from,
        &range.to,
        crate::objects::manifest::MANIFEST_CHUNKS_MAX + 1,
    )?;
    let mut segments = Vec::new();
    for (number, (key, row)) in (0_u64..).zip(&chunks) {
        segments.extend(match number {
            0 => ManifestHead::decode(key, row)?.segments,
            _ => ManifestChunk::decode(key, row)?.segments,
        });
        txn.conditions.push(same(key, row));
        txn.writes.push(Write::Delete(key.clone()));
    }
    txn.writes
        .push(Write::Delete(RowKey::PartTable(id).encode()));
    free_packs(&mut txn, id, &segments);
    Ok(txn)
}

/// Takes the segments off their packs' counters.
fn free_packs(txn: &mut Txn, id: ManifestId, segments: &[Segment]) {
    let mut by_pack = std::collections::BTreeMap::new();
    for segment in segments {
        let (count, bytes) = by_pack.entry(segment.pack).or_insert((0_i64, 0_i64));
        *count += 1;
        *bytes += i64::try_from(segment.stored_len).unwrap_or(i64::MAX);
    }
    for (pack, (mut count, bytes)) in by_pack {
        if planted(Bug::DecrementTwice) {
            count *= 2;
        }
        txn.writes
            .push(Write::Add(RowKey::PackSegments(pack).encode(), -count));
        txn.writes
            .push(Write::Add(RowKey::PackLive(pack).encode(), -bytes));
        txn.writes
            .push(Write::Delete(RowKey::PackUser(pack, id).encode()));
    }
}

/// Takes the parts of uploads that were completed or given up, some at a time until none is left.
///
/// # Errors
/// When rows cannot be read or written.
pub(crate) fn uploads(walk: &Walk<'_>, now: UnixMillis) -> Result<Reaped, StoreError> {
    let mut total = Reaped::default();
    loop {
        let pass = each_row(walk, whole(Keyspace::DeadUpload), |dead, dead_row| {
            some_parts(walk.meta, dead, dead_row, now).map(Some)
        })?;
        total.seen += pass.seen;
        total.done += pass.done;
        // What a conflict held up is left to the next round.
        if pass.done == 0 {
            return Ok(total);
        }
    }
}

/// Takes one page of an upload's parts; with the last of them, the upload is forgotten.
fn some_parts(
    meta: &dyn Meta,
    dead: &Key,
    dead_row: &Row,
    now: UnixMillis,
) -> Result<Txn, StoreError> {
    let range = of_upload(split_upload_id(dead, Keyspace::DeadUpload)?);
    let parts = meta.scan(&range.from, &range.to, PAGE_ROWS)?;
    let mut txn = Txn::default();
    for (key, row) in &parts {
        release_part(&mut txn, key, row, now)?;
    }
    if parts.len() < PAGE_ROWS {
        txn.conditions.push(same(dead, dead_row));
        txn.writes.push(Write::Delete(dead.clone()));
    }
    Ok(txn)
}

fn release_part(txn: &mut Txn, key: &Key, row: &Row, now: UnixMillis) -> Result<(), StoreError> {
    txn.conditions.push(same(key, row));
    txn.writes.push(Write::Delete(key.clone()));
    if let Some(manifest) = PartRow::decode(key, row)?.manifest {
        txn.writes
            .push(Write::Add(RowKey::ManifestUsers(manifest).encode(), -1));
        txn.writes.push(Write::Put(
            RowKey::DeadManifest(manifest).encode(),
            DeadRow { since: now }.encode(),
        ));
    }
    Ok(())
}

/// Gives up uploads that were begun before `before`.
///
/// # Errors
/// When rows cannot be read or written.
pub(crate) fn expired_uploads(
    walk: &Walk<'_>,
    before: UnixMillis,
    now: UnixMillis,
) -> Result<Reaped, StoreError> {
    each_row(walk, whole(Keyspace::Upload), |key, row| {
        if UploadRow::decode(key, row)?.initiated >= before {
            return Ok(None);
        }
        let (_, upload) = split_upload(key)?;
        let mut txn = delete_same(key, row);
        let dead = DeadRow { since: now }.encode();
        txn.writes
            .push(Write::Put(RowKey::DeadUpload(upload).encode(), dead));
        Ok(Some(txn))
    })
}

/// Forgets answers of Complete from before `before`.
///
/// # Errors
/// When rows cannot be read or written.
pub(crate) fn old_answers(walk: &Walk<'_>, before: UnixMillis) -> Result<Reaped, StoreError> {
    each_row(walk, whole(Keyspace::Completed), |key, row| {
        let old = CompletedRow::decode(key, row)?.time < before;
        Ok(old.then(|| delete_same(key, row)))
    })
}

/// Asks `judge` for each row of a range, a page at a time, what to commit for it; the commits of one page share syncs.
/// Ends early when the walk may not go on.
pub(super) fn each_row(
    walk: &Walk<'_>,
    range: KeyRange,
    mut judge: impl FnMut(&Key, &Row) -> Result<Option<Txn>, StoreError>,
) -> Result<Reaped, StoreError> {
    let mut reaped = Reaped::default();
    let mut waiting = Vec::new();
    if !walk.goes_on(0) {
        return Ok(reaped);
    }
    each_page(walk.meta, range, |rows| {
        for (key, row) in rows {
            reaped.seen += 1;
            waiting.extend(judge(key, row)?.map(|txn| walk.meta.commit(txn)));
            if waiting.len() == COMMITS_AT_ONCE {
                reaped.done += settled(&mut waiting)?;
            }
        }
        // A page is settled before the next one is begun, so that a walk may end between two.
        reaped.done += settled(&mut waiting)?;
        Ok(if walk.goes_on(reaped.seen) {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        })
    })?;
    Ok(reaped)
}

/// Waits for commits and tells how many applied.
fn settled(waiting: &mut Vec<Pending>) -> Result<u64, StoreError> {
    let mut applied = 0;
    for pending in waiting.drain(..) {
        applied += u64::from(matches!(pending.wait_blocking()?, Outcome::Done(_)));
    }
    Ok(applied)
}

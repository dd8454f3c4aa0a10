//! What a collection would free, by reading alone.
//!
//! It follows the steps of a round: what one step would free counts as freed for the next. A running server may change
//! all of it a moment later, so this is a forecast and no promise.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::Serialize;

use crate::clock::UnixMillis;
use crate::gc::round::{COMPLETED_KEPT, UPLOAD_AGE_MAX, before};
use crate::objects::manifest::read_manifest;
use crate::store::meta::Meta;
use crate::store::meta::walk::{PAGE_ROWS, counter, each_row, row_of};
use crate::store::packs::Packs;
use crate::store::{ManifestId, PackId, StoreError};
use crate::tables::keys::{of_upload, split_manifest, split_upload, split_upload_id, whole};
use crate::tables::{CompletedRow, Keyspace, PackRow, PartRow, Record, RowKey, UploadRow};

/// What a collection would do now.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Plan {
    /// Open uploads that are too old.
    pub expired_uploads: u64,
    /// Uploads whose parts leave.
    pub uploads: u64,
    /// Manifests that nothing uses.
    pub manifests: u64,
    /// Answers of Complete that nobody asks for any more.
    pub answers: u64,
    /// Packs that nothing would use, by name, with the bytes that come free once their grace has passed.
    pub condemned: BTreeMap<String, u64>,
    /// Pack files without a row, by name, with their bytes.
    pub orphans: BTreeMap<String, u64>,
    /// Condemned packs whose grace has passed, by name, with the bytes that come free at once.
    pub removed: BTreeMap<String, u64>,
    /// Condemned packs that stay until their grace has passed.
    pub waiting: u64,
    /// Bytes that all of it frees in the end.
    pub bytes: u64,
}

/// Tells what a collection at `now` would do. Blocks.
///
/// # Errors
/// When rows or the packs' folder cannot be read.
pub fn plan(
    meta: &dyn Meta,
    packs: &dyn Packs,
    grace: Duration,
    now: UnixMillis,
) -> Result<Plan, StoreError> {
    let mut plan = Plan::default();
    let leaving = uploads(meta, now, &mut plan)?;
    let dead = manifests(meta, &leaving)?;
    plan.manifests = u64::try_from(dead.len()).unwrap_or(u64::MAX);
    each_row(meta, whole(Keyspace::Completed), |key, row| {
        let old = CompletedRow::decode(key, row)?.time < before(now, COMPLETED_KEPT);
        plan.answers += u64::from(old);
        Ok(())
    })?;
    let mut freed: BTreeMap<PackId, i64> = BTreeMap::new();
    for manifest in &dead {
        for segment in read_manifest(meta, *manifest)?.unwrap_or_default() {
            *freed.entry(segment.pack).or_default() += 1;
        }
    }
    let mut after = None;
    loop {
        let files = packs.list(after, PAGE_ROWS)?;
        for file in &files {
            let key = RowKey::Pack(file.pack).encode();
            let row = row_of(meta, &key)?;
            let row = row.map(|row| PackRow::decode(&key, &row)).transpose()?;
            let list = match row {
                None => &mut plan.orphans,
                Some(PackRow::Condemned { since }) if now.since(since) >= grace => {
                    &mut plan.removed
                }
                Some(PackRow::Condemned { .. }) => {
                    plan.waiting += 1;
                    plan.bytes += file.len;
                    continue;
                }
                Some(PackRow::Sealed { .. })
                    if in_use(meta, file.pack)? <= freed.get(&file.pack).copied().unwrap_or(0) =>
                {
                    &mut plan.condemned
                }
                Some(PackRow::Sealed { .. } | PackRow::Live) => continue,
            };
            list.insert(file.pack.to_string(), file.len);
            plan.bytes += file.len;
        }
        match files.last() {
            Some(last) if files.len() == PAGE_ROWS => after = Some(last.pack),
            _ => return Ok(plan),
        }
    }
}

/// Counts uploads that leave, and gives how many users each manifest loses with them.
fn uploads(
    meta: &dyn Meta,
    now: UnixMillis,
    plan: &mut Plan,
) -> Result<BTreeMap<ManifestId, i64>, StoreError> {
    let mut dead = BTreeSet::new();
    each_row(meta, whole(Keyspace::Upload), |key, row| {
        if UploadRow::decode(key, row)?.initiated < before(now, UPLOAD_AGE_MAX) {
            plan.expired_uploads += 1;
            dead.insert(split_upload(key)?.1);
        }
        Ok(())
    })?;
    each_row(meta, whole(Keyspace::DeadUpload), |key, _| {
        plan.uploads += 1;
        dead.insert(split_upload_id(key, Keyspace::DeadUpload)?);
        Ok(())
    })?;
    let mut leaving = BTreeMap::new();
    for upload in dead {
        each_row(meta, of_upload(upload), |key, row| {
            if let Some(manifest) = PartRow::decode(key, row)?.manifest {
                *leaving.entry(manifest).or_default() += 1;
            }
            Ok(())
        })?;
    }
    Ok(leaving)
}

/// Manifests that have no user, or none once the leaving uploads are gone.
fn manifests(
    meta: &dyn Meta,
    leaving: &BTreeMap<ManifestId, i64>,
) -> Result<BTreeSet<ManifestId>, StoreError> {
    let mut dead = BTreeSet::new();
    each_row(meta, whole(Keyspace::DeadManifest), |key, _| {
        let id = split_manifest(key, Keyspace::DeadManifest)?;
        if counter(meta, &RowKey::ManifestUsers(id).encode())? == 0 {
            dead.insert(id);
        }
        Ok(())
    })?;
    for (id, lost) in leaving {
        if counter(meta, &RowKey::ManifestUsers(*id).encode())? <= *lost {
            dead.insert(*id);
        }
    }
    Ok(dead)
}

fn in_use(meta: &dyn Meta, pack: PackId) -> Result<i64, StoreError> {
    counter(meta, &RowKey::PackSegments(pack).encode())
}

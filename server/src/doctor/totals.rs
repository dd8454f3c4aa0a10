//! Totals over the rows, for comparison with the counters in the store.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::doctor::rows::each;
use crate::doctor::{Census, Findings};
use crate::model::{BucketId, UploadId};
use crate::objects::manifest::read_manifest;
use crate::store::meta::Meta;
use crate::store::meta::row::decode_counter;
use crate::store::packs::Segment;
use crate::store::{ManifestId, PackId, StoreError};
use crate::tables::table::{count, exists, tallied};
use crate::tables::{
    DeadManifests, Keyed as _, LogicalBytes, ManifestUsers, PackLive, PackSegments, StoredBytes,
    total,
};

/// The totals.
#[derive(Debug, Default)]
pub(super) struct Totals {
    /// Every bucket.
    pub(super) buckets: BTreeSet<BucketId>,
    /// Every open upload.
    pub(super) uploads: BTreeSet<UploadId>,
    /// The number of versions and parts that use each manifest.
    pub(super) users: HashMap<ManifestId, i64>,
    /// The segments that manifests have in each pack.
    pub(super) packs: BTreeMap<PackId, PackUse>,
    /// Plain bytes of all versions.
    pub(super) plain: i64,
    /// Length of all sealed packs.
    pub(super) sealed: i64,
    /// Growing packs, by their own rows.
    pub(super) live: BTreeSet<PackId>,
    /// Growing packs, by the rows of their writers.
    pub(super) open: BTreeSet<PackId>,
}

/// The first byte after a segment.
pub(super) fn end_of(segment: &Segment) -> u64 {
    segment.offset.saturating_add(segment.stored_len)
}

/// The segments that manifests have in one pack.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct PackUse {
    segments: i64,
    stored: i64,
    /// The end of the last segment in use.
    pub(super) end: u64,
}

impl Totals {
    pub(super) fn uses(&mut self, manifest: ManifestId) {
        *self.users.entry(manifest).or_default() += 1;
    }

    pub(super) fn holds(&mut self, segments: &[Segment]) {
        for segment in segments {
            let holding = self.packs.entry(segment.pack).or_default();
            holding.segments += 1;
            holding.end = holding.end.max(end_of(segment));
            let stored = i64::try_from(segment.stored_len).unwrap_or(i64::MAX);
            holding.stored = holding.stored.saturating_add(stored);
        }
    }

    /// Compares the totals with the counters.
    pub(super) fn check(&self, meta: &dyn Meta, census: &mut Census, findings: &mut Findings) {
        if let Err(error) = self.compare(meta, census, findings) {
            findings.store(&error);
        }
        self.open_packs(findings);
    }

    /// Every growing pack must be the open pack of a writer: any other is never sealed and never freed.
    fn open_packs(&self, findings: &mut Findings) {
        for pack in self.live.difference(&self.open) {
            findings.pack(
                *pack,
                format!("pack {pack} is live, and no writer's open pack: nothing will seal it"),
            );
        }
        for open in self.open.difference(&self.live) {
            findings.rows(format!("the open pack {open} is not live"));
        }
    }

    fn compare(
        &self,
        meta: &dyn Meta,
        census: &mut Census,
        findings: &mut Findings,
    ) -> Result<(), StoreError> {
        for (pack, holding) in &self.packs {
            let kept = count(meta, PackSegments, *pack)?;
            differs(
                findings,
                &format!("segments in use in pack {pack}"),
                holding.segments,
                kept,
            );
            let kept = tallied(meta, PackLive, *pack)?;
            differs(
                findings,
                &format!("bytes in use in pack {pack}"),
                holding.stored,
                kept,
            );
        }
        let sums = [
            (
                "plain bytes of all objects",
                self.plain,
                total(meta, LogicalBytes)?,
            ),
            (
                "stored bytes of all packs",
                self.sealed,
                total(meta, StoredBytes)?,
            ),
        ];
        for (what, counted, kept) in sums {
            differs(
                findings,
                what,
                counted,
                i64::try_from(kept).unwrap_or(i64::MAX),
            );
        }
        self.compare_users(meta, census, findings)?;
        self.orphan_counters(meta, findings)
    }

    /// Compares each manifest's users by count and by counter; one without users must be marked dead.
    fn compare_users(
        &self,
        meta: &dyn Meta,
        census: &mut Census,
        findings: &mut Findings,
    ) -> Result<(), StoreError> {
        for (manifest, counted) in &self.users {
            let kept = count(meta, ManifestUsers, *manifest)?;
            if *counted != kept {
                findings.rows(format!(
                    "users of manifest {manifest}: {counted} by count, {kept} by the counter"
                ));
            }
            if *counted > 0 && read_manifest(meta, *manifest)?.is_none() {
                findings.rows(format!("manifest {manifest} is used and is not there"));
            }
            if *counted == 0 {
                census.dead += 1;
                if !exists(meta, DeadManifests, *manifest)? {
                    findings.rows(format!(
                        "manifest {manifest} has no user, and nobody was told to free it"
                    ));
                }
            }
        }
        Ok(())
    }

    /// Counters of things that do not exist.
    fn orphan_counters(&self, meta: &dyn Meta, findings: &mut Findings) -> Result<(), StoreError> {
        each(meta, PackSegments.whole().keys, |key, row| {
            let pack = PackSegments.split(key)?;
            if !self.packs.contains_key(&pack) {
                let what = format!("segments in use in pack {pack}");
                differs(findings, &what, 0, decode_counter(key, &row.value)?);
            }
            Ok(())
        })?;
        each(meta, PackLive.whole().keys, |key, row| {
            let pack = PackLive.split(key)?;
            if !self.packs.contains_key(&pack) {
                let what = format!("bytes in use in pack {pack}");
                differs(findings, &what, 0, decode_counter(key, &row.value)?);
            }
            Ok(())
        })?;
        each(meta, ManifestUsers.whole().keys, |key, row| {
            let manifest = ManifestUsers.split(key)?;
            if !self.users.contains_key(&manifest) {
                let what = format!("users of manifest {manifest}");
                differs(findings, &what, 0, decode_counter(key, &row.value)?);
            }
            Ok(())
        })
    }
}

fn differs(findings: &mut Findings, what: &str, counted: i64, kept: i64) {
    if counted != kept {
        findings.rows(format!("{what}: {counted} by count, {kept} by the counter"));
    }
}

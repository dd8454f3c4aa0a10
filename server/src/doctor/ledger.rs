//! Sums over the rows, to be compared with the counters that the rows keep.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::doctor::{Census, Findings};
use crate::model::{BucketId, UploadId};
use crate::objects::manifest::read_manifest;
use crate::store::meta::Meta;
use crate::store::meta::row::decode_counter;
use crate::store::meta::walk::{counter, row_of};
use crate::store::packs::Segment;
use crate::store::{ManifestId, PackId, StoreError};
use crate::tables::keys::whole;
use crate::tables::{Keyspace, RowKey};

/// What was counted.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// Every bucket.
    pub(super) buckets: BTreeSet<BucketId>,
    /// Every open upload.
    pub(super) uploads: BTreeSet<UploadId>,
    /// How many versions and parts use each manifest.
    pub(super) users: HashMap<ManifestId, i64>,
    /// What manifests hold in each pack.
    pub(super) packs: BTreeMap<PackId, Holding>,
    /// Plain bytes of all versions.
    pub(super) plain: i64,
    /// Length of all sealed packs.
    pub(super) sealed: i64,
    /// Packs that still grow, by their rows.
    pub(super) live: BTreeSet<PackId>,
    /// The one that may, by the row of the open pack.
    pub(super) open: Option<PackId>,
}

/// The first byte behind a segment.
pub(super) fn end_of(segment: &Segment) -> u64 {
    segment.offset.saturating_add(segment.stored_len)
}

/// What manifests hold in a pack.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Holding {
    segments: i64,
    stored: i64,
    /// Where the last segment in use ends.
    pub(super) end: u64,
}

impl Ledger {
    pub(super) fn uses(&mut self, manifest: ManifestId) {
        *self.users.entry(manifest).or_default() += 1;
    }

    pub(super) fn holds(&mut self, segments: &[Segment]) {
        for segment in segments {
            let holding = self.packs.entry(segment.pack).or_default();
            holding.segments += 1;
            holding.end = holding.end.max(end_of(segment));
            holding.stored += i64::try_from(segment.stored_len).unwrap_or(i64::MAX);
        }
    }

    /// Compares the sums with the counters.
    pub(super) fn balance(&self, meta: &dyn Meta, census: &mut Census, findings: &mut Findings) {
        if let Err(error) = self.compare(meta, census, findings) {
            findings.store(&error);
        }
        self.open_packs(findings);
    }

    /// At most one pack grows, and the row of the open pack names it: any other is never sealed and never freed.
    fn open_packs(&self, findings: &mut Findings) {
        for pack in self.live.iter().filter(|pack| self.open != Some(**pack)) {
            let named = match self.open {
                Some(open) => format!("names {open}"),
                None => "is not there".to_owned(),
            };
            findings.pack(
                *pack,
                format!("pack {pack} is live, and the row of the open pack {named}: nothing will seal it"),
            );
        }
        if let Some(open) = self.open.filter(|open| !self.live.contains(open)) {
            findings.rows(format!("the open pack {open} is not live"));
        }
    }

    fn compare(
        &self,
        meta: &dyn Meta,
        census: &mut Census,
        findings: &mut Findings,
    ) -> Result<(), StoreError> {
        let mut differs = |what: String, counted: i64, kept: i64| {
            if counted != kept {
                findings.rows(format!("{what}: {counted} by count, {kept} by the counter"));
            }
        };
        for (pack, holding) in &self.packs {
            let (segments, stored) = (RowKey::PackSegments(*pack), RowKey::PackLive(*pack));
            differs(
                format!("segments in use in pack {pack}"),
                holding.segments,
                counter(meta, &segments.encode())?,
            );
            differs(
                format!("bytes in use in pack {pack}"),
                holding.stored,
                counter(meta, &stored.encode())?,
            );
        }
        differs(
            "plain bytes of all objects".to_owned(),
            self.plain,
            counter(meta, &RowKey::LogicalBytes.encode())?,
        );
        differs(
            "stored bytes of all packs".to_owned(),
            self.sealed,
            counter(meta, &RowKey::StoredBytes.encode())?,
        );
        self.compare_users(meta, census, findings)?;
        self.strays(meta, findings)
    }

    /// Each manifest's users by count and by counter, and that one without any is on its way out.
    fn compare_users(
        &self,
        meta: &dyn Meta,
        census: &mut Census,
        findings: &mut Findings,
    ) -> Result<(), StoreError> {
        for (manifest, counted) in &self.users {
            let kept = counter(meta, &RowKey::ManifestUsers(*manifest).encode())?;
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
                let dead = RowKey::DeadManifest(*manifest).encode();
                if row_of(meta, &dead)?.is_none() {
                    findings.rows(format!(
                        "manifest {manifest} has no user, and nobody was told to free it"
                    ));
                }
            }
        }
        Ok(())
    }

    /// Counters of what nothing holds.
    fn strays(&self, meta: &dyn Meta, findings: &mut Findings) -> Result<(), StoreError> {
        for (keyspace, what) in [
            (Keyspace::PackSegments, "segments in use"),
            (Keyspace::PackLive, "bytes in use"),
        ] {
            super::rows::each(meta, whole(keyspace), |key, row| {
                let pack = crate::tables::keys::split_pack(key, keyspace)?;
                let kept = decode_counter(key, &row.value)?;
                if kept != 0 && !self.packs.contains_key(&pack) {
                    findings.rows(format!(
                        "{what} in pack {pack}: 0 by count, {kept} by the counter"
                    ));
                }
                Ok(())
            })?;
        }
        super::rows::each(meta, whole(Keyspace::ManifestUsers), |key, row| {
            let manifest = crate::tables::keys::split_manifest(key, Keyspace::ManifestUsers)?;
            let kept = decode_counter(key, &row.value)?;
            if kept != 0 && !self.users.contains_key(&manifest) {
                findings.rows(format!(
                    "users of manifest {manifest}: 0 by count, {kept} by the counter"
                ));
            }
            Ok(())
        })
    }
}

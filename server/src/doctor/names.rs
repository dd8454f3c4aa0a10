//! Which objects a damaged manifest belongs to: looked up only when there is damage, by one walk over versions and parts.

use std::collections::{BTreeMap, BTreeSet};

use crate::doctor::Findings;
use crate::model::{BucketId, UploadId};
use crate::store::meta::Meta;
use crate::store::{ManifestId, StoreError};
use crate::tables::keys::{
    split_bucket, split_bucket_id, split_part_upload, split_upload, split_version, whole,
};
use crate::tables::{BucketRow, Keyspace, PartRow, Record, VersionKind, VersionRow};

/// Objects named for one finding; more share the same bytes and the same fate.
const NAMES_MAX: usize = 20;

/// Adds the names of the objects that use damaged manifests to the findings about them.
pub(super) fn add_objects(
    meta: &dyn Meta,
    damaged: &BTreeSet<ManifestId>,
    findings: &mut Findings,
) {
    if damaged.is_empty() {
        return;
    }
    // What cannot be read has a finding of its own.
    let names = of_manifests(meta, damaged).unwrap_or_default();
    for finding in &mut findings.kept {
        let found = finding.manifest.and_then(|id| names.get(&id));
        finding
            .objects
            .extend(found.into_iter().flatten().take(NAMES_MAX).cloned());
    }
}

fn of_manifests(
    meta: &dyn Meta,
    damaged: &BTreeSet<ManifestId>,
) -> Result<BTreeMap<ManifestId, Vec<String>>, StoreError> {
    let mut buckets: BTreeMap<BucketId, String> = BTreeMap::new();
    super::rows::each(meta, whole(Keyspace::Bucket), |key, row| {
        let name = split_bucket(key)?.to_string();
        buckets.insert(BucketRow::decode(key, row)?.id, name);
        Ok(())
    })?;
    let bucket_of = |bucket| buckets.get(&bucket).map_or("?", String::as_str);
    let mut names: BTreeMap<ManifestId, Vec<String>> = BTreeMap::new();
    super::rows::each(meta, whole(Keyspace::Version), |key, row| {
        let VersionKind::Object(data) = VersionRow::decode(key, row)?.kind else {
            return Ok(());
        };
        if let Some(id) = data.manifest.filter(|id| damaged.contains(id)) {
            let bucket = bucket_of(split_bucket_id(key, Keyspace::Version)?);
            let (object, _) = split_version(key)?;
            names
                .entry(id)
                .or_default()
                .push(format!("s3://{bucket}/{object}"));
        }
        Ok(())
    })?;
    let mut uploads: BTreeMap<UploadId, Vec<ManifestId>> = BTreeMap::new();
    super::rows::each(meta, whole(Keyspace::Part), |key, row| {
        if let Some(id) = PartRow::decode(key, row)?
            .manifest
            .filter(|id| damaged.contains(id))
        {
            uploads.entry(split_part_upload(key)?).or_default().push(id);
        }
        Ok(())
    })?;
    super::rows::each(meta, whole(Keyspace::Upload), |key, _| {
        let (object, upload) = split_upload(key)?;
        let bucket = bucket_of(split_bucket_id(key, Keyspace::Upload)?);
        for id in uploads.remove(&upload).into_iter().flatten() {
            names
                .entry(id)
                .or_default()
                .push(format!("s3://{bucket}/{object} (upload {upload})"));
        }
        Ok(())
    })?;
    Ok(names)
}

//! The objects that a damaged manifest belongs to. They are looked up only after damage, by one walk over versions and
//! parts.

use std::collections::{BTreeMap, BTreeSet};

use crate::doctor::Findings;
use crate::doctor::rows::each_entry;
use crate::model::{BucketId, UploadId};
use crate::store::meta::Meta;
use crate::store::{ManifestId, StoreError};
use crate::tables::{Buckets, Parts, Uploads, VersionKind, Versions};

/// Objects named for one finding; more objects may share the same bytes.
const NAMES_MAX: usize = 20;

/// Adds the names of the objects that use damaged manifests to the findings about those manifests.
pub(super) fn add_objects(
    meta: &dyn Meta,
    damaged: &BTreeSet<ManifestId>,
    findings: &mut Findings,
) {
    if damaged.is_empty() {
        return;
    }
    // Unreadable rows have findings of their own.
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
    each_entry(meta, Buckets, |bucket| {
        buckets.insert(bucket.value.id, bucket.key.to_string());
        Ok(())
    })?;
    let bucket_of = |bucket| buckets.get(&bucket).map_or("?", String::as_str);
    let mut names: BTreeMap<ManifestId, Vec<String>> = BTreeMap::new();
    each_entry(meta, Versions, |version| {
        let VersionKind::Object(data) = version.value.kind else {
            return Ok(());
        };
        if let Some(id) = data.manifest.filter(|id| damaged.contains(id)) {
            let (bucket, object, _) = version.key;
            let name = format!("s3://{}/{object}", bucket_of(bucket));
            names.entry(id).or_default().push(name);
        }
        Ok(())
    })?;
    let mut uploads: BTreeMap<UploadId, Vec<ManifestId>> = BTreeMap::new();
    each_entry(meta, Parts, |part| {
        if let Some(id) = part.value.manifest.filter(|id| damaged.contains(id)) {
            uploads.entry(part.key.0).or_default().push(id);
        }
        Ok(())
    })?;
    each_entry(meta, Uploads, |upload| {
        let (bucket, object, upload) = upload.key;
        for id in uploads.remove(&upload).into_iter().flatten() {
            let name = format!("s3://{}/{object} (upload {upload})", bucket_of(bucket));
            names.entry(id).or_default().push(name);
        }
        Ok(())
    })?;
    Ok(names)
}

//! Checks that every row decodes, and that rows which name each other agree.

use std::ops::ControlFlow;

use crate::doctor::totals::{Totals, end_of};
use crate::doctor::{Census, Findings};
use crate::model::{BucketId, UploadId};
use crate::objects::manifest::{read_manifest, segments};
use crate::store::StoreError;
use crate::store::meta::row::decode_counter;
use crate::store::meta::walk::{KeyRange, each_page};
use crate::store::meta::{Key, Meta, Row};
use crate::tables::table::{after_prefix, exists, get};
use crate::tables::{
    BucketVersioning, Buckets, Completions, Currents, DeadManifests, DeadUploads, Entry, Heads,
    Keyed as _, Keyspace, ManifestChunks, ManifestHeads, PackRow, PackRows, PackUsers, PartTables,
    Parts, Quarantine, Table, Uploads, VersionKind, Versions, Writers,
};

/// Checks all rows, adds them to the totals, and returns whether every row could be read.
pub(super) fn check(
    meta: &dyn Meta,
    totals: &mut Totals,
    census: &mut Census,
    findings: &mut Findings,
) -> bool {
    let mut readable = true;
    for keyspace in Keyspace::ALL {
        let ended = each(meta, whole(keyspace), |key, row| {
            census.rows += 1;
            let mut check = Check {
                meta,
                totals,
                census,
                findings,
            };
            if let Err(error) = check.row(keyspace, key, row) {
                readable = false;
                findings.store(&error);
            }
            Ok(())
        });
        if let Err(error) = ended {
            // The engine cannot read further: the rest of the keyspace is not checked.
            readable = false;
            findings.store(&error);
        }
    }
    readable
}

/// Calls `visit` for each row of a range. Each page is read a second time by key, which also reads the engine's
/// filters.
pub(super) fn each(
    meta: &dyn Meta,
    range: KeyRange,
    mut visit: impl FnMut(&Key, &Row) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    each_page(meta, range, |rows| {
        let keys: Vec<Key> = rows.iter().map(|(key, _)| key.clone()).collect();
        for ((key, row), again) in rows.iter().zip(meta.get_many(&keys)?) {
            if again.as_ref() != Some(row) {
                return Err(StoreError::DamagedRow {
                    key: key.to_vec(),
                    what: "a scan finds it and a lookup does not",
                });
            }
            visit(key, row)?;
        }
        Ok(ControlFlow::Continue(()))
    })
}

/// Calls `visit` for each row of a table.
pub(super) fn each_entry<T: Table>(
    meta: &dyn Meta,
    table: T,
    mut visit: impl FnMut(Entry<T>) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    each(meta, table.whole().keys, |key, row| {
        visit(Entry::of(table, key, row)?)
    })
}

struct Check<'a> {
    meta: &'a dyn Meta,
    totals: &'a mut Totals,
    census: &'a mut Census,
    findings: &'a mut Findings,
}

impl Check<'_> {
    fn row(&mut self, keyspace: Keyspace, key: &Key, row: &Row) -> Result<(), StoreError> {
        match keyspace {
            Keyspace::Bucket => {
                let bucket = Entry::of(Buckets, key, row)?.value;
                self.totals.buckets.insert(bucket.id);
            }
            Keyspace::BucketSetting => self.setting(Entry::of(BucketVersioning, key, row)?.key),
            Keyspace::Current => self.current(&Entry::of(Currents, key, row)?)?,
            Keyspace::Head => self.head(&Entry::of(Heads, key, row)?)?,
            Keyspace::Version => self.version(&Entry::of(Versions, key, row)?),
            Keyspace::Upload => self.upload(&Entry::of(Uploads, key, row)?),
            Keyspace::Part => self.part(&Entry::of(Parts, key, row)?)?,
            Keyspace::Completed => {
                self.closed(Entry::of(Completions, key, row)?.key, "completed");
            }
            Keyspace::DeadUpload => {
                let upload = Entry::of(DeadUploads, key, row)?.key;
                self.closed(upload, "left to the collection");
            }
            Keyspace::DeadManifest => {
                Entry::of(DeadManifests, key, row)?;
            }
            Keyspace::Manifest => self.manifest(key, row)?,
            Keyspace::PartTable => {
                let id = Entry::of(PartTables, key, row)?.key;
                self.totals.users.entry(id).or_default();
            }
            Keyspace::Pack => self.pack(&Entry::of(PackRows, key, row)?),
            Keyspace::PackUser => self.pack_user(&Entry::of(PackUsers, key, row)?)?,
            Keyspace::Writer => {
                let writer = Entry::of(Writers, key, row)?.value;
                self.totals.open.extend(writer.open);
            }
            Keyspace::Quarantine => {
                Entry::of(Quarantine, key, row)?;
            }
            Keyspace::ManifestUsers
            | Keyspace::PackSegments
            | Keyspace::PackLive
            | Keyspace::LogicalBytes
            | Keyspace::StoredBytes => {
                decode_counter(key, &row.value)?;
            }
        }
        Ok(())
    }

    /// A setting must belong to a bucket.
    fn setting(&mut self, bucket: BucketId) {
        if !self.totals.buckets.contains(&bucket) {
            self.findings
                .rows("a setting belongs to a bucket that is not there".to_owned());
        }
    }

    /// A listing entry must match its version.
    fn current(&mut self, current: &Entry<Currents>) -> Result<(), StoreError> {
        let (bucket, object) = &current.key;
        let version = get(self.meta, Versions, (*bucket, object, current.value.number))?;
        let agrees = match version.map(|version| version.kind) {
            Some(VersionKind::Object(data)) => {
                data.size == current.value.size && data.etag == current.value.etag
            }
            Some(VersionKind::DeleteMarker) | None => false,
        };
        if !agrees {
            self.findings.rows(format!(
                "object {object} is listed, and its version does not agree"
            ));
        }
        Ok(())
    }

    /// The current version named by a head must exist, and must be listed unless it is a delete marker.
    fn head(&mut self, head: &Entry<Heads>) -> Result<(), StoreError> {
        let ((bucket, object), head) = (&head.key, head.value);
        let listed = exists(self.meta, Currents, (*bucket, object))?;
        for number in [head.current, head.null].into_iter().flatten() {
            let Some(version) = get(self.meta, Versions, (*bucket, object, number))? else {
                self.findings.rows(format!(
                    "object {object} has no version {}, which its head names",
                    number.0
                ));
                continue;
            };
            let is_object = matches!(version.kind, VersionKind::Object(_));
            if head.current == Some(number) && is_object != listed {
                self.findings.rows(format!(
                    "object {object} has a current version and its listing does not agree"
                ));
            }
        }
        Ok(())
    }

    fn version(&mut self, version: &Entry<Versions>) {
        let (bucket, object, _) = &version.key;
        self.census.objects += 1;
        if let VersionKind::Object(data) = &version.value.kind {
            let size = i64::try_from(data.size).unwrap_or(i64::MAX);
            self.totals.plain = self.totals.plain.saturating_add(size);
            if let Some(manifest) = data.manifest {
                self.totals.uses(manifest);
            } else if data.size > 0 {
                self.findings
                    .rows(format!("object {object} has a size and no bytes"));
            }
        }
        if !self.totals.buckets.contains(bucket) {
            self.findings.rows(format!(
                "object {object} lies in a bucket that is not there"
            ));
        }
    }

    fn upload(&mut self, upload: &Entry<Uploads>) {
        let (bucket, object, upload) = &upload.key;
        self.census.uploads += 1;
        self.totals.uploads.insert(*upload);
        if !self.totals.buckets.contains(bucket) {
            self.findings.rows(format!(
                "upload {upload} of {object} lies in a bucket that is not there"
            ));
        }
    }

    /// A part's upload must be open, or marked for collection.
    fn part(&mut self, part: &Entry<Parts>) -> Result<(), StoreError> {
        let (upload, number) = part.key;
        if let Some(manifest) = part.value.manifest {
            self.totals.uses(manifest);
        }
        if !self.totals.uploads.contains(&upload) && !exists(self.meta, DeadUploads, upload)? {
            self.findings.rows(format!(
                "part {} is of upload {upload}, which is neither open nor left to the collection",
                number.get()
            ));
        }
        Ok(())
    }

    /// An ended upload must not be open.
    fn closed(&mut self, upload: UploadId, how: &str) {
        if self.totals.uploads.contains(&upload) {
            self.findings
                .rows(format!("upload {upload} is {how}, and open as well"));
        }
    }

    /// A sealed pack must not end before the last segment in use.
    fn pack(&mut self, row: &Entry<PackRows>) {
        let pack = row.key;
        match row.value {
            PackRow::Live => {
                self.totals.live.insert(pack);
            }
            PackRow::Sealed { len } => {
                let sealed = i64::try_from(len).unwrap_or(i64::MAX);
                self.totals.sealed = self.totals.sealed.saturating_add(sealed);
                let used = self.totals.packs.get(&pack).map_or(0, |used| used.end);
                if len < used {
                    let what = format!("pack {pack} is sealed at {len}, and in use up to {used}");
                    self.findings.pack(pack, what);
                }
            }
            PackRow::Marked { .. } => {}
        }
    }

    /// A pack must know where its users end: the start after a crash seals it there.
    fn pack_user(&mut self, user: &Entry<PackUsers>) -> Result<(), StoreError> {
        let ((pack, manifest), said) = (user.key, user.value.end);
        let segments = read_manifest(self.meta, manifest)?.unwrap_or_default();
        let inside = segments.iter().filter(|segment| segment.pack == pack);
        match inside.map(end_of).max() {
            None => self.findings.rows(format!(
                "pack {pack} names manifest {manifest}, which has no segment in it"
            )),
            Some(end) if end != said => self.findings.rows(format!(
                "pack {pack} names manifest {manifest} up to {said}, and its last segment in it ends at {end}"
            )),
            Some(_) => {}
        }
        Ok(())
    }

    fn manifest(&mut self, key: &Key, row: &Row) -> Result<(), StoreError> {
        let (id, chunk) = ManifestChunks.split(key)?;
        let entries = if chunk == 0 {
            self.census.manifests += 1;
            self.totals.users.entry(id).or_default();
            ManifestHeads.value(key, row)?.entries
        } else {
            ManifestChunks.value(key, row)?.entries
        };
        let segments = segments(entries);
        self.totals.holds(&segments);
        for segment in &segments {
            if !exists(self.meta, PackUsers, (segment.pack, id))? {
                self.findings.rows(format!(
                    "manifest {id} has a segment in a pack that does not name it"
                ));
                break;
            }
        }
        Ok(())
    }
}

/// All rows of a keyspace, whatever table they belong to.
fn whole(keyspace: Keyspace) -> KeyRange {
    let from = Key::copy_from_slice(&[keyspace.number()]);
    let to = after_prefix(&from);
    KeyRange { from, to }
}

//! Every row decodes, and rows that name each other agree.

use std::ops::ControlFlow;

use crate::doctor::ledger::{Ledger, end_of};
use crate::doctor::{Census, Findings};
use crate::model::UploadId;
use crate::objects::manifest::read_manifest;
use crate::store::StoreError;
use crate::store::meta::row::decode_counter;
use crate::store::meta::walk::{KeyRange, each_page, row_of};
use crate::store::meta::{Key, Meta, Row};
use crate::tables::keys::{
    split_bucket, split_bucket_id, split_manifest, split_object, split_pack, split_pack_user,
    split_part, split_part_upload, split_upload, split_upload_id, split_version, whole,
};
use crate::tables::{
    BucketRow, CompletedRow, CurrentRow, DeadRow, HeadRow, Keyspace, ManifestChunk, ManifestHead,
    OpenPackRow, PackRow, PackUserRow, PartRow, PartTable, Record, RowKey, UploadRow, VersionKind,
    VersionRow,
};

/// What there is to check, keyspace by keyspace.
const KEYSPACES: [Keyspace; 19] = [
    Keyspace::Bucket,
    Keyspace::Current,
    Keyspace::Head,
    Keyspace::Version,
    Keyspace::Upload,
    Keyspace::Part,
    Keyspace::Completed,
    Keyspace::DeadUpload,
    Keyspace::Manifest,
    Keyspace::ManifestUsers,
    Keyspace::DeadManifest,
    Keyspace::PartTable,
    Keyspace::Pack,
    Keyspace::PackSegments,
    Keyspace::PackLive,
    Keyspace::PackUser,
    Keyspace::OpenPack,
    Keyspace::LogicalBytes,
    Keyspace::StoredBytes,
];

/// Checks all rows, counts them into the ledger, and tells whether every one could be read.
pub(super) fn check(
    meta: &dyn Meta,
    ledger: &mut Ledger,
    census: &mut Census,
    findings: &mut Findings,
) -> bool {
    let mut readable = true;
    for keyspace in KEYSPACES {
        let ended = each(meta, whole(keyspace), |key, row| {
            census.rows += 1;
            let mut check = Check {
                meta,
                ledger,
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
            // The engine cannot read on: what lies behind this point of the keyspace is not looked at.
            readable = false;
            findings.store(&error);
        }
    }
    readable
}

/// Calls `visit` for each row of a range; each page is read a second time by key, which reads the engine's filters, too.
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

struct Check<'a> {
    meta: &'a dyn Meta,
    ledger: &'a mut Ledger,
    census: &'a mut Census,
    findings: &'a mut Findings,
}

impl Check<'_> {
    fn row(&mut self, keyspace: Keyspace, key: &Key, row: &Row) -> Result<(), StoreError> {
        match keyspace {
            Keyspace::Bucket => {
                split_bucket(key)?;
                let bucket = BucketRow::decode(key, row)?;
                self.ledger.buckets.insert(bucket.id);
            }
            Keyspace::Current => self.current(key, row)?,
            Keyspace::Head => self.head(key, row)?,
            Keyspace::Version => self.version(key, row)?,
            Keyspace::Upload => self.upload(key, row)?,
            Keyspace::Part => self.part(key, row)?,
            Keyspace::Completed => {
                CompletedRow::decode(key, row)?;
                self.closed(split_upload_id(key, keyspace)?, "completed");
            }
            Keyspace::DeadUpload => {
                DeadRow::decode(key, row)?;
                self.closed(split_upload_id(key, keyspace)?, "left to the collection");
            }
            Keyspace::DeadManifest => {
                DeadRow::decode(key, row)?;
            }
            Keyspace::Manifest => self.manifest(key, row)?,
            Keyspace::PartTable => {
                PartTable::decode(key, row)?;
                let id = split_manifest(key, keyspace)?;
                self.ledger.users.entry(id).or_default();
            }
            Keyspace::Pack => self.pack(key, row)?,
            Keyspace::PackUser => self.pack_user(key, row)?,
            Keyspace::OpenPack => {
                self.ledger.open = Some(OpenPackRow::decode(key, row)?.pack);
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

    /// What a listing prints is what the version says.
    fn current(&mut self, key: &Key, row: &Row) -> Result<(), StoreError> {
        let current = CurrentRow::decode(key, row)?;
        let object = split_object(key, Keyspace::Current)?;
        let bucket = split_bucket_id(key, Keyspace::Current)?;
        let version = RowKey::Version(bucket, &object, current.number).encode();
        let agrees = match row_of(self.meta, &version)? {
            None => false,
            Some(row) => match VersionRow::decode(&version, &row)?.kind {
                VersionKind::Object(data) => data.size == current.size && data.etag == current.etag,
                VersionKind::DeleteMarker => false,
            },
        };
        if !agrees {
            self.findings.rows(format!(
                "object {object} is listed, and its version does not agree"
            ));
        }
        Ok(())
    }

    /// The current version that a head names is there, and listed unless it is a delete marker.
    fn head(&mut self, key: &Key, row: &Row) -> Result<(), StoreError> {
        let head = HeadRow::decode(key, row)?;
        let object = split_object(key, Keyspace::Head)?;
        let bucket = split_bucket_id(key, Keyspace::Head)?;
        for number in [head.current, head.null].into_iter().flatten() {
            let version = RowKey::Version(bucket, &object, number).encode();
            let listed = RowKey::Current(bucket, &object).encode();
            let found = self.meta.get_many(&[version.clone(), listed])?;
            let mut found = found.into_iter();
            let (version_row, listed) = (found.next().flatten(), found.next().flatten());
            let Some(version_row) = version_row else {
                self.findings.rows(format!(
                    "object {object} has no version {}, which its head names",
                    number.0
                ));
                continue;
            };
            let kind = VersionRow::decode(&version, &version_row)?.kind;
            let is_object = matches!(kind, VersionKind::Object(_));
            if head.current == Some(number) && is_object != listed.is_some() {
                self.findings.rows(format!(
                    "object {object} has a current version and its listing does not agree"
                ));
            }
        }
        Ok(())
    }

    fn version(&mut self, key: &Key, row: &Row) -> Result<(), StoreError> {
        let (object, _) = split_version(key)?;
        self.census.objects += 1;
        if let VersionKind::Object(data) = VersionRow::decode(key, row)?.kind {
            self.ledger.plain += i64::try_from(data.size).unwrap_or(i64::MAX);
            if let Some(manifest) = data.manifest {
                self.ledger.uses(manifest);
            } else if data.size > 0 {
                self.findings
                    .rows(format!("object {object} has a size and no bytes"));
            }
        }
        if !self
            .ledger
            .buckets
            .contains(&split_bucket_id(key, Keyspace::Version)?)
        {
            self.findings.rows(format!(
                "object {object} lies in a bucket that is not there"
            ));
        }
        Ok(())
    }

    fn upload(&mut self, key: &Key, row: &Row) -> Result<(), StoreError> {
        let (object, upload) = split_upload(key)?;
        UploadRow::decode(key, row)?;
        self.census.uploads += 1;
        self.ledger.uploads.insert(upload);
        let bucket = split_bucket_id(key, Keyspace::Upload)?;
        if !self.ledger.buckets.contains(&bucket) {
            self.findings.rows(format!(
                "upload {upload} of {object} lies in a bucket that is not there"
            ));
        }
        Ok(())
    }

    /// A part's upload is open, or the collection is on its way to its parts.
    fn part(&mut self, key: &Key, row: &Row) -> Result<(), StoreError> {
        let (upload, number) = (split_part_upload(key)?, split_part(key)?);
        if let Some(manifest) = PartRow::decode(key, row)?.manifest {
            self.ledger.uses(manifest);
        }
        let dead = RowKey::DeadUpload(upload).encode();
        if !self.ledger.uploads.contains(&upload) && row_of(self.meta, &dead)?.is_none() {
            self.findings.rows(format!(
                "part {} is of upload {upload}, which is neither open nor left to the collection",
                number.get()
            ));
        }
        Ok(())
    }

    /// An upload that has come to its end is not open.
    fn closed(&mut self, upload: UploadId, how: &str) {
        if self.ledger.uploads.contains(&upload) {
            self.findings
                .rows(format!("upload {upload} is {how}, and open as well"));
        }
    }

    /// A sealed pack ends behind all that is in use in it.
    fn pack(&mut self, key: &Key, row: &Row) -> Result<(), StoreError> {
        let pack = split_pack(key, Keyspace::Pack)?;
        match PackRow::decode(key, row)? {
            PackRow::Live => {
                self.ledger.live.insert(pack);
            }
            PackRow::Sealed { len } => {
                self.ledger.sealed += i64::try_from(len).unwrap_or(i64::MAX);
                let used = self.ledger.packs.get(&pack).map_or(0, |used| used.end);
                if len < used {
                    let what = format!("pack {pack} is sealed at {len}, and in use up to {used}");
                    self.findings.pack(pack, what);
                }
            }
            PackRow::Condemned { .. } => {}
        }
        Ok(())
    }

    /// A pack knows where its users end: a start after a crash seals it there.
    fn pack_user(&mut self, key: &Key, row: &Row) -> Result<(), StoreError> {
        let (pack, manifest) = split_pack_user(key)?;
        let said = PackUserRow::decode(key, row)?.end;
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
        let (id, chunk) = crate::tables::keys::split_manifest_chunk(key)?;
        let segments = if chunk == 0 {
            self.census.manifests += 1;
            self.ledger.users.entry(id).or_default();
            ManifestHead::decode(key, row)?.segments
        } else {
            ManifestChunk::decode(key, row)?.segments
        };
        self.ledger.holds(&segments);
        let back: Vec<Key> = segments
            .iter()
            .map(|segment| RowKey::PackUser(segment.pack, id).encode())
            .collect();
        if self.meta.get_many(&back)?.iter().any(Option::is_none) {
            self.findings.rows(format!(
                "manifest {id} has a segment in a pack that does not name it"
            ));
        }
        Ok(())
    }
}

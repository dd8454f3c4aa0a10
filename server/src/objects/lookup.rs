//! Finds the version that a GET or HEAD refers to.

use std::sync::Arc;

use crate::model::{BucketName, ObjectKey, VersionId};
use crate::objects::decision::{Rows as _, VersionedBucket, missing, present, with_versioning};
use crate::objects::manifest::read_manifest;
use crate::objects::{Objects, ObjectsError};
use crate::packs::{Pin, Pins};
use crate::store::ManifestId;
use crate::store::meta::Meta;
use crate::store::packs::Segment;
use crate::tables::table::get;
use crate::tables::{
    Heads, ManifestHeads, ObjectData, PartTable, PartTables, VersionKind, VersionRow, Versioning,
    Versions,
};

/// How often a lookup retries when a head changes during it.
const FOLLOW_TRIES: u32 = 64;

/// The version that a client names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VersionSelector {
    /// None: the current one.
    Current,
    /// `versionId=null`.
    Null,
    /// An id.
    Id(VersionId),
}

/// The object found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its version.
    pub version: VersionRow,
    /// Its bytes and headers; the same as in `version.kind`.
    pub data: ObjectData,
    /// The bucket's state, which decides whether the version id is shown.
    pub versioning: Versioning,
}

impl Found {
    /// The version id as a client sees it; `None` in a bucket that never had versions.
    pub fn shown_version(&self) -> Option<String> {
        shown(&self.version, self.versioning)
    }
}

/// How a version's id is shown.
pub(super) fn shown(version: &VersionRow, versioning: Versioning) -> Option<String> {
    match versioning {
        Versioning::Unversioned => None,
        _ if version.is_null => Some("null".to_owned()),
        _ => Some(version.id.to_string()),
    }
}

/// An object that is about to be read. Its bytes are not removed until the pin is dropped.
pub struct OpenObject {
    /// What was found.
    pub found: Found,
    /// Its bytes in order.
    pub segments: Vec<Segment>,
    /// Pins the packs of the segments.
    pub pin: Pin,
}

impl Objects {
    /// Finds an object.
    ///
    /// # Errors
    /// [`ObjectsError::NoSuchBucket`], [`ObjectsError::NoSuchKey`], [`ObjectsError::NoSuchVersion`],
    /// [`ObjectsError::DeleteMarker`].
    pub async fn lookup(
        &self,
        bucket: &BucketName,
        key: &ObjectKey,
        selector: VersionSelector,
    ) -> Result<Found, ObjectsError> {
        let (bucket, key) = (bucket.clone(), key.clone());
        self.look(move |meta| follow(|| find(meta, &bucket, &key, selector)))
            .await
    }

    /// Finds an object and pins its bytes: everything that a GET must read before it sends.
    ///
    /// # Errors
    /// As [`Objects::lookup`].
    pub async fn open(
        &self,
        bucket: &BucketName,
        key: &ObjectKey,
        selector: VersionSelector,
        pins: &Arc<Pins>,
    ) -> Result<OpenObject, ObjectsError> {
        let (bucket, key, pins) = (bucket.clone(), key.clone(), Arc::clone(pins));
        self.look(move |meta| follow(|| open(meta, &bucket, &key, selector, &pins)))
            .await
    }

    /// The parts an object was completed from; `None` for one put in one piece.
    ///
    /// # Errors
    /// When the row is damaged.
    pub async fn part_table(
        &self,
        manifest: ManifestId,
    ) -> Result<Option<PartTable>, ObjectsError> {
        self.look(move |meta| Ok(get(meta, PartTables, manifest)?))
            .await
    }
}

/// Tries again when a row named by another row has just gone.
fn follow<T>(mut once: impl FnMut() -> Result<Option<T>, ObjectsError>) -> Result<T, ObjectsError> {
    for _ in 0..FOLLOW_TRIES {
        if let Some(found) = once()? {
            return Ok(found);
        }
    }
    Err(ObjectsError::Busy {
        tries: FOLLOW_TRIES,
    })
}

/// One try; `None` when the manifest that the version names has just gone.
fn open(
    meta: &dyn Meta,
    bucket: &BucketName,
    key: &ObjectKey,
    selector: VersionSelector,
    pins: &Arc<Pins>,
) -> Result<Option<OpenObject>, ObjectsError> {
    let Some(found) = find(meta, bucket, key, selector)? else {
        return Ok(None);
    };
    let Some(manifest) = found.data.manifest else {
        return Ok(Some(OpenObject {
            found,
            segments: Vec::new(),
            pin: pins.pin([]),
        }));
    };
    let Some(segments) = read_manifest(meta, manifest)? else {
        let again = find(meta, bucket, key, selector)?;
        if again.is_some_and(|again| again.version == found.version) {
            let what = "a version names a manifest that has no row";
            return Err(missing(ManifestHeads, manifest, what).into());
        }
        return Ok(None);
    };
    let pin = pins.pin(segments.iter().map(|segment| segment.pack));
    // ORDER: read again under the pin; without the pin, collection may already be removing what was read.
    let again = read_manifest(meta, manifest)?;
    Ok((again.as_ref() == Some(&segments)).then_some(OpenObject {
        found,
        segments,
        pin,
    }))
}

/// One try; `None` when the version that the head names has just gone.
fn find(
    mut meta: &dyn Meta,
    bucket: &BucketName,
    key: &ObjectKey,
    selector: VersionSelector,
) -> Result<Option<Found>, ObjectsError> {
    let row = present(&mut meta, bucket)?;
    let VersionedBucket { row, versioning } = with_versioning(&mut meta, row)?;
    let mut head = None;
    let number = match selector {
        VersionSelector::Id(id) => id.number,
        VersionSelector::Current | VersionSelector::Null => {
            head = meta.read(Heads, (row.id, key))?;
            let named = head.as_ref().and_then(|head| match selector {
                VersionSelector::Null => head.null,
                _ => head.current,
            });
            match (named, selector) {
                (Some(number), _) => number,
                (None, VersionSelector::Null) => {
                    return Err(ObjectsError::NoSuchVersion(key.clone()));
                }
                (None, _) => return Err(ObjectsError::NoSuchKey(key.clone())),
            }
        }
    };
    let version = meta.read(Versions, (row.id, key, number))?;
    let version = match (version, selector) {
        (Some(version), VersionSelector::Id(id)) if version.id == id && !version.is_null => version,
        (_, VersionSelector::Id(_)) => return Err(ObjectsError::NoSuchVersion(key.clone())),
        (Some(version), _) => version,
        (None, _) if meta.read(Heads, (row.id, key))? == head => {
            let what = "a head names a version that has no row";
            return Err(missing(Versions, (row.id, key, number), what).into());
        }
        (None, _) => return Ok(None),
    };
    match &version.kind {
        VersionKind::Object(data) => Ok(Some(Found {
            data: ObjectData::clone(data),
            versioning,
            version,
        })),
        VersionKind::DeleteMarker => Err(ObjectsError::DeleteMarker {
            key: key.clone(),
            version: shown(&version, versioning),
            named: selector != VersionSelector::Current,
        }),
    }
}

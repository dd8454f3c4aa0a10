//! Finding the version that a GET or HEAD means.

use crate::model::{BucketName, ObjectKey, VersionId};
use crate::objects::decision::{active, read};
use crate::objects::{Objects, ObjectsError};
use crate::store::ManifestId;
use crate::store::meta::Meta;
use crate::tables::{HeadRow, ObjectData, PartTable, RowKey, VersionKind, VersionRow, Versioning};

/// How often a lookup follows a head that moves under it.
const FOLLOW_TRIES: u32 = 64;

/// Which version a client names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VersionSelector {
    /// None: the current one.
    Current,
    /// `versionId=null`.
    Null,
    /// An id.
    Id(VersionId),
}

/// An object found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its version.
    pub version: VersionRow,
    /// Its bytes and headers; the same as in `version.kind`.
    pub data: ObjectData,
    /// Whether its version id is shown.
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
        self.look(move |meta| {
            for _ in 0..FOLLOW_TRIES {
                if let Some(found) = find(meta, &bucket, &key, selector)? {
                    return Ok(found);
                }
            }
            Err(ObjectsError::Busy {
                tries: FOLLOW_TRIES,
            })
        })
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
        self.look(move |meta| Ok(read(meta, &RowKey::PartTable(manifest))?))
            .await
    }
}

/// One try; `None` when the version that the head names has just gone.
fn find(
    mut meta: &dyn Meta,
    bucket: &BucketName,
    key: &ObjectKey,
    selector: VersionSelector,
) -> Result<Option<Found>, ObjectsError> {
    let row = active(&mut meta, bucket)?;
    let number = match selector {
        VersionSelector::Id(id) => id.number,
        VersionSelector::Current | VersionSelector::Null => {
            let head = read::<HeadRow>(meta, &RowKey::Head(row.id, key))?;
            let named = head.and_then(|head| match selector {
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
    let version = read::<VersionRow>(meta, &RowKey::Version(row.id, key, number))?;
    let version = match (version, selector) {
        (Some(version), VersionSelector::Id(id)) if version.id == id && !version.is_null => version,
        (_, VersionSelector::Id(_)) => return Err(ObjectsError::NoSuchVersion(key.clone())),
        (Some(version), _) => version,
        (None, _) => return Ok(None),
    };
    match &version.kind {
        VersionKind::Object(data) => Ok(Some(Found {
            data: ObjectData::clone(data),
            versioning: row.versioning,
            version,
        })),
        VersionKind::DeleteMarker => Err(ObjectsError::DeleteMarker {
            key: key.clone(),
            version: shown(&version, row.versioning),
            named: selector != VersionSelector::Current,
        }),
    }
}

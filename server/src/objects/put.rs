//! PutObject: a stored body becomes the current version of a key.

use std::sync::Arc;

use crate::clock::UnixMillis;
use crate::model::{BucketName, Checksum, ETag, LegalHold, ObjectKey, Owner, VersionId};
use crate::objects::body::StoredBody;
use crate::objects::decision::{
    Decision, Draft, Operation, Rows as _, Undecided, VersionedBucket, active, missing,
    with_versioning,
};
use crate::objects::manifest;
use crate::objects::versions::{NewVersion, new_version};
use crate::objects::{Objects, ObjectsError};
use crate::store::{Epoch, ManifestId, StoreError};
use crate::tables::{
    Attributes, CurrentRow, Currents, HeadRow, Heads, LogicalBytes, ObjectData, VersionKind,
    VersionRow, Versioning, Versions,
};

/// The precondition on the key's current object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PutCondition {
    /// None.
    Always,
    /// `If-None-Match: *`: there is no object.
    IfAbsent,
    /// `If-Match`: it has this ETag.
    IfMatch(ETag),
    /// `If-Match` with an ETag that no object has: it fails, but differently on a key without object.
    IfMatchOther,
}

/// The result of a put.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PutDone {
    /// The object's ETag.
    pub etag: ETag,
    /// Its checksums.
    pub checksums: Vec<Checksum>,
    /// Its version id, if the bucket keeps versions.
    pub version: Option<VersionId>,
}

/// An object about to be committed.
pub(super) struct NewObject {
    pub(super) id: VersionId,
    pub(super) attributes: Attributes,
    pub(super) data: ObjectData,
    pub(super) time: UnixMillis,
}

impl Objects {
    /// Makes `body` the key's current object. The last commit wins; a reader sees the old object or the new one.
    ///
    /// # Errors
    /// [`ObjectsError::NoSuchBucket`], a failed condition, [`ObjectsError::Locked`], [`ObjectsError::PackGone`].
    pub async fn put(
        &self,
        bucket: &BucketName,
        key: &ObjectKey,
        body: StoredBody,
        attributes: Attributes,
        condition: PutCondition,
    ) -> Result<PutDone, ObjectsError> {
        let (bucket, key) = (bucket.clone(), key.clone());
        let manifest = (!body.segments.is_empty()).then(|| self.new_manifest_id());
        let nonce = self.entropy.next_u64();
        let time = self.clock.now();
        let shared = Arc::new((body, attributes));
        let epoch = self.epoch;
        self.decide(Operation::Put, move |draft| {
            let (body, attributes) = &*shared;
            let bucket = active(draft, &bucket)?;
            let bucket = with_versioning(draft, bucket)?;
            let place = KeyContext::read(draft, &bucket, &key, epoch)?;
            let new = new_version(bucket.versioning, place.head.as_ref());
            if let Some(id) = manifest {
                manifest::create(draft, id, body.size, &body.segments)?;
            }
            let object = NewObject {
                id: VersionId {
                    number: new.number,
                    nonce,
                },
                attributes: attributes.clone(),
                data: data_of(body, attributes, manifest),
                time,
            };
            replace_current(draft, &place, &new, &object, condition)?;
            Ok(Decision::Commit(done(bucket.versioning, &object)))
        })
        .await
    }
}

fn data_of(body: &StoredBody, attributes: &Attributes, manifest: Option<ManifestId>) -> ObjectData {
    ObjectData {
        manifest,
        size: body.size,
        etag: ETag::whole(body.md5),
        checksums: body.checksums.clone(),
        class: attributes.class.clone(),
        headers: attributes.headers.clone(),
        metadata: attributes.metadata.clone(),
    }
}

/// A key whose versions change, and the process that changes them.
pub(super) struct KeyContext<'a> {
    pub(super) bucket: &'a VersionedBucket,
    pub(super) key: &'a ObjectKey,
    pub(super) head: Option<HeadRow>,
    /// This process's epoch: its share of the totals changes.
    pub(super) epoch: Epoch,
}

impl<'a> KeyContext<'a> {
    /// Reads the key's head.
    pub(super) fn read(
        draft: &mut Draft<'_>,
        bucket: &'a VersionedBucket,
        key: &'a ObjectKey,
        epoch: Epoch,
    ) -> Result<KeyContext<'a>, StoreError> {
        let head = draft.read(Heads, (bucket.row.id, key))?;
        Ok(KeyContext {
            bucket,
            key,
            head,
            epoch,
        })
    }
}

/// Writes version, head and current rows of a new object, and releases what it replaces.
pub(super) fn replace_current(
    draft: &mut Draft<'_>,
    place: &KeyContext<'_>,
    new: &NewVersion,
    object: &NewObject,
    condition: PutCondition,
) -> Result<(), Undecided> {
    let (id, key) = (place.bucket.row.id, place.key);
    if condition != PutCondition::Always {
        let current = draft.read(Currents, (id, key))?;
        check(key, condition, current.as_ref())?;
    }
    if let Some(old) = new.replaces {
        drop_version(draft, place, old, object.time)?;
    }
    draft.put(Heads, (id, key), &new.head);
    draft.put(Versions, (id, key, new.number), &version_row(new, object));
    draft.put(
        Currents,
        (id, key),
        &current_row(
            new.number,
            &object.attributes.owner,
            object.time,
            &object.data,
        ),
    );
    let size = i64::try_from(object.data.size).unwrap_or(i64::MAX);
    draft.tally(LogicalBytes, place.epoch, size);
    Ok(())
}

/// Removes one version's row and releases its bytes.
///
/// # Errors
/// [`ObjectsError::Locked`] when retention or a legal hold protects it.
pub(super) fn drop_version(
    draft: &mut Draft<'_>,
    place: &KeyContext<'_>,
    number: crate::model::VersionNumber,
    now: UnixMillis,
) -> Result<VersionRow, Undecided> {
    let version = (place.bucket.row.id, place.key, number);
    // If another commit has just removed it, the head has changed as well, and the decision is made again.
    let row = draft
        .read(Versions, version)?
        .ok_or_else(|| missing(Versions, version, "a head names a version that has no row"))?;
    if row.hold == LegalHold::On || row.retention.is_some_and(|r| r.until > now) {
        return Err(ObjectsError::Locked(place.key.clone()).into());
    }
    if let VersionKind::Object(data) = &row.kind {
        if let Some(manifest) = data.manifest {
            manifest::release(draft, manifest, now);
        }
        let size = i64::try_from(data.size).unwrap_or(i64::MAX);
        draft.tally(LogicalBytes, place.epoch, -size);
    }
    draft.delete(Versions, version);
    Ok(row)
}

/// The result of the put.
pub(super) fn done(versioning: Versioning, object: &NewObject) -> PutDone {
    PutDone {
        etag: object.data.etag,
        checksums: object.data.checksums.clone(),
        version: (versioning == Versioning::Enabled).then_some(object.id),
    }
}

fn check(
    key: &ObjectKey,
    condition: PutCondition,
    current: Option<&CurrentRow>,
) -> Result<(), ObjectsError> {
    match (condition, current) {
        (PutCondition::IfAbsent | PutCondition::IfMatchOther, Some(_)) => {
            Err(ObjectsError::PreconditionFailed(key.clone()))
        }
        (PutCondition::IfMatch(_) | PutCondition::IfMatchOther, None) => {
            Err(ObjectsError::NothingToMatch(key.clone()))
        }
        (PutCondition::IfMatch(etag), Some(row)) if row.etag != etag => {
            Err(ObjectsError::PreconditionFailed(key.clone()))
        }
        _ => Ok(()),
    }
}

fn version_row(new: &NewVersion, object: &NewObject) -> VersionRow {
    VersionRow {
        id: object.id,
        is_null: new.is_null,
        time: object.time,
        owner: object.attributes.owner.clone(),
        kind: VersionKind::Object(Box::new(object.data.clone())),
        retention: object.attributes.retention,
        hold: object.attributes.hold,
        tags: object.attributes.tags.clone(),
    }
}

/// What a listing will show of a version.
pub(super) fn current_row(
    number: crate::model::VersionNumber,
    owner: &Owner,
    time: UnixMillis,
    data: &ObjectData,
) -> CurrentRow {
    CurrentRow {
        number,
        size: data.size,
        etag: data.etag,
        time,
        class: data.class.clone(),
        owner: owner.clone(),
        checksums: data
            .checksums
            .iter()
            .map(|c| (c.algorithm, c.kind))
            .collect(),
    }
}

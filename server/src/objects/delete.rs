//! DeleteObject: removes a version, or writes a delete marker where the bucket keeps versions.

use crate::clock::UnixMillis;
use crate::model::{BucketName, LegalHold, ObjectKey, Owner, Tags, VersionId, VersionNumber};
use crate::objects::decision::{
    Decision, Draft, Operation, Rows as _, Undecided, active, with_versioning,
};
use crate::objects::lookup::{VersionSelector, shown};
use crate::objects::put::{KeyContext, current_row, drop_version};
use crate::objects::versions::{new_version, without};
use crate::objects::{Objects, ObjectsError};
use crate::tables::table::scan;
use crate::tables::{Currents, Heads, VersionKind, VersionRow, Versioning, Versions};

/// The result of a delete.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Deleted {
    /// The version that was removed or created, as shown to clients.
    pub version: Option<String>,
    /// Whether that version is a delete marker.
    pub marker: bool,
}

impl Objects {
    /// Deletes an object or one version of it. Deleting a missing object is no error, as in S3.
    ///
    /// # Errors
    /// [`ObjectsError::NoSuchBucket`], [`ObjectsError::Locked`].
    pub async fn delete(
        &self,
        bucket: &BucketName,
        key: &ObjectKey,
        selector: VersionSelector,
        owner: &Owner,
    ) -> Result<Deleted, ObjectsError> {
        let (bucket, key, owner) = (bucket.clone(), key.clone(), owner.clone());
        let (now, nonce) = (self.clock.now(), self.entropy.next_u64());
        let epoch = self.epoch;
        self.decide(Operation::Delete, move |draft| {
            let bucket = active(draft, &bucket)?;
            let bucket = with_versioning(draft, bucket)?;
            let place = KeyContext::read(draft, &bucket, &key, epoch)?;
            let deleted = match (selector, bucket.versioning) {
                (VersionSelector::Current, Versioning::Enabled | Versioning::Suspended) => {
                    Some(put_marker(draft, &place, &owner, now, nonce)?)
                }
                _ => remove_version(draft, &place, selector, now)?,
            };
            Ok(match deleted {
                Some(deleted) => Decision::Commit(deleted),
                None => Decision::Answer(Deleted::default()),
            })
        })
        .await
    }
}

fn put_marker(
    draft: &mut Draft<'_>,
    place: &KeyContext<'_>,
    owner: &Owner,
    now: UnixMillis,
    nonce: u64,
) -> Result<Deleted, Undecided> {
    let (id, key) = (place.bucket.row.id, place.key);
    let new = new_version(place.bucket.versioning, place.head.as_ref());
    if let Some(old) = new.replaces {
        drop_version(draft, place, old, now)?;
    }
    let marker = VersionRow {
        id: VersionId {
            number: new.number,
            nonce,
        },
        is_null: new.is_null,
        time: now,
        owner: owner.clone(),
        kind: VersionKind::DeleteMarker,
        retention: None,
        hold: LegalHold::Off,
        tags: Tags::default(),
    };
    draft.put(Heads, (id, key), &new.head);
    draft.put(Versions, (id, key, new.number), &marker);
    draft.delete(Currents, (id, key));
    Ok(Deleted {
        version: shown(&marker, place.bucket.versioning),
        marker: true,
    })
}

/// Removes the selected version; `None` when there is none.
fn remove_version(
    draft: &mut Draft<'_>,
    place: &KeyContext<'_>,
    selector: VersionSelector,
    now: UnixMillis,
) -> Result<Option<Deleted>, Undecided> {
    let (id, key) = (place.bucket.row.id, place.key);
    let Some(head) = place.head.as_ref() else {
        return Ok(None);
    };
    let number = match selector {
        VersionSelector::Id(wanted) => {
            let row = draft.read(Versions, (id, key, wanted.number))?;
            row.filter(|row| row.id == wanted && !row.is_null)
                .map(|_| wanted.number)
        }
        VersionSelector::Current | VersionSelector::Null => head.null,
    };
    let Some(number) = number else {
        return Ok(None);
    };
    let gone = drop_version(draft, place, number, now)?;
    let newest_left = newest_but(draft, place, number)?;
    match without(
        head,
        number,
        newest_left.as_ref().map(|(number, _)| *number),
    ) {
        None => {
            draft.delete(Heads, (id, key));
            draft.delete(Currents, (id, key));
        }
        Some(left) => {
            draft.put(Heads, (id, key), &left);
            match newest_left {
                Some((
                    number,
                    VersionRow {
                        kind: VersionKind::Object(data),
                        owner,
                        time,
                        ..
                    },
                )) => {
                    draft.put(
                        Currents,
                        (id, key),
                        &current_row(number, &owner, time, &data),
                    );
                }
                _ => draft.delete(Currents, (id, key)),
            }
        }
    }
    let version = match selector {
        VersionSelector::Current => None,
        _ => shown(&gone, place.bucket.versioning),
    };
    Ok(Some(Deleted {
        version,
        marker: matches!(gone.kind, VersionKind::DeleteMarker),
    }))
}

/// The newest version of the key except `number`.
fn newest_but(
    draft: &Draft<'_>,
    place: &KeyContext<'_>,
    number: VersionNumber,
) -> Result<Option<(VersionNumber, VersionRow)>, ObjectsError> {
    let range = Versions.of_key(place.bucket.row.id, place.key);
    let meta =
        draft.unrequired("every change of a key's versions writes its head, which is required");
    for version in scan(meta, Versions, &range, 2)? {
        let (_, _, found) = version.key;
        if found != number {
            return Ok(Some((found, version.value)));
        }
    }
    Ok(None)
}

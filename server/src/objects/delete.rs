//! DeleteObject: removes a version, or puts a delete marker where the bucket keeps versions.

use crate::clock::UnixMillis;
use crate::model::{BucketName, LegalHold, ObjectKey, Owner, Tags, VersionId, VersionNumber};
use crate::objects::decision::{Decision, Draft, Undecided, active, read};
use crate::objects::lookup::{VersionSelector, shown};
use crate::objects::put::{Place, current_row, drop_version};
use crate::objects::versions::{new_version, without};
use crate::objects::{Objects, ObjectsError};
use crate::schema::keys::{of_key, split_version};
use crate::schema::{
    BucketRow, HeadRow, Keyspace, Record, RowKey, VersionKind, VersionRow, Versioning,
};
use crate::store::meta::Meta;

/// How a delete ended.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Deleted {
    /// The version that was removed or made, as shown to clients.
    pub version: Option<String>,
    /// Whether that version is a delete marker.
    pub marker: bool,
}

impl Objects {
    /// Deletes an object or one version of it. Deleting what is not there is no error, as in S3.
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
        self.decide(move |meta| {
            let bucket_read = read::<BucketRow>(meta, &RowKey::Bucket(&bucket))?;
            let row = active(&bucket, &bucket_read)?;
            let head = read::<HeadRow>(meta, &RowKey::Head(row.id, &key))?;
            let place = Place {
                bucket: row,
                key: &key,
                head: &head,
            };
            let mut draft = Draft::default();
            bucket_read.guard(&mut draft);
            head.guard(&mut draft);
            let deleted = match (selector, row.versioning) {
                (VersionSelector::Current, Versioning::Enabled | Versioning::Suspended) => {
                    Some(put_marker(&mut draft, meta, &place, &owner, now, nonce)?)
                }
                _ => remove_version(&mut draft, meta, &place, selector, now)?,
            };
            Ok(match deleted {
                Some(deleted) => Decision::Commit(draft, deleted),
                None => Decision::Answer(Deleted::default()),
            })
        })
        .await
    }
}

fn put_marker(
    draft: &mut Draft,
    meta: &dyn Meta,
    place: &Place<'_>,
    owner: &Owner,
    now: UnixMillis,
    nonce: u64,
) -> Result<Deleted, Undecided> {
    let (id, key) = (place.bucket.id, place.key);
    let new = new_version(place.bucket.versioning, place.head.record.as_ref());
    if let Some(old) = new.replaces {
        drop_version(draft, meta, place, old, now)?;
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
    draft.put(&RowKey::Head(id, key), &new.head);
    draft.put(&RowKey::Version(id, key, new.number), &marker);
    draft.delete(&RowKey::Current(id, key));
    Ok(Deleted {
        version: shown(&marker, place.bucket.versioning),
        marker: true,
    })
}

/// Removes the selected version; `None` when there is none.
fn remove_version(
    draft: &mut Draft,
    meta: &dyn Meta,
    place: &Place<'_>,
    selector: VersionSelector,
    now: UnixMillis,
) -> Result<Option<Deleted>, Undecided> {
    let (id, key) = (place.bucket.id, place.key);
    let Some(head) = place.head.record.as_ref() else {
        return Ok(None);
    };
    let number = match selector {
        VersionSelector::Id(wanted) => {
            let row = read::<VersionRow>(meta, &RowKey::Version(id, key, wanted.number))?.record;
            row.filter(|row| row.id == wanted && !row.is_null)
                .map(|_| wanted.number)
        }
        VersionSelector::Current | VersionSelector::Null => head.null,
    };
    let Some(number) = number else {
        return Ok(None);
    };
    let gone = drop_version(draft, meta, place, number, now)?;
    let newest_left = newest_but(meta, place, number)?;
    match without(
        head,
        number,
        newest_left.as_ref().map(|(number, _)| *number),
    ) {
        None => {
            draft.delete(&RowKey::Head(id, key));
            draft.delete(&RowKey::Current(id, key));
        }
        Some(left) => {
            draft.put(&RowKey::Head(id, key), &left);
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
                        &RowKey::Current(id, key),
                        &current_row(number, &owner, time, &data),
                    );
                }
                _ => draft.delete(&RowKey::Current(id, key)),
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

/// The newest version of the key but `number`. The head row, which every change of the key's versions writes, is
/// guarded by the caller, so what is read here stays true until the commit.
fn newest_but(
    meta: &dyn Meta,
    place: &Place<'_>,
    number: VersionNumber,
) -> Result<Option<(VersionNumber, VersionRow)>, ObjectsError> {
    let range = of_key(Keyspace::Version, place.bucket.id, place.key);
    for (key, row) in meta.scan(&range.from, &range.to, 2)? {
        let (_, found) = split_version(&key)?;
        if found != number {
            return Ok(Some((found, VersionRow::decode(&key, &row)?)));
        }
    }
    Ok(None)
}

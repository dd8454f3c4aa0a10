//! CompleteMultipartUpload: joins the segments of the parts into one manifest. No byte is copied.

use std::sync::Arc;

use bytes::Bytes;
use md5::Digest as _;

use crate::model::upload::{PART_BYTES_MIN, PARTS_MAX};
use crate::model::{
    BucketName, Checksum, ChecksumAlgorithm, ChecksumKind, ETag, ObjectKey, PartNumber, UploadId,
    VersionId,
};
use crate::objects::decision::{
    Decision, Draft, Operation, Rows as _, Undecided, active, missing, with_versioning,
};
use crate::objects::put::{KeyContext, NewObject, PutCondition, PutDone, done, replace_current};
use crate::objects::uploads::find_upload;
use crate::objects::versions::new_version;
use crate::objects::{Objects, ObjectsError, manifest};
use crate::packs::ClaimError;
use crate::store::{Epoch, ManifestId, StoreError};
use crate::tables::table::get;
use crate::tables::{
    CompletedRow, Completions, DeadRow, DeadUploads, ObjectData, PackRows, PartEntry, PartRow,
    PartTable, PartTables, Parts, UploadChecksumKind, UploadRow, Uploads,
};

/// A part that Complete names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompletePart {
    /// Its number.
    pub number: PartNumber,
    /// The ETag that its upload returned.
    pub etag: ETag,
    /// Checksums repeated by the client.
    pub checksums: Vec<(ChecksumAlgorithm, Bytes)>,
}

/// The arguments of Complete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompleteRequest {
    /// The parts in ascending order.
    pub parts: Vec<CompletePart>,
    /// The object's checksum as the client states it: its value, and whether it covers all bytes.
    pub checksum: Option<Checksum>,
    /// `x-amz-mp-object-size`.
    pub size: Option<u64>,
    /// If-Match or If-None-Match.
    pub condition: PutCondition,
}

/// The result of a Complete; a repeated Complete gets the same result.
pub type Completed = PutDone;

impl Objects {
    /// Makes the named parts one object.
    ///
    /// # Errors
    /// [`ObjectsError::NoSuchUpload`], [`ObjectsError::NoParts`], [`ObjectsError::PartOrder`],
    /// [`ObjectsError::InvalidPart`], [`ObjectsError::PartTooSmall`], [`ObjectsError::WholeMismatch`], and as a put.
    pub async fn complete_upload(
        &self,
        bucket: &BucketName,
        key: &ObjectKey,
        id: UploadId,
        request: CompleteRequest,
    ) -> Result<Completed, ObjectsError> {
        check_order(&request.parts)?;
        let target = Target {
            bucket: bucket.clone(),
            key: key.clone(),
            upload: id,
            manifest: self.new_manifest_id(),
            nonce: self.entropy.next_u64(),
            time: self.clock.now(),
            epoch: self.epoch,
        };
        let request = Arc::new(request);
        self.decide(Operation::CompleteUpload, move |draft| {
            complete(draft, &target, &request)
        })
        .await
    }
}

struct Target {
    bucket: BucketName,
    key: ObjectKey,
    upload: UploadId,
    manifest: ManifestId,
    nonce: u64,
    time: crate::clock::UnixMillis,
    epoch: Epoch,
}

fn check_order(parts: &[CompletePart]) -> Result<(), ObjectsError> {
    if parts.is_empty() || parts.len() > usize::from(PARTS_MAX) {
        return Err(ObjectsError::NoParts);
    }
    match parts
        .iter()
        .zip(parts.iter().skip(1))
        .find(|(a, b)| a.number >= b.number)
    {
        Some((_, b)) => Err(ObjectsError::PartOrder(b.number.get())),
        None => Ok(()),
    }
}

fn complete(
    draft: &mut Draft<'_>,
    target: &Target,
    request: &CompleteRequest,
) -> Result<Decision<Completed>, Undecided> {
    let bucket = active(draft, &target.bucket)?;
    let upload = match find_upload(draft, bucket, &target.key, target.upload) {
        Err(ObjectsError::NoSuchUpload(key)) => {
            let before = answered_before(draft, target)?;
            let before = before.ok_or(ObjectsError::NoSuchUpload(key))?;
            return Ok(Decision::Answer(before));
        }
        other => other?,
    };
    let bucket = &with_versioning(draft, upload.bucket)?;
    let parts = named_parts(draft, target.upload, &request.parts)?;
    let data = assemble(draft, target, &upload.row, request, &parts)?;
    let place = KeyContext::read(draft, bucket, &target.key, target.epoch)?;
    let new = new_version(bucket.versioning, place.head.as_ref());
    let object = NewObject {
        id: VersionId {
            number: new.number,
            nonce: target.nonce,
        },
        attributes: upload.row.attributes.clone(),
        data,
        time: target.time,
    };
    replace_current(draft, &place, &new, &object, request.condition)?;
    let answer = done(bucket.versioning, &object);
    draft.delete(Uploads, (bucket.row.id, &target.key, target.upload));
    draft.put(DeadUploads, target.upload, &DeadRow { since: target.time });
    draft.put(Completions, target.upload, &completed_row(target, &answer));
    Ok(Decision::Commit(answer))
}

/// The answer to a Complete that is repeated after its upload has gone.
fn answered_before(draft: &Draft<'_>, target: &Target) -> Result<Option<Completed>, StoreError> {
    let rows = draft.unrequired("nothing is committed: the row is the answer");
    let row = get(rows, Completions, target.upload)?;
    let same = row.filter(|row| row.bucket == target.bucket && row.key == target.key);
    Ok(same.map(|row| PutDone {
        etag: row.etag,
        checksums: row.checksums,
        version: row.version,
    }))
}

fn completed_row(target: &Target, answer: &Completed) -> CompletedRow {
    CompletedRow {
        bucket: target.bucket.clone(),
        key: target.key.clone(),
        etag: answer.etag,
        checksums: answer.checksums.clone(),
        version: answer.version,
        time: target.time,
    }
}

/// Reads and checks each part that the request names.
fn named_parts(
    draft: &mut Draft<'_>,
    upload: UploadId,
    named: &[CompletePart],
) -> Result<Vec<PartRow>, ObjectsError> {
    let keys = named.iter().map(|part| (upload, part.number));
    let mut parts = Vec::with_capacity(named.len());
    for (part, row) in named.iter().zip(draft.read_many(Parts, keys)?) {
        let number = part.number.get();
        let row = row.filter(|row| row.etag == part.etag);
        let row = row.ok_or(ObjectsError::InvalidPart(number))?;
        if let Some(algorithm) = other_checksum(&row, part) {
            return Err(ObjectsError::PartChecksum { number, algorithm });
        }
        parts.push(row);
    }
    let all_but_last = parts.split_last().map_or(&[][..], |(_, rest)| rest);
    match named
        .iter()
        .zip(all_but_last)
        .find(|(_, row)| row.size < PART_BYTES_MIN)
    {
        Some((part, row)) => Err(ObjectsError::PartTooSmall {
            number: part.number.get(),
            size: row.size,
            min: PART_BYTES_MIN,
        }),
        None => Ok(parts),
    }
}

/// The name of a checksum that the request repeats with another value than the part has.
fn other_checksum(row: &PartRow, named: &CompletePart) -> Option<&'static str> {
    let known = |algorithm| row.checksums.iter().find(|c| c.algorithm == algorithm);
    let mut named = named.checksums.iter();
    let other =
        named.find(|(algorithm, value)| known(*algorithm).is_some_and(|c| c.value != *value));
    other.map(|(algorithm, _)| algorithm.name())
}

/// Writes the joined manifest and the part table; returns the object's data.
fn assemble(
    draft: &mut Draft<'_>,
    target: &Target,
    upload: &UploadRow,
    request: &CompleteRequest,
    parts: &[PartRow],
) -> Result<ObjectData, Undecided> {
    let damaged = |what| StoreError::DamagedRow {
        key: Parts.of_upload(target.upload).keys.from.to_vec(),
        what,
    };
    let size = manifest::total(parts.iter().map(|part| part.size))
        .ok_or_else(|| damaged("the sizes of the upload's parts"))?;
    if request.size.is_some_and(|said| said != size) {
        return Err(ObjectsError::WholeMismatch { what: "size" }.into());
    }
    let checksum = whole_checksum(wanted_checksum(upload, request), parts);
    if let Some(said) = &request.checksum
        && checksum
            .as_ref()
            .is_none_or(|known| known.algorithm != said.algorithm || known.value != said.value)
    {
        return Err(ObjectsError::WholeMismatch {
            what: said.algorithm.name(),
        }
        .into());
    }
    let manifests: Vec<ManifestId> = parts.iter().filter_map(|part| part.manifest).collect();
    let segments = manifest::join(draft, &manifests)?;
    if manifest::total(segments.iter().map(|placed| placed.segment.plain_len)) != Some(size) {
        return Err(damaged("a part of the upload has another size than its manifest").into());
    }
    if !segments.is_empty() {
        match manifest::create(draft, target.manifest, size, &segments) {
            // A part's pack is gone only if the part is gone, which then has changed as well.
            Err(ClaimError::Gone(pack)) => {
                let what = "a part lies in a pack that has no row, or a marked one";
                return Err(missing(PackRows, pack, what).into());
            }
            other => other?,
        }
        draft.put(
            PartTables,
            target.manifest,
            &part_table(&request.parts, parts),
        );
    }
    Ok(ObjectData {
        manifest: (!segments.is_empty()).then_some(target.manifest),
        size,
        etag: whole_etag(parts),
        checksums: checksum.into_iter().collect(),
        class: upload.attributes.class.clone(),
        headers: upload.attributes.headers.clone(),
        metadata: upload.attributes.metadata.clone(),
    })
}

fn part_table(named: &[CompletePart], parts: &[PartRow]) -> PartTable {
    let entry = |(named, row): (&CompletePart, &PartRow)| PartEntry {
        number: named.number.get(),
        size: row.size,
        checksums: row.checksums.clone(),
    };
    PartTable {
        parts: named.iter().zip(parts).map(entry).collect(),
    }
}

/// MD5 over the parts' MD5s, and their number.
fn whole_etag(parts: &[PartRow]) -> ETag {
    let mut md5 = md5::Md5::new();
    for part in parts {
        md5.update(part.etag.md5);
    }
    ETag {
        md5: md5.finalize().into(),
        parts: u16::try_from(parts.len()).unwrap_or(u16::MAX),
    }
}

/// The checksum of the object: the upload's, else the one in the Complete.
fn wanted_checksum(
    upload: &UploadRow,
    request: &CompleteRequest,
) -> Option<(ChecksumAlgorithm, UploadChecksumKind)> {
    upload.checksum.or_else(|| {
        let said = request.checksum.as_ref()?;
        let kind = match said.kind {
            ChecksumKind::FullObject => UploadChecksumKind::FullObject,
            ChecksumKind::Composite { .. } => UploadChecksumKind::Composite,
        };
        Some((said.algorithm, kind))
    })
}

/// The object's checksum from those of its parts; `None` when a part has none.
fn whole_checksum(
    wanted: Option<(ChecksumAlgorithm, UploadChecksumKind)>,
    parts: &[PartRow],
) -> Option<Checksum> {
    let (algorithm, kind) = wanted?;
    let of_part = |part: &PartRow| {
        part.checksums
            .iter()
            .find(|c| c.algorithm == algorithm)
            .map(|c| c.value.clone())
    };
    let values: Vec<(Bytes, u64)> = parts
        .iter()
        .map(|part| of_part(part).map(|value| (value, part.size)))
        .collect::<Option<_>>()?;
    match kind {
        UploadChecksumKind::Composite => {
            let joined: Vec<u8> = values
                .iter()
                .flat_map(|(value, _)| value.to_vec())
                .collect();
            let kind = ChecksumKind::Composite {
                parts: u16::try_from(parts.len()).unwrap_or(u16::MAX),
            };
            Some(Checksum {
                algorithm,
                kind,
                value: algorithm.digest(&joined),
            })
        }
        UploadChecksumKind::FullObject => {
            let mut values = values.into_iter();
            let (first, _) = values.next()?;
            let value = values.try_fold(first, |so_far, (value, len)| {
                algorithm.combine(&so_far, &value, len)
            })?;
            Some(Checksum {
                algorithm,
                kind: ChecksumKind::FullObject,
                value,
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbered(numbers: impl IntoIterator<Item = u16>) -> Result<(), ObjectsError> {
        let part = |number: u16| CompletePart {
            number: PartNumber::new(u64::from(number)).expect("in range"),
            etag: ETag::whole([0; 16]),
            checksums: Vec::new(),
        };
        check_order(&numbers.into_iter().map(part).collect::<Vec<_>>())
    }

    #[test]
    fn parts_ascend_and_may_be_as_many_as_there_are_numbers() {
        numbered(1..=PARTS_MAX).expect("all numbers");
        numbered([1, 3]).expect("numbers may be left out");
        for none in [Vec::new(), vec![1; usize::from(PARTS_MAX) + 1]] {
            assert!(matches!(numbered(none), Err(ObjectsError::NoParts)));
        }
        for (wrong, at) in [([1, 1, 2], 1), ([2, 1, 3], 1), ([1, 3, 2], 2)] {
            let error = numbered(wrong).expect_err("out of order");
            assert!(matches!(error, ObjectsError::PartOrder(number) if number == at));
        }
    }
}

//! Multipart uploads: create, put a part, abort, list.

use std::sync::Arc;

use crate::model::{
    BucketId, BucketName, ChecksumAlgorithm, ETag, ObjectKey, PartNumber, UploadId,
};
use crate::objects::body::StoredBody;
use crate::objects::decision::{Decision, Operation, Rows, active, present};
use crate::objects::manifest;
use crate::objects::{Objects, ObjectsError};
use crate::store::meta::walk::after_key;
use crate::tables::table::scan;
use crate::tables::{
    Attributes, BucketRow, DeadRow, DeadUploads, Keyed as _, PartRow, Parts, UploadChecksumKind,
    UploadRow, Uploads,
};

/// S3's largest page of parts and of uploads.
pub const UPLOADS_PAGE_MAX: usize = 1000;

/// The arguments of CreateMultipartUpload.
#[derive(Debug, Clone)]
pub struct NewUpload {
    /// The attributes of the later object.
    pub attributes: Attributes,
    /// The checksum that its parts carry.
    pub checksum: Option<(ChecksumAlgorithm, UploadChecksumKind)>,
}

impl Objects {
    /// Begins an upload.
    ///
    /// # Errors
    /// [`ObjectsError::NoSuchBucket`].
    pub async fn create_upload(
        &self,
        bucket: &BucketName,
        key: &ObjectKey,
        new: NewUpload,
    ) -> Result<UploadId, ObjectsError> {
        let (bucket, key) = (bucket.clone(), key.clone());
        let mut id = UploadId([0; 16]);
        self.entropy.fill(&mut id.0);
        let row = UploadRow {
            initiated: self.clock.now(),
            attributes: new.attributes,
            checksum: new.checksum,
        };
        self.decide(Operation::CreateUpload, move |draft| {
            let bucket_id = active(draft, &bucket)?.id;
            draft.put(Uploads, (bucket_id, &key, id), &row);
            Ok(Decision::Commit(id))
        })
        .await
    }

    /// The upload's row, and its bucket's id.
    ///
    /// # Errors
    /// [`ObjectsError::NoSuchBucket`], [`ObjectsError::NoSuchUpload`].
    pub async fn upload(
        &self,
        bucket: &BucketName,
        key: &ObjectKey,
        id: UploadId,
    ) -> Result<(BucketId, UploadRow), ObjectsError> {
        let (bucket, key) = (bucket.clone(), key.clone());
        self.look(move |mut meta| {
            let bucket = present(&mut meta, &bucket)?;
            let place = find_upload(&mut meta, bucket, &key, id)?;
            Ok((place.bucket.id, place.row))
        })
        .await
    }

    /// Makes `body` a part of an upload; if a number is put twice, the last one counts.
    ///
    /// # Errors
    /// [`ObjectsError::NoSuchUpload`] also when it was completed or aborted meanwhile; [`ObjectsError::PackGone`].
    pub async fn put_part(
        &self,
        bucket: &BucketName,
        key: &ObjectKey,
        id: UploadId,
        number: PartNumber,
        body: StoredBody,
    ) -> Result<PartRow, ObjectsError> {
        let (bucket, key) = (bucket.clone(), key.clone());
        let manifest = (!body.segments.is_empty()).then(|| self.new_manifest_id());
        let time = self.clock.now();
        let body = Arc::new(body);
        self.decide(Operation::PutPart, move |draft| {
            let bucket = active(draft, &bucket)?;
            find_upload(draft, bucket, &key, id)?;
            let old = draft.read(Parts, (id, number))?;
            if let Some(new) = manifest {
                manifest::create(draft, new, body.size, &body.segments)?;
            }
            if let Some(gone) = old.and_then(|part| part.manifest) {
                manifest::release(draft, gone, time);
            }
            let part = PartRow {
                manifest,
                size: body.size,
                etag: ETag::whole(body.md5),
                checksums: body.checksums.clone(),
                time,
            };
            draft.put(Parts, (id, number), &part);
            Ok(Decision::Commit(part))
        })
        .await
    }

    /// Aborts an upload; its parts are left to garbage collection.
    ///
    /// # Errors
    /// [`ObjectsError::NoSuchUpload`].
    pub async fn abort_upload(
        &self,
        bucket: &BucketName,
        key: &ObjectKey,
        id: UploadId,
    ) -> Result<(), ObjectsError> {
        let (bucket, key) = (bucket.clone(), key.clone());
        let since = self.clock.now();
        self.decide(Operation::AbortUpload, move |draft| {
            let bucket = active(draft, &bucket)?;
            let upload = find_upload(draft, bucket, &key, id)?;
            draft.delete(Uploads, (upload.bucket.id, &key, id));
            draft.put(DeadUploads, id, &DeadRow { since });
            Ok(Decision::Commit(()))
        })
        .await
    }

    /// Up to `max` parts with a number above `after`, ascending, and whether more follow.
    ///
    /// # Errors
    /// [`ObjectsError::NoSuchUpload`].
    pub async fn list_parts(
        &self,
        bucket: &BucketName,
        key: &ObjectKey,
        id: UploadId,
        after: u16,
        max: usize,
    ) -> Result<(Vec<(PartNumber, PartRow)>, bool), ObjectsError> {
        let (bucket, key) = (bucket.clone(), key.clone());
        let max = max.min(UPLOADS_PAGE_MAX);
        self.look(move |mut meta| {
            let bucket = present(&mut meta, &bucket)?;
            find_upload(&mut meta, bucket, &key, id)?;
            let mut range = Parts.of_upload(id);
            if let Some(number) = PartNumber::new(u64::from(after)) {
                range = range.starting_at(after_key(&Parts.key((id, number))));
            }
            let found = scan(meta, Parts, &range, max + 1)?;
            // A page of nothing has no marker to go on from.
            let more = max > 0 && found.len() > max;
            let mut parts: Vec<_> = found
                .into_iter()
                .map(|part| (part.key.1, part.value))
                .collect();
            parts.truncate(max);
            Ok((parts, more))
        })
        .await
    }
}

/// An upload in progress.
pub(super) struct FoundUpload {
    pub(super) bucket: BucketRow,
    pub(super) row: UploadRow,
}

pub(super) fn find_upload(
    rows: &mut impl Rows,
    bucket: BucketRow,
    key: &ObjectKey,
    id: UploadId,
) -> Result<FoundUpload, ObjectsError> {
    match rows.read(Uploads, (bucket.id, key, id))? {
        Some(row) => Ok(FoundUpload { bucket, row }),
        None => Err(ObjectsError::NoSuchUpload(key.clone())),
    }
}

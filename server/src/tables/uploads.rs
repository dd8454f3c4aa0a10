//! Multipart uploads in progress.

use serde::{Deserialize, Serialize};

use crate::clock::UnixMillis;
use crate::model::{
    BucketId, ChecksumAlgorithm, ContentHeaders, LegalHold, ObjectKey, Owner, Retention,
    StorageClass, Tags, UploadId, UserMetadata,
};
use crate::store::StoreError;
use crate::tables::key::{KeyReader, KeyWriter};
use crate::tables::keyspace::Keyspace;
use crate::tables::record::Record;
use crate::tables::table::{Keyed, Range, Table};

/// What an object carries besides its bytes, as its sender stated it. Part of a row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attributes {
    /// The user who puts it.
    pub owner: Owner,
    /// Storage class.
    pub class: StorageClass,
    /// Content headers.
    pub headers: ContentHeaders,
    /// User metadata.
    pub metadata: UserMetadata,
    /// Object tags.
    pub tags: Tags,
    /// Retention, if any.
    pub retention: Option<Retention>,
    /// Legal hold.
    pub hold: LegalHold,
}

/// A multipart upload in progress.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UploadRow {
    /// When it was created.
    pub initiated: UnixMillis,
    /// The attributes of the later object.
    pub attributes: Attributes,
    /// The checksum of its parts, and whether the object's checksum covers all bytes.
    pub checksum: Option<(ChecksumAlgorithm, UploadChecksumKind)>,
}

/// `x-amz-checksum-type` of an upload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum UploadChecksumKind {
    /// Over all bytes of the object.
    FullObject,
    /// Over the parts' checksums.
    Composite,
}

impl Record for UploadRow {}

/// Multipart uploads in progress, by object key.
#[derive(Debug, Clone, Copy)]
pub struct Uploads;

impl Keyed for Uploads {
    const KEYSPACE: Keyspace = Keyspace::Upload;
    type Key<'a> = (BucketId, &'a ObjectKey, UploadId);
    type Found = (BucketId, ObjectKey, UploadId);

    fn write((bucket, key, upload): Self::Key<'_>, out: &mut KeyWriter) {
        out.bucket(bucket).key(key).fixed(&upload.0);
    }

    fn read(fields: &mut KeyReader<'_>) -> Result<(BucketId, ObjectKey, UploadId), StoreError> {
        Ok((fields.bucket()?, fields.object_key()?, fields.upload()?))
    }
}

impl Table for Uploads {
    type Value = UploadRow;
}

impl Uploads {
    /// All uploads in a bucket.
    pub fn of_bucket(self, bucket: BucketId) -> Range<Uploads> {
        self.of_prefix(bucket, "")
    }

    /// The uploads of a bucket whose object keys start with `prefix`.
    pub fn of_prefix(self, bucket: BucketId, prefix: &str) -> Range<Uploads> {
        let mut out = KeyWriter::new(Self::KEYSPACE);
        out.bucket(bucket).unended(prefix.as_bytes());
        Range::of_prefix(out)
    }

    /// All uploads of a key.
    pub fn of_key(self, bucket: BucketId, key: &ObjectKey) -> Range<Uploads> {
        let mut out = KeyWriter::new(Self::KEYSPACE);
        out.bucket(bucket).key(key);
        Range::of_prefix(out)
    }
}

//! Versions: what each version of an object is.

use serde::{Deserialize, Serialize};

use crate::clock::UnixMillis;
use crate::model::{
    BucketId, Checksum, ContentHeaders, ETag, LegalHold, ObjectKey, Owner, Retention, StorageClass,
    Tags, UserMetadata, VersionId, VersionNumber,
};
use crate::store::{ManifestId, StoreError};
use crate::tables::key::{KeyReader, KeyWriter};
use crate::tables::keyspace::Keyspace;
use crate::tables::record::Record;
use crate::tables::table::{Keyed, Range, Table};

/// One version of an object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionRow {
    /// Its id; shown as `null` when `is_null`.
    pub id: VersionId,
    /// Whether it is the null version.
    pub is_null: bool,
    /// When it was committed.
    pub time: UnixMillis,
    /// The user who created it.
    pub owner: Owner,
    /// Object or delete marker.
    pub kind: VersionKind,
    /// Retention, if any.
    pub retention: Option<Retention>,
    /// Legal hold.
    pub hold: LegalHold,
    /// Object tags.
    pub tags: Tags,
}

/// The kind of a version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum VersionKind {
    /// Bytes.
    Object(Box<ObjectData>),
    /// The key was deleted here.
    DeleteMarker,
}

/// An object's bytes and their metadata.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectData {
    /// The manifest of its bytes; none for an empty object.
    pub manifest: Option<ManifestId>,
    /// Plain bytes.
    pub size: u64,
    /// Its ETag.
    pub etag: ETag,
    /// Verified checksums.
    pub checksums: Vec<Checksum>,
    /// Storage class.
    pub class: StorageClass,
    /// Content headers.
    pub headers: ContentHeaders,
    /// User metadata.
    pub metadata: UserMetadata,
}

impl Record for VersionRow {}

/// Every version of every object, newest first within a key.
#[derive(Debug, Clone, Copy)]
pub struct Versions;

impl Keyed for Versions {
    const KEYSPACE: Keyspace = Keyspace::Version;
    type Key<'a> = (BucketId, &'a ObjectKey, VersionNumber);
    type Found = (BucketId, ObjectKey, VersionNumber);

    fn write((bucket, key, number): Self::Key<'_>, out: &mut KeyWriter) {
        out.bucket(bucket)
            .key(key)
            .fixed(&(!number.0).to_be_bytes());
    }

    fn read(
        fields: &mut KeyReader<'_>,
    ) -> Result<(BucketId, ObjectKey, VersionNumber), StoreError> {
        Ok((
            fields.bucket()?,
            fields.object_key()?,
            VersionNumber(!u64::from_be_bytes(fields.array()?)),
        ))
    }
}

impl Table for Versions {
    type Value = VersionRow;
}

impl Versions {
    /// All versions in a bucket.
    pub fn of_bucket(self, bucket: BucketId) -> Range<Versions> {
        let mut out = KeyWriter::new(Self::KEYSPACE);
        out.bucket(bucket);
        Range::of_prefix(out)
    }

    /// All versions of a key, newest first.
    pub fn of_key(self, bucket: BucketId, key: &ObjectKey) -> Range<Versions> {
        let mut out = KeyWriter::new(Self::KEYSPACE);
        out.bucket(bucket).key(key);
        Range::of_prefix(out)
    }
}

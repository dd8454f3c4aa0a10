//! The values of rows. Fields that versioning, object lock, tags and owners need are here from the first day, so that
//! none of them needs a migration.

use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::clock::UnixMillis;
use crate::model::{
    BucketId, BucketName, Checksum, ChecksumAlgorithm, ChecksumKind, ContentHeaders, ETag,
    LegalHold, ObjectKey, Owner, Retention, StorageClass, Tags, UserMetadata, VersionId,
    VersionNumber,
};
use crate::store::meta::{Key, Row};
use crate::store::packs::Segment;
use crate::store::{FormatVersion, ManifestId, PackId, StoreError};

/// The version of all records.
const FORMAT_VERSION: FormatVersion = FormatVersion(1);

/// A value with its codec: format version (u16 LE), then postcard.
pub trait Record: Serialize + DeserializeOwned {
    /// The stored bytes.
    fn encode(&self) -> Bytes {
        let mut out = FORMAT_VERSION.0.to_le_bytes().to_vec();
        out = postcard::to_extend(self, out).expect("postcard writes every type that records use");
        Bytes::from(out)
    }

    /// Reads stored bytes; `key` names the row in errors.
    ///
    /// # Errors
    /// [`StoreError::NewerFormat`], or [`StoreError::DamagedRow`] for anything but exactly one record.
    fn decode(key: &Key, row: &Row) -> Result<Self, StoreError> {
        let damaged = |what| StoreError::DamagedRow {
            key: key.to_vec(),
            what,
        };
        let (version, body) = row
            .value
            .split_first_chunk()
            .ok_or_else(|| damaged("format version"))?;
        let version = FormatVersion(u16::from_le_bytes(*version));
        if version > FORMAT_VERSION {
            return Err(StoreError::NewerFormat {
                what: "a row",
                found: version,
                newest: FORMAT_VERSION,
            });
        }
        match postcard::take_from_bytes(body) {
            Ok((record, [])) => Ok(record),
            Ok(_) => Err(damaged("bytes after the record")),
            Err(_) => Err(damaged("record")),
        }
    }
}

/// Whether a bucket takes requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum BucketState {
    /// It does.
    Active,
    /// DeleteBucket is looking whether it is empty.
    Deleting,
}

/// S3's versioning states.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Versioning {
    /// Never switched on.
    Unversioned,
    /// Every put makes a version.
    Enabled,
    /// Puts replace the null version; others stay.
    Suspended,
}

/// A bucket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BucketRow {
    /// What its objects' rows start with.
    pub id: BucketId,
    /// When it was created.
    pub created: UnixMillis,
    /// By whom.
    pub owner: Owner,
    /// Whether it takes requests.
    pub state: BucketState,
    /// Its versioning state.
    pub versioning: Versioning,
    /// Whether object lock was enabled at creation.
    pub object_lock: bool,
    /// What a new version gets when its PUT says nothing: mode and days.
    pub default_retention: Option<(crate::model::RetentionMode, u32)>,
    /// Bucket tags.
    pub tags: Tags,
}

/// What a listing prints of a key's current object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CurrentRow {
    /// Which version it is.
    pub number: VersionNumber,
    /// Plain bytes.
    pub size: u64,
    /// Its ETag.
    pub etag: ETag,
    /// When it was committed.
    pub time: UnixMillis,
    /// Storage class.
    pub class: StorageClass,
    /// Who put it.
    pub owner: Owner,
    /// The algorithms of its checksums, and what they cover.
    pub checksums: Vec<(ChecksumAlgorithm, ChecksumKind)>,
}

/// A key's versions at a glance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeadRow {
    /// The next version's number.
    pub next: VersionNumber,
    /// The newest version: an object or a delete marker.
    pub current: Option<VersionNumber>,
    /// The null version, if there is one.
    pub null: Option<VersionNumber>,
}

/// One version of an object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionRow {
    /// Its id; shown as `null` when `is_null`.
    pub id: VersionId,
    /// Whether it is the null version.
    pub is_null: bool,
    /// When it was committed.
    pub time: UnixMillis,
    /// Who made it.
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

/// What a version is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum VersionKind {
    /// Bytes.
    Object(Box<ObjectData>),
    /// The key was deleted here.
    DeleteMarker,
}

/// An object's bytes and what belongs to them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectData {
    /// How its bytes are rebuilt; none for an empty object.
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

/// The parts an object was completed from, in order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartTable {
    /// One for each part.
    pub parts: Vec<PartEntry>,
}

/// One part of a completed object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartEntry {
    /// The part's number.
    pub number: u16,
    /// Plain bytes.
    pub size: u64,
    /// The part's own checksums.
    pub checksums: Vec<Checksum>,
}

/// What an object carries beside its bytes, as its sender said it. Part of a row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attributes {
    /// Who puts it.
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
    /// What its object will carry.
    pub attributes: Attributes,
    /// The checksum that its parts carry, and whether the object's covers all bytes.
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

/// An uploaded part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartRow {
    /// How its bytes are rebuilt; none for an empty part.
    pub manifest: Option<ManifestId>,
    /// Plain bytes.
    pub size: u64,
    /// Its MD5.
    pub etag: ETag,
    /// Verified checksums.
    pub checksums: Vec<Checksum>,
    /// When it was committed.
    pub time: UnixMillis,
}

/// The answer of a Complete, kept for a while.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CompletedRow {
    /// The bucket's name.
    pub bucket: BucketName,
    /// The object's key.
    pub key: ObjectKey,
    /// The object's ETag.
    pub etag: ETag,
    /// Its checksums.
    pub checksums: Vec<Checksum>,
    /// Its version's id, when the bucket is versioned.
    pub version: Option<VersionId>,
    /// When it was completed.
    pub time: UnixMillis,
}

/// Left for the reaper.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadRow {
    /// Since when.
    pub since: UnixMillis,
}

/// Segments in one row of a manifest, so that no row grows with its object.
pub const MANIFEST_CHUNK_SEGMENTS: usize = 1000;

/// Chunk 0 of a manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManifestHead {
    /// How many chunks there are, this one included.
    pub chunks: u32,
    /// Plain bytes of all segments.
    pub size: u64,
    /// The first [`MANIFEST_CHUNK_SEGMENTS`] segments.
    pub segments: Vec<Segment>,
}

/// A later chunk of a manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManifestChunk {
    /// The next segments.
    pub segments: Vec<Segment>,
}

/// The state of a pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum PackRow {
    /// The shared pack of a running process: it still grows.
    Live,
    /// It never grows again; bytes at and after `len` are nobody's.
    Sealed {
        /// Its good length.
        len: u64,
    },
    /// Nothing may use it; its file leaves after a while.
    Condemned {
        /// Since when.
        since: UnixMillis,
    },
}

/// Which shared pack is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenPackRow {
    /// Its name.
    pub pack: PackId,
}

/// A manifest's use of a pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackUserRow {
    /// Where the manifest's last segment in the pack ends.
    pub end: u64,
}

impl Record for BucketRow {}
impl Record for CurrentRow {}
impl Record for HeadRow {}
impl Record for VersionRow {}
impl Record for PartTable {}
impl Record for UploadRow {}
impl Record for PartRow {}
impl Record for CompletedRow {}
impl Record for DeadRow {}
impl Record for ManifestHead {}
impl Record for ManifestChunk {}
impl Record for PackRow {}
impl Record for OpenPackRow {}
impl Record for PackUserRow {}

#[cfg(test)]
mod tests;

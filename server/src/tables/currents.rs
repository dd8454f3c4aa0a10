//! The listing: each key's current object, in key order.

use serde::{Deserialize, Serialize};

use crate::clock::UnixMillis;
use crate::model::{
    BucketId, ChecksumAlgorithm, ChecksumKind, ETag, ObjectKey, Owner, StorageClass, VersionNumber,
};
use crate::store::StoreError;
use crate::tables::key::{KeyReader, KeyWriter};
use crate::tables::keyspace::Keyspace;
use crate::tables::record::Record;
use crate::tables::table::{Keyed, Range, Table};

/// What a listing shows of a key's current object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CurrentRow {
    /// The version.
    pub number: VersionNumber,
    /// Plain bytes.
    pub size: u64,
    /// Its ETag.
    pub etag: ETag,
    /// When it was committed.
    pub time: UnixMillis,
    /// Storage class.
    pub class: StorageClass,
    /// The user who put it.
    pub owner: Owner,
    /// The algorithms of its checksums, and what they cover.
    pub checksums: Vec<(ChecksumAlgorithm, ChecksumKind)>,
}

impl Record for CurrentRow {}

/// Each key's current object: everything that LIST shows.
#[derive(Debug, Clone, Copy)]
pub struct Currents;

impl Keyed for Currents {
    const KEYSPACE: Keyspace = Keyspace::Current;
    type Key<'a> = (BucketId, &'a ObjectKey);
    type Found = (BucketId, ObjectKey);

    fn write((bucket, key): Self::Key<'_>, out: &mut KeyWriter) {
        out.bucket(bucket).key(key);
    }

    fn read(fields: &mut KeyReader<'_>) -> Result<(BucketId, ObjectKey), StoreError> {
        Ok((fields.bucket()?, fields.object_key()?))
    }
}

impl Table for Currents {
    type Value = CurrentRow;
}

impl Currents {
    /// The rows of a bucket whose object keys start with `prefix`.
    pub fn of_prefix(self, bucket: BucketId, prefix: &str) -> Range<Currents> {
        let mut out = KeyWriter::new(Self::KEYSPACE);
        out.bucket(bucket).unended(prefix.as_bytes());
        Range::of_prefix(out)
    }
}

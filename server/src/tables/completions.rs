//! Answers of Complete, kept for a while, so that a repeated Complete gets the same answer.

use serde::{Deserialize, Serialize};

use crate::clock::UnixMillis;
use crate::model::{BucketName, Checksum, ETag, ObjectKey, UploadId, VersionId};
use crate::store::StoreError;
use crate::tables::key::{KeyReader, KeyWriter};
use crate::tables::keyspace::Keyspace;
use crate::tables::record::Record;
use crate::tables::table::{Keyed, Table};

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

impl Record for CompletedRow {}

/// Answers of Complete by upload.
#[derive(Debug, Clone, Copy)]
pub struct Completions;

impl Keyed for Completions {
    const KEYSPACE: Keyspace = Keyspace::Completed;
    type Key<'a> = UploadId;
    type Found = UploadId;

    fn write(upload: Self::Key<'_>, out: &mut KeyWriter) {
        out.fixed(&upload.0);
    }

    fn read(fields: &mut KeyReader<'_>) -> Result<UploadId, StoreError> {
        fields.upload()
    }
}

impl Table for Completions {
    type Value = CompletedRow;
}

//! Heads: a key's current version, its null version, and its next version number.

use serde::{Deserialize, Serialize};

use crate::model::{BucketId, ObjectKey, VersionNumber};
use crate::store::StoreError;
use crate::tables::key::{KeyReader, KeyWriter};
use crate::tables::keyspace::Keyspace;
use crate::tables::record::Record;
use crate::tables::table::{Keyed, Table};

/// A summary of a key's versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeadRow {
    /// The next version's number.
    pub next: VersionNumber,
    /// The newest version: an object or a delete marker.
    pub current: Option<VersionNumber>,
    /// The null version, if there is one.
    pub null: Option<VersionNumber>,
}

impl Record for HeadRow {}

/// The summary of each key's versions. Every change of a key's versions writes its head.
#[derive(Debug, Clone, Copy)]
pub struct Heads;

impl Keyed for Heads {
    const KEYSPACE: Keyspace = Keyspace::Head;
    type Key<'a> = (BucketId, &'a ObjectKey);
    type Found = (BucketId, ObjectKey);

    fn write((bucket, key): Self::Key<'_>, out: &mut KeyWriter) {
        out.bucket(bucket).key(key);
    }

    fn read(fields: &mut KeyReader<'_>) -> Result<(BucketId, ObjectKey), StoreError> {
        Ok((fields.bucket()?, fields.object_key()?))
    }
}

impl Table for Heads {
    type Value = HeadRow;
}

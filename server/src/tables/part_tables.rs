//! The parts from which an object was completed.

use serde::{Deserialize, Serialize};

use crate::model::Checksum;
use crate::store::{ManifestId, StoreError};
use crate::tables::key::{KeyReader, KeyWriter};
use crate::tables::keyspace::Keyspace;
use crate::tables::record::Record;
use crate::tables::table::{Keyed, Table};

/// The parts from which an object was completed, in order.
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

impl Record for PartTable {}

/// Part tables by the manifest of their object.
#[derive(Debug, Clone, Copy)]
pub struct PartTables;

impl Keyed for PartTables {
    const KEYSPACE: Keyspace = Keyspace::PartTable;
    type Key<'a> = ManifestId;
    type Found = ManifestId;

    fn write(manifest: Self::Key<'_>, out: &mut KeyWriter) {
        out.fixed(&manifest.to_bytes());
    }

    fn read(fields: &mut KeyReader<'_>) -> Result<ManifestId, StoreError> {
        fields.manifest()
    }
}

impl Table for PartTables {
    type Value = PartTable;
}

//! Quarantine: packs with bodies that no row names, kept for a while in case that Meta is an older copy.

use serde::{Deserialize, Serialize};

use crate::clock::UnixMillis;
use crate::store::{PackId, StoreError};
use crate::tables::key::{KeyReader, KeyWriter};
use crate::tables::keyspace::Keyspace;
use crate::tables::record::Record;
use crate::tables::table::{Keyed, Table};

/// A pack in quarantine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuarantineRow {
    /// When its bodies were found.
    pub since: UnixMillis,
}

impl Record for QuarantineRow {}

/// The packs in quarantine.
#[derive(Debug, Clone, Copy)]
pub struct Quarantine;

impl Keyed for Quarantine {
    const KEYSPACE: Keyspace = Keyspace::Quarantine;
    type Key<'a> = PackId;
    type Found = PackId;

    fn write(pack: Self::Key<'_>, out: &mut KeyWriter) {
        out.fixed(&pack.to_bytes());
    }

    fn read(fields: &mut KeyReader<'_>) -> Result<PackId, StoreError> {
        fields.pack()
    }
}

impl Table for Quarantine {
    type Value = QuarantineRow;
}

//! Packs: the state of each, and which manifests have segments in it.

use serde::{Deserialize, Serialize};

use crate::clock::UnixMillis;
use crate::store::{ManifestId, PackId, StoreError};
use crate::tables::key::{KeyReader, KeyWriter};
use crate::tables::keyspace::Keyspace;
use crate::tables::record::Record;
use crate::tables::table::{Counter, Keyed, Range, Table, Tally};

/// The state of a pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum PackRow {
    /// The shared pack of a running process: it still grows.
    Live,
    /// It never grows again; bytes at and after `len` are unused.
    Sealed {
        /// The length of its valid bytes.
        len: u64,
    },
    /// Marked for deletion: nothing may use it; its file is removed after a grace period.
    Marked {
        /// When it was marked.
        since: UnixMillis,
    },
}

/// A manifest's use of a pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackUserRow {
    /// The end of the manifest's last segment in the pack.
    pub end: u64,
}

impl Record for PackRow {}
impl Record for PackUserRow {}

/// The state of each pack that a commit knows.
#[derive(Debug, Clone, Copy)]
pub struct PackRows;

impl Keyed for PackRows {
    const KEYSPACE: Keyspace = Keyspace::Pack;
    type Key<'a> = PackId;
    type Found = PackId;

    fn write(pack: Self::Key<'_>, out: &mut KeyWriter) {
        out.fixed(&pack.to_bytes());
    }

    fn read(fields: &mut KeyReader<'_>) -> Result<PackId, StoreError> {
        fields.pack()
    }
}

impl Table for PackRows {
    type Value = PackRow;
}

/// The number of segments that manifests have in each pack.
#[derive(Debug, Clone, Copy)]
pub struct PackSegments;

impl Keyed for PackSegments {
    const KEYSPACE: Keyspace = Keyspace::PackSegments;
    type Key<'a> = PackId;
    type Found = PackId;

    fn write(pack: Self::Key<'_>, out: &mut KeyWriter) {
        out.fixed(&pack.to_bytes());
    }

    fn read(fields: &mut KeyReader<'_>) -> Result<PackId, StoreError> {
        fields.pack()
    }
}

impl Counter for PackSegments {}

/// Stored bytes that manifests have in each pack: a hint for repacking.
#[derive(Debug, Clone, Copy)]
pub struct PackLive;

impl Keyed for PackLive {
    const KEYSPACE: Keyspace = Keyspace::PackLive;
    type Key<'a> = PackId;
    type Found = PackId;

    fn write(pack: Self::Key<'_>, out: &mut KeyWriter) {
        out.fixed(&pack.to_bytes());
    }

    fn read(fields: &mut KeyReader<'_>) -> Result<PackId, StoreError> {
        fields.pack()
    }
}

impl Tally for PackLive {}

/// The manifests that have a segment in a pack.
#[derive(Debug, Clone, Copy)]
pub struct PackUsers;

impl Keyed for PackUsers {
    const KEYSPACE: Keyspace = Keyspace::PackUser;
    type Key<'a> = (PackId, ManifestId);
    type Found = (PackId, ManifestId);

    fn write((pack, manifest): Self::Key<'_>, out: &mut KeyWriter) {
        out.fixed(&pack.to_bytes()).fixed(&manifest.to_bytes());
    }

    fn read(fields: &mut KeyReader<'_>) -> Result<(PackId, ManifestId), StoreError> {
        Ok((fields.pack()?, fields.manifest()?))
    }
}

impl Table for PackUsers {
    type Value = PackUserRow;
}

impl PackUsers {
    /// All manifests with a segment in a pack.
    pub fn of_pack(self, pack: PackId) -> Range<PackUsers> {
        let mut out = KeyWriter::new(Self::KEYSPACE);
        out.fixed(&pack.to_bytes());
        Range::of_prefix(out)
    }
}

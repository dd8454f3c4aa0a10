//! Manifests: how the bytes of one object are rebuilt, and how many use them.

use serde::{Deserialize, Serialize};

use crate::store::packs::Segment;
use crate::store::{ManifestId, StoreError};
use crate::tables::key::{KeyReader, KeyWriter};
use crate::tables::keyspace::Keyspace;
use crate::tables::record::{Record, Unreadable, exactly};
use crate::tables::table::{Counter, Keyed, Table};

/// Entries in one row of a manifest, so that the size of rows is limited.
pub const MANIFEST_CHUNK_ENTRIES: usize = 1000;

/// One piece of an object's bytes. A new way to store bytes is a new kind of entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ManifestEntry {
    /// A run of frames in one pack.
    Segment(Segment),
}

/// Chunk 0 of a manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManifestHead {
    /// How many chunks there are, this one included.
    pub chunks: u32,
    /// Plain bytes of all entries.
    pub size: u64,
    /// The first [`MANIFEST_CHUNK_ENTRIES`] entries.
    pub entries: Vec<ManifestEntry>,
}

/// A later chunk of a manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManifestChunk {
    /// The next entries.
    pub entries: Vec<ManifestEntry>,
}

impl Record for ManifestHead {
    const VERSION: u16 = 2;

    fn read_older(version: u16, body: &[u8]) -> Result<ManifestHead, Unreadable> {
        match version {
            1 => exactly::<v1::ManifestHead>(body).map(|old| ManifestHead {
                chunks: old.chunks,
                size: old.size,
                entries: v1::entries(old.segments),
            }),
            _ => Err(Unreadable("a record version that no program wrote")),
        }
    }
}

impl Record for ManifestChunk {
    const VERSION: u16 = 2;

    fn read_older(version: u16, body: &[u8]) -> Result<ManifestChunk, Unreadable> {
        match version {
            1 => exactly::<v1::ManifestChunk>(body).map(|old| ManifestChunk {
                entries: v1::entries(old.segments),
            }),
            _ => Err(Unreadable("a record version that no program wrote")),
        }
    }
}

/// The records that knew only segments.
pub(super) mod v1 {
    use super::{Deserialize, ManifestEntry, Segment, Serialize};

    /// Chunk 0.
    #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
    pub(crate) struct ManifestHead {
        pub(crate) chunks: u32,
        pub(crate) size: u64,
        pub(crate) segments: Vec<Segment>,
    }

    /// A later chunk.
    #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
    pub(crate) struct ManifestChunk {
        pub(crate) segments: Vec<Segment>,
    }

    pub(super) fn entries(segments: Vec<Segment>) -> Vec<ManifestEntry> {
        segments.into_iter().map(ManifestEntry::Segment).collect()
    }
}

/// Chunk 0 of each manifest.
#[derive(Debug, Clone, Copy)]
pub struct ManifestHeads;

impl Keyed for ManifestHeads {
    const KEYSPACE: Keyspace = Keyspace::Manifest;
    type Key<'a> = ManifestId;
    type Found = ManifestId;

    fn write(manifest: Self::Key<'_>, out: &mut KeyWriter) {
        out.fixed(&manifest.to_bytes()).fixed(&0_u32.to_be_bytes());
    }

    fn read(fields: &mut KeyReader<'_>) -> Result<ManifestId, StoreError> {
        let manifest = fields.manifest()?;
        match u32::from_be_bytes(fields.array()?) {
            0 => Ok(manifest),
            _ => Err(fields.damaged("a later chunk in the place of the first")),
        }
    }
}

impl Table for ManifestHeads {
    type Value = ManifestHead;
}

/// Later chunks of manifests, from 1 up. A walk over this table also returns the heads, so it must check the chunk's
/// number.
#[derive(Debug, Clone, Copy)]
pub struct ManifestChunks;

impl Keyed for ManifestChunks {
    const KEYSPACE: Keyspace = Keyspace::Manifest;
    type Key<'a> = (ManifestId, u32);
    type Found = (ManifestId, u32);

    fn write((manifest, chunk): Self::Key<'_>, out: &mut KeyWriter) {
        out.fixed(&manifest.to_bytes()).fixed(&chunk.to_be_bytes());
    }

    fn read(fields: &mut KeyReader<'_>) -> Result<(ManifestId, u32), StoreError> {
        Ok((fields.manifest()?, u32::from_be_bytes(fields.array()?)))
    }
}

impl Table for ManifestChunks {
    type Value = ManifestChunk;
}

/// The number of versions and parts that use each manifest.
#[derive(Debug, Clone, Copy)]
pub struct ManifestUsers;

impl Keyed for ManifestUsers {
    const KEYSPACE: Keyspace = Keyspace::ManifestUsers;
    type Key<'a> = ManifestId;
    type Found = ManifestId;

    fn write(manifest: Self::Key<'_>, out: &mut KeyWriter) {
        out.fixed(&manifest.to_bytes());
    }

    fn read(fields: &mut KeyReader<'_>) -> Result<ManifestId, StoreError> {
        fields.manifest()
    }
}

impl Counter for ManifestUsers {}

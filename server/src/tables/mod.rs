//! What the rows of Meta mean: one typed table per file, with its key, its value and their versions.
//!
//! `read(table, key)` and `draft.put(table, key, value)` do not compile with another table's value. Keys are built and
//! split only in [`key`]; every value starts with the version of its record, see [`record`]. Nothing here makes
//! decisions.

pub mod draft;
pub mod key;
pub mod keyspace;
pub mod record;
pub mod table;

pub mod bucket_settings;
mod buckets;
mod completions;
mod currents;
mod dead;
mod heads;
mod manifests;
mod packs;
mod part_tables;
mod parts;
mod quarantine;
mod sums;
pub mod upgrade;
mod uploads;
mod versions;
mod writers;

#[cfg(test)]
mod golden;

pub use bucket_settings::{BucketVersioning, Versioning};
pub use buckets::{BucketRow, BucketState, Buckets};
pub use completions::{CompletedRow, Completions};
pub use currents::{CurrentRow, Currents};
pub use dead::{DeadManifests, DeadRow, DeadUploads};
pub use draft::Draft;
pub use heads::{HeadRow, Heads};
pub use keyspace::Keyspace;
pub use manifests::{
    MANIFEST_CHUNK_ENTRIES, ManifestChunk, ManifestChunks, ManifestEntry, ManifestHead,
    ManifestHeads, ManifestUsers,
};
pub use packs::{PackLive, PackRow, PackRows, PackSegments, PackUserRow, PackUsers};
pub use part_tables::{PartEntry, PartTable, PartTables};
pub use parts::{PartRow, Parts};
pub use quarantine::{Quarantine, QuarantineRow};
pub use record::Record;
pub use sums::{LogicalBytes, StoredBytes, total};
pub use table::{Counter, Entry, Keyed, Range, Rows, Table, Tally};
pub use uploads::{Attributes, UploadChecksumKind, UploadRow, Uploads};
pub use versions::{ObjectData, VersionKind, VersionRow, Versions};
pub use writers::{WriterRow, Writers};

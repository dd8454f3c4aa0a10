//! What the rows of Meta mean: one enum of keyspaces with one codec for keys, one record type for each value.
//!
//! Keys are built and split only here. Every value starts with the format version that wrote it; the rest is
//! [postcard](https://postcard.jamesmunns.com/wire-format) of the record, pinned by golden bytes.
//! Nothing here reads or writes a store.

pub mod keys;
pub mod records;

pub use keys::{Keyspace, RowKey};
pub use records::{
    Attributes, BucketRow, BucketState, CompletedRow, CurrentRow, DeadRow, HeadRow, ManifestChunk,
    ManifestHead, ObjectData, OpenPackRow, PackRow, PackUserRow, PartEntry, PartRow, PartTable,
    Record, UploadChecksumKind, UploadRow, VersionKind, VersionRow, Versioning,
};

//! A body that lies in packs, verified and synced, but belongs to no object yet.

use crate::model::Checksum;
use crate::store::packs::{PackHold, Segment};

/// Whose pack a segment lies in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PackClaim {
    /// The body's own pack of this length: its row is created by the commit that first uses it.
    Own {
        /// The pack file's length.
        len: u64,
    },
    /// A pack that already has a row.
    Shared,
}

/// A segment and what is known of its pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlacedSegment {
    /// Where the bytes lie.
    pub segment: Segment,
    /// Whose pack it is.
    pub claim: PackClaim,
}

/// A verified, synced body.
#[derive(Debug)]
pub struct StoredBody {
    /// Plain bytes.
    pub size: u64,
    /// MD5 of the plain bytes.
    pub md5: [u8; 16],
    /// Checksums that were asked for.
    pub checksums: Vec<Checksum>,
    /// The bytes, in order; none for an empty body.
    pub segments: Vec<PlacedSegment>,
    /// Keeps hygiene away from its packs until the body is committed or given up.
    pub holds: Vec<PackHold>,
}

//! A body stored in packs, verified and synced, that belongs to no object yet.

use crate::model::Checksum;
use crate::packs::PlacedSegment;
use crate::store::packs::WriterLease;

/// A verified, synced body.
#[derive(Debug)]
pub struct StoredBody {
    /// Plain bytes.
    pub size: u64,
    /// MD5 of the plain bytes.
    pub md5: [u8; 16],
    /// The requested checksums.
    pub checksums: Vec<Checksum>,
    /// The bytes, in order; none for an empty body.
    pub segments: Vec<PlacedSegment>,
    /// Protect its packs from collection until the body is committed or abandoned.
    pub leases: Vec<WriterLease>,
}

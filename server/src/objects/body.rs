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
    /// Checksums that were asked for.
    pub checksums: Vec<Checksum>,
    /// The bytes, in order; none for an empty body.
    pub segments: Vec<PlacedSegment>,
    /// They keep the sweep away from its packs until the body is committed or given up.
    pub leases: Vec<WriterLease>,
}

//! Packs: append-only batches of frames, immutable once sealed.
//!
//! The seam: [`Packs::append`] (a batch of small segments, durable when it returns), [`Packs::begin`] (a pack for one
//! large body), [`Packs::read`], [`Packs::remove`], [`Packs::list`]. Rows of Meta decide which packs are needed; this
//! module never reads them.
//!
//! Invariants: bytes below the end of a returned placement never change; a frame's checksum is bound to store, pack and
//! position, so a frame read from the wrong place is detected; a pack is not appended to again after a short or failed
//! write.

pub mod buffers;
mod dry_run;
pub mod format;
pub mod leases;
pub mod local;
pub mod reader;
pub mod scan;

use std::ops::Range;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

pub use dry_run::DryRunPacks;
pub use format::{EncodedFrame, Origin};
pub use leases::WriterLease;
pub use reader::SegmentReader;

use crate::{PackId, StoreError, StoreId};

/// Plain bytes in every frame of a segment except the last, so that a range finds its frame by division.
pub const FRAME_PLAIN_BYTES: usize = 256 * 1024;

/// A pack is full at this size: large enough that a sync is cheap per byte, small enough that an unused pack is freed
/// soon.
pub const PACK_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Largest number of bytes in one [`PackWriter::append`]: limits the memory of one upload.
pub const PIECE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// A run of frames of one body in one pack, its frame table included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Segment {
    /// Its pack.
    pub pack: PackId,
    /// Where its first frame's header starts.
    pub offset: u64,
    /// Bytes from there to the end of its table's tail.
    pub stored_len: u64,
    /// Its plain bytes, after `skip`.
    pub plain_len: u64,
    /// Plain bytes of its first frame that do not belong to it.
    pub skip: u32,
}

/// A small body ready to be appended: its frames and its origin.
#[derive(Debug, Clone)]
pub struct SegmentDraft {
    /// At least one frame; all but the last hold [`FRAME_PLAIN_BYTES`].
    pub frames: Vec<EncodedFrame>,
    /// The data that salvage needs when Meta is lost.
    pub origin: Origin,
}

/// The result of an append.
#[derive(Debug)]
pub struct Appended {
    /// One segment per draft, in order; all are in `pack`.
    pub segments: Vec<Segment>,
    /// The pack that holds them.
    pub pack: PackId,
    /// The pack's new length.
    pub pack_len: u64,
    /// The owner of the pack.
    pub owner: PackOwner,
}

/// The owner of the pack that took a batch.
#[derive(Debug)]
pub enum PackOwner {
    /// The open shared pack, which has had a row since it was opened. Local files always return this.
    Shared,
    /// The batch's own pack, complete and durable: one object of an object store. The commit that first uses the pack
    /// creates its row; until that commit is answered, the lease keeps collection away.
    Batch(WriterLease),
}

/// A pack file as found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackEntry {
    /// Its name.
    pub pack: PackId,
    /// Its length in bytes.
    pub len: u64,
}

/// A length in memory as a length in a file.
#[expect(
    clippy::as_conversions,
    reason = "usize has at most 64 bits on every target; TryFrom is not const"
)]
pub(crate) const fn len64(len: usize) -> u64 {
    len as u64
}

/// The writer of one pack that belongs to a single caller. If dropped without [`PackWriter::finish`], it leaves an
/// orphan file, which collection removes.
#[expect(
    clippy::len_without_is_empty,
    reason = "a pack has a header, so it is never empty"
)]
pub trait PackWriter: Send {
    /// The pack's name.
    fn pack(&self) -> PackId;

    /// The pack's length now, header included.
    fn len(&self) -> u64;

    /// Appends frames of the segment being written (at most [`PIECE_BYTES_MAX`] stored bytes); not durable yet.
    ///
    /// # Errors
    /// When the disk fails; the writer is then unusable.
    fn append(&mut self, frames: &[EncodedFrame]) -> Result<(), StoreError>;

    /// Ends the segment with its table and makes the pack and its directory entry durable.
    ///
    /// # Errors
    /// When the disk fails. A failed sync latches the store read-only.
    fn finish(self: Box<Self>, origin: &Origin) -> Result<Finished, StoreError>;
}

/// A complete, durable pack, to be used by a commit.
#[derive(Debug)]
pub struct Finished {
    /// Its only segment.
    pub segment: Segment,
    /// Collection skips the pack until this is dropped.
    pub lease: WriterLease,
}

/// The bytes of a store.
pub trait Packs: Send + Sync + 'static {
    /// The store that the packs belong to; frames are bound to it.
    fn store(&self) -> StoreId;

    /// Creates a new shared pack (header and directory entries are durable). From then on, [`Packs::append`] appends to
    /// it; the previous shared pack is closed.
    ///
    /// # Errors
    /// When the disk fails.
    fn open_shared(&self) -> Result<PackId, StoreError>;

    /// Appends a batch to the shared pack with one sync, or puts it into a pack of its own; durable when it returns.
    ///
    /// # Errors
    /// When the disk fails; the shared pack is then closed at its last good batch, and the next call needs
    /// [`Packs::open_shared`] ([`StoreError::NoSharedPack`] until then).
    fn append(&self, batch: &[SegmentDraft]) -> Result<Appended, StoreError>;

    /// Whether this process still writes the pack or is about to commit it.
    fn is_held(&self, pack: PackId) -> bool;

    /// Starts a pack for one body (or for one pack's worth of it).
    ///
    /// # Errors
    /// When the disk fails.
    fn begin(&self) -> Result<Box<dyn PackWriter>, StoreError>;

    /// Reads raw byte ranges of a pack, in the order of `ranges`.
    ///
    /// # Errors
    /// [`StoreError::PackMissing`], [`StoreError::PackShort`] or an I/O error, each naming the pack.
    fn read(&self, pack: PackId, ranges: &[Range<u64>]) -> Result<Vec<Bytes>, StoreError>;

    /// Removes a pack file durably; a missing file is no error.
    ///
    /// # Errors
    /// When the disk fails.
    fn remove(&self, pack: PackId) -> Result<(), StoreError>;

    /// Up to `limit` pack files with a name after `after`, in order of name.
    ///
    /// # Errors
    /// When the directory cannot be read.
    fn list(&self, after: Option<PackId>, limit: usize) -> Result<Vec<PackEntry>, StoreError>;

    /// One pack file, if it exists.
    ///
    /// # Errors
    /// When the directory cannot be read.
    fn entry(&self, pack: PackId) -> Result<Option<PackEntry>, StoreError> {
        let before = PackId {
            serial: pack.serial.saturating_sub(1),
            ..pack
        };
        let mut next = self.list(Some(before), 1)?.into_iter();
        Ok(next.next().filter(|entry| entry.pack == pack))
    }
}

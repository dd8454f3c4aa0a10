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

/// Plain bytes in every frame of a segment but its last, so that a range finds its frame by division.
pub const FRAME_PLAIN_BYTES: usize = 256 * 1024;

/// A pack is full at this size: large enough that its sync is cheap per byte, small enough that a dead one frees soon.
pub const PACK_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Most bytes handed to one [`PackWriter::append`]: bounds what one upload holds in memory.
pub const PIECE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// A run of frames of one body in one pack, its frame table included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Segment {
    /// The pack it lies in.
    pub pack: PackId,
    /// Where its first frame's header starts.
    pub offset: u64,
    /// Bytes from there to the end of its table's tail.
    pub stored_len: u64,
    /// Plain bytes it gives, after `skip`.
    pub plain_len: u64,
    /// Plain bytes of its first frame that do not belong to it.
    pub skip: u32,
}

/// A small body ready to be appended: its frames, and what it was written for.
#[derive(Debug, Clone)]
pub struct SegmentDraft {
    /// At least one frame; all but the last hold [`FRAME_PLAIN_BYTES`].
    pub frames: Vec<EncodedFrame>,
    /// What salvage needs to know when Meta is lost.
    pub origin: Origin,
}

/// What an append gave.
#[derive(Debug)]
pub struct Appended {
    /// One for each draft, in order; all lie in `pack`.
    pub segments: Vec<Segment>,
    /// The pack they went to.
    pub pack: PackId,
    /// The pack's length now.
    pub pack_len: u64,
    /// Whose pack it is.
    pub owner: PackOwner,
}

/// Whose pack a batch went to.
#[derive(Debug)]
pub enum PackOwner {
    /// The open shared pack, which has a row since it was opened. Local files always answer this.
    Shared,
    /// The batch's own pack, whole and durable: one object of an object store. The commit that first uses it creates its
    /// row; until that is answered, the lease keeps collection away from it.
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

/// A length in memory as one in a file.
#[expect(
    clippy::as_conversions,
    reason = "usize has at most 64 bits on every target; TryFrom is not const"
)]
pub(crate) const fn len64(len: usize) -> u64 {
    len as u64
}

/// The writing end of one pack that belongs to a single caller. Dropped without [`PackWriter::finish`] it leaves an
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
    /// When the disk refuses; the writer is then of no further use.
    fn append(&mut self, frames: &[EncodedFrame]) -> Result<(), StoreError>;

    /// Ends the segment with its table and makes the pack and its directory entry durable.
    ///
    /// # Errors
    /// When the disk refuses. A failed sync latches the store read-only.
    fn finish(self: Box<Self>, origin: &Origin) -> Result<Finished, StoreError>;
}

/// A pack that is whole and durable, and to be used by a commit.
#[derive(Debug)]
pub struct Finished {
    /// Its one segment.
    pub segment: Segment,
    /// Until it is dropped, collection leaves the pack alone.
    pub lease: WriterLease,
}

/// The bytes of a store.
pub trait Packs: Send + Sync + 'static {
    /// The store that the packs belong to: what frames are bound to.
    fn store(&self) -> StoreId;

    /// Creates a new shared pack (header durable, directory entries durable) and makes it the one that
    /// [`Packs::append`] appends to; the former one is closed.
    ///
    /// # Errors
    /// When the disk refuses.
    fn open_shared(&self) -> Result<PackId, StoreError>;

    /// Appends a batch to the shared pack, with one sync, or puts it into a pack of its own; durable when it returns.
    ///
    /// # Errors
    /// When the disk refuses; the shared pack is then closed at its last good batch and the next call needs
    /// [`Packs::open_shared`] ([`StoreError::NoSharedPack`] until then).
    fn append(&self, batch: &[SegmentDraft]) -> Result<Appended, StoreError>;

    /// Whether somebody of this process still writes the pack or is about to commit it.
    fn is_held(&self, pack: PackId) -> bool;

    /// Starts a pack for one body (or one pack's worth of it).
    ///
    /// # Errors
    /// When the disk refuses.
    fn begin(&self) -> Result<Box<dyn PackWriter>, StoreError>;

    /// Reads byte ranges of a pack, raw, in the order asked.
    ///
    /// # Errors
    /// [`StoreError::PackMissing`], [`StoreError::PackShort`] or an I/O error, each naming the pack.
    fn read(&self, pack: PackId, ranges: &[Range<u64>]) -> Result<Vec<Bytes>, StoreError>;

    /// Removes a pack file durably; removing none is no error.
    ///
    /// # Errors
    /// When the disk refuses.
    fn remove(&self, pack: PackId) -> Result<(), StoreError>;

    /// Up to `limit` pack files with a name after `after`, in order of name.
    ///
    /// # Errors
    /// When the directory cannot be read.
    fn list(&self, after: Option<PackId>, limit: usize) -> Result<Vec<PackEntry>, StoreError>;
}

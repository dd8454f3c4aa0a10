//! Walks a pack from its header and finds each segment with its origin, without Meta. Used for salvage and to inspect
//! packs that no row names.
//!
//! It stops at the first byte that is not part of a whole segment. In a healthy pack that is the end. After a crash or
//! a failed write, it is the end of the last good batch or slightly later.

use super::format::frame::{FRAME_BYTES_MAX, FRAME_HEADER_BYTES, FrameKind, FramePosition, Prefix};
use super::format::header::PACK_HEADER_BYTES;
use super::format::segment::{FrameTable, Origin, TAIL_BYTES, decode_tail};
use super::reader::{READ_BYTES_MAX, Window};
use super::{PackEntry, Packs, Segment, len64};
use crate::StoreError;

/// A segment as found in a pack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its place.
    pub segment: Segment,
    /// Its origin.
    pub origin: Origin,
}

/// Returns a pack's segments in order.
#[derive(Debug)]
pub struct PackScan {
    entry: PackEntry,
    window: Window,
    /// End of the last whole segment.
    offset: u64,
    ended: bool,
}

impl PackScan {
    /// Starts after the header.
    pub fn new(entry: PackEntry) -> PackScan {
        PackScan::starting_at(entry, PACK_HEADER_BYTES)
    }

    /// Starts at `offset`, where a segment ends or the header does.
    pub fn starting_at(entry: PackEntry, offset: u64) -> PackScan {
        PackScan {
            window: Window::new(entry.pack),
            entry,
            offset,
            ended: false,
        }
    }

    /// Starts at a segment named by rows, and treats its end as the end of the pack.
    pub fn of(segment: &Segment) -> PackScan {
        let entry = PackEntry {
            pack: segment.pack,
            len: segment.offset.saturating_add(segment.stored_len),
        };
        PackScan::starting_at(entry, segment.offset)
    }

    /// The end of the last whole segment found.
    pub fn good_end(&self) -> u64 {
        self.offset
    }

    /// The next segment, with every frame verified; `None` at the end of the pack. After an error comes `None`.
    pub fn next(&mut self, packs: &dyn Packs) -> Option<Result<Found, StoreError>> {
        if self.ended || self.offset >= self.entry.len {
            return None;
        }
        let found = self.segment(packs);
        match &found {
            Ok(found) => self.offset += found.segment.stored_len,
            Err(_) => self.ended = true,
        }
        Some(found)
    }

    fn segment(&mut self, packs: &dyn Packs) -> Result<Found, StoreError> {
        let PackEntry { pack, len: end } = self.entry;
        let mut position = FramePosition {
            store: packs.store(),
            pack,
            offset: self.offset,
        };
        let mut stored = Vec::new();
        let mut plain_len = 0;
        loop {
            let frame = self.window.frame(packs, position, end, READ_BYTES_MAX)?;
            let next = position.offset + frame.frame_len();
            if frame.kind() == FrameKind::Data {
                // Decoded as well: salvage must not promise bytes that a reader could not return.
                plain_len += len64(frame.plain(Prefix::Absent)?.len());
                stored.push(frame.frame_len() - len64(FRAME_HEADER_BYTES));
                position.offset = next;
                continue;
            }
            let table = FrameTable::decode(&position, &frame)?;
            let damaged = |what| StoreError::DamagedFrame {
                pack,
                offset: next,
                what,
            };
            let tail_end = next + len64(TAIL_BYTES);
            if tail_end > end {
                return Err(damaged("the segment's tail is cut off"));
            }
            let tail = packs.read(pack, std::slice::from_ref(&(next..tail_end)))?;
            if tail.first().and_then(|tail| decode_tail(tail)) != Some(frame.frame_len()) {
                return Err(damaged("the segment's tail does not fit its table"));
            }
            if table.plain_len != plain_len
                || !table.stored.iter().map(|len| u64::from(*len)).eq(stored)
            {
                return Err(damaged("the frame table does not fit its frames"));
            }
            let segment = Segment {
                pack,
                offset: self.offset,
                stored_len: tail_end - self.offset,
                plain_len,
                skip: 0,
            };
            return Ok(Found {
                segment,
                origin: table.origin,
            });
        }
    }
}

const _: () = assert!(
    READ_BYTES_MAX >= len64(FRAME_BYTES_MAX),
    "a window holds at least one frame"
);

//! Reads a plain range of a segment: verified plain bytes, a few frames at a time.
//!
//! A range that starts in the first frame is read from there. A range that starts later finds its frame by division and
//! the segment's frame table. Only a position is kept between calls, so a slow client holds no memory here, and one
//! user may have readers over several packs.
//!
//! Invariant: bytes are returned only from frames whose checksum was verified at the place they were read from. A
//! frame's index comes only from a verified table or from the verified frames before it.

use std::ops::Range;

use bytes::Bytes;

use super::format::frame::{
    FRAME_BYTES_MAX, FRAME_HEADER_BYTES, Frame, FrameHead, FrameKind, FramePosition, Prefix,
};
use super::format::segment::{FrameTable, TAIL_BYTES, decode_tail};
use super::{Packs, Segment, len64};
use crate::{PackId, StoreError};

/// Stored bytes of one read: four incompressible frames, about 1 MiB.
pub const READ_BYTES_MAX: u64 = 4 * len64(FRAME_BYTES_MAX);

/// Bytes at the end of a segment that hold its table, for up to about 1,000 frames.
const TABLE_GUESS_BYTES: u64 = 4096;

const FULL: u64 = len64(FrameKind::Data.plain_bytes_max());

/// Returns the plain bytes of a range of one segment, in order.
#[derive(Debug)]
pub struct SegmentReader {
    segment: Segment,
    /// First byte after the segment in its pack.
    stored_end: u64,
    /// The remaining range, counted from the first plain byte of the segment's first frame.
    wanted: Range<u64>,
    cursor: Option<Cursor>,
}

/// The next frame to read.
#[derive(Debug, Clone, Copy)]
struct Cursor {
    offset: u64,
    index: u64,
}

impl SegmentReader {
    /// Reads `range` of the segment's plain bytes.
    ///
    /// # Panics
    /// When the range is not inside the segment: its caller divides an object's range into segments.
    pub fn new(segment: Segment, range: Range<u64>) -> SegmentReader {
        assert!(
            range.start <= range.end && range.end <= segment.plain_len,
            "a range inside the segment"
        );
        let skip = u64::from(segment.skip);
        SegmentReader {
            stored_end: segment.offset.saturating_add(segment.stored_len),
            wanted: range.start.saturating_add(skip)..range.end.saturating_add(skip),
            segment,
            cursor: None,
        }
    }

    /// All plain bytes of the segment.
    pub fn whole(segment: Segment) -> SegmentReader {
        SegmentReader::new(segment, 0..segment.plain_len)
    }

    /// Plain bytes still to come.
    pub fn remaining(&self) -> u64 {
        self.wanted.end - self.wanted.start
    }

    /// The plain bytes of the next frames, at most `frames_max` of them (at least one); none at the end. Blocks.
    ///
    /// # Errors
    /// A read error; [`StoreError::DamagedFrame`] for the first frame that cannot be verified. The reader's position
    /// does not change.
    pub fn next(&mut self, packs: &dyn Packs, frames_max: usize) -> Result<Vec<Bytes>, StoreError> {
        let mut out = Vec::new();
        let mut window = Window::new(self.segment.pack);
        while out.len() < frames_max.max(1) && !self.wanted.is_empty() {
            let cursor = match self.cursor {
                Some(cursor) => cursor,
                None => self.locate(packs)?,
            };
            let skipped = (self.wanted.start / FULL).saturating_sub(cursor.index);
            let left = len64(frames_max.max(1) - out.len()).saturating_add(skipped);
            let position = FramePosition {
                store: packs.store(),
                pack: self.segment.pack,
                offset: cursor.offset,
            };
            let frame =
                window.frame(packs, position, self.stored_end, self.stored_estimate(left))?;
            if let Some(plain) = self.take(&frame, &position, cursor)? {
                out.push(plain);
            }
        }
        Ok(out)
    }

    /// Moves past `frame` and returns the wanted part of it, if any.
    fn take(
        &mut self,
        frame: &Frame,
        position: &FramePosition,
        cursor: Cursor,
    ) -> Result<Option<Bytes>, StoreError> {
        let damaged = |what| StoreError::DamagedFrame {
            pack: position.pack,
            offset: position.offset,
            what,
        };
        if frame.kind() != FrameKind::Data {
            return Err(damaged("the segment ends before its plain length"));
        }
        let first = cursor.index.saturating_mul(FULL);
        let end = first.saturating_add(u64::from(frame.plain_len()));
        if end < self.wanted.end && u64::from(frame.plain_len()) != FULL {
            return Err(damaged("a frame inside the segment is not full"));
        }
        let plain = if end > self.wanted.start {
            let plain = frame.plain(Prefix::Absent)?;
            let from = self.wanted.start.saturating_sub(first);
            let to = self.wanted.end.min(end).saturating_sub(first);
            let bounds = (usize::try_from(from), usize::try_from(to));
            let (Ok(from), Ok(to)) = bounds else {
                return Err(damaged("longer than memory"));
            };
            self.wanted.start = self.wanted.end.min(end);
            Some(plain.slice(from..to))
        } else {
            None
        };
        self.cursor = Some(Cursor {
            offset: cursor.offset.saturating_add(frame.frame_len()),
            index: cursor.index + 1,
        });
        Ok(plain)
    }

    /// The start of the first wanted frame.
    fn locate(&self, packs: &dyn Packs) -> Result<Cursor, StoreError> {
        let index = self.wanted.start / FULL;
        let start = Cursor {
            offset: self.segment.offset,
            index: 0,
        };
        // A segment that is read in one go is walked: the table would cost one more read.
        if index == 0 || self.segment.stored_len <= READ_BYTES_MAX {
            return Ok(start);
        }
        let (position, table) = read_table(packs, &self.segment)?;
        let damaged = |what| StoreError::DamagedFrame {
            pack: position.pack,
            offset: position.offset,
            what,
        };
        let frame_len = |stored: &u32| len64(FRAME_HEADER_BYTES) + u64::from(*stored);
        let total: u64 = table.stored.iter().map(frame_len).sum();
        let Some(mut offset) = position.offset.checked_sub(total) else {
            return Err(damaged("the frame table is longer than its pack"));
        };
        // A segment of a part copy begins at a later frame of the table.
        let mut first = None;
        for (at, stored) in (0..).zip(&table.stored) {
            if offset == self.segment.offset {
                first = Some(at);
            }
            if first.is_some_and(|first| first + index == at) {
                return Ok(Cursor { offset, index });
            }
            offset += frame_len(stored);
        }
        Err(damaged("the frame table does not reach the range"))
    }

    /// Stored bytes that `frames` frames probably take: the mean of the segment plus one eighth. No frame is longer
    /// than an incompressible one. Bytes that are read beyond it are held as long as the frame itself.
    fn stored_estimate(&self, frames: u64) -> u64 {
        let plain = self
            .segment
            .plain_len
            .saturating_add(u64::from(self.segment.skip));
        let total = plain.div_ceil(FULL).max(1);
        let mean = self.segment.stored_len.div_ceil(total);
        mean.saturating_add(mean / 8)
            .min(len64(FRAME_HEADER_BYTES) + FULL)
            .saturating_mul(frames)
            .min(READ_BYTES_MAX)
    }
}

/// Reads the frame table at a segment's end.
///
/// # Errors
/// [`StoreError::DamagedFrame`] at the segment's end when no table there verifies.
pub fn read_table(
    packs: &dyn Packs,
    segment: &Segment,
) -> Result<(FramePosition, FrameTable), StoreError> {
    let end = segment.offset.saturating_add(segment.stored_len);
    let pack = segment.pack;
    let no_tail = StoreError::DamagedFrame {
        pack,
        offset: end,
        what: "no frame table ends here",
    };
    let guess = end.saturating_sub(segment.stored_len.min(TABLE_GUESS_BYTES));
    let mut window = Window::new(pack);
    window.fill(packs, guess, end, TABLE_GUESS_BYTES)?;
    let tail_at = window.bytes.len().checked_sub(TAIL_BYTES);
    let Some(table_len) = tail_at
        .and_then(|at| window.bytes.get(at..))
        .and_then(decode_tail)
    else {
        return Err(no_tail);
    };
    let tail_start = end - len64(TAIL_BYTES);
    let offset = tail_start
        .checked_sub(table_len)
        .filter(|offset| *offset > segment.offset);
    let (Some(offset), true) = (offset, table_len <= len64(FRAME_BYTES_MAX)) else {
        return Err(no_tail);
    };
    let position = FramePosition {
        store: packs.store(),
        pack,
        offset,
    };
    let frame = window.frame(packs, position, tail_start, table_len)?;
    if frame.frame_len() != table_len {
        return Err(no_tail);
    }
    Ok((position, FrameTable::decode(&position, &frame)?))
}

/// Stored bytes of a pack that were read but not taken yet.
#[derive(Debug)]
pub(super) struct Window {
    pack: PackId,
    base: u64,
    bytes: Bytes,
}

impl Window {
    pub(super) fn new(pack: PackId) -> Window {
        Window {
            pack,
            base: 0,
            bytes: Bytes::new(),
        }
    }

    /// The verified frame at `position`; if it is not in the window yet, reads `ahead` bytes from there (fewer at
    /// `end`).
    pub(super) fn frame(
        &mut self,
        packs: &dyn Packs,
        position: FramePosition,
        end: u64,
        ahead: u64,
    ) -> Result<Frame, StoreError> {
        if len64(self.from(position.offset).len()) < len64(FRAME_HEADER_BYTES) {
            self.fill(
                packs,
                position.offset,
                end,
                ahead.max(len64(FRAME_HEADER_BYTES)),
            )?;
        }
        let head = FrameHead::read(&position, &self.from(position.offset))?;
        if len64(self.from(position.offset).len()) < head.frame_len() {
            self.fill(packs, position.offset, end, ahead.max(head.frame_len()))?;
        }
        Frame::verify(position, &self.from(position.offset))
    }

    fn fill(
        &mut self,
        packs: &dyn Packs,
        offset: u64,
        end: u64,
        ahead: u64,
    ) -> Result<(), StoreError> {
        let to = offset
            .saturating_add(ahead.min(READ_BYTES_MAX))
            .min(end)
            .max(offset);
        let mut read = packs.read(self.pack, std::slice::from_ref(&(offset..to)))?;
        self.bytes = read.pop().unwrap_or_default();
        self.base = offset;
        Ok(())
    }

    /// The bytes in the window from `offset` on.
    fn from(&self, offset: u64) -> Bytes {
        let skip = offset
            .checked_sub(self.base)
            .and_then(|skip| usize::try_from(skip).ok());
        match skip {
            Some(skip) if skip <= self.bytes.len() => self.bytes.slice(skip..),
            _ => Bytes::new(),
        }
    }
}

#[cfg(test)]
mod tests;

//! A segment's layout: data frames, then a table frame, then an eight-byte tail. Pure: frames in, bytes out.
//!
//! ```text
//! data frame, data frame, ...     all but the last give FRAME_PLAIN_BYTES plain bytes
//! table frame (kind 2)            plain: u8 1, then postcard of FrameTable
//! u32 LE  bytes of the table frame
//! u32 LE  magic 0x47455346 ("FSEG")
//! ```
//!
//! The table holds the stored length of each data frame and the origin of the segment. A reader finds it from the end
//! of the segment, so a range far into a segment costs one more small read. The tail has no checksum: a wrong length
//! leads to a place where no table's checksum holds.

use bytes::{Buf, BufMut, Bytes};
use serde::{Deserialize, Serialize};

use super::frame::{EncodedFrame, Frame, FrameKind, FramePosition, Prefix};
use crate::clock::UnixMillis;
use crate::packs::{Segment, len64};
use crate::{PackId, StoreError, StoreId};

/// Bytes after the table frame.
pub const TAIL_BYTES: usize = 8;

const TAIL_MAGIC: u32 = u32::from_le_bytes(*b"FSEG");

/// First byte of a table's plain form.
const TABLE_VERSION: u8 = 1;

/// Data frames of one segment. Each takes at most 3 bytes in the table, and the key takes at most 1 KiB, so a full
/// table fits in one frame. All-zero bodies shrink 250 times, so 64 MiB hold at most 62,000 frames.
pub const SEGMENT_FRAMES_MAX: usize = 80_000;

/// The origin of a segment: enough to salvage bytes and names when Meta is lost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The bucket's random id.
    pub bucket: u64,
    /// The object's key, raw bytes.
    pub key: Bytes,
    /// The object version or the upload and part.
    pub target: OriginTarget,
    /// The body's ETag as hex text; empty when not known yet (in all but the last segment of a large body).
    pub etag: String,
    /// When it was written.
    pub time: UnixMillis,
    /// The plain byte of the body at which the segment starts.
    pub body_offset: u64,
}

/// The body that a segment belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum OriginTarget {
    /// An object put in one piece.
    Put {
        /// Random per body; connects the segments of one body.
        body: u64,
    },
    /// A part of a multipart upload.
    Part {
        /// The upload's id.
        upload: [u8; 16],
        /// 1 to 10,000.
        number: u16,
        /// As for a put.
        body: u64,
    },
}

/// The plain form of a table frame.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FrameTable {
    /// Stored length of each data frame without its header, in order.
    pub stored: Vec<u32>,
    /// Plain bytes of all data frames.
    pub plain_len: u64,
    /// The origin of the segment.
    pub origin: Origin,
}

impl FrameTable {
    fn encode(&self) -> Bytes {
        let out =
            postcard::to_extend(self, vec![TABLE_VERSION]).expect("plain data always encodes");
        Bytes::from(out)
    }

    /// Reads the table in a verified frame.
    ///
    /// # Errors
    /// [`StoreError::DamagedFrame`] when the frame is no table of this format.
    pub fn decode(position: &FramePosition, frame: &Frame) -> Result<FrameTable, StoreError> {
        let damaged = |what| StoreError::DamagedFrame {
            pack: position.pack,
            offset: position.offset,
            what,
        };
        if frame.kind() != FrameKind::Table {
            return Err(damaged("a data frame where the frame table should be"));
        }
        let plain = frame.plain(Prefix::Absent)?;
        let Some((&TABLE_VERSION, record)) = plain.split_first() else {
            return Err(damaged("unknown version of the frame table"));
        };
        match postcard::take_from_bytes::<FrameTable>(record) {
            Ok((table, [])) if table.lengths_agree() => Ok(table),
            Ok((_, [])) => Err(damaged("the frame table contradicts itself")),
            Ok(_) => Err(damaged("bytes behind the frame table")),
            Err(_) => Err(damaged("the frame table does not decode")),
        }
    }
}

impl FrameTable {
    /// All frames but the last are full, so the plain length and the number of frames constrain each other.
    fn lengths_agree(&self) -> bool {
        let full = len64(FrameKind::Data.plain_bytes_max());
        let frames = len64(self.stored.len());
        frames > 0 && (frames - 1) * full <= self.plain_len && self.plain_len <= frames * full
    }
}

/// The bytes after a table frame of this length.
fn encode_tail(table_len: u64) -> Bytes {
    let mut tail = Vec::with_capacity(TAIL_BYTES);
    tail.put_u32_le(u32::try_from(table_len).expect("a frame is far below 4 GiB"));
    tail.put_u32_le(TAIL_MAGIC);
    Bytes::from(tail)
}

/// The length of the table frame before this tail, if it is a tail.
pub fn decode_tail(tail: &[u8]) -> Option<u64> {
    let mut tail = tail.first_chunk::<TAIL_BYTES>()?.as_slice();
    let table_len = tail.get_u32_le();
    (tail.get_u32_le() == TAIL_MAGIC).then_some(u64::from(table_len))
}

/// Lays out one segment, frame by frame, from a position in a pack.
#[derive(Debug)]
pub(crate) struct SegmentLayout {
    store: StoreId,
    pack: PackId,
    start: u64,
    end: u64,
    stored: Vec<u32>,
    plain_len: u64,
    /// Whether the last frame was added: one that is not full.
    ended: bool,
}

impl SegmentLayout {
    pub(crate) fn at(store: StoreId, pack: PackId, start: u64) -> SegmentLayout {
        SegmentLayout {
            store,
            pack,
            start,
            end: start,
            stored: Vec::new(),
            plain_len: 0,
            ended: false,
        }
    }

    /// Where the next frame goes.
    pub(crate) fn end(&self) -> u64 {
        self.end
    }

    /// Adds a data frame; its bytes are appended to `out`.
    ///
    /// # Panics
    /// When a frame follows one that is not full, or exceeds [`SEGMENT_FRAMES_MAX`]: readers could not find it.
    pub(crate) fn push(&mut self, frame: &EncodedFrame, out: &mut Vec<Bytes>) {
        assert!(!self.ended, "all frames of a segment but the last are full");
        assert!(
            self.stored.len() < SEGMENT_FRAMES_MAX,
            "a pack is full long before {SEGMENT_FRAMES_MAX} frames"
        );
        self.ended = !frame.is_full();
        self.stored
            .push(u32::try_from(frame.body().len()).expect("bounded by its kind"));
        self.plain_len += u64::from(frame.plain_len());
        self.put(frame, out);
    }

    /// Ends the segment with its table and tail.
    ///
    /// # Panics
    /// Without a frame.
    pub(crate) fn finish(mut self, origin: &Origin, out: &mut Vec<Bytes>) -> Segment {
        assert!(!self.stored.is_empty(), "a segment has at least one frame");
        let stored = std::mem::take(&mut self.stored);
        let table = FrameTable {
            stored,
            plain_len: self.plain_len,
            origin: origin.clone(),
        };
        let frame = EncodedFrame::table(table.encode());
        self.put(&frame, out);
        out.push(encode_tail(frame.stored_len()));
        self.end += len64(TAIL_BYTES);
        Segment {
            pack: self.pack,
            offset: self.start,
            stored_len: self.end - self.start,
            plain_len: self.plain_len,
            skip: 0,
        }
    }

    fn put(&mut self, frame: &EncodedFrame, out: &mut Vec<Bytes>) {
        let position = FramePosition {
            store: self.store,
            pack: self.pack,
            offset: self.end,
        };
        out.push(Bytes::copy_from_slice(&frame.header(&position)));
        out.push(frame.body().clone());
        self.end += frame.stored_len();
    }
}

#[cfg(test)]
mod tests;

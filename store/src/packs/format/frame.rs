//! One frame: the unit of compression, checksum and read. Pure: bytes in, bytes out.
//!
//! ```text
//!  0  u16 LE  magic 0x5246 ("FR")
//!  2  u8      codec: 0 stored as is, 1 lz4 block
//!  3  u8      kind: 1 data, 2 frame table
//!  4  u32 LE  key id, 0 = not encrypted
//!  8  u32 LE  plain length
//! 12  u32 LE  stored length
//! 16  u128 LE XXH3-128 of bytes 0..16 and the stored bytes, seeded with store, pack and position
//! 32  stored bytes
//! ```
//!
//! The seed is XXH3-64 of the store id (16 bytes), the pack id (8 bytes, big-endian) and the offset of the frame's
//! first byte in its pack (u64 LE). So a frame read from the wrong place, pack or store fails its checksum.
//!
//! Invariant: a [`Frame`] exists only after its checksum was verified, so no plain byte is available before that.

use std::cell::RefCell;

use bytes::{Buf, BufMut, Bytes};
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use crate::packs::buffers::Buffer;
use crate::packs::{FRAME_PLAIN_BYTES, len64};
use crate::{PackId, StoreError, StoreId};

const MAGIC: u16 = u16::from_le_bytes(*b"FR");

/// Bytes before the stored bytes.
pub const FRAME_HEADER_BYTES: usize = HASHED_BYTES + 16;

/// The largest frame: an incompressible one is stored as is.
pub const FRAME_BYTES_MAX: usize = FRAME_HEADER_BYTES + FRAME_PLAIN_BYTES;

/// Header bytes before the checksum, covered by it.
const HASHED_BYTES: usize = 16;

const _: () = assert!(FRAME_HEADER_BYTES == 32, "docs/format.md");
const _: () = assert!(
    FrameKind::Data.plain_bytes_max() <= FRAME_PLAIN_BYTES
        && FrameKind::Table.plain_bytes_max() <= FRAME_PLAIN_BYTES,
    "buffers hold a frame of any kind"
);

/// The encoding of the stored bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Codec {
    Stored,
    Lz4,
}

impl Codec {
    const fn byte(self) -> u8 {
        match self {
            Codec::Stored => 0,
            Codec::Lz4 => 1,
        }
    }
}

/// What a frame holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameKind {
    /// Bytes of a body.
    Data,
    /// The frame table at the end of a segment.
    Table,
}

impl FrameKind {
    /// Plain bytes of a full frame of this kind, so that a position is found by division. Only a segment's last frame
    /// may hold less, and none may hold more.
    pub const fn plain_bytes_max(self) -> usize {
        match self {
            FrameKind::Data | FrameKind::Table => FRAME_PLAIN_BYTES,
        }
    }

    const fn byte(self) -> u8 {
        match self {
            FrameKind::Data => 1,
            FrameKind::Table => 2,
        }
    }
}

/// Extra plain bytes for the decoder that the encoder also had: a dictionary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prefix<'a> {
    /// The frame needs no other bytes.
    Absent,
    /// These bytes come before the frame's own.
    Bytes(&'a [u8]),
}

/// The place of a frame, to which its checksum is bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FramePosition {
    /// The store.
    pub store: StoreId,
    /// The pack.
    pub pack: PackId,
    /// Position of the frame's first byte in the pack.
    pub offset: u64,
}

impl FramePosition {
    fn seed(&self) -> u64 {
        let mut bytes = [0; 32];
        let mut rest = &mut bytes[..];
        rest.put_slice(&self.store.0);
        rest.put_slice(&self.pack.to_bytes());
        rest.put_u64_le(self.offset);
        xxh3_64(&bytes)
    }

    fn damaged(&self, what: &'static str) -> StoreError {
        StoreError::DamagedFrame {
            pack: self.pack,
            offset: self.offset,
            what,
        }
    }
}

/// A frame ready to be written at any place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncodedFrame {
    codec: Codec,
    kind: FrameKind,
    plain_len: u32,
    stored_len: u32,
    stored: Bytes,
}

impl EncodedFrame {
    /// Encodes bytes of a body. Takes about 1 ms per MiB, so never on async threads.
    ///
    /// # Panics
    /// When `plain` is longer than [`FRAME_PLAIN_BYTES`].
    pub fn data(plain: Bytes) -> EncodedFrame {
        EncodedFrame::encode(FrameKind::Data, plain)
    }

    /// Encodes a frame table.
    pub(crate) fn table(plain: Bytes) -> EncodedFrame {
        EncodedFrame::encode(FrameKind::Table, plain)
    }

    fn encode(kind: FrameKind, plain: Bytes) -> EncodedFrame {
        let plain_max = kind.plain_bytes_max();
        assert!(
            plain.len() <= plain_max,
            "a frame of this kind holds at most {plain_max} plain bytes"
        );
        let plain_len = len32(&plain);
        let (codec, stored) = match compress(&plain) {
            Some(smaller) => (Codec::Lz4, smaller),
            None => (Codec::Stored, plain),
        };
        EncodedFrame {
            codec,
            kind,
            plain_len,
            stored_len: len32(&stored),
            stored,
        }
    }

    /// Its plain length in bytes.
    pub fn plain_len(&self) -> u32 {
        self.plain_len
    }

    /// Whether another frame of its segment may follow.
    pub(crate) fn is_full(&self) -> bool {
        usize::try_from(self.plain_len).is_ok_and(|len| len == self.kind.plain_bytes_max())
    }

    /// Its bytes in a pack, header included.
    pub fn stored_len(&self) -> u64 {
        len64(FRAME_HEADER_BYTES) + u64::from(self.stored_len)
    }

    /// The stored bytes, to be written after [`EncodedFrame::header`].
    pub(crate) fn body(&self) -> &Bytes {
        &self.stored
    }

    /// The header for this place.
    pub(crate) fn header(&self, position: &FramePosition) -> [u8; FRAME_HEADER_BYTES] {
        let mut header = [0; FRAME_HEADER_BYTES];
        let mut rest = &mut header[..];
        rest.put_u16_le(MAGIC);
        rest.put_u8(self.codec.byte());
        rest.put_u8(self.kind.byte());
        rest.put_u32_le(0);
        rest.put_u32_le(self.plain_len);
        rest.put_u32_le(self.stored_len);
        let (hashed, checksum) = header.split_at_mut(HASHED_BYTES);
        let sum = checksum_of(position, hashed, &self.stored);
        checksum.copy_from_slice(&sum.to_le_bytes());
        header
    }
}

/// A frame's header as read: bounded lengths, nothing verified yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameHead {
    codec: Codec,
    kind: FrameKind,
    plain_len: u32,
    stored_len: u32,
    checksum: u128,
}

impl FrameHead {
    /// Reads the header at the start of `bytes`, which were read at `position`.
    ///
    /// # Errors
    /// [`StoreError::DamagedFrame`] for anything that no writer of this format produces.
    pub fn read(position: &FramePosition, bytes: &[u8]) -> Result<FrameHead, StoreError> {
        let Some(header) = bytes.first_chunk::<FRAME_HEADER_BYTES>() else {
            return Err(position.damaged("the frame header is cut off"));
        };
        let mut rest = &header[..];
        if rest.get_u16_le() != MAGIC {
            return Err(position.damaged("no frame starts here"));
        }
        let codec = match rest.get_u8() {
            0 => Codec::Stored,
            1 => Codec::Lz4,
            _ => return Err(position.damaged("unknown codec")),
        };
        let kind = match rest.get_u8() {
            1 => FrameKind::Data,
            2 => FrameKind::Table,
            _ => return Err(position.damaged("unknown kind")),
        };
        if rest.get_u32_le() != 0 {
            return Err(position.damaged("encrypted with a key this build cannot know"));
        }
        let (plain_len, stored_len) = (rest.get_u32_le(), rest.get_u32_le());
        let checksum = rest.get_u128_le();
        if usize::try_from(plain_len).is_ok_and(|len| len > kind.plain_bytes_max()) {
            return Err(position.damaged("the plain length exceeds a frame"));
        }
        let lengths_fit = match codec {
            Codec::Stored => stored_len == plain_len,
            Codec::Lz4 => stored_len < plain_len,
        };
        if !lengths_fit {
            return Err(position.damaged("the lengths contradict the codec"));
        }
        Ok(FrameHead {
            codec,
            kind,
            plain_len,
            stored_len,
            checksum,
        })
    }

    /// Bytes of the whole frame.
    pub fn frame_len(&self) -> u64 {
        len64(FRAME_HEADER_BYTES) + u64::from(self.stored_len)
    }
}

/// A frame with a verified checksum.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    position: FramePosition,
    head: FrameHead,
    stored: Bytes,
}

impl Frame {
    /// Verifies the frame at the start of `bytes`, which were read at `position` and may continue after the frame.
    ///
    /// # Errors
    /// [`StoreError::DamagedFrame`].
    pub fn verify(position: FramePosition, bytes: &Bytes) -> Result<Frame, StoreError> {
        let head = FrameHead::read(&position, bytes)?;
        let end = usize::try_from(head.frame_len())
            .map_err(|_| position.damaged("longer than memory"))?;
        if bytes.len() < end {
            return Err(position.damaged("the frame is cut off"));
        }
        let stored = bytes.slice(FRAME_HEADER_BYTES..end);
        if checksum_of(&position, &bytes[..HASHED_BYTES], &stored) != head.checksum {
            return Err(position.damaged("checksum of the frame"));
        }
        Ok(Frame {
            position,
            head,
            stored,
        })
    }

    /// What it holds.
    pub fn kind(&self) -> FrameKind {
        self.head.kind
    }

    /// Its plain length in bytes.
    pub fn plain_len(&self) -> u32 {
        self.head.plain_len
    }

    /// Bytes of the whole frame in its pack.
    pub fn frame_len(&self) -> u64 {
        self.head.frame_len()
    }

    /// The plain bytes. A codec that needs a prefix fails without one; today's codecs need none and ignore it.
    ///
    /// # Errors
    /// [`StoreError::DamagedFrame`] when they cannot be decoded: a fault of the writer, since the checksum was right.
    pub fn plain(&self, prefix: Prefix<'_>) -> Result<Bytes, StoreError> {
        match (self.head.codec, prefix) {
            (Codec::Stored, Prefix::Absent | Prefix::Bytes(_)) => Ok(self.stored.clone()),
            (Codec::Lz4, Prefix::Absent | Prefix::Bytes(_)) => self.decompress(),
        }
    }

    fn decompress(&self) -> Result<Bytes, StoreError> {
        let damaged = || self.position.damaged("lz4 block");
        let len = usize::try_from(self.head.plain_len).map_err(|_| damaged())?;
        let mut plain = Buffer::of(len);
        let size = i32::try_from(len).map_err(|_| damaged())?;
        let decoded = lz4::block::decompress_to_buffer(&self.stored, Some(size), &mut plain[..len])
            .map_err(|_| damaged())?;
        if decoded != len {
            return Err(self
                .position
                .damaged("the lz4 block is shorter than the header says"));
        }
        Ok(plain.share(len))
    }
}

fn checksum_of(position: &FramePosition, hashed: &[u8], stored: &[u8]) -> u128 {
    let mut hash = Xxh3::with_seed(position.seed());
    hash.update(hashed);
    hash.update(stored);
    hash.digest128()
}

fn len32(bytes: &Bytes) -> u32 {
    u32::try_from(bytes.len()).expect("bounded by FRAME_PLAIN_BYTES")
}

/// One lz4 block, if it is shorter than `plain`.
fn compress(plain: &[u8]) -> Option<Bytes> {
    thread_local! {
        // Reused, because a fresh buffer per frame would be zeroed each time. At most one per blocking thread.
        static SCRATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    }
    let room = plain.len().checked_sub(1).filter(|room| *room > 0)?;
    SCRATCH.with_borrow_mut(|scratch| {
        if scratch.len() < FRAME_PLAIN_BYTES {
            scratch.resize(FRAME_PLAIN_BYTES, 0);
        }
        // The codec gives up as soon as the block would not be shorter than the plain bytes.
        let room = scratch.get_mut(..room)?;
        let len = lz4::block::compress_to_buffer(plain, None, false, room).ok()?;
        room.get(..len).map(Bytes::copy_from_slice)
    })
}

#[cfg(test)]
mod tests;

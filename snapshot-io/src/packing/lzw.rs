//! Go's LZW: what `compress/lzw` writes with `lzw.LSB` and 8 bits, as etcdbrctl does with `--compression-policy lzw`.
//!
//! Codes of 9 to 12 bits, least significant bit first; 256 clears the table, 257 ends the stream. This is the LZW of GIF, without
//! its blocks, and not that of Unix `compress`, although etcdbrctl names the files `.Z`. There is no checksum: the snapshot's
//! trailer detects a change.

use std::io::{self, BufRead, Read};

use weezl::{BitOrder, LzwStatus, decode::Decoder as Weezl};

/// Bits of a byte before compression.
const LITERAL_BITS: u8 = 8;

/// The first bytes of every compressed database: its first eight bytes are zero, so the first codes are always the same (256, 0,
/// 258, 259, and the low bits of 258).
pub(super) const DATABASE_START: [u8; 5] = [0x00, 0x01, 0x08, 0x1c, 0x28];

/// Decompresses a stream. Memory: a table of 4096 codes.
pub(super) struct Decoder<R> {
    packed: R,
    codes: Weezl,
    ended: bool,
}

impl<R: BufRead> Decoder<R> {
    pub(super) fn new(packed: R) -> Self {
        Self {
            packed,
            codes: Weezl::new(BitOrder::Lsb, LITERAL_BITS),
            ended: false,
        }
    }
}

impl<R: BufRead> Read for Decoder<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        while !self.ended && !buf.is_empty() {
            let packed = self.packed.fill_buf()?;
            let at_end = packed.is_empty();
            let step = self.codes.decode_bytes(packed, buf);
            self.packed.consume(step.consumed_in);
            match step.status {
                Ok(LzwStatus::Done) => self.ended = true,
                Ok(LzwStatus::Ok | LzwStatus::NoProgress) => {}
                Err(error) => return Err(io::Error::new(io::ErrorKind::InvalidData, error)),
            }
            if step.consumed_out > 0 {
                return Ok(step.consumed_out);
            }
            if at_end && !self.ended {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(0)
    }
}

//! Checks RocksDB's logs and manifest before RocksDB reads them, because RocksDB does not report two kinds of damage.
//!
//! A crash can cut a log in the middle of a record. The cut part was never acknowledged, so RocksDB drops it. But a
//! flipped bit in the length of a whole record looks the same when the length then exceeds the file. RocksDB would
//! silently drop acknowledged rows (in the manifest: whole tables, which the next start then deletes). So this check
//! tries every length that differs by one bit: if the checksum of one of them holds, the record is whole and its length
//! is damaged. Some flipped bits in a manifest's headers also make RocksDB 11.8 read it forever.
//!
//! Format: RocksDB's wiki, "Write Ahead Log File Format", which the manifest uses as well: blocks of 32 KiB; a record
//! is crc32c u32 LE (masked, of type and payload), length u16 LE, type u8, payload, and lies in one block; fewer than
//! seven bytes at a block's end, and a header of zeros, are padding. Pure: bytes in, place out.

use crc_fast::{CrcAlgorithm, checksum};

/// Bytes of a block.
#[cfg(feature = "rocksdb")]
pub(super) const BLOCK_BYTES: u64 = 32 * 1024;

const HEADER_BYTES: usize = 7;

/// RocksDB adds this to a stored checksum, so that checksums of checksums differ.
const MASK: u32 = 0xa282_ead8;

/// Whether a block may end in the middle of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Block {
    /// More blocks follow.
    Inner,
    /// The last block of the log: a crash may have cut it.
    Last,
}

/// The position in a block of a record with damage that no crash can cause.
pub(super) fn damaged_record(block: &[u8], which: Block) -> Option<usize> {
    let mut at = 0;
    while let Some((header, rest)) = block.get(at..)?.split_first_chunk::<HEADER_BYTES>() {
        if *header == [0; HEADER_BYTES] {
            return None;
        }
        let [c0, c1, c2, c3, l0, l1, _] = *header;
        let sum = u32::from_le_bytes([c0, c1, c2, c3]);
        let length = u16::from_le_bytes([l0, l1]);
        let holds = |length: u16| {
            let end = at + HEADER_BYTES + usize::from(length);
            let hashed = block.get(at + HEADER_BYTES - 1..end);
            hashed.is_some_and(|hashed| masked(hashed) == sum)
        };
        if usize::from(length) > rest.len() {
            let whole = (0..u16::BITS).any(|bit| holds(length ^ (1 << bit)));
            return (whole || which == Block::Inner).then_some(at);
        }
        if !holds(length) {
            return Some(at);
        }
        at += HEADER_BYTES + usize::from(length);
    }
    None
}

fn masked(bytes: &[u8]) -> u32 {
    let sum = u32::try_from(checksum(CrcAlgorithm::Crc32Iscsi, bytes)).expect("32 bits wide");
    sum.rotate_right(15).wrapping_add(MASK)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(payload: &[u8]) -> Vec<u8> {
        let hashed = [&[1], payload].concat();
        let mut out = masked(&hashed).to_le_bytes().to_vec();
        let length = u16::try_from(payload.len()).expect("short");
        out.extend_from_slice(&length.to_le_bytes());
        out.extend_from_slice(&hashed);
        out
    }

    #[test]
    fn a_cut_is_told_from_each_flipped_bit() {
        let records = [&b"first"[..], b"second", b"the last one"].map(record);
        let starts = [0, records[0].len(), records[0].len() + records[1].len()];
        let good = records.concat();
        assert_eq!(damaged_record(&good, Block::Inner), None);
        assert_eq!(damaged_record(&[0; 100], Block::Inner), None, "padding");
        for cut in 0..good.len() {
            assert_eq!(
                damaged_record(&good[..cut], Block::Last),
                None,
                "cut at {cut}"
            );
        }
        for bit in 0..good.len() * 8 {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            let hit = starts.iter().rfind(|start| **start <= bit / 8);
            assert_eq!(damaged_record(&bad, Block::Last).as_ref(), hit, "bit {bit}");
        }
    }
}

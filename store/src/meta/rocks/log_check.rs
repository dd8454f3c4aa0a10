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
//! seven bytes at a block's end are padding. RocksDB takes a header of zeros for padding as well and drops the rest of that
//! block without a word, which may be 32 KiB of acknowledged commits. It never writes one: zeros are what a file system
//! leaves of an end that was never synced, so they are harmless only if nothing but zeros follows up to the end of the file.
//!
//! Pure: blocks in, position out.

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

/// What the check of a block found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// Whole records, or an end that a crash can leave.
    Whole,
    /// From this position on, only zeros.
    Zeros(usize),
    /// A record at this position with damage that no crash can cause.
    Damage(usize),
}

/// Checks a whole log, one block after the other.
#[derive(Debug, Default)]
pub(super) struct LogCheck {
    /// Where the blocks given so far end.
    end: u64,
    /// Where zeros begin that reach up to there.
    zeros: Option<u64>,
}

impl LogCheck {
    /// Takes the next block; returns the position in the log of the first damaged record.
    pub(super) fn next(&mut self, block: &[u8], which: Block) -> Option<u64> {
        let place = |at: usize| self.end + u64::try_from(at).unwrap_or(u64::MAX);
        let damage = match (self.zeros, examine(block, which)) {
            (Some(_), Found::Zeros(0)) | (None, Found::Whole) => None,
            (None, Found::Zeros(at)) => {
                self.zeros = Some(place(at));
                None
            }
            (Some(zeros), _) => Some(zeros),
            (None, Found::Damage(at)) => Some(place(at)),
        };
        self.end = place(block.len());
        damage
    }
}

fn examine(block: &[u8], which: Block) -> Found {
    let mut at = 0;
    while let Some((header, rest)) = block.get(at..).and_then(<[u8]>::split_first_chunk) {
        if *header == [0; HEADER_BYTES] {
            let zeros = rest.iter().all(|byte| *byte == 0);
            return if zeros {
                Found::Zeros(at)
            } else {
                Found::Damage(at)
            };
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
            return if whole || which == Block::Inner {
                Found::Damage(at)
            } else {
                Found::Whole
            };
        }
        if !holds(length) {
            return Found::Damage(at);
        }
        at += HEADER_BYTES + usize::from(length);
    }
    Found::Whole
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
        assert_eq!(examine(&good, Block::Inner), Found::Whole);
        for cut in 0..good.len() {
            let found = examine(&good[..cut], Block::Last);
            assert_eq!(found, Found::Whole, "cut at {cut}");
        }
        for bit in 0..good.len() * 8 {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            let hit = starts.iter().rfind(|start| **start <= bit / 8);
            let hit = Found::Damage(*hit.expect("a record"));
            assert_eq!(examine(&bad, Block::Last), hit, "bit {bit}");
        }
    }

    #[test]
    fn zeros_are_an_end_only_if_nothing_follows() {
        let (good, zeros) = (record(b"a record"), vec![0; 100]);
        let ends = [&good[..], &zeros].concat();
        let begins = [&zeros[..], &good].concat();
        let check = |blocks: &[&[u8]]| {
            let mut check = LogCheck::default();
            let last = blocks.len() - 1;
            blocks.iter().enumerate().find_map(|(at, block)| {
                check.next(
                    block,
                    if at == last {
                        Block::Last
                    } else {
                        Block::Inner
                    },
                )
            })
        };
        let whole = u64::try_from(good.len()).expect("small");
        assert_eq!(check(&[&good, &ends]), None);
        assert_eq!(check(&[&good, &ends, &zeros, &zeros]), None);
        assert_eq!(check(&[&good, &zeros, &good]), Some(whole));
        assert_eq!(check(&[&good, &ends, &good]), Some(2 * whole));
        assert_eq!(check(&[&good, &begins]), Some(whole));
        assert_eq!(check(&[&zeros, &begins]), Some(0));
    }
}

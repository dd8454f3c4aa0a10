//! RocksDB's log file as a disk may leave it: cut anywhere after the synced part, or with the beginning of a further
//! batch.
//!
//! The format is that of RocksDB's `db/log_format.h`: blocks of 32 KiB; a record is one fragment or several, each with
//! a masked CRC-32C of type and bytes (4), a length (2) and a type (1: whole, 2: first, 3: middle, 4: last). It does
//! not know the contents of a batch.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use crate::workload::random::Random;

const BLOCK_BYTES: usize = 32 * 1024;
const HEADER_BYTES: usize = 7;

const WHOLE: u8 = 1;
const FIRST: u8 = 2;
const MIDDLE: u8 = 3;
const LAST: u8 = 4;

/// How a tail was torn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Torn {
    /// Written but unsynced bytes are cut off from here.
    Cut {
        /// The length kept.
        at: u64,
    },
    /// A part of a further batch follows.
    Begun {
        /// The number of bytes.
        bytes: u64,
    },
    /// There was no log to tear.
    Nothing,
}

/// The newest log in a folder.
pub fn newest(meta: &Path) -> Option<PathBuf> {
    let entries = fs::read_dir(meta).ok()?.flatten().map(|entry| entry.path());
    entries
        .filter(|path| path.extension().is_some_and(|e| e == "log"))
        .max()
}

/// Tears the tail of a log. `synced` is the number of synced bytes: at least its start, at most its end.
///
/// # Panics
/// When the log is shorter than promised, or cannot be changed.
pub fn tear(log: &Path, synced: RangeInclusive<u64>, random: &mut Random) -> Torn {
    let (promised, perhaps) = synced.into_inner();
    let bytes = fs::read(log).expect("the log can be read");
    let len = u64::try_from(bytes.len()).expect("a length");
    assert!(
        len >= promised,
        "{}: {len} of {promised} synced bytes",
        log.display()
    );
    if len > perhaps {
        let at = perhaps + random.bits() % (len - perhaps);
        let file = OpenOptions::new()
            .write(true)
            .open(log)
            .expect("the log opens");
        file.set_len(at).expect("the log can be cut");
        file.sync_all().expect("the cut is synced");
        return Torn::Cut { at };
    }
    let Some(last) = records(&bytes).pop() else {
        return Torn::Nothing;
    };
    let mut more = framed(&last, bytes.len());
    // At least its last byte is missing: a whole batch would be another commit.
    let kept = 1 + usize::try_from(random.bits()).unwrap_or(usize::MAX) % (more.len() - 1);
    more.truncate(kept);
    let mut file = OpenOptions::new()
        .append(true)
        .open(log)
        .expect("the log opens");
    file.write_all(&more).expect("the log takes it");
    file.sync_all().expect("it is synced");
    Torn::Begun {
        bytes: u64::try_from(kept).expect("a length"),
    }
}

/// The complete records of a log, up to the first invalid one.
fn records(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    let mut open = Vec::new();
    let mut at = 0;
    loop {
        let left = BLOCK_BYTES - at % BLOCK_BYTES;
        if left < HEADER_BYTES {
            at += left;
        }
        let Some((header, rest)) = bytes
            .get(at..)
            .and_then(|b| b.split_at_checked(HEADER_BYTES))
        else {
            return found;
        };
        let len = usize::from(u16::from_le_bytes([header[4], header[5]]));
        let Some(payload) = rest.get(..len) else {
            return found;
        };
        if header[..4] != checksum(header[6], payload) {
            return found;
        }
        match header[6] {
            WHOLE => found.push(payload.to_vec()),
            FIRST => open = payload.to_vec(),
            MIDDLE => open.extend_from_slice(payload),
            LAST => {
                open.extend_from_slice(payload);
                found.push(std::mem::take(&mut open));
            }
            _ => {}
        }
        at += HEADER_BYTES + len;
    }
}

/// A record as it is written at position `at` of a log.
fn framed(record: &[u8], at: usize) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = record;
    loop {
        let left = BLOCK_BYTES - (at + out.len()) % BLOCK_BYTES;
        if left < HEADER_BYTES {
            out.resize(out.len() + left, 0);
            continue;
        }
        let first = rest.len() == record.len();
        let (payload, more) = rest.split_at(rest.len().min(left - HEADER_BYTES));
        let kind = match (first, more.is_empty()) {
            (true, true) => WHOLE,
            (true, false) => FIRST,
            (false, false) => MIDDLE,
            (false, true) => LAST,
        };
        out.extend_from_slice(&checksum(kind, payload));
        out.extend_from_slice(
            &u16::try_from(payload.len())
                .expect("below a block")
                .to_le_bytes(),
        );
        out.push(kind);
        out.extend_from_slice(payload);
        rest = more;
        if rest.is_empty() {
            return out;
        }
    }
}

/// RocksDB's mask (`util/crc32c.h`) over the CRC-32C of type and payload.
fn checksum(kind: u8, payload: &[u8]) -> [u8; 4] {
    const MASK_DELTA: u32 = 0xa282_ead8;
    let crc = std::iter::once(kind)
        .chain(payload.iter().copied())
        .fold(!0_u32, |crc, byte| {
            (0..8).fold(crc ^ u32::from(byte), |crc, _| {
                let low = crc & 1 == 1;
                (crc >> 1) ^ if low { 0x82f6_3b78 } else { 0 }
            })
        });
    (!crc)
        .rotate_right(15)
        .wrapping_add(MASK_DELTA)
        .to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The log of a new store, as RocksDB 10 wrote it: one batch of 72 bytes.
    const HEADER_SEEN: [u8; 7] = [0x40, 0xa0, 0x58, 0xb6, 0x48, 0, 1];

    #[test]
    fn records_are_read_back_over_block_borders() {
        let mut random = Random::new(1);
        let (mut log, mut meant) = (Vec::new(), Vec::new());
        for len in [1, 40_000, BLOCK_BYTES - 10, 3, 100_000] {
            let record = random.bytes(len);
            log.extend(framed(&record, log.len()));
            meant.push(record);
        }
        assert_eq!(records(&log), meant);
        log.truncate(log.len() - 1);
        assert_eq!(records(&log), meant[..4]);
        assert_eq!(HEADER_SEEN[6], WHOLE);
    }

    #[test]
    fn a_tail_is_torn_behind_what_was_synced_only() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let log = dir.path().join("000004.log");
        let mut random = Random::new(2);
        let mut bytes = framed(b"first", 0);
        let synced = u64::try_from(bytes.len()).expect("small");
        bytes.extend(framed(b"second", bytes.len()));
        for _ in 0..50 {
            fs::write(&log, &bytes).expect("written");
            let torn = tear(&log, synced..=synced, &mut random);
            assert!(matches!(torn, Torn::Cut { at } if at >= synced), "{torn:?}");
            assert_eq!(records(&fs::read(&log).expect("read")), [b"first".to_vec()]);
            fs::write(&log, &bytes).expect("written");
            let all = u64::try_from(bytes.len()).expect("small");
            let torn = tear(&log, synced..=all, &mut random);
            assert!(matches!(torn, Torn::Begun { .. }), "{torn:?}");
            assert_eq!(records(&fs::read(&log).expect("read")).len(), 2);
        }
    }
}

//! Each packing, whole and broken, in pieces of any size.

use std::io::BufReader;

use flate2::{
    Compression,
    write::{GzEncoder, ZlibEncoder},
};
use sha2::{Digest as _, Sha256};
use strongroom_snapshot_io::packing::ForeignPacking;

use super::*;
use crate::interrupt;

/// Bytes with the shape of a snapshot file (whole pages and their digest); what is in the pages is not the intake's.
fn snapshot() -> Vec<u8> {
    let mut bytes: Vec<u8> = (0..8 * 4096_u32)
        .map(|n| u8::try_from(n % 251).expect("small"))
        .collect();
    bytes.splice(..8, [0; 8]);
    let digest = Sha256::digest(&bytes);
    bytes.extend(digest);
    bytes
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}

/// Hands out at most so many bytes at once.
struct Pieces<'a>(&'a [u8], usize);

impl Read for Pieces<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let len = self.1.min(buf.len());
        self.0.read(&mut buf[..len])
    }
}

/// Takes a source into a new file; what was written, when it succeeds.
fn take_from(
    source: impl Read,
    interrupt: &Interrupt,
    check: HashCheck,
) -> Result<(Taken, Vec<u8>), RestoreError> {
    let dir = tempfile::tempdir().expect("temporary directory");
    let path = dir.path().join("db");
    let file = File::create_new(&path).expect("new file");
    let behind = WriteBehind::start(&file, &path)?;
    let into = Destination {
        file: &file,
        path: &path,
        behind: &behind,
        interrupt,
    };
    let taken = super::take(BufReader::new(source), &into, check)?;
    Ok((taken, std::fs::read(&path).expect("written")))
}

fn take_with(
    stored: &[u8],
    piece: usize,
    check: HashCheck,
) -> Result<(Taken, Vec<u8>), RestoreError> {
    let (_trigger, interrupt) = interrupt::channel();
    take_from(Pieces(stored, piece), &interrupt, check)
}

fn take(stored: &[u8], piece: usize) -> Result<(Taken, Vec<u8>), RestoreError> {
    take_with(stored, piece, HashCheck::Required)
}

fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 1).expect("memory")
}

#[test]
fn every_packing_arrives_the_same_whatever_the_pieces() -> Result<(), RestoreError> {
    let plain = snapshot();
    let mut two_members = gzip(&plain[..5000]);
    two_members.extend(gzip(&plain[5000..]));
    for piece in [1, 3, 4, 5, 1000, 1 << 20] {
        for (stored, packing) in [
            (&plain, Packing::None),
            (&gzip(&plain), Packing::Gzip),
            (&two_members, Packing::Gzip),
            (&zlib(&plain), Packing::Zlib),
            (&zstd(&plain), Packing::Zstd),
        ] {
            let (taken, written) = take(stored, piece)?;
            assert_eq!(
                (taken.packing, taken.file_len),
                (packing, 32_800),
                "pieces of {piece}"
            );
            assert_eq!(written, plain);
        }
    }
    Ok(())
}

#[test]
fn every_cut_and_flip_of_a_packed_snapshot_is_damage() {
    for stored in [gzip(&snapshot()), zlib(&snapshot()), zstd(&snapshot())] {
        for cut in (1..stored.len()).step_by(97) {
            let error = take(&stored[..cut], 64).expect_err("cut");
            assert!(
                matches!(error, RestoreError::Damage(_)),
                "cut at {cut}: {error}"
            );
        }
    }
    let stored = gzip(&snapshot());
    for at in (2..stored.len()).step_by(101) {
        let mut flipped = stored.clone();
        flipped[at] ^= 0x20;
        // The header's time, name and operating system carry nothing.
        if let Err(error) = take(&flipped, 64) {
            assert!(
                matches!(error, RestoreError::Damage(_)),
                "flip at {at}: {error}"
            );
        } else {
            assert!((4..10).contains(&at), "flip at {at} went unnoticed");
        }
    }
}

type Expected = fn(&Damage) -> bool;

#[test]
fn damage_of_a_raw_snapshot_is_named() {
    let good = snapshot();
    let mut flipped = good.clone();
    flipped[20_000] ^= 1;
    let cases: [(&[u8], Expected); 5] = [
        (&[], |damage| {
            matches!(damage, Damage::Snapshot(SnapshotError::Empty))
        }),
        (&good[..100], |damage| {
            matches!(damage, Damage::Snapshot(SnapshotError::TooShort { .. }))
        }),
        (&good[..20_001], |damage| {
            matches!(damage, Damage::Snapshot(SnapshotError::Length { .. }))
        }),
        (&good[..32_768], |damage| {
            matches!(damage, Damage::NoTrailer { len: 32_768 })
        }),
        (&flipped, |damage| {
            matches!(
                damage,
                Damage::Snapshot(SnapshotError::TrailerMismatch { offset: 32_768, .. })
            )
        }),
    ];
    for (number, (stored, expected)) in cases.into_iter().enumerate() {
        match take(stored, 1000).expect_err("damaged") {
            RestoreError::Damage(damage) => assert!(expected(&damage), "case {number}: {damage}"),
            other => panic!("case {number}: {other}"),
        }
    }
}

#[test]
fn foreign_packings_are_named_before_anything_is_written() {
    let cases = [
        (&b"PK\x03\x04"[..], ForeignPacking::Zip),
        (b"\x1f\x9d\x90", ForeignPacking::Lzw),
        (b"age-encryption.org/v1", ForeignPacking::Age),
    ];
    for (magic, expected) in cases {
        let error = take(magic, 1).expect_err("not readable");
        assert!(
            matches!(error, RestoreError::ForeignPacking { packing } if packing == expected),
            "{error}"
        );
    }
}

/// A source that raises the interrupt when it has given a few blocks, and never ends.
struct Endless<'a>(interrupt::Trigger, usize, &'a [u8]);

impl Read for Endless<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.1 += 1;
        if self.1 == 100 {
            self.0.raise();
        }
        let len = self.2.len().min(buf.len());
        buf[..len].copy_from_slice(&self.2[..len]);
        Ok(len)
    }
}

#[test]
fn an_interrupt_stops_it_between_two_blocks() {
    let (trigger, interrupt) = interrupt::channel();
    let endless = Endless(trigger, 0, &[0; 4096]);
    let error = take_from(endless, &interrupt, HashCheck::Required).expect_err("never ends");
    assert!(matches!(error, RestoreError::Interrupted(_)), "{error}");
}

#[test]
fn without_the_check_a_trailer_may_be_missing_or_wrong_and_nothing_else() -> Result<(), RestoreError>
{
    let good = snapshot();
    let (db, _trailer) = good.split_at(32_768);
    let mut flipped = good.clone();
    flipped[20_000] ^= 1;
    for (stored, vouching) in [
        (&good[..], Vouching::Matches),
        (db, Vouching::Missing),
        (&flipped, Vouching::Differs),
        (&gzip(db), Vouching::Missing),
    ] {
        let (taken, written) = take_with(stored, 1000, HashCheck::Skipped)?;
        assert_eq!((taken.vouching, taken.db_len), (vouching, 32_768));
        assert_eq!(
            taken.sha256,
            <[u8; 32]>::from(Sha256::digest(&written[..32_768]))
        );
    }
    for stored in [&good[..20_001], &[]] {
        let error = take_with(stored, 1000, HashCheck::Skipped).expect_err("no database");
        assert!(
            matches!(error, RestoreError::Damage(Damage::Snapshot(_))),
            "{error}"
        );
    }
    Ok(())
}

/// What the source has to say is told as it said it, through every decoder.
#[test]
fn a_source_that_fails_is_not_taken_for_damage() {
    struct Failing<'a>(&'a [u8]);
    impl Read for Failing<'_> {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            match self.0.read(buf)? {
                0 => Err(carry(interrupt::Interrupted)),
                read => Ok(read),
            }
        }
    }
    let plain = snapshot();
    for stored in [plain.clone(), gzip(&plain), zlib(&plain), zstd(&plain)] {
        for len in [0, 3, stored.len() / 2] {
            let (_trigger, interrupt) = interrupt::channel();
            let source = Failing(&stored[..len]);
            let error = take_from(source, &interrupt, HashCheck::Required).expect_err("failed");
            assert!(
                matches!(error, RestoreError::Interrupted(_)),
                "{len}: {error}"
            );
        }
    }
}

//! Each compression, complete and broken, in pieces of any size.

use std::io::{BufReader, Write as _};

use flate2::{
    Compression as Level,
    write::{GzEncoder, ZlibEncoder},
};
use sha2::{Digest as _, Sha256};

use super::*;

/// A real snapshot, for its meta pages.
const REAL: &[u8] = include_bytes!("../../../etcd-format/tests/fixtures/etcd-3.4.db");
/// Both meta pages of a database with 4 KiB pages.
const META_PAGES: usize = 2 * 4096;

/// Bytes with the form of a snapshot file (meta pages, whole pages and their digest); the contents of the other pages do not
/// matter here.
fn snapshot() -> Vec<u8> {
    let mut bytes: Vec<u8> = (0..8 * 4096_u32)
        .map(|n| u8::try_from(n % 251).expect("small"))
        .collect();
    bytes[..META_PAGES].copy_from_slice(&REAL[..META_PAGES]);
    let digest = Sha256::digest(&bytes);
    bytes.extend(digest);
    bytes
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Level::fast());
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}

/// Returns at most so many bytes at once.
struct Pieces<'a>(&'a [u8], usize);

impl Read for Pieces<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let len = self.1.min(buf.len());
        self.0.read(&mut buf[..len])
    }
}

/// The output blocks of a successful run.
fn take_from(source: impl Read) -> Result<(Taken, Vec<u8>), IntakeError> {
    let mut out = Vec::new();
    let taken = super::take(BufReader::new(source), "", UNPACKED_BYTES_MAX, |block| {
        out.extend_from_slice(block);
        Ok::<(), IntakeError>(())
    })?;
    Ok((taken, out))
}

/// As `take_from`, but a trailer that does not match is an error.
fn take(stored: &[u8], piece: usize) -> Result<(Taken, Vec<u8>), IntakeError> {
    let (taken, out) = take_from(Pieces(stored, piece))?;
    Ok((taken.unaltered()?, out))
}

fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Level::fast());
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 1).expect("memory")
}

#[test]
fn every_packing_arrives_the_same_whatever_the_pieces() -> Result<(), IntakeError> {
    let plain = snapshot();
    let mut two_members = gzip(&plain[..5000]);
    two_members.extend(gzip(&plain[5000..]));
    for piece in [1, 3, 4, 5, 1000, 1 << 20] {
        for (stored, packing) in [
            (&plain, Compression::None),
            (&gzip(&plain), Compression::Gzip),
            (&two_members, Compression::Gzip),
            (&zlib(&plain), Compression::Zlib),
            (&zstd(&plain), Compression::Zstd),
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
                matches!(error, IntakeError::Unpack { .. } | IntakeError::Snapshot(_)),
                "cut at {cut}: {error}"
            );
        }
    }
    let stored = gzip(&snapshot());
    for at in (2..stored.len()).step_by(101) {
        let mut flipped = stored.clone();
        flipped[at] ^= 0x20;
        // The header's time, name and operating system have no effect.
        if let Err(error) = take(&flipped, 64) {
            assert!(
                matches!(error, IntakeError::Unpack { .. } | IntakeError::Snapshot(_)),
                "flip at {at}: {error}"
            );
        } else {
            assert!((4..10).contains(&at), "flip at {at} went unnoticed");
        }
    }
}

type Expected = fn(&SnapshotError) -> bool;

#[test]
fn damage_of_a_raw_snapshot_is_named() {
    let good = snapshot();
    let mut flipped = good.clone();
    flipped[20_000] ^= 1;
    let cases: [(&[u8], Expected); 4] = [
        (&[], |damage| matches!(damage, SnapshotError::Empty)),
        (&good[..100], |damage| {
            matches!(damage, SnapshotError::TooShort { .. })
        }),
        (&good[..20_001], |damage| {
            matches!(damage, SnapshotError::Length { .. })
        }),
        (&flipped, |damage| {
            matches!(
                damage,
                SnapshotError::TrailerMismatch { offset: 32_768, .. }
            )
        }),
    ];
    for (number, (stored, expected)) in cases.into_iter().enumerate() {
        match take(stored, 1000).expect_err("damaged") {
            IntakeError::Snapshot(damage) => assert!(expected(&damage), "case {number}: {damage}"),
            other => panic!("case {number}: {other}"),
        }
    }
}

#[test]
fn the_trailer_is_told_and_judged_by_the_caller() -> Result<(), IntakeError> {
    let good = snapshot();
    let (db, trailer) = good.split_at(32_768);
    let mut flipped = good.clone();
    flipped[20_000] ^= 1;
    let stored = trailer.try_into().expect("32 bytes");
    for (file, expected) in [
        (&good[..], Trailer::Matches),
        (db, Trailer::Missing),
        (&flipped, Trailer::Differs { stored }),
        (&gzip(db), Trailer::Missing),
    ] {
        let (taken, out) = take_from(Pieces(file, 1000))?;
        assert_eq!((taken.trailer, taken.db_len), (expected, 32_768));
        let digest = <[u8; 32]>::from(Sha256::digest(&out[..32_768]));
        assert_eq!(taken.sha256, digest);
        assert_eq!(u64::try_from(out.len()).expect("small"), taken.file_len);
    }
    Ok(())
}

#[test]
fn foreign_files_are_named_before_anything_comes_out() {
    use UnsupportedFormat::{Age, Compress, Compressed, Tar, Zip};
    let tar = [&[b'a'; 257][..], b"ustar\x0000", &[0; 5000]].concat();
    let cases = [
        (b"PK\x03\x04".to_vec(), Zip, Compression::None),
        (b"\x1f\x9d\x90".to_vec(), Compress, Compression::None),
        (b"age-encryption.org/v1".to_vec(), Age, Compression::None),
        (gzip(&tar), Tar, Compression::Gzip),
        (zstd(&tar), Tar, Compression::Zstd),
        (tar, Tar, Compression::None),
        (
            zlib(&gzip(&snapshot())),
            Compressed(Compression::Gzip),
            Compression::Zlib,
        ),
    ];
    for (file, format, inside) in cases {
        let error = take(&file, 1).expect_err("not readable");
        let expected = ForeignFile { format, inside };
        assert!(
            matches!(error, IntakeError::Foreign(found) if found == expected),
            "{error}"
        );
    }
}

/// Written by Go's own `compress/lzw`; see the fixture's README.
const GO_LZW: &[u8] = include_bytes!("../../tests/fixtures/etcd-3.4.db.Z");

#[test]
fn what_go_packs_by_lzw_is_unpacked_exactly() -> Result<(), IntakeError> {
    for piece in [1, 7, 4096] {
        let (taken, out) = take(GO_LZW, piece)?;
        assert_eq!(
            (taken.packing, taken.trailer),
            (Compression::Lzw, Trailer::Matches)
        );
        assert!(out == REAL, "pieces of {piece}");
    }
    for cut in [6, 2000, GO_LZW.len() - 2] {
        let error = take(&GO_LZW[..cut], 64).expect_err("cut");
        assert!(
            matches!(error, IntakeError::Unpack { .. }),
            "{cut}: {error}"
        );
    }
    // It has no checksum of its own: a code out of range, or the trailer, detects a change.
    for at in (3..GO_LZW.len()).step_by(101) {
        let mut flipped = GO_LZW.to_vec();
        flipped[at] ^= 0x20;
        assert!(take(&flipped, 64).is_err(), "flip at {at} went unnoticed");
    }
    Ok(())
}

/// Counts the bytes that are read from it.
struct Counted<'a, R>(R, &'a std::cell::Cell<u64>);

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let len = self.0.read(buf)?;
        self.1.set(self.1.get() + len_u64(len));
        Ok(len)
    }
}

/// The wrong object of a bucket was named, and it is large.
#[test]
fn a_file_that_is_no_database_is_not_read_to_its_end() {
    let read = std::cell::Cell::new(0);
    for endless in [0_u8, 0x41] {
        let source = Counted(io::repeat(endless), &read);
        let error = take_from(source).expect_err("endless");
        assert!(matches!(error, IntakeError::NotADatabase(_)), "{error}");
        assert!(read.take() <= 2 * len_u64(BLOCK_BYTES));
    }
}

/// An error of the sink.
#[derive(Debug)]
enum Answer {
    Enough,
    Failed,
}

impl From<IntakeError> for Answer {
    fn from(_: IntakeError) -> Self {
        Self::Failed
    }
}

/// A source that never ends; the sink stops it.
#[test]
fn a_sink_ends_it_between_two_blocks() {
    let mut left = 20;
    let source = BufReader::new(REAL.chain(io::repeat(0)));
    let answer = super::take(source, "", u64::MAX, |block| {
        assert_eq!(block.len(), BLOCK_BYTES);
        left -= 1;
        if left == 0 {
            Err(Answer::Enough)
        } else {
            Ok(())
        }
    });
    assert!(matches!(answer, Err(Answer::Enough)), "{answer:?}");
}

#[test]
fn more_than_allowed_never_comes_out() {
    let bomb = gzip(&[REAL, &vec![0; 5 * BLOCK_BYTES]].concat());
    let limit = len_u64(3 * BLOCK_BYTES + 7);
    let mut came = 0;
    let answer = super::take(bomb.as_slice(), "", limit, |block| {
        came += len_u64(block.len());
        Ok::<(), IntakeError>(())
    });
    assert!(
        matches!(answer, Err(IntakeError::TooLarge { limit: told }) if told == limit),
        "{answer:?}"
    );
    assert!(came <= limit, "{came}");
}

/// The source's own error passes unchanged, with its position, through every decoder.
#[test]
fn a_source_that_fails_is_not_taken_for_damage() {
    struct Failing<'a>(&'a [u8]);
    impl Read for Failing<'_> {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            match self.0.read(buf)? {
                0 => Err(io::Error::new(
                    io::ErrorKind::HostUnreachable,
                    "the line is dead",
                )),
                read => Ok(read),
            }
        }
    }
    let plain = snapshot();
    for stored in [
        plain.clone(),
        gzip(&plain),
        zlib(&plain),
        zstd(&plain),
        GO_LZW.to_vec(),
    ] {
        for len in [0, 3, stored.len() / 2] {
            let error = take_from(Failing(&stored[..len])).expect_err("failed");
            let IntakeError::Read { offset, source } = error else {
                panic!("{len}: {error}");
            };
            assert_eq!(source.to_string(), "the line is dead");
            assert_eq!(offset, len_u64(len));
        }
    }
}

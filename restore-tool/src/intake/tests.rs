//! Raw and gzip, whole and broken, in pieces of any size.

use std::io::Write as _;

use flate2::{Compression, write::GzEncoder};
use sha2::{Digest as _, Sha256};
use strongroom_etcd_format::snapshot::SnapshotError;

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

fn take(stored: &[u8], piece: usize) -> Result<(Taken, Vec<u8>), RestoreError> {
    let dir = tempfile::tempdir().expect("temporary directory");
    let path = dir.path().join("db");
    let file = File::create_new(&path).expect("new file");
    let (_trigger, interrupt) = interrupt::channel();
    let mut intake = Intake::new(file, path.clone(), interrupt);
    for bytes in stored.chunks(piece) {
        intake.push(bytes)?;
    }
    let taken = intake.finish()?;
    Ok((taken, std::fs::read(&path).expect("written")))
}

#[test]
fn raw_and_gzip_arrive_the_same_whatever_the_pieces() -> Result<(), RestoreError> {
    let plain = snapshot();
    let mut two_members = gzip(&plain[..5000]);
    two_members.extend(gzip(&plain[5000..]));
    for piece in [1, 3, 4, 5, 1000, 1 << 20] {
        for (stored, packing) in [
            (&plain, Packing::Raw),
            (&gzip(&plain), Packing::Gzip),
            (&two_members, Packing::Gzip),
        ] {
            let (taken, written) = take(stored, piece)?;
            assert_eq!(
                (taken.packing, taken.summary.file_len),
                (packing, 32_800),
                "pieces of {piece}"
            );
            assert_eq!(written, plain);
        }
    }
    Ok(())
}

#[test]
fn every_cut_and_flip_of_a_gzip_snapshot_is_damage() {
    let stored = gzip(&snapshot());
    for cut in (1..stored.len()).step_by(97) {
        let error = take(&stored[..cut], 64).expect_err("cut");
        assert!(
            matches!(error, RestoreError::Damage(_)),
            "cut at {cut}: {error}"
        );
    }
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
        (&[0x28, 0xb5, 0x2f, 0xfd][..], ForeignPacking::Zstd),
        (&[0x78, 0x9c, 1, 2], ForeignPacking::Zlib),
        (b"PK\x03\x04", ForeignPacking::Zip),
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

#[test]
fn an_interrupt_stops_the_next_piece() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let path = dir.path().join("db");
    let file = File::create_new(&path).expect("new file");
    let (trigger, interrupt) = interrupt::channel();
    let mut intake = Intake::new(file, path, interrupt);
    intake.push(&[0; 4096]).expect("nobody interrupted yet");
    trigger.raise();
    assert!(matches!(
        intake.push(&[0; 4096]),
        Err(RestoreError::Interrupted(_))
    ));
}

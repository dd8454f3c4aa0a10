//! Files of each packing, whole, cut and damaged.

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;

use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use sha2::{Digest as _, Sha256};
use strongroom_etcd_format::snapshot::Trailer;
use strongroom_snapshot_io::packing::ForeignPacking;

use super::*;
use crate::exit::ExitCode;

/// Pages of nothing in particular, with their trailer: what is in them is not this module's business.
fn snapshot() -> Vec<u8> {
    let mut file: Vec<u8> = (0..300_u32 * 512)
        .map(|n| u8::try_from(n / 7 % 251).expect("below 251"))
        .collect();
    file.splice(0..8, [0; 8]);
    let trailer: [u8; 32] = Sha256::digest(&file).into();
    file.extend(trailer);
    file
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).expect("memory takes it");
    encoder.finish().expect("memory takes it")
}

fn zlib(bytes: &[u8], level: u32) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::new(level));
    encoder.write_all(bytes).expect("memory takes it");
    encoder.finish().expect("memory takes it")
}

struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    fn open(&self, bytes: &[u8]) -> Result<Image, ImageError> {
        let path = self.0.path().join("snapshot");
        fs::write(&path, bytes).expect("writable");
        let opened = Image::open(&path, &Scratch::in_folder(self.0.path()));
        let left: Vec<PathBuf> = fs::read_dir(self.0.path())
            .expect("a folder")
            .map(|entry| entry.expect("an entry").path())
            .collect();
        assert_eq!(
            left,
            std::slice::from_ref(&path),
            "no temporary file has a name"
        );
        assert!(fs::read(&path).expect("still there") == bytes);
        opened
    }
}

#[test]
fn each_packing_is_told_by_its_bytes_and_unpacked() {
    let (place, file) = (Place::new(), snapshot());
    let halves = file.split_at(1000);
    let packed = [
        (Packing::None, file.clone()),
        (Packing::Gzip, gzip(&file)),
        (Packing::Gzip, [gzip(halves.0), gzip(halves.1)].concat()),
        (Packing::Zlib, zlib(&file, 1)),
        (Packing::Zlib, zlib(&file, 9)),
        (
            Packing::Zstd,
            zstd::encode_all(file.as_slice(), 1).expect("memory takes it"),
        ),
    ];
    for (packing, bytes) in packed {
        let image = place.open(&bytes).expect("it is whole");
        assert_eq!(image.packing(), packing);
        assert_eq!(image.summary().trailer, Trailer::Matches);
        let mut read = vec![0; file.len()];
        image.read_at(0, &mut read).expect("it is there");
        assert!(read == file, "{packing}");
        assert!(image.read_at(1, &mut read).is_err(), "beyond the end");
    }
}

#[test]
fn packed_files_that_are_cut_or_damaged_are_integrity_failures() {
    let (place, file) = (Place::new(), snapshot());
    let packings = [
        gzip(&file),
        zlib(&file, 6),
        zstd::encode_all(file.as_slice(), 1).expect("memory takes it"),
    ];
    for packed in packings {
        for cut in [packed.len() / 2, packed.len() - 1] {
            let error = place.open(&packed[..cut]).expect_err("it is cut");
            assert!(matches!(error, ImageError::Unpack { .. }), "{error}");
            assert_eq!(error.exit_code(), ExitCode::Integrity, "{error}");
        }
        let mut damaged = packed.clone();
        damaged[packed.len() / 2] ^= 0x10;
        let error = place.open(&damaged).expect_err("it is damaged");
        assert_eq!(error.exit_code(), ExitCode::Integrity, "{error}");
    }
    let mut wrong = file.clone();
    wrong[5000] ^= 1;
    let error = place.open(&gzip(&wrong)).expect_err("the trailer tells");
    assert!(matches!(error, ImageError::Snapshot { .. }), "{error}");
}

#[test]
fn what_is_no_snapshot_says_what_it_is() {
    let place = Place::new();
    let foreign = |bytes: &[u8]| match place.open(bytes).expect_err("foreign") {
        ImageError::Foreign { packing, .. } => packing,
        other => panic!("{other}"),
    };
    assert_eq!(foreign(b"PK\x03\x04rest of it"), ForeignPacking::Zip);
    assert_eq!(foreign(b"\x1f\x9d\x90rest"), ForeignPacking::Lzw);
    assert_eq!(foreign(b"age-encryption.org/v1\n"), ForeignPacking::Age);
    let error = place.open(b"").expect_err("empty");
    assert_eq!(error.exit_code(), ExitCode::Integrity);
    let scratch = Scratch::in_folder(place.0.path());
    let code = |path: &Path| {
        Image::open(path, &scratch)
            .expect_err("no file")
            .exit_code()
    };
    assert_eq!(code(&place.0.path().join("absent")), ExitCode::NotFound);
    assert_eq!(code(place.0.path()), ExitCode::Precondition);
    let nowhere = Scratch::in_folder(place.0.path().join("absent"));
    let packed = place.0.path().join("snapshot");
    fs::write(&packed, gzip(&snapshot())).expect("writable");
    let error = Image::open(&packed, &nowhere).expect_err("no place to unpack");
    assert_eq!(error.exit_code(), ExitCode::Precondition);
}

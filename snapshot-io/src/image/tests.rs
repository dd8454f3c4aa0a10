//! Files with each compression: complete, truncated and damaged.

use std::{fs, path::PathBuf};

use flate2::{
    Compression as Level,
    write::{GzEncoder, ZlibEncoder},
};
use sha2::{Digest as _, Sha256};

use super::*;
use crate::{
    intake::Trailer,
    packing::{Compression, UnsupportedFormat},
    pages::NeverStop,
};

/// A real snapshot, for its meta pages.
const REAL: &[u8] = include_bytes!("../../../etcd-format/tests/fixtures/etcd-3.4.db");

/// Meta pages and arbitrary pages with a trailer: the contents of the others do not matter here.
fn snapshot() -> Vec<u8> {
    let mut file: Vec<u8> = (0..300_u32 * 512)
        .map(|n| u8::try_from(n / 7 % 251).expect("below 251"))
        .collect();
    file[..8192].copy_from_slice(&REAL[..8192]);
    let trailer: [u8; 32] = Sha256::digest(&file).into();
    file.extend(trailer);
    file
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Level::fast());
    encoder.write_all(bytes).expect("memory takes it");
    encoder.finish().expect("memory takes it")
}

fn zlib(bytes: &[u8], level: u32) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Level::new(level));
    encoder.write_all(bytes).expect("memory takes it");
    encoder.finish().expect("memory takes it")
}

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    fn open(&self, bytes: &[u8]) -> Result<Image<NeverStop>, ImageError> {
        let path = self.0.path().join("snapshot");
        fs::write(&path, bytes).expect("writable");
        let file = File::open(&path).expect("there");
        let opened = Image::open(
            file,
            "snapshot",
            &Scratch::in_folder(self.0.path()),
            NeverStop,
        );
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
    let (folder, file) = (Folder::new(), snapshot());
    let halves = file.split_at(1000);
    let packed = [
        (Compression::None, file.clone()),
        (Compression::Gzip, gzip(&file)),
        (Compression::Gzip, [gzip(halves.0), gzip(halves.1)].concat()),
        (Compression::Zlib, zlib(&file, 1)),
        (Compression::Zlib, zlib(&file, 9)),
        (
            Compression::Zstd,
            zstd::encode_all(file.as_slice(), 1).expect("memory takes it"),
        ),
    ];
    for (packing, bytes) in packed {
        let image = folder.open(&bytes).expect("it is whole");
        assert_eq!(image.taken().packing, packing);
        assert_eq!(image.taken().trailer, Trailer::Matches);
        let mut read = vec![0; file.len()];
        image.read_at(0, &mut read).expect("it is there");
        assert!(read == file, "{packing}");
        assert!(image.read_at(1, &mut read).is_err(), "beyond the end");
    }
}

#[test]
fn packed_files_that_are_cut_or_damaged_are_told_as_such() {
    let (folder, file) = (Folder::new(), snapshot());
    let packings = [
        gzip(&file),
        zlib(&file, 6),
        zstd::encode_all(file.as_slice(), 1).expect("memory takes it"),
    ];
    for packed in packings {
        for cut in [packed.len() / 2, packed.len() - 1] {
            let error = folder.open(&packed[..cut]).expect_err("it is cut");
            let unpack = |error: &ImageError| {
                matches!(error, ImageError::Intake(IntakeError::Unpack { .. }))
            };
            assert!(unpack(&error), "{error}");
        }
        let mut damaged = packed.clone();
        damaged[packed.len() / 2] ^= 0x10;
        let told = folder.open(&damaged).map(|image| image.taken().unaltered());
        assert!(!matches!(told, Ok(Ok(_))), "{told:?}");
    }
    let mut wrong = file.clone();
    wrong[5000] ^= 1;
    let image = folder.open(&gzip(&wrong)).expect("the trailer tells");
    assert!(matches!(image.taken().trailer, Trailer::Differs { .. }));
}

#[test]
fn what_is_no_snapshot_says_what_it_is() {
    let folder = Folder::new();
    let foreign = |bytes: &[u8]| match folder.open(bytes).expect_err("foreign") {
        ImageError::Intake(IntakeError::Foreign(file)) => file.format,
        other => panic!("{other}"),
    };
    assert_eq!(foreign(b"PK\x03\x04rest of it"), UnsupportedFormat::Zip);
    assert_eq!(foreign(b"\x1f\x9d\x90rest"), UnsupportedFormat::Compress);
    assert_eq!(foreign(b"age-encryption.org/v1\n"), UnsupportedFormat::Age);
    let error = folder.open(b"").expect_err("empty");
    assert!(
        matches!(error, ImageError::Intake(IntakeError::Snapshot(_))),
        "{error}"
    );
}

#[test]
fn without_room_to_unpack_it_is_the_folders_fault() {
    let nowhere = Scratch::in_folder("/proc/no/such/folder");
    let packed = gzip(&snapshot());
    let error = Image::unpack(packed.as_slice(), "", &nowhere, NeverStop).expect_err("no room");
    assert!(matches!(error, ImageError::Scratch(_)), "{error}");
}

/// Stopped from the start.
struct Unwanted;

impl Stop for Unwanted {
    fn is_raised(&self) -> bool {
        true
    }
}

#[test]
fn what_nobody_wants_any_more_is_not_taken_in() {
    let folder = Folder::new();
    let path = folder.0.path().join("snapshot");
    fs::write(&path, snapshot()).expect("writable");
    let scratch = Scratch::in_folder(folder.0.path());
    let in_place = Image::open(File::open(&path).expect("there"), "", &scratch, Unwanted);
    assert!(matches!(in_place.err(), Some(ImageError::Stopped)));
    let unpacked = Image::unpack(gzip(&snapshot()).as_slice(), "", &scratch, Unwanted);
    assert!(matches!(unpacked.err(), Some(ImageError::Stopped)));
}

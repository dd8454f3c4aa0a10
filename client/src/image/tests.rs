//! Files that can be opened, and the exit codes for those that cannot.

use std::fs;
use std::io::Write as _;

use flate2::Compression as Level;
use flate2::write::GzEncoder;
use sha2::{Digest as _, Sha256};
use strongroom_snapshot_io::packing::Compression;

use super::*;
use crate::exit::ExitCode;

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

fn open(bytes: &[u8]) -> Result<Image, ImageError> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("snapshot");
    fs::write(&path, bytes).expect("writable");
    Image::open(&path, &Scratch::in_folder(folder.path()))
}

#[test]
fn packed_or_not_it_gives_the_same_pages() {
    let file = snapshot();
    for (packing, bytes) in [
        (Compression::None, file.clone()),
        (Compression::Gzip, gzip(&file)),
    ] {
        let image = open(&bytes).expect("it is whole");
        assert_eq!(image.taken().packing, packing);
        let mut read = vec![0; file.len()];
        image.read_at(0, &mut read).expect("it is there");
        assert!(read == file, "{packing}");
    }
}

#[test]
fn damage_is_an_integrity_failure_and_a_foreign_packing_is_not() {
    let file = snapshot();
    let mut altered = file.clone();
    altered[5000] ^= 1;
    let packed = gzip(&file);
    for (bytes, code) in [
        (&packed[..packed.len() / 2], ExitCode::Integrity),
        (&altered, ExitCode::Integrity),
        (&gzip(&altered), ExitCode::Integrity),
        (&[], ExitCode::Integrity),
        (b"PK\x03\x04rest of it", ExitCode::Failed),
    ] {
        let error = open(bytes).expect_err("no good");
        assert_eq!(error.exit_code(), code, "{error}");
    }
}

#[test]
fn a_file_that_is_not_there_and_a_folder_have_codes_of_their_own() {
    let folder = tempfile::tempdir().expect("a folder");
    let code = |path: &Path, scratch: &Path| {
        Image::open(path, &Scratch::in_folder(scratch))
            .expect_err("no file")
            .exit_code()
    };
    assert_eq!(
        code(&folder.path().join("absent"), folder.path()),
        ExitCode::NotFound
    );
    assert_eq!(code(folder.path(), folder.path()), ExitCode::Precondition);
    let packed = folder.path().join("snapshot");
    fs::write(&packed, gzip(&snapshot())).expect("writable");
    let nowhere = folder.path().join("absent");
    assert_eq!(code(&packed, &nowhere), ExitCode::Precondition);
}

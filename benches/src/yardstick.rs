//! Yardsticks of the figures: OpenSSL's MD5, the disk's own syncs, `cp`, and a way to sync everything.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::process::Command;

use strongroom_tests::clock::Stopwatch;
use strongroom_tests::process::run;

use crate::meter::{Cost, measure};
use crate::stats::{bytes, real};

/// In a sync pair, the bytes that represent an object, and those of its rows.
const PAIR_PACK_BYTES: usize = 100 << 10;
const PAIR_LOG_BYTES: usize = 1 << 10;

/// Bytes per second of OpenSSL's MD5 in one thread, over blocks of 256 KiB for `secs` seconds of wall-clock time: other
/// load slows the yardstick as it slows the server.
pub fn md5_bytes_per_sec(secs: u32) -> f64 {
    let mut command = Command::new("openssl");
    let secs = secs.to_string();
    command.args([
        "speed", "-mr", "-elapsed", "-evp", "md5", "-bytes", "262144",
    ]);
    let told = run(command.args(["-seconds", &secs])).ok();
    // "+F:22:md5:770014901.01": the last line of -mr, in bytes per second.
    let speed = told.stdout.lines().rev().find_map(|line| {
        let (_, speed) = line.strip_prefix("+F:")?.rsplit_once(':')?;
        speed.parse::<f64>().ok()
    });
    speed.unwrap_or_else(|| panic!("no speed in {}", told.text()))
}

/// Pairs of syncs per second: 100 KiB appended to one file and synced, then 1 KiB appended to another and synced, like
/// a store that acknowledges one object at a time.
pub fn sync_pairs_per_sec(dir: &Path, pairs: u64) -> f64 {
    let mut pack = tempfile::tempfile_in(dir).expect("the disk takes a file");
    let mut log = tempfile::tempfile_in(dir).expect("the disk takes a file");
    let (object, rows) = (vec![1; PAIR_PACK_BYTES], vec![2; PAIR_LOG_BYTES]);
    let watch = Stopwatch::start();
    for _ in 0..pairs {
        pack.write_all(&object).expect("space is left");
        pack.sync_all().expect("the disk syncs");
        log.write_all(&rows).expect("space is left");
        log.sync_data().expect("the disk syncs");
    }
    real(pairs) / watch.elapsed().as_secs_f64()
}

/// SHA-256 of a file by OpenSSL.
pub fn sha256(file: &Path, log: &Path) -> Cost {
    let mut command = Command::new("openssl");
    measure(command.args(["dgst", "-sha256"]).arg(file), log)
}

/// Syncs every file and folder below `path`; returns the duration. Clean files take no time.
pub fn sync_tree(path: &Path) -> f64 {
    let watch = Stopwatch::start();
    sync_below(path);
    watch.elapsed().as_secs_f64()
}

fn sync_below(path: &Path) {
    if path.is_dir() {
        for entry in fs::read_dir(path).expect("an own folder") {
            sync_below(&entry.expect("an own folder").path());
        }
    }
    let file = File::open(path).expect("an own file");
    file.sync_all().expect("the disk syncs");
}

/// Writes out dirty data of earlier rounds, so that the next round does not pay for it.
pub fn settle(dir: &Path) {
    let dir = File::open(dir).expect("the working folder");
    rustix::fs::syncfs(&dir).expect("the file system syncs");
}

/// Bytes of all files below a folder, by their lengths.
pub fn tree_bytes(path: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(path) else {
        return fs::metadata(path).map_or(0, |file| file.len());
    };
    entries
        .filter_map(Result::ok)
        .map(|entry| tree_bytes(&entry.path()))
        .sum()
}

/// Reads a file completely, so that it is in the page cache; returns its length.
pub fn warm(file: &Path) -> u64 {
    bytes(fs::read(file).expect("an own file").len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn yardsticks_measure_something() {
        let dir = tempfile::tempdir().expect("temporary folder");
        assert!(md5_bytes_per_sec(1) > 1e7, "10 MB/s is slow since 1995");
        assert!(sync_pairs_per_sec(dir.path(), 3) > 1.0);
        fs::create_dir(dir.path().join("inner")).expect("created");
        fs::write(dir.path().join("inner/file"), [0; 77]).expect("written");
        assert!(sync_tree(dir.path()) < 60.0);
        assert_eq!(tree_bytes(dir.path()), 77);
    }
}

//! Behaviour of RocksDB itself: a damaged log is reported, a half-written end is not, nothing is created by mistake.

use std::collections::BTreeMap;
use std::fs;

use super::*;

fn put(sequence: u64, value: u8) -> Batch {
    let key = Bytes::from(sequence.to_be_bytes().to_vec());
    Batch {
        writes: BTreeMap::from([(key, Some(Bytes::from(vec![value; 100])))]),
        sequence: Version(sequence),
    }
}

fn open(dir: &Path, creation: Creation) -> Result<RocksEngine, StoreError> {
    RocksEngine::open(dir, dir, creation)
}

/// Logs that are not empty.
fn logs(dir: &Path) -> Vec<PathBuf> {
    fs::read_dir(dir)
        .expect("listed")
        .map(|entry| entry.expect("listed").path())
        .filter(|path| {
            path.extension().is_some_and(|end| end == "log")
                && path.metadata().expect("there").len() > 0
        })
        .collect()
}

/// A database with 20 batches that are only in the log, as after a kill, and that log.
fn logged() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().expect("a folder");
    let engine = open(dir.path(), Creation::IfMissing).expect("created");
    (1..=20).for_each(|sequence| engine.apply(&put(sequence, 7)).expect("written"));
    // Not closed, because closing would flush.
    drop(engine);
    let mut logs = logs(dir.path());
    assert_eq!(logs.len(), 1, "{logs:?}");
    let log = logs.remove(0);
    (dir, log)
}

#[test]
fn a_store_at_rest_needs_no_log() {
    let (dir, _) = logged();
    let engine = open(dir.path(), Creation::MustExist).expect("whole");
    engine.close();
    assert!(logs(dir.path()).is_empty());
    let engine = open(dir.path(), Creation::MustExist).expect("whole");
    assert_eq!(engine.last_sequence().expect("read"), Version(20));
}

#[test]
fn the_sequence_and_the_rows_come_back() {
    let (dir, _) = logged();
    let engine = open(dir.path(), Creation::MustExist).expect("whole");
    assert_eq!(engine.last_sequence().expect("read"), Version(20));
    assert_eq!(engine.scan(&[0], &[1], 100).expect("read").len(), 20);
}

#[test]
fn a_log_garbled_in_its_middle_is_reported_with_the_next_command() {
    let (dir, log) = logged();
    let mut bytes = fs::read(&log).expect("there");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0xff;
    fs::write(&log, bytes).expect("garbled");
    let refused =
        open(dir.path(), Creation::MustExist).expect_err("acknowledged commits would be lost");
    assert!(
        matches!(refused, StoreError::MetaUnopened { .. }),
        "{refused}"
    );
    assert!(
        refused
            .to_string()
            .contains("strongroom-server serve --data-dir"),
        "{refused}"
    );
}

#[test]
fn a_half_written_end_of_the_log_is_what_a_crash_leaves() {
    let (dir, log) = logged();
    let len = log.metadata().expect("there").len();
    fs::File::options()
        .write(true)
        .open(&log)
        .expect("there")
        .set_len(len - 50)
        .expect("cut");
    let engine =
        open(dir.path(), Creation::MustExist).expect("the last batch was never acknowledged");
    assert_eq!(engine.last_sequence().expect("read"), Version(19));
}

#[test]
fn a_missing_database_is_not_created_when_it_must_exist() {
    let dir = tempfile::tempdir().expect("a folder");
    assert!(matches!(
        open(dir.path(), Creation::MustExist),
        Err(StoreError::MetaUnopened { .. })
    ));
    open(dir.path(), Creation::IfMissing).expect("created");
}

#[test]
fn a_sequence_that_is_no_number_is_damage() {
    let dir = tempfile::tempdir().expect("a folder");
    let engine = open(dir.path(), Creation::IfMissing).expect("created");
    engine
        .with("write", |db| db.put(SEQUENCE_KEY, b"seven"))
        .expect("written");
    assert!(matches!(
        engine.last_sequence(),
        Err(StoreError::DamagedRow { .. })
    ));
}

/// A database whose log holds so many commits with values of this length, and that log.
fn logged_with(commits: u64, value_bytes: usize) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().expect("a folder");
    let engine = open(dir.path(), Creation::IfMissing).expect("created");
    for sequence in 1..=commits {
        let mut batch = put(sequence, 7);
        let value = Bytes::from(vec![7; value_bytes]);
        batch
            .writes
            .values_mut()
            .for_each(|old| *old = Some(value.clone()));
        engine.apply(&batch).expect("written");
    }
    drop(engine);
    let log = logs(dir.path()).remove(0);
    (dir, log)
}

/// The length of values of which each commit fills one block of the log to its last byte.
fn value_of_a_block() -> usize {
    // Three bytes tell how long either of them is.
    let (_dir, log) = logged_with(1, 17_000);
    let len = log.metadata().expect("there").len();
    17_000 + usize::try_from(BLOCK_BYTES - len).expect("shorter than a block")
}

/// A block that was zeroed between others made RocksDB drop up to 32 KiB of acknowledged commits without a word, when the
/// records began and ended with it.
#[test]
fn any_block_of_the_log_that_is_zeroed_torn_or_cut_is_harmless_or_reported() {
    for (commits, value_bytes) in [(2_000, 100), (6, value_of_a_block()), (3, 100_000)] {
        let (dir, log) = logged_with(commits, value_bytes);
        let good = fs::read(&log).expect("there");
        let block_bytes = usize::try_from(BLOCK_BYTES).expect("small");
        let blocks = good.len().div_ceil(block_bytes);
        assert!(blocks >= 6, "{blocks}");
        for block in 0..blocks {
            let (from, to) = (
                block * block_bytes,
                good.len().min((block + 1) * block_bytes),
            );
            let sector = from + (to - from) / 2;
            for (what, zeroed, cut) in [
                ("zeroed", from..to, good.len()),
                ("zeroed at its begin", from..sector, good.len()),
                ("zeroed at its end", sector..to, good.len()),
                (
                    "zeroed in its middle",
                    sector..(sector + 512).min(to),
                    good.len(),
                ),
                ("cut before it", from..from, from),
                ("cut in its middle", from..from, sector),
            ] {
                let mut bad = good.clone();
                bad[zeroed].fill(0);
                bad.truncate(cut);
                let copy = copy_with(dir.path(), &log, &bad);
                let what = format!("block {block} of {blocks}, values of {value_bytes}, {what}");
                match open(copy.path(), Creation::MustExist) {
                    // The end of a log may be missing, as after a crash; nothing else may.
                    Ok(engine) => {
                        assert!(cut < good.len() || block + 1 == blocks, "{what}: opened");
                        let last = engine.last_sequence().expect("read").0;
                        let rows = engine.scan(&[0], &[1], usize::MAX).expect("read").len();
                        assert_eq!(u64::try_from(rows).expect("few"), last, "{what}");
                    }
                    Err(refused) => {
                        let told = matches!(refused, StoreError::MetaUnopened { .. });
                        assert!(told, "{what}: {refused}");
                    }
                }
            }
        }
    }
}

/// The database with another log.
fn copy_with(dir: &Path, log: &Path, bytes: &[u8]) -> tempfile::TempDir {
    let copy = tempfile::tempdir().expect("a folder");
    for entry in fs::read_dir(dir).expect("listed") {
        let path = entry.expect("listed").path();
        let to = copy.path().join(path.file_name().expect("a name"));
        if path == log {
            fs::write(to, bytes).expect("written");
        } else {
            fs::copy(path, to).expect("copied");
        }
    }
    copy
}

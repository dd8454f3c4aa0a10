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

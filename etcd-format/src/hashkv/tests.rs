//! Compares HashKV with the output of etcdutl 3.7.1 for a real database; tests rules that rarely apply in real databases.

use super::*;
use crate::{
    bolt::edit::{self, BucketEdit, Edit},
    mvcc::KeyValue,
    width::u64_of,
};

const REAL: &[u8] = include_bytes!("../../tests/fixtures/etcd-3.4.db");

fn real() -> Bolt<&'static [u8]> {
    let database = &REAL[..REAL.len() - 32];
    Bolt::open(database, u64_of(database.len())).expect("etcd wrote it")
}

fn at(revision: i64) -> At {
    At::Revision(revision)
}

/// A database with only these rows (main, sub, tombstone, user key) and compactions.
fn history(rows: &[(i64, i64, bool, &str)], finished: i64, scheduled: i64) -> Vec<u8> {
    let encoded = |main, sub, tombstone| {
        RevisionKey {
            main,
            sub,
            tombstone,
        }
        .encode()
    };
    let rows = rows.iter().map(|(main, sub, tombstone, key)| {
        let value = KeyValue {
            key: key.as_bytes(),
            mod_revision: if *tombstone { 0 } else { *main },
            ..KeyValue::default()
        };
        (encoded(*main, *sub, *tombstone), value.encode())
    });
    let meta = [
        (FINISHED_NAME.to_vec(), encoded(finished, 0, false)),
        (SCHEDULED_NAME.to_vec(), encoded(scheduled, 0, false)),
    ];
    let meta = meta
        .into_iter()
        .zip([finished, scheduled])
        .filter(|(_, revision)| *revision > 0)
        .map(|(entry, _)| entry);
    let edit = Edit {
        buckets: vec![
            BucketEdit::replace_all(b"key", rows),
            BucketEdit::replace_all(b"meta", meta),
        ],
    };
    let bolt = real();
    let appended = edit::append(&bolt, &edit).expect("it fits");
    let mut database = REAL[..REAL.len() - 32].to_vec();
    database.extend(&appended.pages);
    for (page, meta) in [0, 4096].into_iter().zip(&appended.metas) {
        database[page..page + 4096].copy_from_slice(meta);
    }
    database
}

const FINISHED_NAME: &[u8] = b"finishedCompactRev";
const SCHEDULED_NAME: &[u8] = b"scheduledCompactRev";

fn of(database: &[u8], at: At, rules: Rules) -> Result<HashKv, HashKvError> {
    let bolt = Bolt::open(database, u64_of(database.len())).expect("the editor wrote it");
    hash_kv(&bolt, at, rules)
}

/// The CRC over "key" and the rows at these positions.
fn over(database: &[u8], places: &[usize]) -> u32 {
    let bolt = Bolt::open(database, u64_of(database.len())).expect("the editor wrote it");
    let (mut bytes, mut place) = (b"key".to_vec(), 0);
    bolt.for_each(b"key", &mut |key, value, _| {
        if places.contains(&place) {
            bytes.extend_from_slice(key);
            bytes.extend_from_slice(value);
        }
        place += 1;
        Ok::<(), InspectError>(())
    })
    .expect("the editor wrote it");
    crc32c::of(&bytes)
}

#[test]
fn a_real_database_has_the_hashes_that_etcdutl_printed() {
    let compact_revision = 150;
    for (asked, hash, hash_revision) in [
        (At::Current, 341_510_213, 186),
        (at(186), 341_510_213, 186),
        (at(150), 1_692_956_849, 150),
        (at(151), 1_662_489_305, 151),
    ] {
        let found = hash_kv(&real(), asked, Rules::Etcd35).expect("it is in reach");
        let expected = HashKv {
            hash,
            hash_revision,
            compact_revision,
        };
        assert_eq!(found, expected);
    }
}

#[test]
fn revisions_out_of_reach_are_refused() {
    let error = |asked, rules| hash_kv(&real(), at(asked), rules).expect_err("out of reach");
    assert!(matches!(
        error(149, Rules::Etcd35),
        HashKvError::Compacted {
            asked: 149,
            first: 150
        }
    ));
    assert!(matches!(
        error(150, Rules::Etcd34),
        HashKvError::Compacted {
            asked: 150,
            first: 151
        }
    ));
    assert!(matches!(
        error(187, Rules::Etcd35),
        HashKvError::Future {
            asked: 187,
            current: 186
        }
    ));
    for asked in [0, -5] {
        assert!(matches!(
            error(asked, Rules::Etcd35),
            HashKvError::NotARevision { .. }
        ));
    }
}

#[test]
fn a_running_compaction_counts_and_its_superseded_rows_do_not() {
    let rows = [
        (2, 0, false, "a"),
        (3, 0, false, "b"),
        (4, 0, false, "a"),
        (5, 0, true, "b"),
        (6, 0, false, "c"),
    ];
    let running = history(&rows, 2, 5);
    let found = of(&running, At::Current, Rules::Etcd35).expect("in reach");
    let expected = HashKv {
        hash: over(&running, &[2, 4]),
        hash_revision: 6,
        compact_revision: 5,
    };
    assert_eq!(found, expected);
    let never = history(&rows, 0, 0);
    let found = of(&never, at(4), Rules::Etcd35).expect("in reach");
    let expected = HashKv {
        hash: over(&never, &[0, 1, 2]),
        hash_revision: 4,
        compact_revision: NEVER_COMPACTED,
    };
    assert_eq!(found, expected);
}

#[test]
fn the_tombstone_at_the_compacted_revision_is_left_out_even_when_nothing_is_alive() {
    let dead = history(&[(2, 0, false, "a"), (3, 0, true, "a")], 0, 3);
    let new = of(&dead, At::Current, Rules::Etcd35).expect("in reach");
    assert_eq!(
        new.hash,
        over(&dead, &[0]),
        "without live keys no row is superseded"
    );
    let old = of(&dead, At::Current, Rules::Etcd34).expect("in reach");
    assert_eq!(old.hash, over(&dead, &[0, 1]));
}

#[test]
fn the_current_revision_is_the_compacted_one_where_newer_rows_are_gone() {
    let gone = history(&[(2, 0, false, "a")], 7, 7);
    let found = of(&gone, At::Current, Rules::Etcd35).expect("in reach");
    assert_eq!((found.hash_revision, found.compact_revision), (7, 7));
    assert!(of(&gone, at(8), Rules::Etcd35).is_err());
    let empty = history(&[], 0, 0);
    let found = of(&empty, At::Current, Rules::Etcd35).expect("in reach");
    assert_eq!((found.hash, found.hash_revision), (crc32c::of(b"key"), 1));
}

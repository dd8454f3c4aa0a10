//! Random histories and random buckets, edited into a tree that a real etcd wrote. Compares our checker with bbolt's
//! own check, which etcdutl runs before it prints, and our numbers with those of etcdutl 3.5, 3.6 and 3.7.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use strongroom_etcd_format::bolt::Bolt;
use strongroom_etcd_format::bolt::edit::{self, BucketEdit, Change, Edit};
use strongroom_etcd_format::mvcc::{KeyValue, RevisionKey};
use strongroom_tests::etcd::{Cluster, Version};
use strongroom_tests::workload;
use strongroom_tests::workload::random::Random;

use crate::judges::{assert_hash_kv_agrees, assert_status_agrees};

const ROUNDS: u64 = 10;
/// Enough for branch pages in bucket `key`.
const OBJECTS: u32 = 200;
const KEYS: [&str; 7] = ["\0", "a", "b", "bb", "/registry/pods/x", "key-\u{e9}", "z"];

/// A history that etcd could have written.
struct History {
    rows: BTreeMap<Vec<u8>, Vec<u8>>,
    last: i64,
    finished: i64,
    scheduled: i64,
}

impl History {
    fn new(random: &mut Random) -> Self {
        let mut history = Self {
            rows: BTreeMap::new(),
            last: i64::from(2 + random.below(30)),
            finished: 0,
            scheduled: 0,
        };
        let mut alive: BTreeSet<&str> = BTreeSet::new();
        for main in 2..=history.last {
            let mut sub = 0;
            for key in KEYS {
                // etcd refuses transactions that change a key twice, and writes no tombstone for a dead key.
                let touched = random.below(4) == 0 || (sub == 0 && key == "z");
                if !touched {
                    continue;
                }
                let deletes = random.below(3) == 0 && alive.contains(key);
                if deletes {
                    alive.remove(key);
                } else {
                    alive.insert(key);
                }
                history.row(main, sub, deletes, key, random);
                sub += 1;
            }
        }
        let below = |random: &mut Random, end: i64| {
            i64::from(random.below(u32::try_from(end).expect("short histories")))
        };
        history.finished = below(random, history.last + 1);
        if random.below(2) == 0 {
            history.scheduled = history.finished.max(below(random, history.last + 1));
        } else {
            history.scheduled = history.finished;
        }
        history
    }

    fn row(&mut self, main: i64, sub: i64, tombstone: bool, key: &str, random: &mut Random) {
        let text = random.bytes(usize::try_from(random.clone().below(6000)).expect("it fits"));
        let mut value = KeyValue {
            key: key.as_bytes(),
            ..KeyValue::default()
        };
        if !tombstone {
            (value.create_revision, value.mod_revision, value.version) = (main, main, 1);
            value.value = &text;
        }
        let row = RevisionKey {
            main,
            sub,
            tombstone,
        };
        self.rows.insert(row.encode(), value.encode());
    }

    fn edits(self) -> [BucketEdit; 2] {
        let compactions = [
            ("finishedCompactRev", self.finished),
            ("scheduledCompactRev", self.scheduled),
        ];
        let meta = compactions.map(|(name, main)| {
            let (sub, tombstone) = (0, false);
            let revision = RevisionKey {
                main,
                sub,
                tombstone,
            };
            (
                name.as_bytes().to_vec(),
                (main > 1).then(|| revision.encode()),
            )
        });
        [
            BucketEdit {
                name: b"key".to_vec(),
                change: Change::ReplaceAll(self.rows),
            },
            BucketEdit {
                name: b"meta".to_vec(),
                change: Change::Patch(meta.into_iter().collect()),
            },
        ]
    }
}

/// Buckets unknown to etcd, some changed in several rounds.
fn strange_bucket(random: &mut Random) -> BucketEdit {
    let name = random
        .pick(&["aaa", "kez", "test", "zzz"])
        .as_bytes()
        .to_vec();
    let count = random.below(200);
    let mut entry = || {
        let key = random.bytes(usize::try_from(1 + random.clone().below(40)).expect("it fits"));
        let len = usize::try_from(random.clone().below(3000)).expect("it fits");
        (key, (len % 7 > 0).then(|| random.bytes(len)))
    };
    let changes: BTreeMap<_, _> = (0..count).map(|_| entry()).collect();
    BucketEdit {
        name,
        change: Change::Patch(changes),
    }
}

/// The database after the edit.
fn edited(database: &[u8], edit: &Edit) -> Vec<u8> {
    let bolt = Bolt::open(database, length(database)).expect("its metas are right");
    let appended = edit::append(&bolt, edit).expect("it fits");
    let mut after = database.to_vec();
    after.resize(usize::try_from(appended.new_len).expect("it fits"), 0);
    for (offset, bytes) in appended.writes() {
        let at = usize::try_from(offset).expect("it fits");
        after[at..at + bytes.len()].copy_from_slice(bytes);
    }
    let bolt = Bolt::open(&after, length(&after)).expect("its metas are new");
    bolt.check().expect("the editor wrote it");
    after
}

fn length(database: &[u8]) -> u64 {
    u64::try_from(database.len()).expect("it fits")
}

/// A database of a real etcd 3.7, without its trailer, and its newest revision.
fn real(dir: &Path) -> (Vec<u8>, i64) {
    let cluster = Cluster::start(&dir.join("etcd"), Version::V3_7, 1);
    workload::fill_cluster(&cluster, 9, OBJECTS);
    let file = dir.join("real.db");
    cluster.save_snapshot(0, &file);
    let mut database = std::fs::read(&file).expect("etcdctl wrote it");
    database.truncate(database.len() - 32);
    (database, cluster.revision())
}

#[test]
fn edited_databases_pass_bbolts_check_and_have_etcds_numbers() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let (real, newest) = real(dir.path());
    let mut strange = real.clone();
    for seed in 0..ROUNDS {
        eprintln!("round {seed}");
        let mut random = Random::new(seed);
        // One database grows from round to round: its tree is the editor's, with branches made by bbolt.
        let mut buckets = vec![strange_bucket(&mut random), strange_bucket(&mut random)];
        strange = edited(
            &strange,
            &Edit {
                buckets: buckets.clone(),
            },
        );
        let file = dir.path().join(format!("strange-{seed}.db"));
        std::fs::write(&file, &strange).expect("writable");
        assert_status_agrees(&file, &["json"]);
        assert_hash_kv_agrees(Version::V3_7, &file, newest);

        let history = History::new(&mut random);
        let mut revisions = vec![
            0,
            1 + i64::from(random.below(30)),
            history.scheduled,
            history.scheduled - 1,
            history.last + 1,
        ];
        revisions.retain(|revision| *revision >= 0);
        buckets.extend(history.edits());
        let file = dir.path().join(format!("history-{seed}.db"));
        std::fs::write(&file, edited(&real, &Edit { buckets })).expect("writable");
        assert_status_agrees(&file, &["json", "table"]);
        for revision in revisions {
            assert_hash_kv_agrees(Version::V3_7, &file, revision);
            assert_hash_kv_agrees(Version::V3_6, &file, revision);
        }
    }
}

#[test]
fn tables_are_as_wide_as_etcds_whatever_the_numbers() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let (real, _) = real(dir.path());
    for (main, version) in [(1, ""), (1_000_000_012_345, "3.6.0"), (99, "10.20.30-rc.1")] {
        let row = RevisionKey {
            main,
            sub: 0,
            tombstone: false,
        };
        let edit = Edit {
            buckets: vec![
                BucketEdit::replace_all(b"key", [(row.encode(), Vec::new())]),
                BucketEdit::upsert(b"meta", [(b"storageVersion".to_vec(), version.into())]),
            ],
        };
        let file = dir.path().join("wide.db");
        std::fs::write(&file, edited(&real, &edit)).expect("writable");
        assert_status_agrees(&file, &crate::judges::FORMS);
    }
}

//! The lives of four clusters, one per minor version: filled, compacted, defragmented, with users and a learner,
//! emptied. At each station a snapshot is saved and every number in it is compared.

use std::path::{Path, PathBuf};

use strongroom_etcd_format::bolt::Bolt;
use strongroom_etcd_format::hashkv::{self, At, HashKv, Rules};
use strongroom_etcd_format::snapshot;
use strongroom_etcd_format::status::{self, Examined};
use strongroom_tests::clock::{READY_WITHIN, until};
use strongroom_tests::etcd::{Cluster, Security, Version};
use strongroom_tests::workload;

use crate::judges::{
    FORMS, assert_hash_kv_agrees, assert_status_agrees, our_hash_kv, their_hash_kv,
};

/// Enough for branch pages, values larger than a page and each of the workload's leases.
const OBJECTS: u32 = 300;
/// Rows per batch of a compaction: with 10 ms of rest after each, 1,000 rows take half a second.
const COMPACTION_BATCH: u32 = 20;
/// 1,000 rows, of which a compaction leaves 100.
const REWRITES: u32 = 10;
const KEYS_REWRITTEN: u32 = 100;

struct Life {
    cluster: Cluster,
    dir: PathBuf,
    rules: Rules,
    stations: u32,
}

/// A snapshot and the library's results for it.
struct Saved {
    file: PathBuf,
    bytes: Vec<u8>,
    examined: Examined,
}

impl Saved {
    fn hash_kv(&self, at: At, rules: Rules) -> HashKv {
        let bolt = Bolt::open(&self.bytes, self.db_len()).expect("etcd wrote it");
        hashkv::hash_kv(&bolt, at, rules).expect("it is in reach")
    }

    fn db_len(&self) -> u64 {
        snapshot::db_len(u64::try_from(self.bytes.len()).expect("it fits")).expect("a snapshot")
    }
}

impl Life {
    fn begin(dir: &Path, version: Version) -> Self {
        let mut cluster = Cluster::plan(&dir.join("etcd"), version, 1, Security::Plain)
            .compacting_in_batches_of(COMPACTION_BATCH);
        cluster.boot();
        let rules = if version == Version::V3_4 {
            Rules::Etcd34
        } else {
            Rules::Etcd35
        };
        Self {
            cluster,
            dir: dir.to_owned(),
            rules,
            stations: 0,
        }
    }

    fn save(&mut self, name: &str) -> Saved {
        self.stations += 1;
        let file = self.dir.join(format!("{}-{name}.db", self.stations));
        self.cluster.save_snapshot(0, &file);
        let bytes = std::fs::read(&file).expect("etcdctl wrote it");
        let db_len = snapshot::db_len(u64::try_from(bytes.len()).expect("it fits"));
        let bolt = Bolt::open(&bytes, db_len.expect("a snapshot")).expect("etcd wrote it");
        let examined = status::examine(&bolt).expect("etcd wrote it");
        Saved {
            file,
            bytes,
            examined,
        }
    }

    /// Saves a snapshot, and compares it with every judge: status in these forms, HashKV at the newest and at these
    /// revisions.
    fn station(&mut self, name: &str, forms: &[&str], revisions: &[i64]) -> Saved {
        let newest = self.cluster.revision();
        let saved = self.save(name);
        assert_status_agrees(&saved.file, forms);
        assert_eq!(
            saved.examined.inspection.current_revision(),
            newest,
            "{name}"
        );
        for revision in revisions.iter().copied().chain([newest]) {
            self.assert_live_hash(&saved, revision, name);
            assert_hash_kv_agrees(Version::V3_7, &saved.file, revision);
        }
        assert_hash_kv_agrees(Version::V3_7, &saved.file, 0);
        if saved.examined.inspection.leases == 0 {
            assert_hash_kv_agrees(Version::V3_6, &saved.file, newest);
        }
        saved
    }

    /// The running etcd must return the same hash for a revision as its snapshot.
    fn assert_live_hash(&self, saved: &Saved, revision: i64, name: &str) {
        let live = self.cluster.observe(0, revision);
        let found = saved.hash_kv(At::Revision(revision), self.rules);
        assert_eq!(
            (u64::from(found.hash), found.compact_revision),
            (live.hash_kv, live.compact_revision),
            "etcd {} at {name}, revision {revision}",
            self.cluster.version()
        );
    }
}

fn live_through(version: Version) {
    let dir = tempfile::tempdir().expect("temporary folder");
    let mut life = Life::begin(dir.path(), version);
    let empty = life.station("empty", &["json"], &[]);
    assert_eq!(empty.examined.inspection.compact_revision, None);
    workload::rewrite(&life.cluster, KEYS_REWRITTEN, REWRITES);
    life.cluster.put("gone", "1");
    life.cluster.ctl(&["del", "gone"]).ok();
    let deleted = life.cluster.revision();
    life.cluster.put("behind", "1");
    life.station("never-compacted", &FORMS, &[2, deleted - 1, deleted]);

    // A compaction at a tombstone's revision, observed while it runs.
    life.cluster.ctl(&["compact", &deleted.to_string()]).ok();
    let running = life.station("compacting", &["json"], &[deleted + 1]);
    let found = &running.examined.inspection;
    assert_eq!(found.scheduled_compact_revision, Some(deleted));
    assert_eq!(
        found.compact_revision, None,
        "the compaction was over before the snapshot: make it slower"
    );
    finished(&mut life, deleted);
    life.station("compacted", &["json"], &[deleted + 1]);
    refused_or_forgotten(&mut life, deleted);

    workload::fill_cluster(&life.cluster, 5, OBJECTS);
    let filled = life.station("filled", &FORMS, &[]);
    assert!(filled.examined.inspection.leases > 0);
    assert!(filled.examined.report.branch_pages > 0 && filled.examined.report.overflow_pages > 0);
    life.cluster.ctl(&["defrag"]).ok();
    let defragmented = life.station("defragmented", &["json", "simple"], &[]);
    assert_eq!(
        defragmented.examined.status.live_keys,
        filled.examined.status.live_keys
    );
    life.cluster.add_learner("learner", "http://127.0.0.1:1");
    life.cluster.enable_auth();
    let guarded = life.station("guarded", &["json", "table"], &[]);
    let found = &guarded.examined.inspection;
    assert!(found.auth_enabled);
    assert_eq!(found.members.iter().filter(|m| m.is_learner).count(), 1);

    // Nothing is alive, and the tombstones are compacted. For a snapshot from the middle of such a compaction, etcd's
    // programs return one hash or the other: they continue the compaction while they hash, and skip no row of a store
    // that keeps none.
    life.cluster.ctl(&["del", "", "--from-key"]).ok();
    let newest = life.cluster.revision();
    life.cluster.ctl(&["compact", &newest.to_string()]).ok();
    finished(&mut life, newest);
    let emptied = life.save("emptied");
    assert_eq!(emptied.examined.status.live_keys, 0);
    assert_status_agrees(&emptied.file, &["json"]);
    assert_hash_kv_agrees(Version::V3_7, &emptied.file, 0);
}

fn finished(life: &mut Life, revision: i64) {
    until("the compaction to finish", READY_WITHIN, || {
        let found = life.save("waiting").examined.inspection.compact_revision;
        if found == Some(revision) {
            Ok(())
        } else {
            Err(found)
        }
    });
}

/// The compacted revision itself: 3.4 refuses it; later versions answer from memory, and from the file after a restart.
fn refused_or_forgotten(life: &mut Life, compacted: i64) {
    let below = life.cluster.hash_kv(0, compacted - 1);
    assert!(below.text().contains("compacted"), "{}", below.text());
    life.cluster.kill(0);
    life.cluster.boot();
    let saved = life.save("restarted");
    if life.rules == Rules::Etcd34 {
        let refused = life.cluster.hash_kv(0, compacted);
        assert!(refused.text().contains("compacted"), "{}", refused.text());
        our_hash_kv(&saved.file, compacted, &["--etcd", "3.4"]).code(4);
    } else {
        life.assert_live_hash(&saved, compacted, "restarted");
    }
    for form in FORMS {
        let theirs = their_hash_kv(Version::V3_7, &saved.file, compacted, form).ok();
        let ours = our_hash_kv(&saved.file, compacted, &["-w", form]).ok();
        assert_eq!(ours.stdout, theirs.stdout);
        let theirs = their_hash_kv(Version::V3_6, &saved.file, compacted, form).ok();
        let ours = our_hash_kv(&saved.file, compacted, &["-w", form, "--etcd", "3.6"]).ok();
        assert_eq!(ours.stdout, theirs.stdout);
    }
}

#[test]
fn an_etcd_3_4_and_its_snapshots_agree_with_etcds_programs() {
    live_through(Version::V3_4);
}

#[test]
fn an_etcd_3_5_and_its_snapshots_agree_with_etcds_programs() {
    live_through(Version::V3_5);
}

#[test]
fn an_etcd_3_6_and_its_snapshots_agree_with_etcds_programs() {
    live_through(Version::V3_6);
}

#[test]
fn an_etcd_3_7_and_its_snapshots_agree_with_etcds_programs() {
    live_through(Version::V3_7);
}

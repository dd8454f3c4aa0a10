//! Single calls of the running server fail: writes and syncs of Meta's log, writes, syncs and reads of packs.

use std::fs;
use std::path::{Path, PathBuf};

use strongroom_tests::inject::{Attached, Effect, Fault};
use strongroom_tests::metrics::{is_read_only, readiness};
use strongroom_tests::put_objects::PutObjects;
use strongroom_tests::server::Server;
use strongroom_tests::soak;

use crate::store::{assert_refused, boot, report};

const ERRORS: [&str; 3] = ["EIO", "ENOSPC", "EROFS"];

/// More puts than the highest n.
const PUTS_MAX: u32 = 40;

/// Rounds of reads until a thread has made n reads.
const ROUNDS_MAX: u32 = 50;

/// The highest n: 3 in `make test`.
fn nth_max() -> u32 {
    u32::try_from(soak::number("STRONGROOM_DISK_NTH", 3)).expect("a small number")
}

/// The newest file below a folder with this extension, or with any.
fn newest(dir: &Path, extension: Option<&str>) -> PathBuf {
    let mut open = vec![dir.to_owned()];
    let mut found = Vec::new();
    while let Some(at) = open.pop() {
        for entry in fs::read_dir(&at).expect("readable") {
            let path = entry.expect("readable").path();
            if path.is_dir() {
                open.push(path);
            } else if extension.is_none_or(|e| path.extension().is_some_and(|x| x == e)) {
                found.push(path);
            }
        }
    }
    // Names are increasing numbers.
    found.sort();
    found.pop().expect("there is one")
}

/// A store, its acknowledged objects, and a counter for new keys.
struct Life {
    dir: tempfile::TempDir,
    server: Server,
    objects: PutObjects,
    keys: u32,
}

impl Life {
    fn begin(seed: u64) -> Self {
        let dir = tempfile::tempdir().expect("temporary folder");
        let mut server = Server::plan(dir.path());
        server.boot();
        Self {
            dir,
            server,
            objects: PutObjects::new(seed),
            keys: 0,
        }
    }

    /// Puts a small object; returns the key and the status.
    fn put(&mut self) -> (String, u16) {
        self.keys += 1;
        let key = format!("k{:05}", self.keys);
        let status = self.objects.put(&self.server, &key, SIZE);
        (key, status)
    }

    fn attach(&mut self, fault: &Fault, file: PathBuf) -> Attached {
        let pid = self.server.process().id();
        Attached::to(pid, fault, &[file], &self.dir.path().join("strace"))
    }

    /// Puts until the fault strikes; returns the refused key and the status.
    fn put_until_struck(&mut self, what: &str) -> (String, u16) {
        for _ in 0..PUTS_MAX {
            let (key, status) = self.put();
            if status != 200 {
                return (key, status);
            }
        }
        panic!("{what}: {PUTS_MAX} puts met no fault");
    }

    /// Checks that the store is read-only and reports it, that reads still work, and that a restart recovers.
    fn must_have_latched(&mut self, what: &str, refused: &str, strace: Attached) {
        assert_refused(self.put().1, &format!("{what}: a put to a read-only store"));
        let (status, reason) = readiness(&self.server);
        assert!(
            status == 503 && reason.contains("read-only"),
            "{what}: {status} {reason}"
        );
        assert!(is_read_only(&self.server), "{what}: the metric says so");
        self.objects.assert_whole(&self.server, what);
        let hits = strace.release();
        assert!(!hits.is_empty(), "{what}: no call was struck");
        self.server.kill();
        boot(&mut self.server);
        self.objects
            .assert_whole(&self.server, &format!("{what}, after the restart"));
        self.objects
            .assert_absent_or_whole(&self.server, refused, SIZE);
        assert_eq!(self.put().1, 200, "{what}: writable after the restart");
    }
}

/// A small object: it goes to the shared pack.
const SIZE: usize = 3_000;

fn log_of(server: &Server) -> PathBuf {
    newest(&server.data_dir().join("meta"), Some("log"))
}

fn pack_of(server: &Server) -> PathBuf {
    newest(&server.data_dir().join("packs"), None)
}

#[test]
fn a_failed_write_or_sync_of_metas_log_latches_the_store() {
    let mut life = Life::begin(11);
    let mut cycles = 0;
    for call in ["write", "fdatasync"] {
        for errno in ERRORS {
            for nth in 1..=nth_max() {
                let what = format!("{errno} at {call} {nth} of Meta's log");
                // The pack's row is written first, so that each put is one commit.
                assert_eq!(life.put().1, 200, "{what}");
                let log = log_of(&life.server);
                let strace = life.attach(&Fault::at(call, nth, Effect::Error(errno)), log);
                let (refused, status) = life.put_until_struck(&what);
                assert_refused(status, &what);
                life.must_have_latched(&what, &refused, strace);
                cycles += 1;
            }
        }
    }
    report(
        "Meta's log: failed write or sync",
        cycles,
        life.objects.len(),
    );
}

#[test]
fn a_failed_sync_of_a_pack_latches_the_store() {
    let mut life = Life::begin(12);
    let mut cycles = 0;
    for errno in ERRORS {
        for nth in 1..=nth_max() {
            let what = format!("{errno} at fsync {nth} of a pack");
            assert_eq!(life.put().1, 200, "{what}");
            let pack = pack_of(&life.server);
            let strace = life.attach(&Fault::at("fsync", nth, Effect::Error(errno)), pack);
            let (refused, status) = life.put_until_struck(&what);
            assert_refused(status, &what);
            life.must_have_latched(&what, &refused, strace);
            cycles += 1;
        }
    }
    report("pack: failed sync", cycles, life.objects.len());
}

#[test]
fn a_failed_write_of_a_pack_fails_one_request_only() {
    let mut life = Life::begin(13);
    let mut cycles = 0;
    for errno in ERRORS {
        for nth in 1..=nth_max() {
            let what = format!("{errno} at write {nth} of a pack");
            assert_eq!(life.put().1, 200, "{what}");
            let pack = pack_of(&life.server);
            let strace = life.attach(&Fault::at("pwritev", nth, Effect::Error(errno)), pack);
            let (refused, status) = life.put_until_struck(&what);
            assert_refused(status, &what);
            assert_eq!(life.put().1, 200, "{what}: the next put has a new pack");
            assert_eq!(readiness(&life.server).0, 200, "{what}");
            assert!(!strace.release().is_empty(), "{what}: no call was struck");
            life.objects.assert_whole(&life.server, &what);
            life.objects
                .assert_absent_or_whole(&life.server, &refused, SIZE);
            cycles += 1;
        }
    }
    life.server.kill();
    boot(&mut life.server);
    life.objects
        .assert_whole(&life.server, "after failed writes and a restart");
    report("pack: failed write", cycles, life.objects.len());
}

#[test]
fn a_failed_read_of_a_pack_is_told_and_passes() {
    let mut life = Life::begin(14);
    (0..20).for_each(|_| assert_eq!(life.put().1, 200));
    let pack = pack_of(&life.server);
    let mut cycles = 0;
    for nth in 1..=nth_max() {
        let strace = life.attach(
            &Fault::at("pread64", nth, Effect::Error("EIO")),
            pack.clone(),
        );
        // strace counts per thread, and any thread may read: it takes a few rounds until one thread has made n reads.
        let mut failed = 0;
        for _ in 0..ROUNDS_MAX {
            let seen = life.objects.look(&life.server);
            assert!(seen.wrong.is_empty() && seen.absent.is_empty(), "{seen:?}");
            failed += seen.failed.len();
            if failed > 0 {
                break;
            }
        }
        let hits = strace.release();
        assert!(failed > 0 && !hits.is_empty(), "{failed}: {hits:?}");
        life.objects
            .assert_whole(&life.server, "once the disk reads again");
        assert_eq!(readiness(&life.server).0, 200);
        cycles += 1;
    }
    report("pack: failed read", cycles, life.objects.len());
}

//! The first start of a server under strace, with any initial state of its data directory: new, or left by an
//! interrupted start. The identity file must be durable before the folders that it announces, and all of it before the
//! server reports that it is ready.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use strongroom_tests::clock::until;
use strongroom_tests::inject::{Effect, Fault, run_struck};
use strongroom_tests::server::Server;
use strongroom_tests::trace::{self, Call, Watched};

use crate::durable::{CHANGES, Followed};

const WATCHED: Watched<'_> = Watched {
    calls: &[trace::ON_FILES, trace::ON_SOCKETS, CHANGES],
    text_bytes: 128,
    sync_delay_us: 0,
};

/// Time in which strace writes its log.
const LOGGED_WITHIN: Duration = Duration::from_secs(10);

const IDENTITY: &str = "STRONGROOM";

/// Folders that must exist and survive a power cut before the server is ready.
const PARTS: [&str; 3] = ["", "packs", "meta"];

/// Files that may be lost in a power cut: the lock file is created when missing, the new identity is written again
/// until it has its name, RocksDB's own log is for people, and the probe of the disk holds nothing.
fn is_dispensable(path: &Path) -> bool {
    ["LOCK", "STRONGROOM.new", "meta/LOG", ".write-probe"]
        .map(|name| path.ends_with(name))
        .contains(&true)
}

/// The calls of a start up to its first good answer, which is the last of them.
fn calls_to_ready(log: &Path) -> Vec<Call> {
    until("strace to log the answer", LOGGED_WITHIN, || {
        let mut calls = trace::read(log, 0);
        let ready = |call: &Call| {
            call.path.starts_with("socket:") && call.arguments.contains("HTTP/1.1 200")
        };
        let at = calls.iter().position(ready).ok_or("no answer yet")?;
        calls.truncate(at + 1);
        Ok::<_, &str>(calls)
    })
}

/// Starts the server and checks every call.
#[track_caller]
fn judge(dir: &Path, server: &mut Server) {
    let data_dir = server.data_dir().to_owned();
    let log = dir.join("strace");
    let existed = trace::tree(dir);
    let what = format!("{existed:?}");
    server.boot_as(trace::under(&server.command(), &log, WATCHED));
    let calls = calls_to_ready(&log);
    let ready = calls.last().expect("the answer");
    let shown_identity: Vec<_> = calls
        .iter()
        .filter(|call| {
            call.name.starts_with("rename")
                && call.paths().last().is_some_and(|to| to.ends_with(IDENTITY))
        })
        .collect();
    let last = shown_identity.last().expect("it says `ready` at the end");
    // Before the last state of the identity file, everything that it promises is durable; before the answer, that state
    // too.
    for moment in [*last, ready] {
        let followed = Followed::new(existed.clone()).until(&calls, moment);
        assert!(
            followed.shown_too_early.is_empty(),
            "{what}: {:#?}",
            followed.shown_too_early
        );
        let volatile = lasting(&followed);
        assert!(
            volatile.is_empty(),
            "{what}, before {moment:?}: {volatile:#?}"
        );
    }
    // The file announces the folders: if it was created now, it is durable before the first folder is created.
    if !existed.contains(&data_dir.join(IDENTITY)) {
        let of_packs =
            |call: &&Call| call.name == "mkdir" && Path::new(&call.path) == data_dir.join("packs");
        let packs = calls.iter().find(of_packs).expect("made");
        let before = Followed::new(existed.clone()).until(&calls, packs);
        assert!(before.knows(&data_dir.join(IDENTITY)), "{what}");
        let volatile = lasting(&before);
        assert!(volatile.is_empty(), "{what}, before packs: {volatile:#?}");
    }
    // An interrupted start may have created a folder without syncing it: nobody knows, so it is synced again.
    for part in PARTS {
        let folder = data_dir.join(part);
        let parent = folder.parent().expect("below the root");
        let synced = |call: &Call| call.is_sync() && Path::new(&call.path) == parent;
        assert!(
            calls.iter().any(synced),
            "{what}: the entry of {} may be lost",
            folder.display()
        );
    }
}

/// What a power cut could destroy, without what may be lost.
fn lasting(followed: &Followed<'_>) -> Vec<String> {
    let mut volatile = followed.volatile();
    volatile.retain(|told| {
        let path = told.split(": ").next().unwrap_or_default();
        !is_dispensable(Path::new(path))
    });
    volatile
}

#[test]
fn a_first_start_is_durable_before_it_says_so() {
    for above in [&[][..], &["server"], &["server", "server/lost+found"]] {
        let root = tempfile::tempdir().expect("temporary folder");
        for folder in above {
            fs::create_dir(root.path().join(folder)).expect("made");
        }
        judge(root.path(), &mut Server::plan(root.path()));
    }
}

#[test]
fn folders_above_the_data_directory_are_durable() {
    let root = tempfile::tempdir().expect("temporary folder");
    let home = root.path().join("srv/strongroom");
    let mut server = Server::plan(&home).logging_to(root.path().join("server.log"));
    judge(root.path(), &mut server);
}

/// Killed at each folder that a first start creates.
#[test]
fn the_start_after_one_that_was_cut_short_is_durable_before_it_says_so() {
    let mut left = BTreeSet::new();
    for nth in 1..=4 {
        let root = tempfile::tempdir().expect("temporary folder");
        let mut server = Server::plan(root.path());
        let fault = Fault::at("mkdir", nth, Effect::Kill);
        let struck = run_struck(&server.command(), &fault, &root.path().join("struck"));
        assert!(
            struck.was_hit(),
            "a first start makes fewer folders: {struck:?}"
        );
        fs::remove_file(root.path().join("struck")).expect("written by strace");
        let data_dir = server.data_dir().to_owned();
        let there: Vec<PathBuf> = trace::tree(&data_dir)
            .iter()
            .map(|path| path.strip_prefix(&data_dir).expect("below").to_owned())
            .collect();
        left.insert(there);
        judge(root.path(), &mut server);
    }
    assert_eq!(left.len(), 4, "each cut leaves another state: {left:?}");
}

//! Every snapshot version boots in every etcd version, as one member and as three: saved by our client through S3,
//! restored by our tool, verified by etcd itself. The booted cluster can be written to, restarted and saved again.
//!
//! The results are the table in docs/compatibility.md: `make compatibility` writes it, every other run compares. The
//! only exception is etcd's: 3.6 refuses a database of 3.7, unless the restore clears the version keys.

use std::fmt::Write as _;
use std::path::Path;

use parking_lot::Mutex;
use serde_json::Value;
use strongroom_tests::backup;
use strongroom_tests::clock::READY_WITHIN;
use strongroom_tests::etcd::{Cluster, Observed, Security, Version};
use strongroom_tests::process::run;
use strongroom_tests::programs;
use strongroom_tests::server::Server;
use strongroom_tests::soak;
use strongroom_tests::workload;

/// Enough for branch and overflow pages and a few megabytes; most of the time here goes to booting.
const OBJECTS: u32 = 2_000;

/// Writes to the restored cluster, one transaction each.
const WRITES: u32 = 100;

/// Numbers of members for which a snapshot is restored.
const MEMBERS: [usize; 2] = [1, 3];

/// If set, the page is written with the results. If not, it is compared.
const WRITE_PAGE: &str = "STRONGROOM_WRITE_COMPATIBILITY";

/// The page is one file, and several tests write their lines.
static PAGE: Mutex<()> = Mutex::new(());

/// A snapshot in the server, and the contents of its cluster.
struct Saved {
    server: Server,
    prefix: String,
    revision: i64,
    held: Observed,
}

fn saved_from(dir: &Path, version: Version) -> Saved {
    let server = Server::start(dir);
    let mut source = Cluster::start(&dir.join("source"), version, 1);
    workload::fill(&source.client_urls(), 34, OBJECTS);
    let revision = source.revision();
    let held = source.observe(0, revision);
    let prefix = format!("from-{version}");
    backup::save(&server, &source, 0, &prefix);
    source.destroy();
    Saved {
        server,
        prefix,
        revision,
        held,
    }
}

/// Boots the restored members, compares, writes, restarts, reads back, saves again.
fn prove(cluster: &mut Cluster, saved: &Saved) {
    cluster.boot();
    cluster.assert_holds(saved.revision, saved.held);
    cluster.put("/registry/after/restore", "written");
    workload::rewrite(cluster, 1, WRITES);
    // One member is stopped, three are killed: an orderly stop takes a cluster many seconds, and proves less.
    if cluster.members().len() == 1 {
        cluster.stop();
    } else {
        (0..cluster.members().len()).for_each(|member| cluster.kill(member));
    }
    cluster.boot();
    let last = format!("round-{}", WRITES - 1);
    for member in 0..cluster.members().len() {
        assert_eq!(cluster.get(member, "/registry/after/restore"), "written");
        assert_eq!(cluster.get(member, "rewritten-0000"), last);
    }
    let expected: Vec<_> = cluster
        .members()
        .iter()
        .enumerate()
        .map(|(i, m)| (m.name.clone(), cluster.peer_url(i)))
        .collect();
    assert_eq!(cluster.member_list(), expected);
    save_again(cluster);
}

/// The next backup of the restored cluster: sound, with the same history, and restorable.
fn save_again(cluster: &mut Cluster) {
    let dir = tempfile::tempdir().expect("temporary folder");
    let file = dir.path().join("again.db");
    let revision = cluster.revision();
    let held = cluster.observe(0, revision);
    backup::save_file(cluster, 0, &file);
    run(programs::client().args(["snapshot", "status"]).arg(&file)).ok();
    let mut hash = programs::client();
    hash.args([
        "snapshot",
        "hashkv",
        "-w",
        "json",
        "--rev",
        &revision.to_string(),
    ]);
    let printed = run(hash.arg(&file)).ok().stdout;
    let hash: Value = serde_json::from_str(&printed).expect("JSON");
    assert_eq!(hash["hash"].as_u64(), Some(held.hash_kv), "{printed}");
    // The restore refuses to work next to a running etcd.
    cluster.destroy();
    run(&mut backup::restore_file_command(&file, cluster, 0))
        .ok()
        .says(backup::RESTORED);
    cluster.destroy();
}

/// Restores and verifies clusters of one and three members, and returns the text of the table.
fn boots(saved: &Saved, dir: &Path, boot: Version, flags: &[&str]) -> String {
    for count in MEMBERS {
        let place = dir.join(format!("in-{boot}-{count}"));
        let mut cluster = Cluster::plan(&place, boot, count, Security::Plain);
        for member in 0..count {
            let mut command =
                backup::restore_command(&saved.server, &cluster, member, &saved.prefix);
            run(command.args(flags)).ok().says(backup::RESTORED);
        }
        prove(&mut cluster, saved);
    }
    let members = MEMBERS.map(|count| count.to_string()).join(" and ");
    let mut cell = format!("{members} members");
    for flag in flags {
        write!(cell, " with `{flag}`").expect("memory takes it");
    }
    cell
}

/// The only boot that etcd forbids.
fn is_refused(saved: &Saved, dir: &Path, boot: Version) {
    let mut refused = Cluster::plan(&dir.join("refused"), boot, 1, Security::Plain);
    backup::restore_all(&saved.server, &refused, &saved.prefix);
    refused.spawn(0);
    let status = refused.process(0).wait(READY_WITHIN);
    assert!(
        !status.success(),
        "etcd {boot} refuses a database of a later minor"
    );
    let log = refused.process(0).log();
    assert!(log.contains("is not supported"), "{log}");
    refused.destroy();
}

fn boots_everywhere(from: Version) {
    let dir = tempfile::tempdir().expect("temporary folder");
    let saved = saved_from(dir.path(), from);
    let mut line = format!("| {from} |");
    for boot in Version::ALL {
        let flags: &[&str] = if (from, boot) == (Version::V3_7, Version::V3_6) {
            is_refused(&saved, dir.path(), boot);
            &["--clear-storage-version"]
        } else {
            &[]
        };
        let cell = boots(&saved, dir.path(), boot, flags);
        write!(line, " {cell} |").expect("memory takes it");
    }
    tell(from, &line);
}

/// Writes the line into the page, or compares it with the existing one.
fn tell(from: Version, line: &str) {
    // A test whose line differs panics with the lock; the others must still compare theirs.
    let guard = PAGE.lock();
    let path = programs::workspace().join("docs/compatibility.md");
    let page = std::fs::read_to_string(&path).expect("docs/compatibility.md");
    let begins = format!("| {from} |");
    let told = page.lines().find(|told| told.starts_with(&begins));
    let told = told.unwrap_or_else(|| panic!("docs/compatibility.md has no line for {from}"));
    if soak::is_set(WRITE_PAGE) {
        std::fs::write(&path, page.replace(told, line)).expect("docs/compatibility.md is written");
    } else {
        assert_eq!(
            told, line,
            "docs/compatibility.md tells otherwise; make compatibility writes it"
        );
    }
    drop(guard);
}

#[test]
fn a_snapshot_of_3_4_boots_everywhere() {
    boots_everywhere(Version::V3_4);
}

#[test]
fn a_snapshot_of_3_5_boots_everywhere() {
    boots_everywhere(Version::V3_5);
}

#[test]
fn a_snapshot_of_3_6_boots_everywhere() {
    boots_everywhere(Version::V3_6);
}

#[test]
fn a_snapshot_of_3_7_boots_everywhere_but_in_3_6_with_its_version_keys() {
    boots_everywhere(Version::V3_7);
}

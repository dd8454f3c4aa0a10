//! Every snapshot version boots in every etcd version, as one member and as three: saved by our client through S3, restored
//! by our tool, judged by etcd itself.
//!
//! The one exception is etcd's: 3.6 refuses a database that says 3.7, unless the restore clears the version keys.

use std::path::Path;

use strongroom_tests::backup;
use strongroom_tests::clock::READY_WITHIN;
use strongroom_tests::etcd::{Cluster, Observed, Security, Version};
use strongroom_tests::process::run;
use strongroom_tests::server::Server;
use strongroom_tests::workload;

/// Enough for branch and overflow pages and a few megabytes; booting is what takes the time here.
const OBJECTS: u32 = 2_000;

/// A snapshot in the server, and what its cluster held.
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

/// Boots the restored members, compares, writes, restarts, reads back.
fn prove(cluster: &mut Cluster, saved: &Saved) {
    cluster.boot();
    cluster.assert_holds(saved.revision, saved.held);
    cluster.put("/registry/after/restore", "written");
    // One member is stopped, three are killed: leaving in good order takes a cluster many seconds, and proves less.
    if cluster.members().len() == 1 {
        cluster.stop();
    } else {
        (0..cluster.members().len()).for_each(|member| cluster.kill(member));
    }
    cluster.boot();
    for member in 0..cluster.members().len() {
        assert_eq!(cluster.get(member, "/registry/after/restore"), "written");
    }
    let expected: Vec<_> = cluster
        .members()
        .iter()
        .enumerate()
        .map(|(i, m)| (m.name.clone(), cluster.peer_url(i)))
        .collect();
    assert_eq!(cluster.member_list(), expected);
    cluster.destroy();
}

fn boots_everywhere(from: Version) {
    let dir = tempfile::tempdir().expect("temporary folder");
    let saved = saved_from(dir.path(), from);
    for boot in Version::ALL {
        for count in [1, 3] {
            if (from, boot) == (Version::V3_7, Version::V3_6) {
                continue;
            }
            let place = dir.path().join(format!("in-{boot}-{count}"));
            let mut cluster = Cluster::plan(&place, boot, count, Security::Plain);
            backup::restore_all(&saved.server, &cluster, &saved.prefix);
            prove(&mut cluster, &saved);
        }
    }
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
fn a_snapshot_of_3_7_boots_everywhere_but_in_3_6() {
    boots_everywhere(Version::V3_7);
}

#[test]
fn a_snapshot_of_3_7_boots_in_3_6_once_its_version_keys_are_cleared() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let saved = saved_from(dir.path(), Version::V3_7);

    let mut refused = Cluster::plan(
        &dir.path().join("refused"),
        Version::V3_6,
        1,
        Security::Plain,
    );
    backup::restore_all(&saved.server, &refused, &saved.prefix);
    refused.spawn(0);
    let status = refused.process(0).wait(READY_WITHIN);
    assert!(!status.success(), "etcd 3.6 refuses a database of 3.7");
    let log = refused.process(0).log();
    assert!(log.contains("is not supported"), "{log}");

    for count in [1, 3] {
        let place = dir.path().join(format!("cleared-{count}"));
        let mut cluster = Cluster::plan(&place, Version::V3_6, count, Security::Plain);
        for member in 0..count {
            let mut command =
                backup::restore_command(&saved.server, &cluster, member, &saved.prefix);
            run(command.arg("--clear-storage-version"))
                .ok()
                .says(backup::RESTORED);
        }
        prove(&mut cluster, &saved);
    }
}

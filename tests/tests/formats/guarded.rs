//! Three members with TLS, a running learner, then users: the history has the same hash on every member.

use std::path::Path;

use strongroom_tests::clock::{READY_WITHIN, until};
use strongroom_tests::etcd::{Cluster, Security, Version};
use strongroom_tests::process::Process;
use strongroom_tests::tls::Tls;
use strongroom_tests::workload;

use crate::judges::{assert_hash_kv_agrees, assert_status_agrees, our_hash_kv};

const OBJECTS: u32 = 100;

/// Compares a snapshot of one member with every judge; returns the line that `snapshot hashkv` prints for it.
fn compared(cluster: &Cluster, member: usize, file: &Path, revision: i64) -> String {
    cluster.save_snapshot(member, file);
    assert_status_agrees(file, &["json"]);
    assert_hash_kv_agrees(Version::V3_7, file, revision);
    our_hash_kv(file, revision, &[]).ok().stdout
}

#[test]
fn members_learners_and_clusters_with_users_have_one_hash() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let security = Security::Mutual(Tls::create(&dir.path().join("pki")));
    let plan = |name: &str, count| {
        Cluster::plan(
            &dir.path().join(name),
            Version::V3_6,
            count,
            security.clone(),
        )
    };
    let mut cluster = plan("etcd", 3);
    cluster.boot();
    workload::fill_cluster(&cluster, 11, OBJECTS);
    let revision = cluster.revision();
    let file = |name: &str| dir.path().join(name);
    let expected = compared(&cluster, 0, &file("first.db"), revision);
    let observed = cluster.observe(0, revision);
    let live = format!(
        "{}, {revision}, {}\n",
        observed.hash_kv, observed.compact_revision
    );
    assert_eq!(expected, live);

    let newcomer = plan("learner", 1);
    cluster.add_learner("learner", &newcomer.peer_url(0));
    let mut joining = cluster.join_command(&newcomer, "learner");
    let _learner = Process::spawn("learner", &mut joining, &file("learner.log"));
    until("the learner to have caught up", READY_WITHIN, || {
        let status = newcomer.ctl_at(0, &["endpoint", "status", "-w", "fields"]);
        let caught_up = status
            .stdout
            .contains(&format!("\"Revision\" : {revision}"));
        if caught_up {
            Ok(())
        } else {
            Err(status.text())
        }
    });
    let of_learner = compared(&newcomer, 0, &file("learner.db"), revision);
    assert_eq!(of_learner, expected);

    cluster.enable_auth();
    workload::rewrite(&cluster, 10, 2);
    for member in 0..3 {
        let file = file(&format!("guarded-{member}.db"));
        assert_eq!(
            compared(&cluster, member, &file, revision),
            expected,
            "{member}"
        );
    }
}

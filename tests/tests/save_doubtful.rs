//! Saves from members that may lag: what is left after a loss of quorum, and learners. Every etcd version serves them.
//!
//! An operator takes such a snapshot before a disaster restore. It was refused, so the last writes were lost with the member.

use std::path::Path;

use strongroom_tests::clock::{READY_WITHIN, until};
use strongroom_tests::etcd::{Cluster, Security, Version};
use strongroom_tests::process::{Finished, Process, run};
use strongroom_tests::programs;

const PRECONDITION: i32 = 8;
const WARNING: &str = "newest writes may be missing";

fn save(endpoints: &[String], file: &Path, more: &[&str]) -> Finished {
    let mut command = programs::client();
    command.args(["snapshot", "save", "--endpoints", &endpoints.join(",")]);
    run(command.args(more).arg(file))
}

/// Refused for jobs; otherwise saved with a warning on both outputs, and the file restores.
fn assert_saved_with_warning(endpoints: &[String], dir: &Path, reason: &str) {
    let file = dir.join("snapshot.db");
    save(endpoints, &file, &["--require-leader"])
        .code(PRECONDITION)
        .says(reason);
    assert!(!file.exists(), "a refused save leaves no file");
    let saved = save(endpoints, &file, &[]).ok();
    for (name, output) in [("stdout", &saved.stdout), ("stderr", &saved.stderr)] {
        let told = output.to_lowercase().contains(WARNING) && output.contains(reason);
        assert!(told, "{name}: {output}");
    }
    let report = save(endpoints, &file, &["--json"]).ok();
    let report: serde_json::Value = serde_json::from_str(&report.stdout).expect("JSON");
    let told = report["warning"].as_str().expect("a warning");
    assert!(told.contains(reason), "{report}");
    let restored = run(programs::restore()
        .arg("--snapshot")
        .arg(&file)
        .arg("--data-dir")
        .arg(dir.join("restored"))
        .args(["--name", "m1", "--initial-cluster", "m1=http://127.0.0.1:1"])
        .args(["--initial-advertise-peer-urls", "http://127.0.0.1:1"])
        .arg("--dry-run"));
    restored.ok();
}

fn wait_for_no_leader(cluster: &Cluster) {
    until("the survivor to lose its leader", READY_WITHIN, || {
        let status = cluster.ctl_at(0, &["endpoint", "status", "-w", "json"]);
        // Newer etcdctl versions omit a zero leader.
        let led = status.stdout.contains("\"leader\":") && !status.stdout.contains("\"leader\":0");
        if led { Err(status.stdout) } else { Ok(()) }
    });
}

#[test]
fn what_is_left_after_a_loss_of_quorum_is_saved_with_a_warning() {
    for version in Version::ALL {
        let dir = tempfile::tempdir().expect("temporary folder");
        let mut cluster = Cluster::start(&dir.path().join("etcd"), version, 3);
        cluster.put("k", "v");
        cluster.kill(1);
        cluster.kill(2);
        wait_for_no_leader(&cluster);
        // The dead members' endpoints are named as well, as a job does.
        assert_saved_with_warning(&cluster.client_urls(), dir.path(), "knows no leader");
    }
}

#[test]
fn a_leader_that_is_lost_during_the_question_is_no_broken_connection() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let mut cluster = Cluster::start(&dir.path().join("etcd"), Version::V3_6, 3);
    cluster.put("k", "v");
    cluster.kill(1);
    cluster.kill(2);
    let file = dir.path().join("snapshot.db");
    let saved = save(&[cluster.client_url(0)], &file, &[]).ok();
    assert!(saved.stdout.contains("knows no leader"), "{}", saved.stdout);
}

#[test]
fn a_learner_is_saved_with_a_warning_and_never_preferred() {
    for version in Version::ALL {
        let dir = tempfile::tempdir().expect("temporary folder");
        let cluster = Cluster::start(&dir.path().join("etcd"), version, 1);
        cluster.put("k", "v");
        let learner = Cluster::plan(&dir.path().join("learner"), version, 1, Security::Plain);
        cluster.add_learner("learner", &learner.peer_url(0));
        let mut joined = cluster.join_command(&learner, "learner");
        let _process = Process::spawn("learner", &mut joined, &dir.path().join("learner.log"));
        until("the learner to answer", READY_WITHIN, || {
            let status = learner.ctl_at(0, &["endpoint", "status"]);
            if status.code == Some(0) {
                Ok(())
            } else {
                Err(status.text())
            }
        });
        if version == Version::V3_4 {
            // It refuses: the only version without a way to save from a learner.
            let file = dir.path().join("snapshot.db");
            save(&learner.client_urls(), &file, &[])
                .code(PRECONDITION)
                .says("serves no snapshot");
            assert!(!file.exists(), "a refused save leaves no file");
        } else {
            assert_saved_with_warning(&learner.client_urls(), dir.path(), "is a learner");
        }
        let both = [learner.client_url(0), cluster.client_url(0)];
        let saved = save(&both, &dir.path().join("both.db"), &["--require-leader"]).ok();
        assert!(!saved.stdout.contains("WARNING"), "{}", saved.stdout);
    }
}

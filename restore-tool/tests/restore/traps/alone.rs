//! One member is restored alone: what the other two can then do to it.

use serde_json::Value;

use super::founded::{Kind, Scene};
use crate::{
    clock::eventually,
    etcd::Etcd,
    tool::{Run, fingerprint},
};

const OWN_TOKEN: &str = "--initial-cluster-token=of-this-restore";

/// The warning that comes before the last line, and again in the summary.
const LEFT_OUT: [&str; 4] = [
    "the snapshot's cluster has 3 members, the restored one 1",
    "m2, m3 must join it again, one after the other",
    "With their old data, or with the same single-member command, each would be a cluster beside this one",
    "with empty directories and their old settings they would found a new, empty one",
];

/// While they run, nothing is done to any directory; both commands name them.
fn refused_while_both_run(scene: &Scene, flags: &[&str]) {
    let before = fingerprint(&scene.data_dir(0));
    let running = scene.serve([1, 2]);
    let urls = [1, 2].map(|number| scene.seat(number).peer_url.as_str());
    let id = cluster_id(&running[0]);
    scene.restore_alone(0, flags).expect_code(8).expect_words(&[
        "members of the old or the new cluster run: ",
        &format!("{} (etcd of cluster {id})", urls[0]),
        &format!("{} (etcd of cluster {id})", urls[1]),
        "next: stop etcd on every member",
        "--ignore-running-members",
    ]);
    let told = scene
        .restore_alone(0, &[flags, &["--dry-run"]].concat())
        .expect_preview()
        .expect_words(&["members run that were not restored from this snapshot"]);
    for url in urls {
        let line = format!("asked       {url} (etcd of cluster {id})\n");
        assert!(told.stdout.contains(&line), "{}", told.stdout);
    }
    assert_eq!(fingerprint(&scene.data_dir(0)), before);
    running.into_iter().for_each(Etcd::stop);
}

/// With the default token, as etcdutl and etcdbrctl restore it, the restored member joins 2 and 3 as a follower and panics.
#[test]
fn others_on_old_data_cannot_take_the_restored_member() {
    let scene = Scene::of(Kind::Grown);
    scene.empty(0);
    std::fs::create_dir(scene.data_dir(0)).expect("its parent is there");
    refused_while_both_run(&scene, &[]);
    scene
        .restore_alone(0, &[])
        .expect_code(0)
        .expect_words(&LEFT_OUT);
    let [restored] = scene.serve([0]);
    restored.ctl(&["put", "after", "restore"]);
    let others = scene.serve([1, 2]);
    assert_ne!(cluster_id(&restored), cluster_id(&others[0]));
    restored.stop();
    let [restored] = scene.serve([0]);
    assert_eq!(keys(&restored), ["a", "after"]);
    assert_eq!(restored.members().len(), 1);
}

#[test]
fn two_live_clusters_are_told_before_they_can_be() {
    let scene = Scene::of(Kind::Fixed);
    scene.empty(0);
    std::fs::create_dir(scene.data_dir(0)).expect("its parent is there");
    refused_while_both_run(&scene, &[OWN_TOKEN]);
    scene
        .restore_alone(0, &[OWN_TOKEN])
        .expect_code(0)
        .expect_words(&LEFT_OUT);
    // The tool has ended; nothing but its words keeps the operator from this.
    let ([restored], others) = (scene.serve([0]), scene.serve([1, 2]));
    assert_eq!(
        (keys(&restored), keys(&others[0])),
        (
            vec!["a".to_owned()],
            vec!["a".to_owned(), "b".to_owned(), "c".to_owned()]
        )
    );
    assert_ne!(cluster_id(&restored), cluster_id(&others[0]));
}

#[test]
fn empty_directories_are_told_to_found_an_empty_cluster() {
    let scene = Scene::of(Kind::Fixed);
    (0..3).for_each(|number| scene.empty(number));
    scene
        .restore_alone(0, &[])
        .expect_code(0)
        .expect_words(&LEFT_OUT);
    let ([restored], others) = (scene.serve([0]), scene.serve([1, 2]));
    assert_eq!(keys(&others[0]), Vec::<String>::new(), "as told");
    assert_eq!(
        (keys(&restored), restored.members().len()),
        (vec!["a".to_owned()], 1)
    );
}

/// The steps of the JSON summary, done by a program.
#[test]
fn the_printed_steps_bring_the_others_back() {
    for kind in [Kind::Grown, Kind::Fixed] {
        let scene = Scene::of(kind);
        scene.empty(0);
        let done = json(&scene.restore_alone(0, &["--json"]).expect_code(0));
        let mut members = Vec::from(scene.serve([0]));
        let joining = done["membersToJoin"].as_array().expect("a list");
        assert_eq!(joining.len(), 2, "{done}");
        for (number, member) in (1..).zip(joining) {
            let steps: Vec<[&str; 2]> = member["steps"]
                .as_array()
                .expect("steps")
                .iter()
                .map(|step| ["where", "command"].map(|field| step[field].as_str().expect("text")))
                .collect();
            let [
                ["there", away],
                ["here", add],
                ["there", flags],
                ["here", health],
            ] = steps[..]
            else {
                panic!("{member}")
            };
            assert!(away.starts_with("mv "), "{away}");
            scene.empty(number);
            let etcdctl = |line: &str, first: &Etcd| {
                let words: Vec<&str> = line.split(' ').collect();
                assert_eq!(words[0], "etcdctl", "{line}");
                // etcd counts a member that joined as healthy after five seconds; until then it adds no other.
                eventually(line, || first.try_ctl(&words[1..], "").ok());
            };
            etcdctl(add, &members[0]);
            let flags: Vec<&str> = flags.split(' ').collect();
            let mut joined = Etcd::start(scene.seat(number), &scene.data_dir(number), &flags);
            joined.wait_until_healthy();
            members.push(joined);
            etcdctl(health, &members[0]);
        }
        let saved = &scene.cluster.first;
        for member in &members {
            assert_eq!(member.hash_kv(saved.revision), saved.hash_kv, "{kind:?}");
            assert_eq!(member.members().len(), 3, "{kind:?}");
        }
    }
}

#[test]
fn a_second_single_member_restore_meets_the_first() {
    let scene = Scene::of(Kind::Grown);
    (0..2).for_each(|number| scene.empty(number));
    scene
        .restore_alone(0, &[])
        .expect_code(0)
        .expect_words(&LEFT_OUT);
    let [restored] = scene.serve([0]);
    let met = format!(
        "{} (etcd of cluster {})",
        scene.seat(0).peer_url,
        cluster_id(&restored)
    );
    scene
        .restore_alone(1, &[])
        .expect_code(8)
        .expect_words(&[&met]);
    restored.stop();
    // Even if the first one does not run yet, each says that it leaves the others out.
    scene
        .restore_alone(1, &[])
        .expect_code(0)
        .expect_words(&["m1, m3 must join it again"]);
}

pub(super) fn keys(etcd: &Etcd) -> Vec<String> {
    let keys = etcd.ctl(&["get", "", "--prefix", "--keys-only"]);
    keys.split_whitespace().map(str::to_owned).collect()
}

/// As etcd prints it in hex.
pub(super) fn cluster_id(etcd: &Etcd) -> String {
    let status: Value =
        serde_json::from_str(&etcd.ctl(&["endpoint", "status", "-w", "json"])).expect("JSON");
    let id = status[0]["Status"]["header"]["cluster_id"].as_u64();
    format!("{:x}", id.expect("an id"))
}

pub(super) fn json(run: &Run) -> Value {
    serde_json::from_str(&run.stdout).unwrap_or_else(|e| panic!("{e}: {:?}", run.stdout))
}

//! Three members are restored as one cluster, or one is restored into a cluster that runs.

use strongroom_etcd_format::{bolt::Bolt, inspect};
use strongroom_tests::{
    etcd::{Cluster, Security, Version},
    tls::Tls,
};

use super::{
    alone::{cluster_id, json, keys},
    founded::{Kind, Saved, Scene},
};
use crate::{
    clock::eventually,
    etcd::Etcd,
    tool::{run, text},
};

/// What `strongroom snapshot status` says of the snapshots' cluster: its id follows from the file or is not told.
#[test]
fn the_id_of_a_cluster_is_told_only_if_it_follows_from_its_snapshot() {
    let told = |scene: &Scene| {
        let file = std::fs::read(&scene.cluster.first.file).expect("saved");
        let db = &file[..file.len() - 32];
        let bolt = Bolt::open(db, db.len().try_into().expect("small")).expect("etcd wrote it");
        let found = inspect::inspect(&bolt).expect("etcd wrote it");
        found.cluster_id(0).ok().map(|id| id.to_string())
    };
    let fixed = Scene::of(Kind::Fixed);
    let [running, _] = fixed.serve([0, 1]);
    assert_eq!(told(&fixed), Some(cluster_id(&running)));
    drop(running);
    drop(fixed);
    assert_eq!(told(&Scene::of(Kind::Grown)), None);
}

fn assert_holds(members: &[Etcd], saved: &Saved) {
    for member in members {
        assert_eq!(member.hash_kv(saved.revision), saved.hash_kv);
    }
}

/// Without a token on any command line. Manifests name the default one, which etcd does not read here.
#[test]
fn all_three_restored_alike_are_one_cluster() {
    for kind in [Kind::Grown, Kind::Fixed] {
        let scene = Scene::of(kind);
        let saved = &scene.cluster.first;
        let clusters = [0, 1, 2].map(|number| {
            scene.empty(number);
            let done = json(
                &scene
                    .restore_of_three(number, saved, &["--json"])
                    .expect_code(0),
            );
            assert_eq!(done["cluster"]["tokenOrigin"], "derived");
            assert_eq!(done["membersToJoin"].as_array().map(Vec::len), Some(0));
            [&done["cluster"]["id"], &done["cluster"]["token"]]
                .map(|text| text.as_str().expect("text").to_owned())
        });
        assert!(
            clusters.iter().all(|cluster| *cluster == clusters[0]),
            "{clusters:?}"
        );
        let members = scene.serve([0, 1, 2]);
        assert_eq!(cluster_id(&members[0]), clusters[0][0]);
        assert_holds(&members, saved);
        members[0].ctl(&["put", "after", "restore"]);
        assert_eq!(keys(&members[2]), ["a", "after"]);
    }
}

/// With the default token, the third has the ids and a higher term: it becomes leader, and its log is laid over the others' data.
#[test]
fn a_third_on_old_data_stays_outside() {
    let scene = Scene::of(Kind::Fixed);
    let saved = &scene.cluster.first;
    for number in [0, 1] {
        scene.empty(number);
        scene.restore_of_three(number, saved, &[]).expect_code(0);
    }
    let mut third = scene.start(2);
    let members = scene.serve([0, 1]);
    members[0].ctl(&["put", "after", "restore"]);
    assert_holds(&members, saved);
    for member in &members {
        assert_eq!(keys(member), ["a", "after"]);
    }
    let refused = third.served_cluster();
    assert!(refused.is_none_or(|cluster| cluster != cluster_id(&members[0])));
    let log = || std::fs::read_to_string(scene.data_dir(2).with_extension("log")).expect("UTF-8");
    eventually("the third is told apart", || {
        log().contains("cluster ID mismatch").then_some(())
    });
}

/// With the default token, the first joins the two with other data, and no error is seen.
#[test]
fn running_members_refuse_a_restore_of_all_three() {
    let scene = Scene::of(Kind::Fixed);
    let running = scene.serve([1, 2]);
    scene.empty(0);
    let met = format!(
        "{} (etcd of cluster {})",
        scene.seat(1).peer_url,
        cluster_id(&running[0])
    );
    for token in [&[][..], &["--initial-cluster-token=etcd-cluster"]] {
        // With the old token, they name the very id that the restored cluster would have: it proves nothing.
        let refused = scene.restore_of_three(0, &scene.cluster.first, token);
        refused.expect_code(8).expect_words(&[&met]);
        assert!(!scene.data_dir(0).exists(), "what it made, it removes");
    }
    let ignored = ["--ignore-running-members"];
    scene
        .restore_of_three(0, &scene.cluster.first, &ignored)
        .expect_code(0)
        .expect_words(&[
            "members run that were not restored from this snapshot",
            &met,
        ]);
}

/// A member behind TLS demands a client certificate. That it answers at all says enough.
#[test]
fn a_member_behind_tls_is_seen_without_credentials() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let security = Security::Mutual(Tls::create(&dir.path().join("pki")));
    let mut running = Cluster::plan(&dir.path().join("running"), Version::V3_5, 1, security);
    running.boot();
    let saved = Scene::of(Kind::Fixed);
    let initial = format!(
        "--initial-cluster={},m2={}",
        running.initial_cluster(),
        saved.seat(1).peer_url
    );
    let met = format!("{} (answers with TLS)", running.peer_url(0));
    let data_dir = dir.path().join("data");
    run(&[
        "--snapshot",
        text(&saved.cluster.first.file),
        "-d",
        text(&data_dir),
        "--name=m2",
        &initial,
    ])
    .expect_code(8)
    .expect_words(&[&met]);
    assert!(!data_dir.exists());
}

/// The message says what to do instead; that is done.
#[test]
fn beside_two_healthy_members_the_third_is_added_not_restored() {
    let scene = Scene::of(Kind::Fixed);
    let healthy = scene.serve([0, 1]);
    scene.empty(2);
    scene
        .restore_of_three(2, &scene.cluster.first, &[])
        .expect_code(8)
        .expect_words(&["If most of them are healthy, do not restore: etcdctl member remove ID, then member add"]);
    let seat = scene.seat(2);
    let (id, ..) = healthy[0]
        .members()
        .into_iter()
        .find(|(_, name, _)| *name == seat.name)
        .expect("a member");
    healthy[0].ctl(&["member", "remove", &format!("{id:x}")]);
    eventually("it is added again", || {
        let peer = format!("--peer-urls={}", seat.peer_url);
        healthy[0]
            .try_ctl(&["member", "add", &seat.name, &peer], "")
            .ok()
    });
    let initial = format!("--initial-cluster={}", scene.cluster.initial());
    let flags = [initial.as_str(), "--initial-cluster-state=existing"];
    let mut third = Etcd::start(seat, &scene.data_dir(2), &flags);
    third.wait_until_healthy();
    assert_eq!(keys(&third), ["a", "b", "c"]);
}

/// A backup arrived between two restores. With one token for both, the ids are equal and the data differ, and nothing shows it.
#[test]
fn another_snapshot_makes_another_cluster() {
    let scene = Scene::of(Kind::Fixed);
    let (first, second) = (&scene.cluster.first, &scene.cluster.second);
    for number in [0, 1] {
        scene.empty(number);
        scene.restore_of_three(number, first, &[]).expect_code(0);
    }
    let members = scene.serve([0, 1]);
    scene.empty(2);
    let met = format!(
        "{} (etcd of cluster {})",
        scene.seat(0).peer_url,
        cluster_id(&members[0])
    );
    scene
        .restore_of_three(2, second, &[])
        .expect_code(8)
        .expect_words(&[&met]);
    // Against advice: still they do not mix.
    scene
        .restore_of_three(2, second, &["--ignore-running-members"])
        .expect_code(0);
    let mut third = scene.start(2);
    members[0].ctl(&["put", "after", "restore"]);
    assert_holds(&members, first);
    let refused = third.served_cluster();
    assert!(refused.is_none_or(|cluster| cluster != cluster_id(&members[0])));
    third.stop();
    // From the same snapshot, members that run already are recognised as those restored alike.
    scene.empty(2);
    scene.restore_of_three(2, first, &[]).expect_code(0);
    let [third] = scene.serve([2]);
    assert_eq!(keys(&third), ["a", "after"]);
    assert_holds(&[third], first);
}

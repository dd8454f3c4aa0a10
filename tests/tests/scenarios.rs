//! Operators' scenarios, command by command: a kubeadm control-plane node restored from a store in etcdbrctl's layout,
//! a restore from a file onto a mounted volume, and three members with separate volumes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use strongroom_tests::backup::{self, RESTORED};
use strongroom_tests::etcd::{Cluster, Security, Version};
use strongroom_tests::process::run;
use strongroom_tests::programs;
use strongroom_tests::s3::S3;
use strongroom_tests::server::{ACCESS_KEY, BUCKET, SECRET_KEY, Server};
use strongroom_tests::tls::Tls;

/// The store's flags in the kubeadm runbook.
const ECS: [&str; 2] = ["--store-container=etcd-backup", "--storage-provider=ECS"];

/// A restore of the only member of `cluster`, as in the kubeadm runbook: no name and no token; `flags` name the store.
fn kubeadm_restore(server: &Server, cluster: &Cluster, flags: &[&str]) -> Command {
    let member = &cluster.members()[0];
    let mut command = programs::restore();
    server.ecs_environment(&mut command);
    command.args(flags);
    command.args(["--data-dir", &format!("{}/", member.data_dir.display())]);
    command.arg(format!("--initial-cluster={}", cluster.initial_cluster()));
    command.arg(format!(
        "--initial-advertise-peer-urls={}",
        cluster.peer_url(0)
    ));
    command
}

/// Paths, modes and contents below a folder: a failed restore must not change them.
fn tree(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut open = vec![dir.to_owned()];
    while let Some(at) = open.pop() {
        for entry in std::fs::read_dir(&at).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                open.push(path.clone());
                found.insert(path, Vec::new());
            } else {
                let content = std::fs::read(&path).expect("readable");
                found.insert(path, content);
            }
        }
    }
    found
}

#[test]
fn kubeadm_master_is_restored_with_the_runbooks_flags_and_log_lines() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let server = Server::start(dir.path());
    let tls = Tls::create(&dir.path().join("pki"));
    let mut cluster = Cluster::plan(
        &dir.path().join("etcd"),
        Version::V3_5,
        1,
        Security::Mutual(tls.clone()),
    );
    cluster.boot();
    cluster.put("/registry/pods/default/one", "1");
    let revision = cluster.revision();
    let held = cluster.observe(0, revision);

    let mut save = backup::save_command(&server, &cluster.client_urls(), "");
    save.arg("--cacert")
        .arg(&tls.cacert)
        .arg("--cert")
        .arg(&tls.client.cert)
        .arg("--key")
        .arg(&tls.client.key);
    run(&mut save).ok();
    // Real stores contain deltas: the tool does not apply them, and must report how many it leaves out.
    let s3 = S3::of(&server);
    let deltas = [
        (revision + 1, revision + 3, 4_000_000_001_u64),
        (revision + 4, revision + 9, 4_000_000_002),
    ];
    for (start, last, unix) in deltas {
        assert_eq!(
            s3.put(
                &format!("/{BUCKET}/v2/Incr-{start:08}-{last:08}-{unix}"),
                b"delta"
            )
            .status,
            200
        );
    }
    let full = s3
        .keys(BUCKET, "v2/Full-")
        .pop()
        .expect("the snapshot is stored")
        .replace("v2/", "");
    cluster.destroy();

    for flags in [
        &[ECS[0], ECS[1], "--full-only"][..],
        &["restore", ECS[0], ECS[1], "--full-only"],
    ] {
        let restored = run(&mut kubeadm_restore(&server, &cluster, flags)).ok();
        let text = restored.text();
        for line in [
            "Finding latest set of snapshot to recover from...",
            &format!("Restoring from base snapshot: {full}"),
            RESTORED,
        ] {
            assert!(text.contains(line), "`{line}` is missing: {text}");
        }
        let fetched = text
            .lines()
            .find_map(|l| l.split_once("successfully fetched data of base snapshot in "))
            .expect("is logged")
            .1;
        let seconds = fetched.split(' ').next().unwrap_or_default();
        assert!(
            seconds.parse::<f64>().is_ok() && fetched.contains("seconds"),
            "{fetched}"
        );
        let last = (revision + 9).to_string();
        assert!(
            text.contains("2 ") && text.contains(&last),
            "two deltas up to {last} are named as not applied: {text}"
        );

        cluster.boot();
        cluster.assert_holds(revision, held);
        assert_eq!(
            cluster.member_list(),
            [("etcd-0".to_owned(), cluster.peer_url(0))]
        );
        cluster.put("/registry/after", "restore");
        cluster.destroy();
    }
}

#[test]
fn credentials_and_endpoint_come_from_aws_variables_too() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let server = Server::start(dir.path());
    let mut cluster = Cluster::start(&dir.path().join("etcd"), Version::V3_4, 1);
    cluster.put("k", "v");
    backup::save(&server, &cluster, 0, "aws/way");
    cluster.destroy();
    let flags = [ECS[0], "--storage-provider=S3", "--store-prefix=aws/way"];
    let mut restore = kubeadm_restore(&server, &cluster, &flags);
    for name in ["ECS_ENDPOINT", "ECS_ACCESS_KEY_ID", "ECS_SECRET_ACCESS_KEY"] {
        restore.env_remove(name);
    }
    server.aws_environment(&mut restore);
    run(restore.args(["--storage-provider=S3", "--store-prefix=aws/way"]))
        .ok()
        .says(RESTORED);
    cluster.boot();
    assert_eq!(cluster.get(0, "k"), "v");
}

#[test]
fn a_file_saved_by_etcdctl_is_restored_onto_a_mounted_volume() {
    let dir = tempfile::tempdir().expect("temporary folder");
    for version in [Version::V3_4, Version::V3_6] {
        let mut cluster = Cluster::start(&dir.path().join(format!("etcd-{version}")), version, 1);
        cluster.put("/registry/secrets/a", "b");
        let revision = cluster.revision();
        let held = cluster.observe(0, revision);
        let file = dir.path().join(format!("snapshot-{version}.db"));
        cluster
            .ctl(&["snapshot", "save", file.to_str().expect("text")])
            .ok();
        let ours = dir.path().join(format!("ours-{version}.db"));
        backup::save_file(&cluster, 0, &ours);
        cluster.destroy();

        for file in [&file, &ours] {
            let data_dir = cluster.members()[0].data_dir.clone();
            std::fs::create_dir_all(data_dir.join("lost+found")).expect("a volume's folder");
            run(&mut backup::restore_file_command(file, &cluster, 0))
                .ok()
                .says(RESTORED);
            assert!(data_dir.join("lost+found").is_dir());
            cluster.boot();
            cluster.assert_holds(revision, held);
            cluster.destroy();
        }
    }
}

#[test]
fn three_members_are_restored_each_on_its_own_volume() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let mut cluster = Cluster::start(&dir.path().join("etcd"), Version::V3_6, 3);
    for i in 0..20 {
        cluster.put(&format!("/registry/configmaps/{i}"), "data");
    }
    let revision = cluster.revision();
    let held = cluster.observe(0, revision);
    let file = dir.path().join("snapshot.db");
    cluster
        .ctl_at(0, &["snapshot", "save", file.to_str().expect("text")])
        .ok();
    cluster.destroy();
    for member in 0..3 {
        run(&mut backup::restore_file_command(&file, &cluster, member))
            .ok()
            .says(RESTORED);
    }
    cluster.boot();
    cluster.assert_holds(revision, held);
    cluster.put("/registry/after", "restore");
    for member in 0..3 {
        assert_eq!(cluster.get(member, "/registry/after"), "restore");
    }
}

#[test]
fn a_restore_over_a_member_folder_or_a_running_etcd_is_refused_and_changes_nothing() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let mut cluster = Cluster::start(&dir.path().join("etcd"), Version::V3_5, 1);
    cluster.put("k", "v");
    let file = dir.path().join("snapshot.db");
    backup::save_file(&cluster, 0, &file);
    run(&mut backup::restore_file_command(&file, &cluster, 0)).code(8);
    assert_eq!(cluster.get(0, "k"), "v");

    cluster.stop();
    let data_dir = cluster.members()[0].data_dir.clone();
    let before = tree(&data_dir);
    run(&mut backup::restore_file_command(&file, &cluster, 0))
        .code(8)
        .says("member");
    assert!(
        tree(&data_dir) == before,
        "the refused restore changed the folder"
    );

    // Beside it, another folder is prepared for the time after it.
    cluster.boot();
    let elsewhere = dir.path().join("elsewhere");
    run(&mut backup::restore_file_into(
        &file, &elsewhere, &cluster, 0,
    ))
    .ok()
    .says("on another directory");
    assert_eq!(cluster.get(0, "k"), "v");
}

#[test]
fn what_is_missing_forbidden_or_broken_has_its_own_exit_code_and_leaves_no_trace() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let mut server = Server::start(dir.path());
    let mut cluster = Cluster::start(&dir.path().join("etcd"), Version::V3_4, 1);
    cluster.put("k", "v");
    let file = dir.path().join("snapshot.db");
    backup::save_file(&cluster, 0, &file);
    cluster.destroy();
    let target = cluster.members()[0].data_dir.clone();
    std::fs::create_dir_all(target.join("lost+found")).expect("a volume's folder");
    let before = tree(&target);

    let refused = |command: &mut Command, code: i32| {
        let finished = run(command).code(code);
        assert!(!finished.text().contains(RESTORED), "{}", finished.text());
        assert!(!finished.text().contains(SECRET_KEY), "{}", finished.text());
        assert!(
            tree(&target) == before,
            "the failed restore left something behind: {:?}",
            tree(&target).keys()
        );
    };
    // No snapshot; a missing bucket.
    refused(&mut kubeadm_restore(&server, &cluster, &ECS), 4);
    refused(
        &mut kubeadm_restore(&server, &cluster, &["--store-container=absent", ECS[1]]),
        4,
    );
    // Wrong secret, unknown key.
    refused(
        kubeadm_restore(&server, &cluster, &ECS).env("ECS_SECRET_ACCESS_KEY", "wrong"),
        5,
    );
    refused(
        kubeadm_restore(&server, &cluster, &ECS).env("ECS_ACCESS_KEY_ID", "stranger"),
        5,
    );
    // A snapshot with one flipped byte, a truncated one, an empty one, and a file that is not a snapshot.
    let good = std::fs::read(&file).expect("saved");
    let s3 = S3::of(&server);
    let mut flipped = good.clone();
    flipped[good.len() / 2] ^= 1;
    let cut = &good[..good.len() / 2 + 7];
    for (broken, name) in [
        (&flipped[..], "flipped"),
        (cut, "cut"),
        (&[][..], "empty"),
        (&b"no snapshot at all"[..], "text"),
    ] {
        let path = format!("/{BUCKET}/{name}/v2/Full-00000000-00000002-1700000000");
        assert_eq!(s3.put(&path, broken).status, 200);
        let prefix = format!("--store-prefix={name}");
        refused(
            &mut kubeadm_restore(&server, &cluster, &[ECS[0], ECS[1], &prefix]),
            7,
        );
        let broken_file = dir.path().join(name);
        std::fs::write(&broken_file, broken).expect("written");
        refused(
            &mut backup::restore_file_command(&broken_file, &cluster, 0),
            7,
        );
    }
    // Contradictory flags, a missing file, a server that is gone.
    refused(
        kubeadm_restore(&server, &cluster, &ECS).arg("--name=stranger"),
        2,
    );
    refused(
        &mut backup::restore_file_command(&dir.path().join("absent"), &cluster, 0),
        4,
    );
    server.kill();
    refused(&mut kubeadm_restore(&server, &cluster, &ECS), 6);
    assert_ne!(ACCESS_KEY, SECRET_KEY);
}

#[test]
fn the_newest_full_by_time_wins_and_a_higher_revision_is_warned_about() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let server = Server::start(dir.path());
    let mut cluster = Cluster::start(&dir.path().join("etcd"), Version::V3_6, 1);
    cluster.put("which", "newest");
    let file = dir.path().join("snapshot.db");
    backup::save_file(&cluster, 0, &file);
    let newest = std::fs::read(&file).expect("saved");
    cluster.put("which", "older but of higher revision");
    backup::save_file(&cluster, 0, &dir.path().join("other.db"));
    let other = std::fs::read(dir.path().join("other.db")).expect("saved");
    cluster.destroy();

    let s3 = S3::of(&server);
    assert_eq!(
        s3.put(
            &format!("/{BUCKET}/p/v2/Full-00000000-00000002-1700000500"),
            &newest
        )
        .status,
        200
    );
    assert_eq!(
        s3.put(
            &format!("/{BUCKET}/p/v2/Full-00000000-00009999-1700000000"),
            &other
        )
        .status,
        200
    );
    // The remains of a broken upload are skipped, but not silently.
    let failed = format!("/{BUCKET}/p/v2/Full-00000000-00010000-1700000900");
    assert_eq!(s3.put(&failed, b"").status, 200);
    let mut restore = backup::restore_command(&server, &cluster, 0, "p");
    run(&mut restore)
        .ok()
        .says("Restoring from base snapshot: Full-00000000-00000002-1700000500")
        .says("00009999")
        .says("1700000900");
    cluster.boot();
    assert_eq!(cluster.get(0, "which"), "newest");
}

#[test]
fn a_gzip_compressed_full_is_restored() {
    use std::io::Write;
    let dir = tempfile::tempdir().expect("temporary folder");
    let server = Server::start(dir.path());
    let mut cluster = Cluster::start(&dir.path().join("etcd"), Version::V3_5, 1);
    cluster.put("k", "v");
    let file = dir.path().join("snapshot.db");
    backup::save_file(&cluster, 0, &file);
    cluster.destroy();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(&std::fs::read(&file).expect("saved"))
        .expect("memory takes it");
    let packed = gzip.finish().expect("memory takes it");
    let path = format!("/{BUCKET}/gz/v2/Full-00000000-00000002-1700000000.gz");
    assert_eq!(S3::of(&server).put(&path, &packed).status, 200);
    run(&mut backup::restore_command(&server, &cluster, 0, "gz"))
        .ok()
        .says(RESTORED);
    cluster.boot();
    assert_eq!(cluster.get(0, "k"), "v");
}

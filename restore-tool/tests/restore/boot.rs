//! A real etcd boots the restored directory with the same data: from a raw and a gzip file, as one and as three members.

use std::fs;

use sha2::{Digest as _, Sha256};

use crate::{
    etcd::{Etcd, MemberConfig},
    sample::sample,
    tool::{entries, fingerprint, run, text},
};

type Outcome = Result<(), Box<dyn std::error::Error>>;

/// Scenario S3, then a write, a restart and another check.
#[test]
fn a_file_restored_alone_boots_with_the_same_data_and_goes_on() -> Outcome {
    let sample = sample();
    let dir = tempfile::tempdir()?;
    let data_dir = dir.path().join("etcd");
    let seat = MemberConfig::new("m1");
    let initial = format!("--initial-cluster={}", seat.initial());
    let done = run(&[
        "--snapshot",
        text(&sample.raw),
        "--data-dir",
        text(&data_dir),
        &initial,
    ])
    .expect_code(0);
    assert!(
        done.stdout
            .contains(&format!("revision    {}\n", sample.revision)),
        "{}",
        done.stdout
    );
    done.expect_words(&[
        "Restoring from base snapshot: snapshot.db\n",
        "successfully fetched data of base snapshot in ",
    ]);
    {
        let mut etcd = Etcd::start(&seat, &data_dir, &[]);
        etcd.wait_until_healthy();
        assert_eq!(etcd.hash_kv(sample.revision), sample.hash_kv);
        assert_eq!(etcd.contents(), sample.contents);
        let members = etcd.members();
        assert_eq!(members.len(), 1, "{members:?}");
        assert_eq!(
            (members[0].1.as_str(), &members[0].2),
            ("m1", &seat.peer_url)
        );
        etcd.ctl(&["put", "after", "restore"]);
    }
    let mut etcd = Etcd::start(&seat, &data_dir, &[]);
    etcd.wait_until_healthy();
    assert!(etcd.ctl(&["get", "after"]).contains("restore"));
    assert_eq!(etcd.revision(), sample.revision + 1);
    Ok(())
}

#[test]
fn gzip_gives_byte_for_byte_what_raw_gives_whatever_its_name() -> Outcome {
    let sample = sample();
    let dir = tempfile::tempdir()?;
    let misnamed = dir.path().join("snapshot");
    fs::copy(&sample.gzip, &misnamed)?;
    let trees: Vec<_> = [&sample.raw, &sample.gzip, &misnamed]
        .iter()
        .enumerate()
        .map(|(number, file)| {
            let data_dir = dir.path().join(number.to_string());
            // The word `restore` has no effect.
            run(&["restore", "--snapshot", text(file), "-d", text(&data_dir)]).expect_code(0);
            fingerprint(&data_dir)
        })
        .collect();
    assert_eq!(trees[0], trees[1]);
    assert_eq!(trees[0], trees[2]);
    for (path, (mode, ..)) in &trees[0] {
        let private = if *mode & 0o170_000 == 0o040_000 {
            0o700
        } else {
            0o600
        };
        assert_eq!(mode & 0o777, private, "{}", path.display());
    }
    Ok(())
}

/// Scenario S4: the same command on each of three members, then one cluster.
#[test]
fn three_members_form_one_cluster_with_the_same_data() -> Outcome {
    let sample = sample();
    let dir = tempfile::tempdir()?;
    let seats = ["kube-etcd-0", "kube-etcd-1", "kube-etcd-2"].map(MemberConfig::new);
    let cluster = seats
        .iter()
        .map(MemberConfig::initial)
        .collect::<Vec<_>>()
        .join(",");
    let data_dir = |seat: &MemberConfig| dir.path().join(&seat.name);
    for seat in &seats {
        run(&[
            "--snapshot",
            text(&sample.raw),
            "--data-dir",
            text(&data_dir(seat)),
            &format!("--name={}", seat.name),
            "--initial-cluster-token=etcd-cluster-1",
            &format!("--initial-cluster={cluster}"),
            &format!("--initial-advertise-peer-urls={}", seat.peer_url),
        ])
        .expect_code(0);
    }
    let mut members: Vec<Etcd> = seats
        .iter()
        .map(|seat| Etcd::start(seat, &data_dir(seat), &[]))
        .collect();
    for member in &mut members {
        member.wait_until_healthy();
    }
    for member in &members {
        assert_eq!(member.hash_kv(sample.revision), sample.hash_kv);
        assert_eq!(member.contents(), sample.contents);
        assert_eq!(member.members().len(), 3);
    }
    members[0].ctl(&["put", "after", "restore"]);
    assert!(members[2].ctl(&["get", "after"]).contains("restore"));
    Ok(())
}

/// The bytes that etcdutl 3.5 writes for the same arguments and its default token.
#[test]
fn log_and_raft_snapshot_are_etcdutls_byte_for_byte() -> Outcome {
    const WAL_SHA256: &str = "9b853d93a45f8f4d6b7b9e7ccba99f9522904bc65c987cfee76ab027976241ea";
    const SNAP_SHA256: &str = "f8ef673151c6160292022f51e234899162f28df4783848bed2ca5dd8785618af";
    let dir = tempfile::tempdir()?;
    let cluster = "--initial-cluster=m1=http://10.0.0.1:2380";
    run(&[
        "--snapshot",
        text(&sample().raw),
        "-d",
        text(dir.path()),
        cluster,
        "--name=m1",
        "--initial-cluster-token=etcd-cluster",
    ])
    .expect_code(0);
    let member = dir.path().join("member");
    let log = fs::read(member.join("wal/0000000000000000-0000000000000000.wal"))?;
    let (records, rest) = log.split_at(272);
    assert_eq!(hex::encode(Sha256::digest(records)), WAL_SHA256);
    assert!(
        rest.iter().all(|byte| *byte == 0) && log.len() == 64_000_000,
        "preallocated as etcd does: {}",
        log.len()
    );
    let snap = fs::read(member.join("snap/0000000000000001-0000000000000001.snap"))?;
    assert_eq!(hex::encode(Sha256::digest(snap)), SNAP_SHA256);
    assert_eq!(entries(&member), ["snap", "wal"]);
    assert_eq!(entries(&member.join("snap")).len(), 2);
    Ok(())
}

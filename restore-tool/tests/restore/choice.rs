//! Which snapshot of a store is restored, and what is told of the others.

use strongroom_tests::fake_s3::FakeS3;

use crate::{
    sample::sample,
    store::{FULL, objects, restore},
};

#[test]
fn a_prefix_sees_only_its_own_cluster() {
    let sample = sample();
    let store = FakeS3::honest(objects(&[
        ("cluster1/v2/Full-00000000-00000044-1000", &sample.bytes),
        (
            "cluster10/v2/Full-00000000-00009999-2000",
            b"somebody else's",
        ),
    ]));
    restore(&store, &["--store-prefix=cluster1"], 0)
        .expect_words(&["Restoring from base snapshot: Full-00000000-00000044-1000\n"]);
    let none = restore(&store, &["--store-prefix=cluster"], 4);
    let none = none.expect_words(&[
        "no full snapshot below s3://etcd-backup/cluster/v2/ (--store-prefix=cluster was given)",
        "under the prefixes \"cluster1\", \"cluster10\"\n",
        "next: find out which prefix is this cluster's",
    ]);
    // Another cluster's prefix is never part of a command.
    let next = none.stderr.lines().last().unwrap_or_default();
    assert!(!next.contains("cluster1"), "{next}");
    restore(&store, &["--store-prefix=cluster1/v2"], 4)
        .expect_words(&["next: the same command with --store-prefix=cluster1: the folder v2"]);
}

/// Yesterday's snapshot; or the same one on every master, while newer ones arrive.
#[test]
fn one_object_is_restored_by_its_address() {
    let sample = sample();
    let older = "c1/v2/Full-00000000-00000040-1000";
    let store = FakeS3::honest(objects(&[
        (older, &sample.bytes),
        ("c1/v2/Full-00000000-00000050-2000", b"newer"),
        ("elsewhere/snapshot.db", &sample.bytes),
    ]));
    for key in [older, "elsewhere/snapshot.db"] {
        let address = format!("s3://etcd-backup/{key}");
        let done = restore(&store, &["--snapshot", &address], 0);
        assert!(done.stdout.contains(&address), "{}", done.stdout);
        assert!(!done.stderr.contains("Finding latest"), "{}", done.stderr);
    }
    restore(&store, &["--snapshot=s3://etcd-backup/c1/v2/Full-9"], 4).expect_words(&[
        "there is no object s3://etcd-backup/c1/v2/Full-9",
        "next: strongroom snapshot list s3://etcd-backup/c1/v2/",
    ]);
    restore(&store, &["--snapshot=s3://etcd-backup/c1/"], 2)
        .expect_words(&["not the address of a snapshot", "next: "]);
}

/// The newest snapshot is damaged: the message has the command that restores the one before.
#[test]
fn after_damage_the_next_older_one_is_the_next_command() {
    let sample = sample();
    let older = "v2/Full-00000000-00000040-1000";
    let mut flipped = sample.bytes.clone();
    flipped[9_000] ^= 4;
    let store = FakeS3::honest(objects(&[
        ("v2/Full-00000000-00000030-0900", b"older still"),
        (older, &sample.bytes),
        ("v2/Full-00000000-00000050-2000", &flipped),
    ]));
    let flag = format!("--snapshot s3://etcd-backup/{older}");
    let damaged = restore(&store, &[], 7).expect_words(&[
        "s3://etcd-backup/v2/Full-00000000-00000050-2000 is damaged",
        &format!("next: restore the next older one: the same command and {flag}\n"),
    ]);
    assert!(!damaged.stderr.contains("sha256sum"), "{}", damaged.stderr);
    restore(&store, &flag.split(' ').collect::<Vec<_>>(), 0);
}

#[test]
fn newer_deltas_and_higher_revisions_are_told_loudly() {
    let sample = sample();
    let revision = sample.revision;
    let covered = format!("v2/Incr-00000041-{revision:08}-1679991080");
    let beyond = format!(
        "v2/Incr-{:08}-{:08}-1679991090",
        revision + 1,
        revision + 70
    );
    let store = FakeS3::honest(objects(&[
        (FULL, &sample.bytes),
        (
            "v2/Full-00000000-09000000-1600000000",
            b"of an earlier life",
        ),
        (&covered, b"in the snapshot already"),
        (&beyond, b"lost"),
    ]));
    let last = revision + 70;
    let run = restore(&store, &[], 3).expect_words(&[
        &format!("2 newer delta snapshot(s) up to revision {last} are NOT applied"),
        "Full-00000000-09000000-1600000000 is older and has a higher revision (9000000 > 40)",
        &format!("Restored the full snapshot only: the restored data end at revision {revision}: 1 newer delta snapshot(s) up to revision {last} are NOT"),
        "--snapshot s3://etcd-backup/v2/Full-00000000-09000000-1600000000",
        "next: ",
        "--full-only",
    ]);
    assert!(
        !run.stderr.contains("Successfully restored"),
        "{}",
        run.stderr
    );
    let json = restore(&store, &["--json"], 3).stdout;
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(json["unappliedDeltas"]["lastRevision"], last);
    let accepted = restore(&store, &["--full-only", "--json"], 0);
    let json: serde_json::Value = serde_json::from_str(&accepted.stdout).expect("JSON");
    assert_eq!(
        json["unappliedDeltas"]["count"], 1,
        "accepted, and still told"
    );
    let line = "Successfully restored the etcd data directory.";
    assert!(
        accepted.stderr.trim_end().ends_with(line),
        "{}",
        accepted.stderr
    );
}

#[test]
fn nothing_to_restore_is_never_a_success() {
    let store = FakeS3::honest(objects(&[
        ("v2/Full-00000000-00000044-1679991074.part", b"half"),
        ("v2/Incr-00000021-00000044-1679990500", b"a delta alone"),
    ]));
    restore(&store, &[], 4)
        .expect_words(&["no full snapshot below s3://etcd-backup/v2/", "next: "]);
    // A failed upload leaves an empty one: this is reported as damage, not as absence.
    let empty = FakeS3::honest(objects(&[("v2/Full-00000000-00000045-1679991075", b"")]));
    restore(&empty, &[], 7).expect_words(&["Full-00000000-00000045-1679991075", "empty", "next: "]);
    restore(&store, &["--store-container=missing"], 4).expect_words(&[
        "missing",
        "NoSuchBucket",
        "next: ",
    ]);
}

#[test]
fn a_newer_empty_full_is_passed_over_loudly() {
    let sample = sample();
    let store = FakeS3::honest(objects(&[
        (FULL, &sample.bytes),
        ("v2/Full-00000000-00000099-1999999999", b""),
    ]));
    restore(&store, &[], 0).expect_words(&["Full-00000000-00000099-1999999999", "EMPTY"]);
}

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
    none.expect_words(&[
        "no full snapshot below s3://etcd-backup/cluster/v2/",
        "cluster10",
        "Next: ",
        "--store-prefix=cluster1",
    ]);
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
        &format!("the restored data end at revision {revision}: 1 newer delta snapshot(s) up to revision {last} are NOT"),
        "Full-00000000-09000000-1600000000 is older and has a higher revision (9000000 > 40)",
        "Restored the full snapshot only: ",
        "Next: ",
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
        .expect_words(&["no full snapshot below s3://etcd-backup/v2/", "Next: "]);
    // A failed upload leaves an empty one: this is reported as damage, not as absence.
    let empty = FakeS3::honest(objects(&[("v2/Full-00000000-00000045-1679991075", b"")]));
    restore(&empty, &[], 7).expect_words(&["Full-00000000-00000045-1679991075", "empty", "Next: "]);
    restore(&store, &["--store-container=missing"], 4).expect_words(&[
        "missing",
        "NoSuchBucket",
        "Next: ",
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

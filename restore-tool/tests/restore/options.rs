//! The effect of the options: raised revision, separate log directory, files without trailer, owner, dry run, summary for
//! programs.

use std::{
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use serde_json::Value;

use crate::{
    etcd::{Etcd, MemberConfig},
    sample::{compress, sample},
    tool::{Run, entries, fingerprint, run, text},
};

type Outcome = Result<(), Box<dyn std::error::Error>>;

const WAL: &str = "0000000000000000-0000000000000000.wal";
const SNAP: &str = "0000000000000001-0000000000000001.snap";

fn restore(data_dir: &Path, flags: &[&str]) -> Run {
    let base = ["--snapshot", text(&sample().raw), "-d", text(data_dir)];
    run(&[&base, flags].concat())
}

/// Scenario: controllers have seen higher revisions than those in the snapshot.
#[test]
fn a_raised_revision_goes_on_above_it_and_older_ones_are_compacted() -> Outcome {
    const BY: i64 = 1_000_000_000;
    let dir = tempfile::tempdir()?;
    let data_dir = dir.path().join("etcd");
    let seat = MemberConfig::new("m1");
    let initial = format!("--initial-cluster={}", seat.initial());
    let bump = format!("--bump-revision={BY}");
    let done = restore(&data_dir, &[&initial, &bump, "--mark-compacted"]).expect_code(0);
    let raised = sample().revision + BY;
    assert!(
        done.stdout.contains(&format!("raised to {raised}")),
        "{}",
        done.stdout
    );
    assert!(!done.stderr.contains("goes back"), "{}", done.stderr);

    let mut etcd = Etcd::start(&seat, &data_dir, &[]);
    etcd.wait_until_healthy();
    assert_eq!(etcd.contents(), sample().contents);
    etcd.ctl(&["put", "after", "restore"]);
    assert_eq!(etcd.revision(), raised + 1);
    let old = (sample().revision - 1).to_string();
    let refused = etcd
        .try_ctl(&["get", "/registry/large", "--rev", &old], "")
        .expect_err("compacted");
    assert!(refused.contains("compacted"), "{refused}");
    Ok(())
}

#[test]
fn the_log_may_have_a_directory_of_its_own() -> Outcome {
    let dir = tempfile::tempdir()?;
    let (data_dir, wal_dir) = (dir.path().join("etcd"), dir.path().join("fast/wal"));
    let seat = MemberConfig::new("m1");
    let initial = format!("--initial-cluster={}", seat.initial());
    let wal_flag = format!("--wal-dir={}", text(&wal_dir));
    let done = restore(&data_dir, &[&initial, &wal_flag]).expect_code(0);
    assert!(
        done.stdout.contains(&format!("with {wal_flag}")),
        "{}",
        done.stdout
    );
    assert_eq!(entries(&data_dir), ["member"]);
    assert_eq!(entries(&data_dir.join("member")), ["snap"]);
    assert_eq!(entries(&wal_dir), [WAL]);
    assert_eq!(fs::metadata(&wal_dir)?.mode() & 0o7777, 0o700);
    let mut etcd = Etcd::start(&seat, &data_dir, &[&wal_flag]);
    etcd.wait_until_healthy();
    assert_eq!(etcd.contents(), sample().contents);
    etcd.ctl(&["put", "after", "restore"]);
    drop(etcd);

    // The data directory was moved away, but the log was forgotten: the log is not overwritten.
    fs::rename(&data_dir, dir.path().join("etcd.old"))?;
    let before = fingerprint(dir.path());
    restore(&data_dir, &[&initial, &wal_flag])
        .expect_code(8)
        .expect_words(&["holds a write-ahead log already", "next: ", "mv "]);
    assert_eq!(fingerprint(dir.path()), before);
    Ok(())
}

#[test]
fn a_log_directory_that_is_a_mount_point_is_fine_and_one_inside_the_member_is_not() -> Outcome {
    let dir = tempfile::tempdir()?;
    let (data_dir, wal_dir) = (dir.path().join("etcd"), dir.path().join("wal"));
    fs::create_dir_all(wal_dir.join("lost+found"))?;
    let wal_flag = format!("--wal-dir={}", text(&wal_dir));
    restore(&data_dir, &[&wal_flag]).expect_code(0);
    assert_eq!(entries(&wal_dir), [WAL, "lost+found"]);

    let inside = format!("--wal-dir={}", text(&dir.path().join("new/member/snap")));
    restore(&dir.path().join("new"), &[&inside])
        .expect_code(2)
        .expect_words(&["--wal-dir"]);
    Ok(())
}

/// `cp member/snap/db` of a stopped etcd has no trailer.
#[test]
fn a_database_copied_out_of_a_data_directory_needs_the_word_for_it() -> Outcome {
    let dir = tempfile::tempdir()?;
    let seat = MemberConfig::new("origin");
    let home = dir.path().join("origin");
    let mut etcd = Etcd::start(&seat, &home, &["--initial-cluster", &seat.initial()]);
    etcd.wait_until_healthy();
    etcd.ctl(&["put", "here", "it is"]);
    let contents = etcd.contents();
    etcd.stop();
    let copy = dir.path().join("db");
    fs::copy(home.join("member/snap/db"), &copy)?;

    let data_dir = dir.path().join("etcd");
    let seat = MemberConfig::new("m1");
    let initial = format!("--initial-cluster={}", seat.initial());
    let line = ["--snapshot", text(&copy), "-d", text(&data_dir), &initial];
    run(&line).expect_code(7).expect_words(&[
        "without the SHA-256 that etcd appends",
        "next: ",
        "--skip-hash-check",
    ]);
    let done = run(&[&line[..], &["--skip-hash-check"]].concat())
        .expect_code(0)
        .expect_words(&["the file has no SHA-256 trailer"]);
    assert!(
        done.stdout.contains("no trailer vouches for it"),
        "{}",
        done.stdout
    );
    let mut etcd = Etcd::start(&seat, &data_dir, &[]);
    etcd.wait_until_healthy();
    assert_eq!(etcd.contents(), contents);
    Ok(())
}

/// The hash check is skipped, the page check is not.
#[test]
fn without_the_hash_a_broken_page_is_still_found() -> Outcome {
    let dir = tempfile::tempdir()?;
    let file = dir.path().join("snapshot.db");
    let mut bytes = sample().bytes.clone();
    // Changes the count in the header of a used page near the middle.
    let middle = bytes.len() / 2 / 4096 * 4096;
    bytes[middle..middle + 16].fill(0xee);
    fs::write(&file, bytes)?;
    run(&[
        "--snapshot",
        text(&file),
        "-d",
        text(&dir.path().join("etcd")),
        "--skip-hash-check",
    ])
    .expect_code(7)
    .expect_words(&["is damaged: ", "page"]);
    Ok(())
}

#[test]
fn all_that_is_created_belongs_to_whom_it_is_given() -> Outcome {
    let dir = tempfile::tempdir()?;
    let data_dir = dir.path().join("var/etcd");
    restore(&data_dir, &["--chown=1234:2345"]).expect_code(0);
    for (path, (mode, ..)) in fingerprint(&data_dir) {
        let metadata = fs::symlink_metadata(data_dir.join(&path))?;
        let what = path.display();
        assert_eq!((metadata.uid(), metadata.gid()), (1234, 2345), "{what}");
        let private = if metadata.is_dir() { 0o700 } else { 0o600 };
        assert_eq!(mode & 0o7777, private, "{what}");
    }
    let parent = fs::metadata(dir.path().join("var"))?;
    assert_eq!(parent.uid(), 1234, "it was created as well");

    let refused = restore(&dir.path().join("other"), &["--chown=nobody-of-that-name"]);
    refused.expect_code(2).expect_words(&["/etc/passwd"]);
    Ok(())
}

#[test]
fn a_directory_of_another_user_is_told_when_nothing_is_given_to_it() -> Outcome {
    let dir = tempfile::tempdir()?;
    let data_dir = dir.path().join("etcd");
    fs::create_dir(&data_dir)?;
    std::os::unix::fs::chown(&data_dir, Some(1234), Some(2345))?;
    restore(&data_dir, &["--dry-run"])
        .expect_preview()
        .expect_words(&["belongs to 1234:2345", "--chown 1234:2345"]);

    // The documentation's first step: moved away, it still says whose it was.
    fs::create_dir(data_dir.join("member"))?;
    let kept = dir.path().join("etcd.before-restore");
    fs::rename(&data_dir, &kept)?;
    let missing = restore(&data_dir, &["--dry-run"]).expect_preview();
    missing.expect_words(&[text(&kept), "belongs to 1234:2345", "--chown 1234:2345"]);
    fs::create_dir(&data_dir)?;
    std::os::unix::fs::chown(&data_dir, Some(1234), Some(2345))?;

    let given = restore(&data_dir, &["--chown=1234:2345"]).expect_code(0);
    assert!(!given.stderr.contains("belongs to"), "{}", given.stderr);
    Ok(())
}

#[test]
fn a_dry_run_names_files_and_ids_and_writes_nothing() -> Outcome {
    let dir = tempfile::tempdir()?;
    fs::create_dir(dir.path().join("lost+found"))?;
    let before = fingerprint(dir.path());
    let data_dir = dir.path().join("new/etcd");
    let flags = [
        "--initial-cluster=m1=http://10.0.0.1:2380",
        "--initial-cluster-token=t",
        "--dry-run",
    ];
    let text_form = restore(&data_dir, &flags).expect_preview();
    assert_eq!(fingerprint(dir.path()), before);
    let member = data_dir.join("member");
    let files: Vec<PathBuf> = ["snap/db", &format!("snap/{SNAP}"), &format!("wal/{WAL}")]
        .iter()
        .map(|file| member.join(file))
        .collect();
    for file in &files {
        let line = format!("would write {}\n", text(file));
        assert!(text_form.stdout.contains(&line), "{}", text_form.stdout);
    }
    let preview = json(&restore(&data_dir, &[&flags[..], &["--json"]].concat()).expect_preview());
    assert_eq!(preview["kind"], "RestorePreview");
    assert_eq!(preview["writes"].as_array().map(Vec::len), Some(3));

    // The restore does what the dry run printed.
    let done = json(&restore(&data_dir, &[&flags[..2], &["--json"]].concat()).expect_code(0));
    assert_eq!(preview["cluster"], done["cluster"]);
    assert!(
        text_form
            .stdout
            .contains(done["cluster"]["id"].as_str().expect("text"))
    );
    assert!(files.iter().all(|file| file.exists()));

    restore(&data_dir, &flags).expect_code(8);
    Ok(())
}

/// With and without compression; the bytes are never given a name.
#[test]
fn a_dry_run_finds_a_damaged_snapshot() -> Outcome {
    let dir = tempfile::tempdir()?;
    let mut bytes = sample().bytes.clone();
    bytes[40_000] ^= 1;
    let (plain, packed) = (dir.path().join("plain.db"), dir.path().join("packed.gz"));
    fs::write(&packed, compress(&bytes))?;
    fs::write(&plain, bytes)?;
    for file in [&plain, &packed] {
        let data_dir = dir.path().join("new/etcd");
        run(&["--snapshot", text(file), "-d", text(&data_dir), "--dry-run"])
            .expect_code(7)
            .expect_words(&["is damaged", "next: "]);
    }
    assert_eq!(entries(dir.path()), ["packed.gz", "plain.db"]);
    Ok(())
}

#[test]
fn the_summary_for_programs_says_what_the_text_says() -> Outcome {
    let dir = tempfile::tempdir()?;
    let done = restore(
        dir.path(),
        &["--json", "--bump-revision=7", "--mark-compacted"],
    );
    let summary = json(&done.expect_code(0));
    assert_eq!(summary["apiVersion"], "strongroom/v1");
    assert_eq!(summary["kind"], "Restore");
    assert_eq!(summary["snapshot"]["revision"], sample().revision);
    assert_eq!(summary["revision"], sample().revision + 7);
    assert_eq!(summary["snapshot"]["trailer"], "matches");
    assert_eq!(summary["snapshot"]["bytes"], sample().bytes.len());
    assert_eq!(summary["cluster"]["members"][0]["local"], true);
    assert!(
        summary["seconds"]["total"]
            .as_f64()
            .is_some_and(|secs| secs > 0.0)
    );

    let refused = restore(dir.path(), &["--json"]);
    assert_eq!(refused.code, Some(8));
    let failure = json(&refused);
    assert_eq!(failure["kind"], "RestoreFailure");
    assert_eq!(failure["exitCode"], 8);
    assert!(
        failure["error"]
            .as_str()
            .is_some_and(|text| text.contains("member exists already"))
    );
    assert!(
        failure["next"]
            .as_str()
            .is_some_and(|text| text.contains("mv "))
    );
    Ok(())
}

fn json(run: &Run) -> Value {
    serde_json::from_str(&run.stdout).unwrap_or_else(|e| panic!("{e}: {:?}", run.stdout))
}

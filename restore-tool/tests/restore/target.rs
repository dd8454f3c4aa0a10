//! Targets that must not be changed, and targets that look wrong but are fine.

use std::{
    fs::{self, File},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
};

use parking_lot::Mutex;
use rustix::fs::FlockOperation;
use strongroom_tests::fake_s3::FakeS3;

use crate::{
    etcd::{Etcd, MemberConfig},
    sample::sample,
    store::{FULL, ecs, objects},
    tool::{Run, entries, fingerprint, finish, run, text},
};

type Outcome = Result<(), Box<dyn std::error::Error>>;

fn restore(data_dir: &Path) -> Run {
    run(&["--snapshot", text(&sample().raw), "-d", text(data_dir)])
}

#[test]
fn an_existing_member_is_never_overwritten_not_even_an_empty_one() -> Outcome {
    let dir = tempfile::tempdir()?;
    fs::create_dir(dir.path().join("member"))?;
    let before = fingerprint(dir.path());
    restore(dir.path()).expect_code(8).expect_words(&[
        "member exists already",
        "next: keep the old data",
        "mv ",
    ]);
    assert_eq!(fingerprint(dir.path()), before);
    Ok(())
}

/// A umask that takes rights from the owner, too.
#[test]
fn modes_do_not_depend_on_the_umask() -> Outcome {
    let dir = tempfile::tempdir()?;
    let data_dir = dir.path().join("var/etcd");
    let mut umasked = Command::new("sh");
    umasked.args([
        "-c",
        "umask 0277; exec \"$0\" \"$@\"",
        env!("CARGO_BIN_EXE_strongroom-restore"),
    ]);
    umasked.args(["--snapshot", text(&sample().raw), "-d", text(&data_dir)]);
    finish(umasked).expect_code(0);
    for (path, (mode, ..)) in fingerprint(&dir.path().join("var")) {
        let private = if mode & 0o170_000 == 0o040_000 {
            0o700
        } else {
            0o600
        };
        assert_eq!(mode & 0o7777, private, "{}", path.display());
    }
    Ok(())
}

/// The data directory was created first, and its parent is the log's as well.
#[test]
fn a_failed_run_removes_a_parent_that_it_created_for_both_directories() -> Outcome {
    let dir = tempfile::tempdir()?;
    let broken = dir.path().join("broken.db");
    fs::write(&broken, &sample().bytes[..40_000])?;
    let (data_dir, wal_dir) = (dir.path().join("d/etcd"), dir.path().join("d/wal"));
    let wal_dir = format!("--wal-dir={}", text(&wal_dir));
    run(&["--snapshot", text(&broken), "-d", text(&data_dir), &wal_dir]).expect_code(7);
    assert_eq!(entries(dir.path()), ["broken.db"]);
    Ok(())
}

#[test]
fn a_second_run_refuses_what_the_first_made() -> Outcome {
    let dir = tempfile::tempdir()?;
    restore(dir.path()).expect_code(0);
    let before = fingerprint(dir.path());
    restore(dir.path()).expect_code(8);
    assert_eq!(fingerprint(dir.path()), before);
    Ok(())
}

#[test]
fn a_running_etcd_keeps_its_directory_and_no_other() -> Outcome {
    let dir = tempfile::tempdir()?;
    let seat = MemberConfig::new("running");
    let initial = seat.initial();
    let data_dir = dir.path().join("data");
    let mut etcd = Etcd::start(&seat, &data_dir, &["--initial-cluster", &initial]);
    etcd.wait_until_healthy();
    restore(&data_dir).expect_code(8).expect_words(&[
        "running etcd holds",
        "member/snap/db",
        "next: stop etcd",
    ]);
    let other = dir.path().join("other");
    let flag = format!("--initial-cluster={initial}");
    let line = ["--snapshot", text(&sample().raw), "-d", text(&other), &flag];
    let told = [
        "etcd answers on this member's peer URL",
        &seat.peer_url,
        text(&data_dir),
        "stop it before etcd starts on the restored one",
    ];
    run(&[&line[..], &["--dry-run"]].concat())
        .expect_preview()
        .expect_words(&told);
    assert!(!other.exists());
    run(&line).expect_code(0).expect_words(&told);
    assert!(etcd.revision() >= 1, "etcd goes on undisturbed");

    // Moved or removed under it, its member folder is still where its next files go.
    for gone in ["member", "."] {
        let kept = dir.path().join("kept").join(gone.len().to_string());
        fs::create_dir_all(kept.parent().expect("it has one"))?;
        fs::rename(data_dir.join(gone).components().collect::<PathBuf>(), kept)?;
        restore(&data_dir).expect_code(8).expect_words(&[
            "a running etcd (process ",
            &format!("uses {}", text(&data_dir)),
            "next: stop etcd",
        ]);
    }
    Ok(())
}

/// During a slow download, somebody starts etcd on the directory. The earlier checks found nothing.
#[test]
fn an_etcd_that_starts_during_the_download_is_named_and_keeps_its_directory() -> Outcome {
    let dir = tempfile::tempdir()?;
    let data_dir = dir.path().join("etcd");
    let started: Arc<Mutex<Option<Etcd>>> = Arc::default();
    let (starts, home) = (Arc::clone(&started), data_dir.clone());
    let object = objects(&[(FULL, &sample().bytes)]);
    let store = FakeS3::store(object, move |request, reply, _| {
        let mut etcd = starts.lock();
        if request.method == "GET" && !request.is_list() && etcd.is_none() {
            let seat = MemberConfig::new("meanwhile");
            let initial = seat.initial();
            etcd.insert(Etcd::start(&seat, &home, &["--initial-cluster", &initial]))
                .wait_until_healthy();
        }
        reply
    });
    finish(ecs(&store.endpoint(), &data_dir, &[]))
        .expect_code(8)
        .expect_words(&["running etcd holds", "member/snap/db", "next: stop etcd"]);
    assert_eq!(entries(&data_dir), ["member"]);
    let etcd = started.lock().take();
    etcd.expect("it was started").ctl(&["put", "it", "goes on"]);
    Ok(())
}

#[test]
fn a_mount_point_with_lost_and_found_and_a_killed_runs_staging_directory_is_fine() -> Outcome {
    let dir = tempfile::tempdir()?;
    fs::create_dir(dir.path().join("lost+found"))?;
    let stale = dir.path().join("member.restore-00c0ffee");
    fs::create_dir_all(stale.join("snap"))?;
    fs::set_permissions(&stale, fs::Permissions::from_mode(0o700))?;
    fs::write(stale.join("snap/db"), "half")?;
    // With a slash at the end, as people type it.
    run(&[
        "--snapshot",
        text(&sample().raw),
        "--data-dir",
        &format!("{}/", dir.path().display()),
    ])
    .expect_code(0);
    let names: Vec<_> = fingerprint(dir.path())
        .into_keys()
        .filter(|path| path.components().count() == 1)
        .collect();
    assert_eq!(names, [Path::new("lost+found"), Path::new("member")]);
    Ok(())
}

#[test]
fn a_file_or_a_forbidden_place_as_data_directory_is_a_precondition() -> Outcome {
    let dir = tempfile::tempdir()?;
    let file = dir.path().join("file");
    fs::write(&file, "precious")?;
    for target in [
        &file,
        &file.join("below"),
        Path::new("/proc/etcd"),
        Path::new("/proc/self"),
    ] {
        restore(target)
            .expect_code(8)
            .expect_words(&["error: ", "next: "]);
    }
    assert_eq!(fs::read_to_string(&file)?, "precious");
    Ok(())
}

#[test]
fn a_directory_that_another_restore_holds_is_left_to_it() -> Outcome {
    let dir = tempfile::tempdir()?;
    let held = File::open(dir.path())?;
    rustix::fs::flock(&held, FlockOperation::NonBlockingLockExclusive)?;
    restore(dir.path())
        .expect_code(9)
        .expect_words(&["another restore works on"]);
    assert_eq!(fingerprint(dir.path()).len(), 1);
    Ok(())
}

//! Each exit from staging, and what it leaves on disk.

use std::{io::Write as _, os::unix::fs::PermissionsExt as _};

use super::*;

type Outcome = Result<(), Box<dyn std::error::Error>>;

const ENTRIES: &[&str] = &[MEMBER];

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(dir)
        .expect("listable")
        .map(|entry| {
            entry
                .expect("readable")
                .file_name()
                .into_string()
                .expect("ascii")
        })
        .collect();
    names.sort();
    names
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("there").permissions().mode() & 0o7777
}

/// Restores a `member` with `text` as its database, up to the marker.
fn restore(data_dir: &Path, text: &str) -> Result<CommitMarker, TargetError> {
    let mut staging = staged(data_dir, text)?;
    staging.place()?;
    Ok(staging.keep())
}

fn staged(data_dir: &Path, text: &str) -> Result<Staging, TargetError> {
    let mut staging = Staging::begin(data_dir, ENTRIES)?;
    staging.dir(MEMBER)?;
    let db = staging.dir("member/snap")?.join("db");
    let written = create_file(&db)?.write_all(text.as_bytes());
    written.map_err(|source| TargetError::io("writing", &db, source))?;
    Ok(staging)
}

fn held(data_dir: &Path) -> io::Result<String> {
    fs::read_to_string(data_dir.join("member/snap/db"))
}

#[test]
fn commit_leaves_exactly_the_member_with_private_modes() -> Outcome {
    let base = tempfile::tempdir()?;
    let data_dir = base.path().join("a/b");
    restore(&data_dir, "new")?.remove();
    assert_eq!(names(&data_dir), [MEMBER]);
    assert_eq!(mode(&data_dir), 0o700);
    assert_eq!(mode(&data_dir.join("member/snap")), 0o700);
    assert_eq!(mode(&data_dir.join("member/snap/db")), 0o600);
    Ok(())
}

#[test]
fn dropped_it_removes_all_it_made_and_nothing_else() -> Outcome {
    let base = tempfile::tempdir()?;
    let fresh = base.path().join("x/y/z");
    drop(staged(&fresh, "new")?);
    assert!(names(base.path()).is_empty(), "created parents go too");

    let existing = base.path().join("data");
    fs::create_dir_all(existing.join("lost+found"))?;
    drop(Staging::begin(&existing, ENTRIES)?);
    assert_eq!(names(&existing), ["lost+found"]);
    Ok(())
}

#[test]
fn a_member_that_appears_meanwhile_is_never_replaced() -> Outcome {
    let base = tempfile::tempdir()?;
    let mut staging = staged(base.path(), "new")?;
    // rename(2) alone would silently replace an empty directory.
    fs::create_dir(base.path().join(MEMBER))?;
    let error = staging.place().expect_err("somebody else's member");
    drop(staging);
    assert!(matches!(error, TargetError::MemberExists { .. }), "{error}");
    assert_eq!(names(base.path()), [MEMBER]);
    Ok(())
}

#[test]
fn a_marked_member_is_replaced_and_comes_back_when_that_fails() -> Outcome {
    let base = tempfile::tempdir()?;
    drop(restore(base.path(), "killed before it said so")?);
    assert_eq!(names(base.path()), [MEMBER, commit_marker::FILE_NAME]);

    let mut failing = staged(base.path(), "next")?;
    failing.place()?;
    assert_eq!(held(base.path())?, "next");
    drop(failing);
    assert_eq!(held(base.path())?, "killed before it said so");
    assert_eq!(names(base.path()), [MEMBER, commit_marker::FILE_NAME]);

    restore(base.path(), "next")?.remove();
    assert_eq!(held(base.path())?, "next");
    assert_eq!(names(base.path()), [MEMBER]);
    let error = restore(base.path(), "again").expect_err("confirmed");
    assert!(matches!(error, TargetError::MemberExists { .. }), "{error}");
    Ok(())
}

#[test]
fn a_marked_member_that_was_used_is_never_replaced() -> Outcome {
    let base = tempfile::tempdir()?;
    drop(restore(base.path(), "killed before it said so")?);
    fs::write(base.path().join("member/snap/0.snap"), "an etcd was here")?;
    let error = restore(base.path(), "next").expect_err("used");
    assert!(matches!(error, TargetError::MemberExists { .. }), "{error}");
    assert_eq!(held(base.path())?, "killed before it said so");
    Ok(())
}

/// An operator has moved the member away; the remaining marker does not prevent a restore.
#[test]
fn a_marker_without_a_member_is_replaced() -> Outcome {
    let base = tempfile::tempdir()?;
    drop(restore(base.path(), "old")?);
    fs::rename(base.path().join(MEMBER), base.path().join("member.old"))?;
    restore(base.path(), "new")?.remove();
    assert_eq!(names(base.path()), [MEMBER, "member.old"]);
    Ok(())
}

/// In a set-gid directory, new directories inherit the bit: a killed run's stage has the mode 02700.
#[test]
fn in_a_set_gid_directory_modes_are_the_same_and_stale_stages_go() -> Outcome {
    let base = tempfile::tempdir()?;
    fs::set_permissions(base.path(), fs::Permissions::from_mode(0o2775))?;
    let stale = base.path().join("member.restore-0badcafe");
    fs::create_dir(&stale)?;
    fs::set_permissions(&stale, fs::Permissions::from_mode(0o2700))?;
    let data_dir = base.path().join("new");
    let staging = staged(&data_dir, "text")?;
    for dir in [&data_dir, &staging.beside, &staging.path("member/snap")] {
        assert_eq!(mode(dir), 0o700, "{}", dir.display());
    }
    drop(staging);
    drop(Staging::begin(base.path(), ENTRIES)?);
    assert_eq!(names(base.path()), Vec::<String>::new());
    Ok(())
}

#[test]
fn a_second_restore_on_the_directory_is_refused() -> Outcome {
    let base = tempfile::tempdir()?;
    let first = Staging::begin(base.path(), ENTRIES)?;
    let error = Staging::begin(base.path(), ENTRIES).expect_err("locked");
    assert!(matches!(error, TargetError::Busy { .. }), "{error}");
    drop(first);
    Staging::begin(base.path(), ENTRIES)?;
    Ok(())
}

#[test]
fn staging_directories_of_killed_runs_go_and_foreign_names_stay() -> Outcome {
    let base = tempfile::tempdir()?;
    let stale = base.path().join("member.restore-0badcafe");
    fs::create_dir(&stale)?;
    fs::set_permissions(&stale, fs::Permissions::from_mode(0o700))?;
    fs::write(stale.join("db"), "half")?;
    let kept = [
        "member.restore-mine",
        "member.restore-1234567",
        "member.old",
    ];
    for name in kept {
        fs::create_dir(base.path().join(name))?;
    }
    let readable = base.path().join("member.restore-12345678");
    fs::create_dir(&readable)?;
    fs::set_permissions(&readable, fs::Permissions::from_mode(0o755))?;
    fs::write(base.path().join("member.restore-87654321"), "a file")?;
    drop(Staging::begin(base.path(), ENTRIES)?);
    let mut expected = [
        &kept[..],
        &["member.restore-12345678", "member.restore-87654321"],
    ]
    .concat();
    expected.sort_unstable();
    assert_eq!(names(base.path()), expected);
    Ok(())
}

#[test]
fn a_file_in_place_of_the_directory_is_a_precondition() -> Outcome {
    let base = tempfile::tempdir()?;
    let file = base.path().join("file");
    fs::write(&file, "precious")?;
    for target in [file.clone(), file.join("below")] {
        let error = Staging::begin(&target, ENTRIES).expect_err("not a directory");
        assert!(matches!(error, TargetError::Forbidden { .. }), "{error}");
    }
    assert_eq!(fs::read_to_string(&file)?, "precious");
    Ok(())
}

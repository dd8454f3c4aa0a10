//! What each way out of a staging leaves on disk.

use std::os::unix::fs::PermissionsExt as _;

use super::*;

type Outcome = Result<(), Box<dyn std::error::Error>>;

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

#[test]
fn commit_leaves_exactly_the_member_with_private_modes() -> Outcome {
    let base = tempfile::tempdir()?;
    let data_dir = base.path().join("a/b");
    let staging = Staging::begin(&data_dir)?;
    let snap = staging.dir("snap")?;
    create_file(&snap.join("db"))?.sync_all()?;
    assert_eq!(names(&data_dir).len(), 1, "only the stage");
    staging.commit(std::slice::from_ref(&snap))?;
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
    let staging = Staging::begin(&fresh)?;
    create_file(&staging.dir("snap")?.join("db"))?;
    drop(staging);
    assert!(names(base.path()).is_empty(), "created parents go too");

    let existing = base.path().join("data");
    fs::create_dir_all(existing.join("lost+found"))?;
    drop(Staging::begin(&existing)?);
    assert_eq!(names(&existing), ["lost+found"]);
    Ok(())
}

#[test]
fn a_member_that_appears_meanwhile_is_never_replaced() -> Outcome {
    let base = tempfile::tempdir()?;
    let staging = Staging::begin(base.path())?;
    // An empty directory is what rename(2) alone would silently replace.
    fs::create_dir(base.path().join(MEMBER))?;
    let error = staging.commit(&[]).expect_err("somebody else's member");
    assert!(matches!(error, TargetError::MemberExists { .. }), "{error}");
    assert_eq!(names(base.path()), [MEMBER]);
    Ok(())
}

#[test]
fn a_second_restore_on_the_directory_is_refused() -> Outcome {
    let base = tempfile::tempdir()?;
    let first = Staging::begin(base.path())?;
    let error = Staging::begin(base.path()).expect_err("locked");
    assert!(matches!(error, TargetError::Busy { .. }), "{error}");
    drop(first);
    Staging::begin(base.path())?;
    Ok(())
}

#[test]
fn stages_of_killed_runs_go_and_foreign_names_stay() -> Outcome {
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
    drop(Staging::begin(base.path())?);
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
        let error = Staging::begin(&target).expect_err("not a directory");
        assert!(matches!(error, TargetError::Forbidden { .. }), "{error}");
    }
    assert_eq!(fs::read_to_string(&file)?, "precious");
    Ok(())
}

//! A restore under strace: every prepared file and folder is synced before the rename that publishes it, and everything
//! created is durable before the tool reports success, whatever existed before.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use strongroom_tests::backup::RESTORED;
use strongroom_tests::inject::{Effect, Fault, run_struck};
use strongroom_tests::process::run;
use strongroom_tests::programs;
use strongroom_tests::trace::{self, Call, Watched};

use crate::durable::{CHANGES, Followed};

/// The success line must be logged completely.
const WATCHED: Watched<'_> = Watched {
    calls: &[trace::ON_FILES, CHANGES],
    text_bytes: 128,
    sync_delay_us: 0,
};

/// The file that the tool keeps next to a restored member until it has reported success.
const MARK: &str = "restore-unconfirmed";

/// The initial state of the folder given to the tool.
#[derive(Debug, Clone, Copy)]
enum Folder {
    /// Neither it nor its two parents exist.
    Nothing,
    /// Its direct parent exists.
    Parent,
    /// It exists, with contents that are not the tool's.
    Whole,
}

const FOLDERS: [Folder; 3] = [Folder::Nothing, Folder::Parent, Folder::Whole];

impl Folder {
    /// Its path below `root`; creates the parts that must exist.
    fn below(self, root: &Path, name: &str) -> PathBuf {
        match self {
            Self::Nothing => root.join(name).join("x/y"),
            Self::Parent => root.join(name),
            Self::Whole => {
                let path = root.join(name);
                fs::create_dir_all(path.join("lost+found")).expect("made");
                path
            }
        }
    }
}

fn command(data_dir: &Path, wal_dir: Option<&Path>, flags: &[&str]) -> Command {
    let snapshot = programs::workspace().join("etcd-format/tests/fixtures/etcd-3.4.db");
    let mut command = programs::restore();
    command
        .arg("--snapshot")
        .arg(snapshot)
        .arg("--data-dir")
        .arg(data_dir);
    if let Some(wal_dir) = wal_dir {
        command.arg("--wal-dir").arg(wal_dir);
    }
    // Addresses that no machine has, so the tool contacts nothing on this machine.
    let cluster = "m1=http://192.0.2.10:2380";
    command
        .arg("--name=m1")
        .arg(format!("--initial-cluster={cluster}"));
    command.arg("--initial-advertise-peer-urls=http://192.0.2.10:2380");
    command.args(flags);
    command
}

/// Runs the restore under strace. Checks its calls before the success message, and the call that wrote that message.
#[track_caller]
fn judge(root: &Path, command: &Command, shown: &[PathBuf]) {
    let log = root.with_extension("strace");
    let existed = trace::tree(root);
    run(&mut trace::under(command, &log, WATCHED))
        .ok()
        .says(RESTORED);
    let calls = trace::read(&log, 0);
    let told = |call: &&Call| call.is_write() && call.arguments.contains(RESTORED);
    let told = calls.iter().find(told).expect("the success was told");
    let followed = Followed::new(existed).until(&calls, told);
    let what = format!("{command:?}");
    assert!(
        followed.shown_too_early.is_empty(),
        "{what}: {:#?}",
        followed.shown_too_early
    );
    let volatile = followed.volatile();
    assert!(volatile.is_empty(), "{what}: {volatile:#?}");
    // The trace is complete: nothing was created in a way that it does not track.
    for path in shown {
        assert!(
            followed.shown.contains(path),
            "{what}: {} not among {:?}",
            path.display(),
            followed.shown
        );
    }
    for path in trace::tree(root) {
        assert!(
            followed.knows(&path),
            "{what}: {} came unseen",
            path.display()
        );
    }
    fs::remove_file(log).expect("written by strace");
}

const LOG: &str = "0000000000000000-0000000000000000.wal";

#[test]
fn everything_is_synced_before_it_is_shown_whatever_was_there() {
    for data in FOLDERS {
        for log in [
            None,
            Some(Folder::Nothing),
            Some(Folder::Parent),
            Some(Folder::Whole),
        ] {
            for flags in [&[][..], &["--chown=1234:2345"]] {
                let root = tempfile::tempdir().expect("temporary folder");
                let data_dir = data.below(root.path(), "etcd");
                let wal_dir = log.map(|log| log.below(root.path(), "wal"));
                let log = wal_dir.as_ref().map(|dir| dir.join(LOG));
                let shown: Vec<_> = [data_dir.join("member")].into_iter().chain(log).collect();
                judge(
                    root.path(),
                    &command(&data_dir, wal_dir.as_deref(), flags),
                    &shown,
                );
            }
        }
    }
}

#[test]
fn two_folders_below_one_missing_parent_are_both_durable() {
    let root = tempfile::tempdir().expect("temporary folder");
    let (data_dir, wal_dir) = (root.path().join("a/b/etcd"), root.path().join("a/b/wal"));
    let shown = [data_dir.join("member"), wal_dir.join(LOG)];
    judge(
        root.path(),
        &command(&data_dir, Some(&wal_dir), &[]),
        &shown,
    );
}

/// It replaces the member of a killed run that could not report success.
#[test]
fn a_restore_in_place_of_an_unconfirmed_one_is_synced_before_it_is_shown() {
    for wal_dir in [None, Some("wal")] {
        let root = tempfile::tempdir().expect("temporary folder");
        let data_dir = root.path().join("etcd");
        let wal_dir = wal_dir.map(|name| root.path().join(name));
        let command = command(&data_dir, wal_dir.as_deref(), &[]);
        let fault = Fault::at("unlink", 1, Effect::Kill);
        let struck = run_struck(&command, &fault, &root.path().with_extension("struck"));
        assert!(
            struck.hits.iter().any(|hit| hit.contains(MARK)),
            "{:?}",
            struck.hits
        );
        assert!(data_dir.join(MARK).exists());
        judge(root.path(), &command, &[data_dir.join("member")]);
    }
}

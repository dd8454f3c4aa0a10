//! Runs the same query with `strongroom` and with etcd's program, and compares the answers.

use std::path::Path;

use strongroom_tests::etcd::Version;
use strongroom_tests::process::{Finished, run};
use strongroom_tests::programs;

/// Every output form of etcd's programs.
pub(crate) const FORMS: [&str; 4] = ["simple", "table", "json", "fields"];

/// `strongroom snapshot <args> FILE`.
pub(crate) fn ours(file: &Path, args: &[&str]) -> Finished {
    let mut command = programs::client();
    run(command.arg("snapshot").args(args).arg(file))
}

/// `snapshot status` of etcd's program of a minor version.
fn their_status(version: Version, file: &Path, form: &str) -> Finished {
    let program = match version {
        Version::V3_4 => "etcdctl",
        Version::V3_5 | Version::V3_6 | Version::V3_7 => "etcdutl",
    };
    let mut command = programs::etcd(version, program);
    command.env("ETCDCTL_API", "3");
    command.args(["snapshot", "status", "-w", form]).arg(file);
    run(&mut command)
}

/// Panics unless both print the same, in these forms and in the words of each minor version.
#[track_caller]
pub(crate) fn assert_status_agrees(file: &Path, forms: &[&str]) {
    for version in Version::ALL {
        for form in forms {
            let theirs = their_status(version, file, form).ok().stdout;
            let like = version.to_string();
            let ours = ours(file, &["status", "-w", form, "--etcd", &like])
                .ok()
                .stdout;
            assert_eq!(
                ours,
                theirs,
                "status -w {form} of {} like {version}",
                file.display()
            );
        }
    }
}

/// `etcdutl hashkv` of a minor version, on a copy: it opens for writing, and continues an unfinished compaction.
pub(crate) fn their_hash_kv(version: Version, file: &Path, revision: i64, form: &str) -> Finished {
    let copy = file.with_extension("copy");
    std::fs::copy(file, &copy).expect("the folder is writable");
    let revision = revision.to_string();
    let mut command = programs::etcd(version, "etcdutl");
    command.args(["hashkv", "--rev", &revision, "-w", form]);
    let finished = run(command.arg(&copy));
    std::fs::remove_file(&copy).expect("it was copied");
    finished
}

/// `strongroom snapshot hashkv`.
pub(crate) fn our_hash_kv(file: &Path, revision: i64, args: &[&str]) -> Finished {
    let revision = revision.to_string();
    ours(file, &[&["hashkv", "--rev", &revision], args].concat())
}

/// Panics unless both print the same hash, or both refuse the revision.
#[track_caller]
pub(crate) fn assert_hash_kv_agrees(version: Version, file: &Path, revision: i64) {
    let theirs = their_hash_kv(version, file, revision, "json");
    let ours = our_hash_kv(file, revision, &["-w", "json"]);
    let what = format!("hashkv --rev {revision} of {} by {version}", file.display());
    assert_eq!(
        ours.stdout, theirs.stdout,
        "{what}: {} {}",
        ours.stderr, theirs.stderr
    );
    if theirs.code == Some(0) {
        assert_eq!(ours.code, Some(0), "{what}");
        return;
    }
    let said = theirs.text();
    assert!(
        said.contains("compacted") || said.contains("future revision"),
        "{what}: {said}"
    );
    ours.code(4);
}

//! The setup scripts and the Makefile on a bare machine: the first try succeeds, two concurrent runs build once, and an
//! aborted run leaves nothing that looks complete.
//!
//! Incident: `make test` failed on a fresh machine, because a script piped a program into `grep -q` under `pipefail`.
//! grep left at the first match, the program died of SIGPIPE, and the etcd just built was "not 3.5"; the next try
//! passed.

mod lint;
mod machine;

use std::fs;

use machine::{Machine, pinned_go, whole};
use strongroom_tests::clock::{READY_WITHIN, until};
use strongroom_tests::process::Process;

#[test]
fn a_program_that_talks_on_is_recognised_at_the_first_try() {
    let machine = Machine::bare("3.6").with_newer_go();
    machine.succeeds("etcd.sh 3.6");
    assert!(whole(&machine.cached("peers/etcd-3.6/etcdutl")));
    assert_eq!(
        machine.calls("go mod download").len(),
        0,
        "the Go in the PATH is the right one"
    );

    let machine = Machine::bare("3.4").with_etcd_installed();
    machine.succeeds("etcd.sh 3.4");
    assert!(whole(&machine.cached("peers/etcd-3.4/etcdctl")));
    assert_eq!(
        machine.calls("apt-get").len(),
        0,
        "the etcd in the PATH is the right one"
    );

    let machine = Machine::bare("3.4");
    machine.succeeds("cargo-fuzz.sh");
    assert_eq!(
        machine.calls("rustup toolchain install").len(),
        0,
        "a nightly Rust is there"
    );
}

#[test]
fn a_second_run_does_nothing() {
    let machine = Machine::bare("3.6");
    machine.succeeds("etcd.sh 3.6");
    let others = ["promtool.sh", "python.sh", "deny.sh", "cargo-mutants.sh"];
    for line in others {
        machine.succeeds(line);
    }
    let done = machine.calls("");
    for line in others.into_iter().chain(["etcd.sh 3.6"]) {
        machine.succeeds(line);
    }
    let more: Vec<_> = machine.calls("").split_off(done.len());
    let working = |call: &String| !call.starts_with("flock") && !call.starts_with("python -c");
    assert!(!more.iter().any(working), "{more:?}");
}

#[test]
fn a_package_index_that_was_never_fetched_is_fetched() {
    for line in ["packages.sh openssl", "promtool.sh", "etcd.sh 3.4"] {
        let machine = Machine::bare("3.4");
        machine.succeeds(line);
        let calls = machine.calls("apt-get");
        assert_eq!(
            calls.len(),
            3,
            "{line}: fails, updates, succeeds: {calls:?}"
        );
    }
}

#[test]
fn two_runs_at_once_take_turns() {
    let cases = [
        ("etcd.sh 3.6", "go build*"),
        ("go.sh", "go mod download*"),
        ("python.sh", "python3 -m venv*"),
        ("promtool.sh", "dpkg-deb*"),
        ("packages.sh openssl", "apt-get*install*"),
        ("deny.sh", "cargo install*"),
    ];
    for (line, slow) in cases {
        let machine = Machine::bare("3.6").with_package_index();
        let start = slow.split('*').next().expect("split yields one");
        let log = machine.cached("log");
        fs::create_dir(machine.cached("")).expect("new folder");
        machine.hold(slow);
        let mut first = Process::spawn(line, &mut machine.setup(line), &log);
        until("the first to begin", READY_WITHIN, || {
            let begun = machine.calls(start).len();
            if begun > 0 { Ok(()) } else { Err(begun) }
        });
        let asked = machine.calls("flock").len();
        let mut second = Process::spawn(line, &mut machine.setup(line), &log);
        until("the second to wait", READY_WITHIN, || {
            let waits = machine.calls("flock").len() > asked;
            let works = machine.calls(start).len() > 1;
            if waits || works { Ok(()) } else { Err(()) }
        });
        machine.let_go();
        assert!(first.wait(READY_WITHIN).success(), "{line}");
        assert!(second.wait(READY_WITHIN).success(), "{line}");
        let mut calls = machine.calls(start);
        calls.sort();
        let all = calls.len();
        calls.dedup();
        assert_eq!(calls.len(), all, "{line}: the second did the work again");
    }
}

#[test]
fn a_run_that_breaks_off_leaves_nothing_that_passes_for_whole() {
    for built in ["server", "etcdctl", "etcdutl"] {
        let machine = Machine::bare("3.6");
        machine.breaks_off("etcd.sh 3.6", &format!("go build*{built}/v3"));
        assert!(!machine.cached("peers/etcd-3.6").exists(), "{built}");
        machine.succeeds("etcd.sh 3.6");
        for name in ["etcd", "etcdctl", "etcdutl"] {
            assert!(whole(&machine.cached("peers/etcd-3.6").join(name)));
        }
    }

    let machine = Machine::bare("3.6");
    machine.breaks_off("go.sh", "cp -r *");
    machine.succeeds("go.sh");
    let tree = machine.cached("go").join(pinned_go());
    assert!(tree.join("pkg/tool/linux/compile").exists());

    for (line, step, product) in [
        ("promtool.sh", "dpkg-deb*", "tools/bin/promtool"),
        ("python.sh", "pip install*", "python/bin/aws"),
        ("etcd.sh 3.4", "dpkg-deb*", "peers/etcd-3.4/etcdctl"),
    ] {
        let machine = Machine::bare("3.4");
        machine.breaks_off(line, step);
        machine.succeeds(line);
        assert!(whole(&machine.cached(product)), "{line}");
    }

    let machine = Machine::bare("3.6");
    machine.breaks_off("deny.sh", "cargo install*");
    machine.succeeds("deny.sh");
    let forced = machine.calls("cargo install --force");
    assert_eq!(forced.len(), 2, "cargo believes its own list otherwise");
}

#[test]
fn a_new_build_that_breaks_off_keeps_the_old_one() {
    let machine = Machine::bare("3.6");
    let peer = machine.cached("peers/etcd-3.6");
    fs::create_dir_all(&peer).expect("new folder");
    for name in ["etcd", "etcdctl", "etcdutl", "stamp"] {
        fs::write(peer.join(name), "old").expect("written");
    }
    machine.breaks_off("etcd.sh 3.6", "go build*etcdctl/v3");
    for name in ["etcd", "etcdctl", "etcdutl", "stamp"] {
        let text = fs::read_to_string(peer.join(name)).expect("still there");
        assert_eq!(text, "old", "{name}");
    }
    machine.succeeds("etcd.sh 3.6");
    assert!(whole(&peer.join("etcd")));
}

//! The store dies and comes back, and the connection is cut at a hundred positions, during the download.

use std::path::Path;

use strongroom_tests::process::Finished;
use strongroom_tests::proxy::{Proxy, Stall, StallEffect};
use strongroom_tests::s3::S3;
use strongroom_tests::server::{BUCKET, Server};

use crate::cases::{Before, Finish, StagingDirs, Target, report, sample};

/// Number of byte positions at which the connection is cut.
const CUTS: u64 = 100;

/// How many of them are before the first body byte or shortly after it: list, heads.
const CUTS_IN_HEADS: u64 = 20;
const HEAD_BYTES: u64 = 3_000;

/// The exit code for network errors and timeouts.
const NETWORK: i32 = 6;

const PREFIX: &str = "cut";

/// A server with the sample, named as etcdbrctl names it.
fn store(dir: &Path) -> Server {
    let server = Server::start(dir);
    let body = std::fs::read(&sample().raw).expect("saved");
    let key = format!(
        "/{BUCKET}/{PREFIX}/v2/Full-00000000-{:08}-1700000000",
        sample().revision
    );
    assert_eq!(S3::of(&server).put(&key, &body).status, 200);
    server
}

/// The tool, with the proxy as its store.
fn restore(server: &Server, proxy: &Proxy, target: &Target) -> std::process::Command {
    let mut command = sample().store_command(&target.data_dir);
    server.ecs_environment(&mut command);
    command.env("ECS_ENDPOINT", format!("http://{}", proxy.addr()));
    command.args(["--storage-provider=ECS"]);
    command.arg(format!("--store-container={BUCKET}"));
    command.arg(format!("--store-prefix={PREFIX}"));
    command
}

/// Checks that the run restored or failed cleanly, and that a run without a fault restores. Returns whether the struck
/// run restored.
#[track_caller]
fn judge(what: &str, server: &Server, target: &Target, finished: &Finished) -> bool {
    target.assert_old_intact(what);
    if finished.code == Some(0) {
        assert!(target.complete(what), "{what}: exit code 0 and no member");
        return true;
    }
    assert_eq!(finished.code, Some(NETWORK), "{what}: {}", finished.stderr);
    target.assert_nothing_else(what, StagingDirs::Gone);
    let proxy = Proxy::before(server.s3_addr(), Stall::Answers(u64::MAX));
    let restored = target.finish(what, restore(server, &proxy, target));
    assert_eq!(restored, Finish::Restored, "{what}");
    false
}

/// Total bytes of all answers in an undisturbed restore.
fn answer_bytes(server: &Server) -> u64 {
    let target = Target::new(Before::Nothing);
    let proxy = Proxy::before(server.s3_addr(), Stall::Answers(u64::MAX));
    sample().run(&mut restore(server, &proxy, &target)).ok();
    assert!(target.complete("undisturbed"));
    proxy.passed()
}

#[test]
fn a_connection_cut_anywhere_is_taken_up_again() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let server = store(dir.path());
    let total = answer_bytes(&server);
    let heads = (0..CUTS_IN_HEADS).map(|i| i * HEAD_BYTES / CUTS_IN_HEADS);
    let rest = CUTS - CUTS_IN_HEADS;
    let bodies = (0..rest).map(|i| HEAD_BYTES + i * (total - HEAD_BYTES) / rest);
    let mut restored = 0;
    for at in heads.chain(bodies) {
        let target = Target::new(Before::OldData);
        let proxy = Proxy::with(server.s3_addr(), Stall::Answers(at), StallEffect::CutOnce);
        let finished = sample().run(&mut restore(&server, &proxy, &target));
        assert!(proxy.has_stalled(), "cut at {at} of {total}");
        let what = format!("cut at byte {at} of {total}");
        restored += u64::from(judge(&what, &server, &target, &finished));
    }
    println!(
        "restore with the line cut once: {CUTS} positions, {restored} restored in the same run"
    );
    assert_eq!(restored, CUTS, "one cut is never the end of a restore");
    report("restore tool, line cut once", CUTS);
}

#[test]
fn a_line_that_stays_dead_is_a_network_error_and_leaves_nothing() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let server = store(dir.path());
    let total = answer_bytes(&server);
    let places = [0, 300, 2_000, total / 2, total - 1];
    let dead = |at: u64| {
        let target = Target::new(Before::Nothing);
        let proxy = Proxy::with(server.s3_addr(), Stall::Answers(at), StallEffect::CutAll);
        let finished = sample().run(&mut restore(&server, &proxy, &target));
        let what = format!("dead from byte {at} of {total} on");
        assert!(
            !judge(&what, &server, &target, &finished),
            "{what}: restored"
        );
    };
    // Each waits for the client's retries, so they run in parallel.
    std::thread::scope(|scope| {
        for at in places {
            scope.spawn(move || dead(at));
        }
    });
    report("restore tool, line dead for good", 5);
}

#[test]
fn a_server_that_is_killed_and_comes_back_finishes_the_download() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let mut server = store(dir.path());
    let total = answer_bytes(&server);
    let (mut kills, mut resumed) = (0, 0);
    for at in [200, total / 5, total / 2, total * 4 / 5, total - 1_000] {
        let target = Target::new(Before::OldData);
        let proxy = Proxy::with(server.s3_addr(), Stall::Answers(at), StallEffect::HoldOnce);
        let mut command = restore(&server, &proxy, &target);
        let finished = std::thread::scope(|scope| {
            let tool = scope.spawn(|| sample().run(&mut command));
            proxy.wait_stalled();
            server.kill();
            proxy.break_held();
            server.boot();
            tool.join().expect("the tool ran")
        });
        let what = format!("server killed at byte {at} of {total}");
        kills += 1;
        resumed += u64::from(judge(&what, &server, &target, &finished));
    }
    println!(
        "restore with the server killed: {kills} kills, {resumed} downloads finished in the same run"
    );
    report("restore tool, server killed and restarted", kills);
}

//! Writers, readers, deleters, multipart uploads, garbage collection and SIGKILL together, with 1 MiB packs and no grace.
//!
//! What is freed too early shows as an object that cannot be read, what is never freed as garbage at the end. Every read
//! beside the writers must find a state that its key had meanwhile; after each kill, and at the end, every live byte is
//! compared; at the end nothing may be left that the doctor complains about.
//!
//! `STRONGROOM_MIXED_SECS` makes it longer, `STRONGROOM_SEED` replays the choices of a run.

use std::time::Duration;

use strongroom_tests::clock::{Stopwatch, pass};
use strongroom_tests::garbage;
use strongroom_tests::server::Server;
use strongroom_tests::soak::number;
use strongroom_tests::traffic::findings::Kind;
use strongroom_tests::traffic::{Mix, Workload, check};

/// How long `make test` runs it.
const RUN_SECS: u64 = 40;

/// A life of the server: long enough for ten rounds of collection, short enough for many kills.
const LIFE_MIN: Duration = Duration::from_secs(10);
const LIFE_MORE_MS_MAX: u32 = 5000;

#[test]
fn collection_never_takes_what_lives_and_leaves_nothing_dead() {
    run(Mix::CROWDED, "GC with readers, writers and SIGKILL");
}

/// In a crowd some object always holds the open pack; where little happens, nothing may for a while.
#[test]
fn collection_leaves_the_open_pack_of_a_quiet_store_alone() {
    run(Mix::QUIET, "GC in a quiet store and SIGKILL");
}

fn run(mix: Mix, fault: &str) {
    let run = Duration::from_secs(number("STRONGROOM_MIXED_SECS", RUN_SECS));
    let dir = tempfile::tempdir().expect("temporary folder");
    let mut server = Server::plan(dir.path());
    let mut workload = Workload::new(mix);
    let watch = Stopwatch::start();
    let mut kills = 0;
    boot(&mut server);
    while watch.elapsed() < run {
        let life =
            LIFE_MIN + Duration::from_millis(workload.random().below(LIFE_MORE_MS_MAX).into());
        let failure = workload.run(&mut server, |server, phase| {
            pass(life);
            let failure = garbage::failure(server);
            phase.server_dies();
            server.kill();
            failure
        });
        if let Some(failure) = failure {
            let what = format!("garbage collection fails: {failure}");
            workload.findings.add(Kind::Wrong, what);
        }
        kills += 1;
        boot(&mut server);
        checked(&workload, &server, &watch);
    }
    // The last run ends by itself: each answer counts to its last byte.
    workload.run(&mut server, |_, phase| {
        pass(LIFE_MIN);
        phase.enough();
    });
    checked(&workload, &server, &watch);
    garbage::settle(&server);
    checked(&workload, &server, &watch);
    assert_eq!(server.stop(), Some(0));
    for complaint in garbage::complaints(&server) {
        workload.findings.add(Kind::Wrong, complaint);
    }
    println!("mixed: {:?}", watch.elapsed());
    workload.report(fault, kills);
}

fn boot(server: &mut Server) {
    let mut command = server.command();
    garbage::eager(&mut command);
    command.env("STRONGROOM_PACK_MIB", "1");
    server.boot_as(command);
}

fn checked(workload: &Workload, server: &Server, watch: &Stopwatch) {
    check::after_restart(workload, server);
    workload.assert_clean(format!("after {:?}", watch.elapsed()));
}

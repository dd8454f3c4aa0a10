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
use strongroom_tests::storm::findings::Kind;
use strongroom_tests::storm::{Mix, Storm, check};

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
    let mut storm = Storm::brew(mix);
    let watch = Stopwatch::start();
    let mut kills = 0;
    boot(&mut server);
    while watch.elapsed() < run {
        let life = LIFE_MIN + Duration::from_millis(storm.random().below(LIFE_MORE_MS_MAX).into());
        let failure = storm.rage(&mut server, |server, phase| {
            pass(life);
            let failure = garbage::failure(server);
            phase.server_dies();
            server.kill();
            failure
        });
        if let Some(failure) = failure {
            let what = format!("garbage collection fails: {failure}");
            storm.findings.add(Kind::Wrong, what);
        }
        kills += 1;
        boot(&mut server);
        checked(&storm, &server, &watch);
    }
    // The last storm ends by itself: each answer counts to its last byte.
    storm.rage(&mut server, |_, phase| {
        pass(LIFE_MIN);
        phase.enough();
    });
    checked(&storm, &server, &watch);
    garbage::settle(&server);
    checked(&storm, &server, &watch);
    assert_eq!(server.stop(), Some(0));
    for complaint in garbage::complaints(&server) {
        storm.findings.add(Kind::Wrong, complaint);
    }
    println!("mixed: {:?}", watch.elapsed());
    storm.report(fault, kills);
}

fn boot(server: &mut Server) {
    let mut command = server.command();
    garbage::eager(&mut command);
    command.env("STRONGROOM_PACK_MIB", "1");
    server.boot_as(command);
}

fn checked(storm: &Storm, server: &Server, watch: &Stopwatch) {
    check::after_restart(storm, server);
    storm.assert_clean(format!("after {:?}", watch.elapsed()));
}

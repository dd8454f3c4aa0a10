//! Writers, readers, deleters, multipart uploads, garbage collection and SIGKILL together, with 1 MiB packs and no
//! grace.
//!
//! If something is freed too early, an object cannot be read; if something is never freed, garbage is left at the end.
//! Every concurrent read must find a state that its key had during the read. After each kill, and at the end, every
//! live byte is compared; at the end the doctor must find nothing to complain about.
//!
//! `STRONGROOM_MIXED_SECS` makes it longer, `STRONGROOM_SEED` replays the choices of a run.

use std::time::Duration;

use strongroom_tests::clock::{Stopwatch, pass};
use strongroom_tests::garbage;
use strongroom_tests::server::Server;
use strongroom_tests::soak::number;
use strongroom_tests::traffic::findings::Kind;
use strongroom_tests::traffic::{Mix, Workload, check};

/// Duration of the run in `make test`.
const RUN_SECS: u64 = 40;

/// A life of the server: long enough for ten runs of collection, short enough for many kills.
const LIFE_MIN: Duration = Duration::from_secs(10);
const LIFE_MORE_MS_MAX: u32 = 5000;

#[test]
fn collection_never_takes_what_lives_and_leaves_nothing_dead() {
    run(Mix::CROWDED, "GC with readers, writers and SIGKILL");
}

/// Under load some object always uses the open pack; with little traffic, for a while none may.
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
    // The last run ends normally: each answer counts to its last byte.
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

//! SIGKILL of the real server under load: nothing acknowledged is lost, nothing is incomplete, nothing needs repair.
//!
//! Each cycle runs the full workload for a random time, kills the server, restarts it on the same directory and
//! compares everything with the histories. After every tenth cycle garbage collection runs until it finds nothing, the
//! server stops, and the doctor must find that the pack directory and Meta agree.
//!
//! `STRONGROOM_KILL_CYCLES` makes it longer, `STRONGROOM_SEED` replays the choices of a run.

use std::time::Duration;

use strongroom_tests::clock::{Stopwatch, pass};
use strongroom_tests::garbage;
use strongroom_tests::server::Server;
use strongroom_tests::soak::number;
use strongroom_tests::traffic::findings::Kind;
use strongroom_tests::traffic::{Mix, Workload, check};

/// Cycles in `make test`.
const CYCLES: u64 = 20;

/// Maximum duration of a start after a kill.
const START_MAX: Duration = Duration::from_secs(5);

/// The directory itself is checked after this many cycles.
const DOCTOR_EVERY: u64 = 10;

#[test]
fn nothing_acknowledged_is_lost_when_the_server_is_killed_under_load() {
    let cycles = number("STRONGROOM_KILL_CYCLES", CYCLES);
    let dir = tempfile::tempdir().expect("temporary folder");
    let mut server = Server::plan(dir.path());
    let mut workload = Workload::new(Mix::FULL);
    boot(&mut server);
    let mut slowest = Duration::ZERO;
    for cycle in 1..=cycles {
        let load = Duration::from_millis(200 + u64::from(workload.random().below(1800)));
        workload.run(&mut server, |server, phase| {
            pass(load);
            phase.server_dies();
            server.kill();
        });
        slowest = slowest.max(boot(&mut server));
        check::after_restart(&workload, &server);
        if cycle % DOCTOR_EVERY == 0 || cycle == cycles {
            look_inside(&mut server, &workload);
            boot(&mut server);
        }
        workload.assert_clean(format!("cycle {cycle}"));
    }
    println!("kill: slowest start {slowest:?}");
    workload.report("SIGKILL under load", cycles);
}

/// Starts the server, and returns how long that took.
fn boot(server: &mut Server) -> Duration {
    let mut command = server.command();
    garbage::eager(&mut command);
    let watch = Stopwatch::start();
    server.boot_as(command);
    let took = watch.elapsed();
    assert!(took <= START_MAX, "the start took {took:?}");
    took
}

/// Waits until garbage is removed and stops the server; then the directory must hold exactly what Meta says.
fn look_inside(server: &mut Server, workload: &Workload) {
    garbage::settle(server);
    assert_eq!(server.stop(), Some(0));
    for complaint in garbage::complaints(server) {
        workload.findings.add(Kind::Wrong, complaint);
    }
}

//! The same requests to Strongroom and to MinIO, in turns: PUT and GET of one large body, PUTs of 100 KiB.
//!
//! MinIO is built from its last public source. Both servers run at once, and only one of them is busy.

use strongroom_tests::server::Server;

use super::crowd::Moved;
use super::turns::Turns;
use super::{Bench, get, put, small};
use crate::bodies;
use crate::figures::{Goal, Sheet};
use crate::minio::Minio;
use crate::stats::GB;
use crate::target::Target;
use crate::yardstick::settle;

/// Our share of MinIO's time and of its processor time.
const ONE_TIME: Goal = Goal::AtMost(0.75);
const ONE_CPU: Goal = Goal::AtMost(1.0);
const FOUR_TIME: Goal = Goal::AtMost(0.85);
const FOUR_CPU: Goal = Goal::AtMost(0.8);

/// What is measured of each server in one turn.
#[derive(Debug, Clone, Copy)]
struct Turn {
    /// GB/s, or requests per second.
    rate: f64,
    /// CPU-seconds per GB, or CPU-milliseconds per request.
    cpu: f64,
}

impl From<Moved> for Turn {
    fn from(moved: Moved) -> Turn {
        Turn {
            rate: moved.bytes_per_sec / GB,
            cpu: moved.cpu_secs_per_gb,
        }
    }
}

pub(crate) fn run(bench: &Bench) -> Sheet {
    let mut sheet = Sheet::new("minio");
    let body = bodies::body(&bench.bodies(), bench.scale.mib);
    let dir = bench.folder();
    let mut server = Server::start(dir.path());
    let minio = Minio::start(dir.path());
    // Ours first.
    let mut pair = Turns([Target::of(&mut server), minio.target()]);
    sheet.note(
        "The same body and client as above, in turns; MinIO with one folder on the same disk, its defaults, built from its \
         last public source with Go 1.26. Figures with a goal are ours divided by MinIO's, of the same round.",
    );
    for target in &pair.0 {
        put::send(target, put::Way::Unsigned, "warm-up", &body);
        get::put(target, &body);
        small::burst(target, "warm-up", 8, 200, &body);
    }
    for round in 0..bench.rounds {
        for way in put::WAYS {
            let turns = pair.measure(round, |target| {
                settle(&bench.dir);
                put::send(target, way, &format!("{way:?}-{round}"), &body).into()
            });
            let goals = match way {
                put::Way::Unsigned | put::Way::Signed => Some((ONE_TIME, ONE_CPU)),
                put::Way::FourAtOnce => Some((FOUR_TIME, FOUR_CPU)),
            };
            tell(&mut sheet, way.name(), ["GB/s", "CPU-s/GB"], goals, turns);
        }
        for streams in get::STREAMS {
            let turns = pair.measure(round, |target| {
                get::fetch(target, streams, body.len()).into()
            });
            let name = get::name(streams);
            tell(&mut sheet, &name, ["GB/s", "CPU-s/GB"], None, turns);
        }
        for width in small::TOLD {
            let turns = pair.measure(round, |target| {
                settle(&bench.dir);
                let name = format!("{round}-{width}");
                let cost = small::measure(target, &name, width, small::puts(bench, width), &body);
                Turn {
                    rate: cost.rate,
                    cpu: cost.cpu_ms,
                }
            });
            let name = format!("PUT of 100 KiB, {width} at once");
            tell(&mut sheet, &name, ["1/s", "CPU-ms each"], None, turns);
        }
    }
    assert_eq!(server.stop(), Some(0), "the server ends cleanly");
    sheet
}

fn tell(
    sheet: &mut Sheet,
    name: &str,
    units: [&str; 2],
    goals: Option<(Goal, Goal)>,
    [ours, theirs]: [Turn; 2],
) {
    sheet.add(name, units[0], ours.rate);
    sheet.add(&format!("{name}, MinIO"), units[0], theirs.rate);
    sheet.add(&format!("{name}, server CPU"), units[1], ours.cpu);
    sheet.add(&format!("{name}, MinIO CPU"), units[1], theirs.cpu);
    let (time, cpu) = (theirs.rate / ours.rate, ours.cpu / theirs.cpu);
    let (of_time, of_cpu) = (
        format!("{name}, time : MinIO"),
        format!("{name}, server CPU : MinIO"),
    );
    if let Some((time_goal, cpu_goal)) = goals {
        sheet.promise(&of_time, "x", time_goal, time);
        sheet.promise(&of_cpu, "x", cpu_goal, cpu);
    } else {
        sheet.add(&of_time, "x", time);
        sheet.add(&of_cpu, "x", cpu);
    }
}

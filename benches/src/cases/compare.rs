//! Two builds of the programs compared: each round measures both, one right after the other, and the order alternates.
//! So other load on the machine affects both alike, and the ratios of the rounds say more than two separate runs of the
//! benchmarks.

use std::path::{Path, PathBuf};
use std::process::Command;

use strongroom_tests::programs;
use strongroom_tests::server::Server;
use tempfile::TempDir;

use super::crowd::Moved;
use super::fleet::Fleet;
use super::turns::Turns;
use super::{Bench, get, list, put, restore, small};
use crate::bodies;
use crate::contrast::Contrast;
use crate::stats::GB;
use crate::target::Target;
use crate::yardstick::{settle, warm};

/// The locations of the two builds.
#[derive(Debug, Clone)]
pub struct Builds {
    /// A folder with `strongroom-server` and the static `strongroom-restore`.
    pub before: PathBuf,
    /// The same; by default, the result of `make build`.
    pub after: Option<PathBuf>,
}

/// One of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Before,
    After,
}

/// A running server; dropped before its folder.
struct Running {
    server: Server,
    _dir: TempDir,
}

impl Running {
    fn target(&mut self) -> Target {
        Target::of(&mut self.server)
    }
}

impl Builds {
    fn server(&self, side: Side) -> Command {
        match self.folder(side) {
            Some(folder) => programs::command(&folder.join("strongroom-server")),
            None => programs::server(),
        }
    }

    fn restore(&self, side: Side) -> Command {
        match self.folder(side) {
            Some(folder) => programs::command(&folder.join("strongroom-restore")),
            None => programs::restore(),
        }
    }

    fn folder(&self, side: Side) -> Option<&Path> {
        match side {
            Side::Before => Some(&self.before),
            Side::After => self.after.as_deref(),
        }
    }

    fn servers(&self, bench: &Bench) -> Turns<Running> {
        both(|side| {
            let dir = bench.folder();
            let mut server = Server::plan(dir.path());
            let command = server.command_of(self.server(side));
            server.boot_as(command);
            Running { server, _dir: dir }
        })
    }
}

/// What `make` makes of each.
fn both<T>(mut make: impl FnMut(Side) -> T) -> Turns<T> {
    Turns([make(Side::Before), make(Side::After)])
}

/// Measures put, get, small, list and restore of both builds; calls `told` with each part when it is done.
pub fn compare(bench: &Bench, builds: &Builds, mut told: impl FnMut(&Contrast)) {
    let body = bodies::body(&bench.bodies(), bench.scale.mib);
    told(&puts(bench, builds, &body));
    told(&gets(bench, builds, &body));
    told(&smalls(bench, builds, &body));
    told(&lists(bench, builds));
    told(&restores(bench, builds));
}

fn puts(bench: &Bench, builds: &Builds, body: &[u8]) -> Contrast {
    let mut contrast = Contrast::new("put");
    let mut servers = builds.servers(bench);
    servers.measure(0, |running| {
        put::send(&running.target(), put::Way::Unsigned, "warm-up", body)
    });
    for round in 0..bench.rounds {
        for way in put::WAYS {
            let moved = servers.measure(round, |running| {
                settle(&bench.dir);
                let name = format!("{way:?}-{round}");
                put::send(&running.target(), way, &name, body)
            });
            tell_moved(&mut contrast, way.name(), moved);
        }
    }
    contrast
}

fn gets(bench: &Bench, builds: &Builds, body: &[u8]) -> Contrast {
    let mut contrast = Contrast::new("get");
    let mut servers = builds.servers(bench);
    servers.measure(0, |running| get::put(&running.target(), body));
    for round in 0..bench.rounds {
        for streams in get::STREAMS {
            let moved = servers.measure(round, |running| {
                get::fetch(&running.target(), streams, body.len())
            });
            tell_moved(&mut contrast, &get::name(streams), moved);
        }
    }
    contrast
}

fn smalls(bench: &Bench, builds: &Builds, body: &[u8]) -> Contrast {
    let mut contrast = Contrast::new("small");
    let mut servers = builds.servers(bench);
    servers.measure(0, |running| {
        small::burst(&running.target(), "warm-up", 8, 200, body).secs
    });
    for round in 0..bench.rounds {
        for width in small::TOLD {
            let name = format!("{width} at once");
            let measured = servers.measure(round, |running| {
                settle(&bench.dir);
                let name = format!("{round}-{width}");
                let puts = small::puts(bench, width);
                let cost = small::measure(&running.target(), &name, width, puts, body);
                [cost.rate, cost.p50_ms, cost.p99_ms, cost.cpu_ms]
            });
            let [before, after] = measured;
            let names = ["rate", "p50", "p99", "server CPU"];
            let units = ["1/s", "ms", "ms", "CPU-ms each"];
            for at in 0..names.len() {
                let name = format!("{name}, {}", names[at]);
                contrast.add(&name, units[at], [before[at], after[at]]);
            }
        }
    }
    contrast
}

fn lists(bench: &Bench, builds: &Builds) -> Contrast {
    let mut contrast = Contrast::new("list");
    let mut fleets = both(|side| Fleet::start_of(bench, builds.server(side)));
    let objects = bench.scale.objects;
    let secs = fleets.measure(0, |fleet| {
        fleet.fill_to(objects);
        fleet.fill_secs
    });
    contrast.add("putting the objects, 64 at once", "s", secs);
    for round in 0..bench.rounds {
        for query in list::queries(objects) {
            let [before, after] = fleets.measure(round, |fleet| list::ask(fleet, &query));
            for (at, name) in ["p50", "p99"].into_iter().enumerate() {
                let name = format!("{}, {name}", query.name);
                contrast.add(&name, "ms", [before[at], after[at]]);
            }
        }
    }
    contrast
}

fn restores(bench: &Bench, builds: &Builds) -> Contrast {
    let mut contrast = Contrast::new("restore");
    let file = bodies::snapshot(&bench.bodies(), bench.scale.mib);
    warm(&file);
    let mut sides = both(|side| side);
    for round in 0..bench.rounds {
        let [before, after] = sides.measure(round, |side| {
            settle(&bench.dir);
            let command = restore::ours(builds.restore(*side), &file);
            restore::restored(bench, command).cost
        });
        contrast.add("restore", "s", [before.secs, after.secs]);
        contrast.add("restore, CPU", "CPU-s", [before.cpu_secs, after.cpu_secs]);
        let peaks = [before.peak_mib, after.peak_mib];
        contrast.add("restore, peak memory", "MiB", peaks);
    }
    contrast
}

fn tell_moved(contrast: &mut Contrast, name: &str, moved: [Moved; 2]) {
    contrast.add(name, "GB/s", moved.map(|moved| moved.bytes_per_sec / GB));
    let cost = format!("{name}, server CPU");
    contrast.add(&cost, "CPU-s/GB", moved.map(|moved| moved.cpu_secs_per_gb));
}

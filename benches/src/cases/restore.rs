//! Restore of a snapshot from a local file: strongroom-restore, `etcdutl snapshot restore`, and the minimum that any
//! tool must do (copy and sync it, compute its SHA-256), alternately; and the memory that a large one needs.
//!
//! Data that a tool leaves unsynced is synced afterwards, file by file, and the time is added to the tool's own: a
//! restore that a power cut undoes does not count. Clean data costs nothing; the amount of unsynced data is a figure of
//! its own.

use std::path::Path;
use std::process::Command;

use strongroom_tests::etcd::{Cluster, Security};
use strongroom_tests::programs;

use super::Bench;
use crate::bodies::{self, ETCD, member_flags};
use crate::figures::{Chart, Goal, Sheet};
use crate::meter::{Cost, measure};
use crate::yardstick::{settle, sha256, sync_tree, warm};

const FASTER: Goal = Goal::Below(1.0);
const AS_COPY: Goal = Goal::AtMost(1.0);
const MEMORY: Goal = Goal::Below(128.0);

/// Maximum rounds of the large one: its memory does not vary.
const LARGE_ROUNDS_MAX: u32 = 3;

const OVER_COPY: &str = "strongroom-restore : cp + fsync + SHA-256";

/// The tool that restores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Ours,
    Etcdutl,
    Copy,
}

impl Way {
    const ALL: [Self; 3] = [Self::Ours, Self::Etcdutl, Self::Copy];

    fn name(self) -> &'static str {
        match self {
            Self::Ours => "strongroom-restore",
            Self::Etcdutl => "etcdutl snapshot restore",
            Self::Copy => "cp + fsync + SHA-256",
        }
    }
}

pub(crate) fn run(bench: &Bench) -> Sheet {
    let mut sheet = Sheet::new("restore");
    let file = bodies::snapshot(&bench.bodies(), bench.scale.mib);
    let bytes = warm(&file);
    sheet.note(format!(
        "The snapshot has {bytes} bytes and lies in the page cache. Times include the sync of all that a tool left unsynced."
    ));
    for round in 0..bench.rounds {
        let [ours, etcdutl, copy] =
            alternate(bench, &file, round, |way, Turn { cost, sync_secs }| {
                sheet.add(way.name(), "s", cost.secs);
                sheet.add(
                    &format!("{}, of that the sync afterwards", way.name()),
                    "s",
                    sync_secs,
                );
                sheet.add(&format!("{}, CPU", way.name()), "CPU-s", cost.cpu_secs);
                if way != Way::Copy {
                    sheet.add(
                        &format!("{}, peak memory", way.name()),
                        "MiB",
                        cost.peak_mib,
                    );
                }
            });
        let [by_etcdutl, by_copy] = [ours / etcdutl, ours / copy];
        sheet.promise("strongroom-restore : etcdutl", "x", FASTER, by_etcdutl);
        sheet.promise(OVER_COPY, "x", AS_COPY, by_copy);
        sheet.add("etcdutl : cp + fsync + SHA-256", "x", etcdutl / copy);
    }
    large(bench, &mut sheet);
    let names = [OVER_COPY, "etcdutl : cp + fsync + SHA-256"];
    let title = "Restore from a file, as a multiple of cp + fsync + SHA-256";
    let chart = Chart::over_rounds("restore", title, &sheet, &names);
    sheet.charts.push(chart);
    sheet
}

fn large(bench: &Bench, sheet: &mut Sheet) {
    let file = bodies::snapshot(&bench.bodies(), bench.scale.large_mib);
    let bytes = warm(&file);
    sheet.note(format!("The large snapshot has {bytes} bytes."));
    for round in 0..bench.rounds.min(LARGE_ROUNDS_MAX) {
        alternate(bench, &file, round, |way, Turn { cost, .. }| {
            let name = format!("large: {}", way.name());
            sheet.add(&name, "s", cost.secs);
            match way {
                Way::Ours => {
                    sheet.promise(
                        &format!("{name}, peak memory"),
                        "MiB",
                        MEMORY,
                        cost.peak_mib,
                    );
                }
                Way::Etcdutl => sheet.add(&format!("{name}, peak memory"), "MiB", cost.peak_mib),
                Way::Copy => {}
            }
        });
    }
}

/// Each way once, with another one first in each round; the durations are in the order of [`Way::ALL`].
fn alternate(bench: &Bench, file: &Path, round: u32, mut tell: impl FnMut(Way, Turn)) -> [f64; 3] {
    let first = usize::try_from(round % 3).expect("below 3");
    let mut secs = [0.0; 3];
    for at in (0..3).map(|n| (n + first) % 3) {
        let way = Way::ALL[at];
        settle(&bench.dir);
        let turn = once(bench, file, way);
        secs[at] = turn.cost.secs;
        tell(way, turn);
    }
    secs
}

/// The cost of one restore.
pub(super) struct Turn {
    /// Its time includes the sync.
    pub(super) cost: Cost,
    sync_secs: f64,
}

impl Turn {
    /// The tool has finished: what it left unsynced is synced now.
    fn synced(cost: Cost, path: &Path) -> Self {
        let sync_secs = sync_tree(path);
        let secs = cost.secs + sync_secs;
        Self {
            cost: Cost { secs, ..cost },
            sync_secs,
        }
    }
}

fn once(bench: &Bench, file: &Path, way: Way) -> Turn {
    match way {
        Way::Ours => restored(bench, ours(programs::restore(), file)),
        Way::Etcdutl => {
            let mut command = programs::etcd(ETCD, "etcdutl");
            command.args(["snapshot", "restore"]).arg(file);
            restored(bench, command)
        }
        Way::Copy => {
            let dir = bench.folder();
            let log = dir.path().join("log");
            let target = dir.path().join("etcd");
            let copied = measure(Command::new("cp").arg(file).arg(&target), &log);
            let Turn { cost, sync_secs } = Turn::synced(copied, &target);
            let hashed = sha256(file, &log);
            let cost = Cost {
                secs: cost.secs + hashed.secs,
                cpu_secs: cost.cpu_secs + hashed.cpu_secs,
                peak_mib: cost.peak_mib.max(hashed.peak_mib),
            };
            Turn { cost, sync_secs }
        }
    }
}

/// A build of our tool, with the file to restore.
pub(super) fn ours(mut program: Command, file: &Path) -> Command {
    program.arg("--snapshot").arg(file);
    program
}

/// Runs a tool into its own folder, and syncs what it left unsynced.
pub(super) fn restored(bench: &Bench, mut command: Command) -> Turn {
    let dir = bench.folder();
    let target = dir.path().join("etcd");
    let cluster = Cluster::plan(&dir.path().join("plan"), ETCD, 1, Security::Plain);
    command.args(member_flags(&cluster));
    command.arg("--data-dir").arg(&target);
    Turn::synced(measure(&mut command, &dir.path().join("log")), &target)
}

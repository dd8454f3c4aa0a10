//! Restore of a snapshot from a local file: strongroom-restore, `etcdutl snapshot restore`, and the least that anybody has to
//! do (copy and sync it, compute its SHA-256), alternately; and how much memory a large one takes.
//!
//! Whatever a tool leaves unsynced is synced after it, file by file, and that time is added to its own: a restore that
//! a power cut undoes is none. etcdutl syncs its log and the database's last pages, not the copied file.

use std::path::Path;
use std::process::Command;

use strongroom_tests::etcd::{Cluster, Security};
use strongroom_tests::programs;

use super::Bench;
use crate::bodies::{self, ETCD, member_flags};
use crate::figures::{Chart, Curve, Goal, Sheet};
use crate::meter::{Cost, weigh};
use crate::yardstick::{copy_and_sync, settle, sha256, sync_tree, warm};

const FASTER: Goal = Goal::Below(1.0);
const AS_COPY: Goal = Goal::AtMost(1.0);
const MEMORY: Goal = Goal::Below(128.0);

/// Rounds of the large one: its memory does not vary.
const LARGE_ROUNDS_MAX: u32 = 3;

/// Who restores.
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
            Self::Etcdutl => "etcdutl snapshot restore + sync",
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
    let mut ratios = [Vec::new(), Vec::new()];
    for round in 0..bench.rounds {
        let [ours, etcdutl, copy] = alternate(bench, &file, round, |way, cost| {
            sheet.add(way.name(), "s", cost.secs);
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
        sheet.promise(
            "strongroom-restore : cp + fsync + SHA-256",
            "x",
            AS_COPY,
            by_copy,
        );
        sheet.add("etcdutl : cp + fsync + SHA-256", "x", etcdutl / copy);
        ratios[0].push(by_copy);
        ratios[1].push(etcdutl / copy);
    }
    large(bench, &mut sheet);
    let [ours, etcdutl] = ratios;
    sheet.charts.push(Chart {
        file: "restore".to_owned(),
        title: "Restore from a file, as a multiple of cp + fsync + SHA-256".to_owned(),
        x: "round".to_owned(),
        y: "x".to_owned(),
        x_log: false,
        curves: vec![
            Curve::over_rounds(Way::Ours.name(), &ours),
            Curve::over_rounds(Way::Etcdutl.name(), &etcdutl),
        ],
    });
    sheet
}

fn large(bench: &Bench, sheet: &mut Sheet) {
    let file = bodies::snapshot(&bench.bodies(), bench.scale.large_mib);
    let bytes = warm(&file);
    sheet.note(format!("The large snapshot has {bytes} bytes."));
    for round in 0..bench.rounds.min(LARGE_ROUNDS_MAX) {
        alternate(bench, &file, round, |way, cost| {
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

/// Each way once, another one first in each round; the times in the order of [`Way::ALL`].
fn alternate(bench: &Bench, file: &Path, round: u32, mut tell: impl FnMut(Way, Cost)) -> [f64; 3] {
    let first = usize::try_from(round % 3).expect("below 3");
    let mut secs = [0.0; 3];
    for at in (0..3).map(|n| (n + first) % 3) {
        let way = Way::ALL[at];
        settle(&bench.dir);
        let cost = once(bench, file, way);
        secs[at] = cost.secs;
        tell(way, cost);
    }
    secs
}

fn once(bench: &Bench, file: &Path, way: Way) -> Cost {
    let dir = bench.folder();
    let log = dir.path().join("log");
    let target = dir.path().join("etcd");
    let cluster = Cluster::plan(&dir.path().join("plan"), ETCD, 1, Security::Plain);
    let restored = |mut command: Command| {
        command.args(member_flags(&cluster));
        command.arg("--data-dir").arg(&target);
        let cost = weigh(&mut command, &log);
        Cost {
            secs: cost.secs + sync_tree(&target),
            ..cost
        }
    };
    match way {
        Way::Ours => {
            let mut command = programs::restore();
            command.arg("--snapshot").arg(file);
            restored(command)
        }
        Way::Etcdutl => {
            let mut command = programs::etcd(ETCD, "etcdutl");
            command.args(["snapshot", "restore"]).arg(file);
            restored(command)
        }
        Way::Copy => {
            let copied = copy_and_sync(file, &target, &log);
            let hashed = sha256(file, &log);
            Cost {
                secs: copied.secs + hashed.secs,
                cpu_secs: copied.cpu_secs + hashed.cpu_secs,
                peak_mib: copied.peak_mib.max(hashed.peak_mib),
            }
        }
    }
}

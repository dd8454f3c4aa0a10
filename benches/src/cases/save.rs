//! Saving one etcd: `strongroom snapshot save` into the server, `etcdctl snapshot save` into a file, alternately.

use std::fs;

use strongroom_tests::backup;
use strongroom_tests::programs;
use strongroom_tests::server::Server;

use super::Bench;
use crate::bodies::{self, ETCD};
use crate::figures::{Chart, Goal, Sheet};
use crate::meter::{cpu_secs, measure};
use crate::stats::{MIB, real};
use crate::target::Target;
use crate::yardstick::settle;

/// etcdbrctl with its default gzip needs 4 to 7 times etcdctl's time.
const GOAL: Goal = Goal::AtMost(1.2);

const OURS: &str = "strongroom snapshot save, into the server";
const THEIRS: &str = "etcdctl snapshot save, into a file";

pub(crate) fn run(bench: &Bench) -> Sheet {
    let mut sheet = Sheet::new("save");
    let snapshot = bodies::snapshot(&bench.bodies(), bench.scale.mib);
    let dir = bench.folder();
    let mut cluster = bodies::etcd_of(&snapshot, &dir.path().join("etcd"));
    let mut server = Server::start(dir.path());
    let (file, log) = (dir.path().join("saved.db"), dir.path().join("log"));
    let endpoint = cluster.client_url(0);
    let etcd = cluster.process(0).id();
    let mut ours = || {
        let mut command = backup::save_command(&server, std::slice::from_ref(&endpoint), "bench");
        let target = Target::of(&mut server);
        let cpu = target.cpu_secs();
        let cost = measure(&mut command, &log);
        (cost, target.cpu_secs() - cpu)
    };
    let theirs = || {
        let mut command = programs::etcd(ETCD, "etcdctl");
        command
            .env("ETCDCTL_API", "3")
            .args(["--endpoints", &endpoint, "snapshot", "save"])
            .arg(&file);
        let cost = measure(&mut command, &log);
        let bytes = fs::metadata(&file).expect("just saved").len();
        fs::remove_file(&file).expect("an own file");
        (cost, bytes)
    };
    // The first read of the database fills etcd's page cache.
    let (_, bytes) = theirs();
    ours();
    sheet.note(format!(
        "One etcd {ETCD} with a snapshot of {} MiB, restored by etcdutl, read once before the clock starts; server, etcd and \
         client share this machine.",
        bytes / MIB
    ));
    for round in 0..bench.rounds {
        let mut pair = [0.0; 2];
        for turn in [round % 2, (round + 1) % 2] {
            settle(&bench.dir);
            let etcd_cpu = cpu_secs(etcd);
            if turn == 0 {
                let (cost, cpu) = ours();
                pair[0] = cost.secs;
                sheet.add(OURS, "s", cost.secs);
                sheet.add("strongroom's CPU", "CPU-s", cost.cpu_secs);
                sheet.add("strongroom's peak memory", "MiB", cost.peak_mib);
                sheet.add("the server's CPU", "CPU-s", cpu);
                sheet.add("etcd's CPU meanwhile", "CPU-s", cpu_secs(etcd) - etcd_cpu);
            } else {
                let (cost, _) = theirs();
                pair[1] = cost.secs;
                sheet.add(THEIRS, "s", cost.secs);
                sheet.add("etcdctl's CPU", "CPU-s", cost.cpu_secs);
                sheet.add("etcd's CPU for etcdctl", "CPU-s", cpu_secs(etcd) - etcd_cpu);
                sheet.add("etcdctl's peak memory", "MiB", cost.peak_mib);
            }
        }
        let [ours, theirs] = pair;
        sheet.promise("strongroom : etcdctl", "x", GOAL, ours / theirs);
        sheet.add("strongroom, speed", "MiB/s", real(bytes / MIB) / ours);
    }
    cluster.stop();
    let title = "snapshot save into the server, as a multiple of etcdctl's into a file";
    let chart = Chart::over_rounds("save", title, &sheet, &["strongroom : etcdctl"]);
    sheet.charts.push(chart);
    sheet
}

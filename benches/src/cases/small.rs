//! PUTs of 100 KiB by 1 to 64 clients, compared with the disk's own rate of sync pairs: how many PUTs share one pair of
//! syncs.

use std::collections::BTreeMap;

use strongroom_tests::server::{BUCKET, Server};

use super::{Bench, crowd};
use crate::bodies;
use crate::figures::{Chart, Curve, Goal, Sheet};
use crate::meter::counter;
use crate::stats::{bytes, quantile_ms, real};
use crate::target::Target;
use crate::wire::put_head;
use crate::yardstick::{settle, sync_pairs_per_sec};

const OBJECT_BYTES: usize = 100 << 10;

/// Numbers of clients; the figures report 1, 8 and 64, the curve all.
const WIDTHS: [usize; 7] = [1, 2, 4, 8, 16, 32, 64];
pub(super) const TOLD: [usize; 3] = [1, 8, 64];
const WIDEST: usize = 64;

/// At the widest: objects acknowledged in the time of one pair of syncs, and per pair of the server itself.
const PER_PAIR: Goal = Goal::AtLeast(8.0);

/// Pairs measured in each round; half a second on a disk of 400 per second.
const PAIRS: u64 = 200;

/// Histograms of the server that count its syncs of packs and its commits; each commit is one sync of Meta's log.
const PACK_SYNCS: &str = "strongroom_pack_sync_duration_seconds_count";
const COMMITS: &str = "strongroom_meta_commit_duration_seconds_count";

pub(crate) fn run(bench: &Bench) -> Sheet {
    let mut sheet = Sheet::new("small");
    let body = bodies::body(&bench.bodies(), bench.scale.mib);
    let dir = bench.folder();
    let mut server = Server::start(dir.path());
    let to = Target::of(&mut server);
    sheet.note(
        "Each object is another 100 KiB of the snapshot, payload unsigned. A sync pair of the disk: 100 KiB appended to one \
         file and fsynced, 1 KiB appended to another and fdatasynced, one after the other, by one thread.",
    );
    let mut curve: BTreeMap<usize, Vec<f64>> = BTreeMap::new();
    burst(&to, "warm-up", 8, 200, &body);
    for round in 0..bench.rounds {
        settle(&bench.dir);
        let pairs = sync_pairs_per_sec(dir.path(), PAIRS.min(bench.scale.puts));
        sheet.add("the disk's sync pairs", "1/s", pairs);
        for width in WIDTHS {
            let puts = puts(bench, width);
            let before = syncs(&server);
            let cost = measure(&to, &format!("{round}-{width}"), width, puts, &body);
            let rate = cost.rate;
            curve.entry(width).or_default().push(rate);
            if !TOLD.contains(&width) {
                continue;
            }
            let name = format!("{width} at once");
            sheet.add(&format!("{name}, rate"), "1/s", rate);
            sheet.add(&format!("{name}, p50"), "ms", cost.p50_ms);
            sheet.add(&format!("{name}, p99"), "ms", cost.p99_ms);
            sheet.add(&format!("{name}, server CPU"), "CPU-ms each", cost.cpu_ms);
            let disk = format!("{name}, objects in the time of a sync pair of the disk");
            per_pair(&mut sheet, &disk, rate / pairs, width);
            let own = real(bytes(puts)) / (syncs(&server) - before);
            per_pair(
                &mut sheet,
                &format!("{name}, objects per sync pair of the server"),
                own,
                width,
            );
        }
    }
    sheet.charts.push(chart(&sheet, &curve));
    sheet
}

fn per_pair(sheet: &mut Sheet, name: &str, objects: f64, width: usize) {
    if width == WIDEST {
        sheet.promise(name, "objects", PER_PAIR, objects);
    } else {
        sheet.add(name, "objects", objects);
    }
}

/// Pairs of syncs of the server so far: half of all its syncs, by its metrics.
fn syncs(server: &Server) -> f64 {
    f64::midpoint(counter(server, PACK_SYNCS), counter(server, COMMITS))
}

/// The number of PUTs of a crowd. Narrow crowds wait for syncs: fewer PUTs take as long.
pub(super) fn puts(bench: &Bench, width: usize) -> usize {
    usize::try_from(bench.scale.puts).expect("few") * (width + 4) / (WIDEST + 4)
}

/// What PUTs of a crowd cost.
pub(super) struct Cost {
    /// PUTs per second.
    pub(super) rate: f64,
    pub(super) p50_ms: f64,
    pub(super) p99_ms: f64,
    /// Processor time of the server for each.
    pub(super) cpu_ms: f64,
}

/// The cost of this many PUTs by a crowd.
pub(super) fn measure(to: &Target, name: &str, width: usize, puts: usize, body: &[u8]) -> Cost {
    let cpu = to.cpu_secs();
    let mut done = burst(to, name, width, puts, body);
    let count = real(bytes(done.times.len()));
    Cost {
        rate: count / done.secs,
        p50_ms: quantile_ms(&mut done.times, 50),
        p99_ms: quantile_ms(&mut done.times, 99),
        cpu_ms: (to.cpu_secs() - cpu) / count * 1e3,
    }
}

/// This many PUTs by a crowd.
pub(super) fn burst(
    to: &Target,
    name: &str,
    width: usize,
    puts: usize,
    body: &[u8],
) -> crowd::Done {
    let last = body.len() - OBJECT_BYTES;
    let work: Vec<_> = (0..puts)
        .map(|n| {
            let path = format!("/{BUCKET}/small-{name}/{n:06}");
            let from = n.wrapping_mul(OBJECT_BYTES + 4096) % (last + 1);
            let piece = body.get(from..from + OBJECT_BYTES).expect("below the last");
            (put_head(&to.s3, &path, bytes(OBJECT_BYTES)), piece)
        })
        .collect();
    crowd::work(to.addr, width, &work, |connection, (head, piece)| {
        connection.must(head, &[piece]);
    })
}

fn chart(sheet: &Sheet, rates: &BTreeMap<usize, Vec<f64>>) -> Chart {
    let at = |width: &usize| real(bytes(*width));
    let rates: Vec<_> = rates
        .iter()
        .map(|(width, rates)| (at(width), rates.clone()))
        .collect();
    let pairs = sheet
        .figures
        .first()
        .map_or(f64::NAN, |f| f.spread().median);
    let line = |name: &str, y: f64| Curve {
        name: name.to_owned(),
        points: [1, 64].map(|width| (at(&width), y)).to_vec(),
    };
    let least = PER_PAIR.bound();
    let curves = vec![
        Curve::of_medians("PUTs of 100 KiB", &rates),
        line("the disk's sync pairs", pairs),
        line(
            &format!("{least} objects per sync pair: the goal at 64"),
            pairs * least,
        ),
    ];
    Chart {
        file: "small".to_owned(),
        title: "PUTs of 100 KiB".to_owned(),
        x: "clients at once".to_owned(),
        y: "per second".to_owned(),
        x_log: true,
        curves,
    }
}

//! LIST of 1000 keys out of a million: the first page, a middle one, delimiters, after many deletes; and the size of
//! Meta.

use strongroom_tests::s3::S3;
use strongroom_tests::server::BUCKET;

use super::Bench;
use super::fleet::{Fleet, PER_CLUSTER, ROOT, key};
use crate::figures::{Chart, Curve, Goal, Sheet};
use crate::stats::quantile_ms;
use crate::wire::{Connection, bare_head};

const PAGE: Goal = Goal::Below(20.0);
const ROW_BYTES: Goal = Goal::Below(700.0);

/// Repeats of each query in each round.
const REPEATS: usize = 20;

/// Steps of the curve: the bucket is listed at a thousandth, a hundredth, a tenth of its size and at its full size.
const STEPS: [u32; 4] = [1_000, 100, 10, 1];

/// A query, and what its answer must contain, with the number of times.
pub(super) struct Query {
    pub(super) name: &'static str,
    ask: String,
    holds: &'static str,
    times: usize,
}

pub(crate) fn run(bench: &Bench, fleet: &mut Fleet) -> Sheet {
    let mut sheet = Sheet::new("list");
    let objects = bench.scale.objects;
    let mut curves: Vec<Curve> = Vec::new();
    for step in STEPS {
        let count = (objects / step).max(PER_CLUSTER);
        fleet.fill_to(count);
        for (at, query) in queries(count).iter().enumerate() {
            let [p50, _] = ask(fleet, query);
            if at == curves.len() {
                let (name, points) = (query.name.to_owned(), Vec::new());
                curves.push(Curve { name, points });
            }
            let curve = curves.get_mut(at).expect("pushed when missing");
            curve.points.push((f64::from(count), p50));
        }
    }
    sheet.note(format!(
        "{objects} objects of 16 bytes below one prefix, {PER_CLUSTER} below each second one; pages of 1000 keys, {REPEATS} \
         times per round and query on one kept connection."
    ));
    sheet.add("putting the objects, 64 at once", "s", fleet.fill_secs);
    sheet.promise(
        "Meta, bytes per object",
        "bytes",
        ROW_BYTES,
        fleet.meta_bytes() / f64::from(objects),
    );
    for _ in 0..bench.rounds {
        for query in queries(objects) {
            tell(&mut sheet, &query, ask(fleet, &query));
        }
    }
    let deleted = objects / 10;
    let secs = fleet.delete_first(deleted);
    sheet.add(
        &format!("deleting {deleted} objects by DeleteObjects"),
        "s",
        secs,
    );
    for _ in 0..bench.rounds {
        let [first, ..] = queries(objects);
        let after = Query {
            name: "first page after the deletes",
            ..first
        };
        tell(&mut sheet, &after, ask(fleet, &after));
    }
    sheet.charts.push(Chart {
        file: "list".to_owned(),
        title: "LIST of 1000 keys, median time".to_owned(),
        x: "objects in the bucket".to_owned(),
        y: "ms".to_owned(),
        x_log: true,
        curves,
    });
    sheet
}

/// The queries for a bucket with this many objects.
pub(super) fn queries(objects: u32) -> [Query; 4] {
    let root = ROOT.replace('/', "%2F");
    let middle = key(objects / 2 - 500).replace('/', "%2F");
    let clusters = usize::try_from(objects / PER_CLUSTER)
        .expect("few")
        .min(1_000);
    let page = usize::try_from(objects.min(1_000)).expect("few");
    let rest = usize::try_from((objects / 2 + 499).min(1_000)).expect("few");
    [
        Query {
            name: "first page",
            ask: String::new(),
            holds: "<Key>",
            times: page,
        },
        Query {
            name: "middle page",
            ask: format!("&start-after={middle}"),
            holds: "<Key>",
            times: rest,
        },
        Query {
            name: "delimiter, one prefix of all",
            ask: "&delimiter=%2F".to_owned(),
            holds: "<CommonPrefixes>",
            times: 1,
        },
        Query {
            name: "delimiter, a page of prefixes of 1000",
            ask: format!("&delimiter=%2F&prefix={root}"),
            holds: "<CommonPrefixes>",
            times: clusters,
        },
    ]
}

/// The p50 and p99 of a query, in milliseconds.
pub(super) fn ask(fleet: &Fleet, query: &Query) -> [f64; 2] {
    let s3 = S3::of(&fleet.server);
    // S3 requires sorted query names only in the signature; the signer sorts them.
    let path = format!("/{BUCKET}?list-type=2&max-keys=1000{}", query.ask);
    let head = bare_head(&s3, "GET", &path);
    let mut connection = Connection::open(fleet.addr());
    let mut times = Vec::with_capacity(REPEATS);
    for _ in 0..REPEATS {
        let watch = strongroom_tests::clock::Stopwatch::start();
        let answer = connection.call(&head, b"");
        times.push(watch.elapsed());
        let text = String::from_utf8_lossy(&answer.body);
        let found = text.matches(query.holds).count();
        assert_eq!(
            (answer.status, found),
            (200, query.times),
            "{path}: {text:.500}"
        );
    }
    [50, 99].map(|percent| quantile_ms(&mut times, percent))
}

fn tell(sheet: &mut Sheet, query: &Query, [p50, p99]: [f64; 2]) {
    sheet.promise(&format!("{}, p50", query.name), "ms", PAGE, p50);
    sheet.promise(&format!("{}, p99", query.name), "ms", PAGE, p99);
}

//! GET of one large body over loopback, one at a time and four at once, compared with OpenSSL's MD5 in the same round.

use strongroom_tests::server::{BUCKET, Server};

use super::Bench;
use super::crowd::{self, Moved};
use crate::bodies;
use crate::figures::{Chart, Goal, Sheet};
use crate::meter::peak_mib;
use crate::stats::{GB, bytes, real};
use crate::target::Target;
use crate::wire::{Connection, bare_head, put_head};
use crate::yardstick::md5_bytes_per_sec;

/// The server that we replace reaches 2.9, at 0.52 CPU-seconds per GB.
const GOAL: Goal = Goal::AtLeast(3.0);

const KEY: &str = "body";

/// Numbers of concurrent streams.
pub(super) const STREAMS: [usize; 2] = [1, 4];

pub(super) fn name(streams: usize) -> String {
    match streams {
        1 => "GET".to_owned(),
        _ => "GET, four at once".to_owned(),
    }
}

pub(crate) fn run(bench: &Bench) -> Sheet {
    let mut sheet = Sheet::new("get");
    let body = bodies::body(&bench.bodies(), bench.scale.mib);
    let dir = bench.folder();
    let mut server = Server::start(dir.path());
    let from = Target::of(&mut server);
    put(&from, &body);
    sheet.note(
        "The packs lie in the page cache; a first GET outside the clock compares every byte. The client counts what comes.",
    );
    for _ in 0..bench.rounds {
        let md5 = md5_bytes_per_sec(1);
        sheet.add("OpenSSL MD5, one thread", "GB/s", md5 / GB);
        for streams in STREAMS {
            let name = name(streams);
            let got = fetch(&from, streams, body.len());
            sheet.add(&name, "GB/s", got.bytes_per_sec / GB);
            if streams == 1 {
                let ratio = got.bytes_per_sec / md5;
                sheet.promise(&format!("{name} : MD5"), "x", GOAL, ratio);
            }
            let cost = format!("{name}, server CPU");
            sheet.add(&cost, "CPU-s/GB", got.cpu_secs_per_gb);
        }
    }
    sheet.add("server's peak memory", "MiB", peak_mib(from.process));
    let title = "GET of one large body, as a multiple of OpenSSL's MD5 speed";
    let chart = Chart::over_rounds("get", title, &sheet, &["GET : MD5"]);
    sheet.charts.push(chart);
    sheet
}

/// Stores the body, and gets it once to compare every byte.
pub(super) fn put(to: &Target, body: &[u8]) {
    let s3 = &to.s3;
    let path = format!("/{BUCKET}/{KEY}");
    let mut connection = Connection::open(to.addr);
    connection.must(&put_head(s3, &path, bytes(body.len())), &[body]);
    let head = bare_head(s3, "GET", &path);
    let mut at = 0;
    let answer = connection.exchange(&head, &[], |piece| {
        assert!(
            body.get(at..at + piece.len()) == Some(piece),
            "other bytes at {at}"
        );
        at += piece.len();
    });
    assert_eq!(
        (answer.status, at),
        (200, body.len()),
        "what was put is got"
    );
}

/// Gets the stored body of `len` bytes in `streams` concurrent streams.
pub(super) fn fetch(from: &Target, streams: usize, len: usize) -> Moved {
    let head = bare_head(&from.s3, "GET", &format!("/{BUCKET}/{KEY}"));
    let heads = vec![head; streams];
    let cpu = from.cpu_secs();
    let done = crowd::work(from.addr, streams, &heads, |connection, head| {
        connection.must(head, &[]);
    });
    let got = real(bytes(len * streams));
    Moved {
        bytes_per_sec: got / done.secs,
        cpu_secs_per_gb: (from.cpu_secs() - cpu) / (got / GB),
    }
}

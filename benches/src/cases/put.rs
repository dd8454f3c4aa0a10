//! PUT of one large body over loopback, unsigned and with its SHA-256 signed, one at a time and four at once, compared
//! with OpenSSL's MD5 in the same round: an ETag is an MD5, so that is the limit of one stream.

use strongroom_tests::server::{BUCKET, Server};

use super::Bench;
use super::crowd::{self, Moved};
use crate::bodies;
use crate::figures::{Chart, Goal, Sheet};
use crate::stats::{GB, bytes, real};
use crate::target::Target;
use crate::wire::{put_head, signed_head};
use crate::yardstick::{md5_bytes_per_sec, settle};

/// The server that we replace reaches 0.63 and 0.39.
const UNSIGNED: Goal = Goal::AtLeast(0.65);
const SIGNED: Goal = Goal::AtLeast(0.45);
const FOUR: Goal = Goal::AtLeast(1.2);

/// How a body is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    Unsigned,
    Signed,
    FourAtOnce,
}

pub(super) const WAYS: [Way; 3] = [Way::Unsigned, Way::Signed, Way::FourAtOnce];

impl Way {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Unsigned => "PUT, unsigned payload",
            Self::Signed => "PUT, signed SHA-256 payload",
            Self::FourAtOnce => "PUT, four at once, unsigned",
        }
    }
}

pub(crate) fn run(bench: &Bench) -> Sheet {
    let mut sheet = Sheet::new("put");
    let body = bodies::body(&bench.bodies(), bench.scale.mib);
    let dir = bench.folder();
    let mut server = Server::start(dir.path());
    let to = Target::of(&mut server);
    sheet.note(format!(
        "The body: the first {} MiB of one snapshot of an etcd {} filled by the suites' workload. The client: one blocking \
         connection per stream that writes from memory, heads signed before the clock starts.",
        bench.scale.mib,
        bodies::ETCD
    ));
    send(&to, Way::Unsigned, "warm-up", &body);
    for round in 0..bench.rounds {
        settle(&bench.dir);
        let md5 = md5_bytes_per_sec(1);
        sheet.add("OpenSSL MD5, one thread", "GB/s", md5 / GB);
        let mut one = 0.0;
        // The order alternates from round to round; four at once are compared with the single one just before.
        let ways = if round % 2 == 0 {
            WAYS
        } else {
            [WAYS[1], WAYS[0], WAYS[2]]
        };
        for way in ways {
            settle(&bench.dir);
            let sent = send(&to, way, &format!("{way:?}-{round}"), &body);
            if way == Way::Unsigned {
                one = sent.bytes_per_sec;
            }
            tell(&mut sheet, way, &sent, md5, one);
        }
    }
    assert_eq!(server.stop(), Some(0), "the server ends cleanly");
    let names = [
        "PUT, unsigned payload : MD5",
        "PUT, signed SHA-256 payload : MD5",
    ];
    let title = "PUT of one large body, as a part of OpenSSL's MD5 speed";
    let chart = Chart::over_rounds("put", title, &sheet, &names);
    sheet.charts.push(chart);
    sheet
}

fn tell(sheet: &mut Sheet, way: Way, sent: &Moved, md5: f64, one: f64) {
    let speed = sent.bytes_per_sec;
    let name = way.name();
    let goal = match way {
        Way::Unsigned => Some(UNSIGNED),
        Way::Signed => Some(SIGNED),
        Way::FourAtOnce => None,
    };
    sheet.add(name, "GB/s", speed / GB);
    match goal {
        Some(goal) => sheet.promise(&format!("{name} : MD5"), "x", goal, speed / md5),
        None => sheet.promise(&format!("{name} : one"), "x", FOUR, speed / one),
    }
    let cost = format!("{name}, server CPU");
    sheet.add(&cost, "CPU-s/GB", sent.cpu_secs_per_gb);
}

/// One PUT, or four.
pub(super) fn send(to: &Target, way: Way, name: &str, body: &[u8]) -> Moved {
    let s3 = &to.s3;
    let streams = if way == Way::FourAtOnce { 4 } else { 1 };
    let heads: Vec<_> = (0..streams)
        .map(|n| {
            let path = format!("/{BUCKET}/{name}-{n}");
            match way {
                Way::Signed => signed_head(s3, "PUT", &path, &[], body),
                Way::Unsigned | Way::FourAtOnce => put_head(s3, &path, bytes(body.len())),
            }
        })
        .collect();
    let cpu = to.cpu_secs();
    let done = crowd::work(to.addr, streams, &heads, |connection, head| {
        connection.must(head, &[body]);
    });
    let sent = real(bytes(body.len() * streams));
    Moved {
        bytes_per_sec: sent / done.secs,
        cpu_secs_per_gb: (to.cpu_secs() - cpu) / (sent / GB),
    }
}

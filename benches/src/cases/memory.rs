//! The server's memory: eight large uploads at once, in one piece and in parts, and one upload of ten thousand parts,
//! with the duration of its Complete and its effect on other clients.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use strongroom_tests::clock::{self, Stopwatch};
use strongroom_tests::s3::S3;
use strongroom_tests::server::{BUCKET, Server};

use super::{Bench, crowd};
use crate::bodies;
use crate::figures::{Goal, Sheet};
use crate::meter::peak_mib;
use crate::stats::{GB, MIB, bytes, quantile_ms, real};
use crate::wire::{Connection, bare_head, put_head, signed_head};

const MEMORY: Goal = Goal::Below(192.0);
const COMPLETE: Goal = Goal::Below(1.0);
/// Other commits continue while the upload completes: none of them waits as long as Complete may take.
const OTHERS: Goal = Goal::Below(1000.0);

const UPLOADS: usize = 8;

/// The part size of aws cli and etcd backup tools: 16 MiB; and S3's minimum.
const PART_MIB: u64 = 16;
const SMALL_PART_BYTES: usize = 5 << 20;

/// Clients of the long upload.
const PART_CLIENTS: usize = 4;

/// Maximum rounds of the eight uploads: eight gigabytes each.
const ROUNDS_MAX: u32 = 3;

/// How long the other client is watched before Complete begins.
const WATCHED_BEFORE: Duration = Duration::from_secs(3);

pub(crate) fn run(bench: &Bench) -> Sheet {
    let mut sheet = Sheet::new("memory");
    let body = bodies::body(&bench.bodies(), bench.scale.mib.min(bench.scale.upload_mib));
    sheet.note(format!(
        "A fresh server for each figure, its mark VmHWM. Eight uploads of {} MiB of the snapshot at once, in one piece each and \
         in parts of {PART_MIB} MiB.",
        bench.scale.upload_mib
    ));
    for _ in 0..bench.rounds.min(ROUNDS_MAX) {
        eight(
            bench,
            &mut sheet,
            &body,
            "8 uploads at once, in one piece",
            whole,
        );
        eight(
            bench,
            &mut sheet,
            &body,
            "8 uploads at once, in parts",
            in_parts,
        );
    }
    long_upload(bench, &mut sheet, &body);
    sheet
}

/// One of the eight uploads: by its number, this many MiB of this body.
type Upload = fn(&mut Connection, &S3, usize, u64, &[u8]);

fn eight(bench: &Bench, sheet: &mut Sheet, body: &[u8], name: &str, upload: Upload) {
    let dir = bench.folder();
    let mut server = Server::start(dir.path());
    let s3 = S3::of(&server);
    let mib = bench.scale.upload_mib;
    let numbers: Vec<_> = (0..UPLOADS).collect();
    let done = crowd::work(server.s3_addr(), UPLOADS, &numbers, |connection, number| {
        upload(connection, &s3, *number, mib, body);
    });
    let peak = peak_mib(server.process().id());
    sheet.promise(&format!("{name}, peak memory"), "MiB", MEMORY, peak);
    let sent = real(bytes(UPLOADS) * mib * MIB);
    sheet.add(&format!("{name}, speed"), "GB/s", sent / done.secs / GB);
}

fn whole(connection: &mut Connection, s3: &S3, number: usize, mib: u64, body: &[u8]) {
    let path = format!("/{BUCKET}/whole-{number}");
    connection.must(&put_head(s3, &path, mib * MIB), &pieces(body, mib * MIB));
}

fn in_parts(connection: &mut Connection, s3: &S3, number: usize, mib: u64, body: &[u8]) {
    let path = format!("/{BUCKET}/parts-{number}");
    let id = begin(connection, s3, &path);
    let mut tags = Vec::new();
    let mut left = mib;
    while left > 0 {
        let some = left.min(PART_MIB);
        let part = format!("{path}?partNumber={}&uploadId={id}", tags.len() + 1);
        let put = connection.must(&put_head(s3, &part, some * MIB), &pieces(body, some * MIB));
        tags.push(put.etag.expect("a part has a tag"));
        left -= some;
    }
    complete(connection, s3, &path, &id, &tags);
}

fn long_upload(bench: &Bench, sheet: &mut Sheet, body: &[u8]) {
    let parts = bench.scale.parts;
    let dir = bench.folder();
    let mut server = Server::start(dir.path());
    let (s3, addr) = (S3::of(&server), server.s3_addr());
    let path = format!("/{BUCKET}/long");
    let id = begin(&mut Connection::open(addr), &s3, &path);
    let zeros = vec![0; SMALL_PART_BYTES];
    let tags = Mutex::new(vec![String::new(); usize::try_from(parts).expect("few")]);
    let numbers: Vec<_> = (0..usize::try_from(parts).expect("few")).collect();
    let done = crowd::work(addr, PART_CLIENTS, &numbers, |connection, number| {
        let part = format!("{path}?partNumber={}&uploadId={id}", number + 1);
        // Every hundredth part is real.
        let bytes_of = if number % 100 == 0 {
            body
        } else {
            zeros.as_slice()
        };
        let head = put_head(&s3, &part, bytes(SMALL_PART_BYTES));
        let put = connection.must(&head, &pieces(bytes_of, bytes(SMALL_PART_BYTES)));
        let mut tags = tags.lock();
        *tags.get_mut(*number).expect("one for each part") = put.etag.expect("a tag");
    });
    let name = format!("one upload of {parts} parts");
    sheet.note(format!(
        "{name} of 5 MiB by {PART_CLIENTS} clients; all but every hundredth are zeros, so that 50 GB of parts fit on the disk. \
         Another client puts 1 KiB over and over while Complete runs."
    ));
    let sent = real(u64::from(parts) * bytes(SMALL_PART_BYTES));
    sheet.add(&format!("{name}, speed"), "GB/s", sent / done.secs / GB);
    let tags = tags.into_inner();
    let seen = beside(&server, || {
        // The first connection was idle for longer than the server allows.
        let mut connection = Connection::open(addr);
        let watch = Stopwatch::start();
        complete(&mut connection, &s3, &path, &id, &tags);
        watch.elapsed()
    });
    let secs = seen.took.as_secs_f64();
    sheet.promise(&format!("{name}, Complete"), "s", COMPLETE, secs);
    let [mut before, mut during] = [seen.before, seen.during];
    sheet.add(
        "other PUTs before Complete, p99",
        "ms",
        quantile_ms(&mut before, 99),
    );
    let slowest = quantile_ms(&mut during, 100);
    sheet.promise("other PUTs during Complete, slowest", "ms", OTHERS, slowest);
    sheet.add(
        "other PUTs during Complete",
        "PUTs",
        real(bytes(during.len())),
    );
    let peak = peak_mib(server.process().id());
    sheet.promise(&format!("{name}, peak memory"), "MiB", MEMORY, peak);
}

/// Durations of a bystander's PUTs before and during some work.
struct Seen {
    took: Duration,
    before: Vec<Duration>,
    during: Vec<Duration>,
}

/// Sets the flag when dropped: a bystander also ends when the work has failed.
struct Ended<'a>(&'a AtomicBool);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn beside(server: &Server, work: impl FnOnce() -> Duration) -> Seen {
    let (s3, addr) = (S3::of(server), server.s3_addr());
    let (begun, ended) = (AtomicBool::new(false), AtomicBool::new(false));
    std::thread::scope(|scope| {
        let bystander = scope.spawn(|| {
            let mut connection = Connection::open(addr);
            let small = [7; 1024];
            let (mut before, mut during) = (Vec::new(), Vec::new());
            while !ended.load(Ordering::Relaxed) {
                let path = format!("/{BUCKET}/beside-{}", before.len() + during.len());
                let head = put_head(&s3, &path, 1024);
                let watch = Stopwatch::start();
                connection.must(&head, &[&small]);
                // A PUT that was in progress when Complete began counts as during.
                let times = if begun.load(Ordering::Relaxed) {
                    &mut during
                } else {
                    &mut before
                };
                times.push(watch.elapsed());
            }
            (before, during)
        });
        let end = Ended(&ended);
        clock::pass(WATCHED_BEFORE);
        begun.store(true, Ordering::Relaxed);
        let took = work();
        drop(end);
        let (before, during) = bystander.join().expect("every answer is 200");
        Seen {
            took,
            before,
            during,
        }
    })
}

fn begin(connection: &mut Connection, s3: &S3, path: &str) -> String {
    let begun = connection.call(&bare_head(s3, "POST", &format!("{path}?uploads=")), b"");
    let text = String::from_utf8_lossy(&begun.body).into_owned();
    let id = text
        .split("<UploadId>")
        .nth(1)
        .and_then(|rest| rest.split('<').next());
    id.unwrap_or_else(|| panic!("{}: {text}", begun.status))
        .to_owned()
}

fn complete(connection: &mut Connection, s3: &S3, path: &str, id: &str, tags: &[String]) {
    let rows = (1..).zip(tags).map(|(number, tag)| {
        format!("<Part><PartNumber>{number}</PartNumber><ETag>{tag}</ETag></Part>")
    });
    let body = format!(
        "<CompleteMultipartUpload>{}</CompleteMultipartUpload>",
        rows.collect::<String>()
    );
    let path = format!("{path}?uploadId={id}");
    let head = signed_head(s3, "POST", &path, &[], body.as_bytes());
    let done = connection.call(&head, body.as_bytes());
    let text = String::from_utf8_lossy(&done.body);
    // S3 may answer 200 and then an error.
    assert!(
        done.status == 200 && text.contains("<ETag>"),
        "{}: {text}",
        done.status
    );
}

/// `len` bytes as pieces of this body, repeated from its beginning.
fn pieces(body: &[u8], len: u64) -> Vec<&[u8]> {
    let mut left = usize::try_from(len).expect("fits memory");
    let mut pieces = Vec::new();
    while left > 0 {
        let piece = body.get(..left).unwrap_or(body);
        pieces.push(piece);
        left -= piece.len();
    }
    pieces
}

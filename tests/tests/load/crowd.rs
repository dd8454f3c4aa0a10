//! Five hundred connections with almost no traffic, and a fast client next to them.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use strongroom_tests::clock::{Stopwatch, until};
use strongroom_tests::footprint::Footprint;
use strongroom_tests::s3::S3;
use strongroom_tests::server::{BUCKET, Server};
use strongroom_tests::workload::random::Random;
use strongroom_tests::{http, soak};

use crate::latency::Latencies;
use crate::{assert_no_garbage, at_leisure};

/// Numbers per kind. Slow writers and readers take memory, so there are most of them.
const IDLE: usize = 60;
const SLOW_HEADS: usize = 60;
const SLOW_WRITERS: usize = 200;
const SLOW_READERS: usize = 180;

/// The announced length of a slow writer, and the bytes it sends at once: nearly a frame, so that the server holds it
/// half filled.
const WRITER_BYTES: u64 = 20 << 20;
const WRITER_FIRST_BYTES: usize = 250 * 1024;

/// The bytes that a slow reader requests: more than the kernel's buffers on both sides hold.
const READER_BYTES: usize = 16 << 20;

/// Bytes sent by each slow connection in each round.
const DRIP_BYTES: usize = 64;

/// A request that waited for the end of a slow body would take minutes; even a busy machine stays well below this.
const P99_MAX: Duration = Duration::from_secs(2);

const OBJECT_BYTES: usize = 16 * 1024;

/// Slow connections of all kinds.
struct Crowd {
    /// Bytes still to be sent, a few at a time.
    senders: Vec<(TcpStream, Vec<u8>)>,
    readers: Vec<TcpStream>,
    idle: Vec<TcpStream>,
}

impl Crowd {
    /// Opens the connections kind by kind, and prints the cost of each kind.
    fn gather(server: &mut Server) -> Self {
        let s3 = S3::of(server);
        let addr = server.s3_addr();
        let mut told = |kind: &str| println!("footprint | with {kind} | {}", Footprint::of(server));
        let connect = || {
            let stream = http::connect(addr).expect("a slot is free");
            stream.set_nonblocking(true).expect("set");
            stream
        };
        let idle = (0..IDLE).map(|_| connect()).collect();
        let mut senders = Vec::new();
        for n in 0..SLOW_HEADS {
            let head = s3
                .signed("GET", &format!("/{BUCKET}/head-{n}"), &[], b"")
                .head();
            senders.push((connect(), head));
        }
        told("idle connections and slow heads");
        let filler = Random::new(5).bytes(WRITER_FIRST_BYTES);
        for n in 0..SLOW_WRITERS {
            let head = s3
                .unsigned_payload("PUT", &format!("/{BUCKET}/slow-{n}"), &[], b"")
                .with_header("content-length", &WRITER_BYTES.to_string())
                .head();
            let mut stream = connect();
            push(&mut stream, &head);
            push(&mut stream, &filler);
            senders.push((stream, filler.clone()));
        }
        told("slow writers");
        let mut readers = Vec::new();
        for _ in 0..SLOW_READERS {
            let head = s3
                .signed("GET", &format!("/{BUCKET}/large"), &[], b"")
                .head();
            let mut stream = connect();
            push(&mut stream, &head);
            readers.push(stream);
        }
        told("slow readers");
        Self {
            senders,
            readers,
            idle,
        }
    }

    fn len(&self) -> usize {
        self.senders.len() + self.readers.len() + self.idle.len()
    }

    /// Sends a few bytes on every connection, repeatedly until told to stop.
    fn drip(&mut self, stop: &AtomicBool) {
        let mut sink = [0; DRIP_BYTES];
        while !stop.load(Ordering::Relaxed) {
            for (stream, rest) in &mut self.senders {
                let some = rest.len().min(DRIP_BYTES);
                // A head without its last byte: a request that never begins.
                if some > 1 {
                    let _full = stream.write(&rest[..some - 1]);
                    rest.drain(..some - 1);
                }
            }
            for stream in &mut self.readers {
                let _empty = stream.read(&mut sink);
            }
            pause();
        }
    }
}

/// Waits between two rounds, with the harness' only way to wait.
fn pause() {
    let watch = Stopwatch::start();
    until("the next round", Duration::from_secs(5), || {
        if watch.elapsed() > Duration::from_millis(100) {
            Ok(())
        } else {
            Err("soon")
        }
    });
}

/// Writes everything to a non-blocking socket.
fn push(stream: &mut TcpStream, mut bytes: &[u8]) {
    until("the server to read", Duration::from_secs(30), || {
        while !bytes.is_empty() {
            match stream.write(bytes) {
                Ok(len) => bytes = &bytes[len..],
                Err(e) => return Err(e.to_string()),
            }
        }
        Ok(())
    });
}

/// A client without pauses: small puts, gets and a list.
fn fast_client(server: &Server, name: &str, rounds: u64) -> Latencies {
    let s3 = S3::of(server);
    let body = Random::new(6).bytes(OBJECT_BYTES);
    let mut times = Latencies::default();
    for n in 0..rounds {
        let path = format!("/{BUCKET}/{name}/{n}");
        let put = times.time("put 16 KiB", || s3.put(&path, &body));
        assert_eq!(put.status, 200, "{}", put.text());
        let get = times.time("get 16 KiB", || s3.get(&path));
        assert!(
            get.status == 200 && get.body == body,
            "{path}: {}",
            get.status
        );
        let list = format!("/{BUCKET}?list-type=2&max-keys=10&prefix={name}");
        assert_eq!(times.time("list", || s3.get(&list)).status, 200);
    }
    times
}

#[test]
fn five_hundred_slow_connections_cost_little_memory_and_nobody_elses_time() {
    let rounds = soak::number("STRONGROOM_LOAD_ROUNDS", 200);
    let dir = tempfile::tempdir().expect("temporary folder");
    let mut server = Server::plan(dir.path());
    let mut command = server.command();
    at_leisure(&mut command);
    server.boot_as(command);
    let large = Random::new(7).bytes(READER_BYTES);
    assert_eq!(
        S3::of(&server)
            .put(&format!("/{BUCKET}/large"), &large)
            .status,
        200
    );
    let alone = fast_client(&server, "alone", rounds);
    let before = Footprint::of(&mut server);

    let mut crowd = Crowd::gather(&mut server);
    let size = crowd.len();
    let stop = AtomicBool::new(false);
    let beside = std::thread::scope(|scope| {
        scope.spawn(|| crowd.drip(&stop));
        let times = fast_client(&server, "beside", rounds);
        stop.store(true, Ordering::Relaxed);
        times
    });
    let crowded = Footprint::of(&mut server);
    println!("a fast client alone, then beside {size} slow connections:\n{alone}{beside}");
    // Those that never sent a whole head are closed after a while.
    let in_requests = size - IDLE - SLOW_HEADS;
    assert!(
        crowded.connections >= u64::try_from(in_requests).expect("few"),
        "{crowded}"
    );
    assert!(
        beside.p99() < P99_MAX,
        "{:?}, alone {:?}",
        beside.p99(),
        alone.p99()
    );

    drop(crowd);
    before.await_return(&mut server, "after the crowd has left");
    let keys = S3::of(&server).keys(BUCKET, "slow-");
    assert!(keys.is_empty(), "half uploads became objects: {keys:?}");
    assert_no_garbage(&mut server);
    crowded.assert_bounded(&format!("{size} slow connections"));
}

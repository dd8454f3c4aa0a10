//! Sixty-four busy clients.

use std::time::Duration;

use strongroom_tests::clock::Stopwatch;
use strongroom_tests::footprint::Footprint;
use strongroom_tests::s3::S3;
use strongroom_tests::server::{BUCKET, Server};
use strongroom_tests::soak::{self, Row};
use strongroom_tests::workload::random::Random;

use crate::at_leisure;
use crate::latency::Latencies;

const CLIENTS: u64 = 64;

/// Objects kept by one client: 64 clients keep about a gigabyte.
const KEYS: u32 = 16;

/// Sizes are spread evenly over the powers of two from 1 KiB to 8 MiB.
const SIZE_BITS_MIN: u32 = 10;
const SIZE_BITS_MAX: u32 = 23;

/// One client's objects: the seed of each one's content, and its size.
struct Client<'a> {
    s3: S3,
    name: String,
    random: Random,
    kept: Vec<Option<(u64, usize)>>,
    times: Latencies,
    watch: Stopwatch,
    until: &'a Duration,
    gets: u64,
    wrong: u64,
}

impl Client<'_> {
    fn work(mut self) -> Self {
        while self.watch.elapsed() < *self.until {
            let slot = usize::try_from(self.random.below(KEYS)).expect("few");
            let path = format!("/{BUCKET}/{}/{slot:02}", self.name);
            match self.random.below(10) {
                0..4 => self.put(slot, &path),
                4..8 => self.get(slot, &path),
                8 => self.list(),
                _ => self.delete(slot, &path),
            }
        }
        self
    }

    fn put(&mut self, slot: usize, path: &str) {
        let bits = SIZE_BITS_MIN + self.random.below(SIZE_BITS_MAX - SIZE_BITS_MIN + 1);
        let size = usize::try_from(self.random.below(1 << bits))
            .expect("a size")
            .max(1024);
        let seed = self.random.bits();
        let body = Random::new(seed).bytes(size);
        let request = self.s3.unsigned_payload("PUT", path, &[], &body);
        let s3 = &self.s3;
        let status = self.times.time("PUT", || s3.send(&request)).status;
        assert_eq!(status, 200, "PUT {path}, {size} bytes");
        self.kept[slot] = Some((seed, size));
    }

    fn get(&mut self, slot: usize, path: &str) {
        let s3 = &self.s3;
        let answer = self.times.time("GET", || s3.get(path));
        self.gets += 1;
        let right = match self.kept[slot] {
            None => answer.status == 404,
            Some((seed, size)) => {
                answer.status == 200 && answer.body == Random::new(seed).bytes(size)
            }
        };
        self.wrong += u64::from(!right);
    }

    fn list(&mut self) {
        let s3 = &self.s3;
        let name = &self.name;
        let keys = self
            .times
            .time("LIST", || s3.keys(BUCKET, &format!("{name}/")));
        let kept = self.kept.iter().flatten().count();
        self.wrong += u64::from(keys.len() != kept);
    }

    fn delete(&mut self, slot: usize, path: &str) {
        let s3 = &self.s3;
        let status = self.times.time("DELETE", || s3.delete(path)).status;
        assert_eq!(status, 204, "DELETE {path}");
        self.kept[slot] = None;
    }
}

#[test]
fn sixty_four_clients_are_served_in_bounded_memory_and_leave_nothing_behind() {
    let secs = Duration::from_secs(soak::number("STRONGROOM_LOAD_SECS", 12));
    let seed = soak::number("STRONGROOM_SEED", 64);
    let dir = tempfile::tempdir().expect("temporary folder");
    let mut server = Server::plan(dir.path());
    let mut command = server.command();
    at_leisure(&mut command);
    server.boot_as(command);
    assert_eq!(
        S3::of(&server)
            .put(&format!("/{BUCKET}/first"), b"1")
            .status,
        200
    );
    let before = Footprint::of(&mut server);
    let watch = Stopwatch::start();
    let clients: Vec<_> = std::thread::scope(|scope| {
        let client = |n| Client {
            s3: S3::of(&server),
            name: format!("client-{n:02}"),
            random: Random::new(seed ^ (n << 32)),
            kept: vec![None; usize::try_from(KEYS).expect("few")],
            times: Latencies::default(),
            watch,
            until: &secs,
            gets: 0,
            wrong: 0,
        };
        let running: Vec<_> = (0..CLIENTS)
            .map(|n| {
                scope.spawn({
                    let client = client(n);
                    move || client.work()
                })
            })
            .collect();
        running
            .into_iter()
            .map(|client| client.join().expect("no request fails"))
            .collect()
    });
    let mut times = Latencies::default();
    let (mut checked, mut wrong) = (0, 0);
    for client in clients {
        checked += client.gets;
        wrong += client.wrong;
        times.join(client.times);
    }
    let rate = times.count() / usize::try_from(watch.elapsed().as_secs().max(1)).expect("short");
    println!(
        "{CLIENTS} clients for {secs:?}: {} requests, {rate} a second\n{times}",
        times.count()
    );
    Footprint::of(&mut server).assert_bounded(&format!("{CLIENTS} clients for {secs:?}"));
    before.await_return(&mut server, "after the clients have left");
    let row = Row {
        fault: format!("none: {CLIENTS} clients for {} s", secs.as_secs()),
        cycles: 1,
        checked,
        lost: 0,
        wrong,
        seed,
    };
    row.report();
}

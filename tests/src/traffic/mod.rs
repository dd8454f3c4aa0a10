//! A workload of many S3 clients against the real server, and the histories of what was acknowledged.
//!
//! [`Workload::run`] runs the clients while a fault is prepared; [`check::after_restart`] compares the server's
//! contents with the histories and adopts them, so that the next run continues from there. All content is generated
//! from tokens ([`content`]), all choices from one seed. It does not know how the server stores data.

pub mod calls;
pub mod check;
pub mod client;
pub mod content;
pub mod findings;
pub mod keyspace;
mod own_bucket;
pub mod wire;

use std::fmt::Display;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::thread::Builder;

use crate::clock::unix_now_secs;
use crate::server::Server;
use crate::soak::{Row, number};
use crate::workload::random::Random;
use client::Client;
use findings::{Findings, Kind};
use keyspace::Keyspace;

/// The behaviour of the clients.
#[derive(Debug, Clone, Copy)]
pub struct Mix {
    /// Clients that write, and read in between.
    pub writers: usize,
    /// Clients that only read, including other clients' keys; every second one slowly.
    pub readers: usize,
    /// Keys of each writer.
    pub keys: usize,
    /// Minimum length of all bodies except last parts.
    pub bytes_min: u64,
    /// Maximum length of nine of ten bodies.
    pub everyday_bytes_max: u64,
    /// Maximum length of most others.
    pub large_bytes_max: u64,
    /// Maximum length of one body in a hundred, one at a time; 0: none.
    pub huge_bytes_max: u64,
    /// Bytes of each part except the last.
    pub part_bytes: u64,
    /// Maximum number of parts in an upload.
    pub parts_max: u16,
    /// Each client waits up to this long between two calls.
    pub pause_ms_max: u32,
}

impl Mix {
    /// 16 clients, bodies of 1 KiB to 200 MB: below 3 GB at any time.
    pub const FULL: Self = Self {
        writers: 16,
        readers: 0,
        keys: 12,
        bytes_min: 1024,
        everyday_bytes_max: 1 << 20,
        large_bytes_max: 8 << 20,
        huge_bytes_max: 200_000_000,
        part_bytes: 5 << 20,
        parts_max: 3,
        pause_ms_max: 0,
    };

    /// Readers next to writers, to disturb garbage collection.
    pub const CROWDED: Self = Self {
        writers: 10,
        readers: 6,
        huge_bytes_max: 50_000_000,
        ..Self::FULL
    };

    /// A store with little traffic: the last put object is often deleted before another put follows.
    pub const QUIET: Self = Self {
        writers: 1,
        readers: 2,
        keys: 2,
        everyday_bytes_max: 64 << 10,
        large_bytes_max: 1 << 20,
        huge_bytes_max: 0,
        pause_ms_max: 400,
        ..Self::FULL
    };

    /// For a small file system: bodies up to 4 MiB, except parts.
    pub const SMALL: Self = Self {
        writers: 8,
        readers: 0,
        keys: 5,
        bytes_min: 1024,
        everyday_bytes_max: 1 << 20,
        large_bytes_max: 4 << 20,
        huge_bytes_max: 0,
        part_bytes: 5 << 20,
        parts_max: 2,
        pause_ms_max: 0,
    };
}

/// The phase of a run, as the clients see it.
#[derive(Debug, Default)]
pub struct Phase(AtomicU8);

const RUNNING: u8 = 0;
const STOPPING: u8 = 1;
const DYING: u8 = 2;
const UNPOWERED: u8 = 3;

impl Phase {
    /// The server is about to die: later failures are not findings. Called before anything is done to the server.
    pub fn server_dies(&self) {
        self.0.store(DYING, Ordering::SeqCst);
    }

    /// The disk is about to lose power: in addition, answers from now on are no promises. A file system that is being
    /// shut down may report a successful sync although it has discarded the transaction; in a real power cut, nobody
    /// would get that answer.
    pub fn power_fails(&self) {
        self.0.store(UNPOWERED, Ordering::SeqCst);
    }

    /// Clients finish their current work; each answer still counts.
    pub fn enough(&self) {
        self.0.store(STOPPING, Ordering::SeqCst);
    }

    fn is_over(&self) -> bool {
        self.0.load(Ordering::SeqCst) != RUNNING
    }

    fn is_dying(&self) -> bool {
        self.0.load(Ordering::SeqCst) >= DYING
    }

    fn is_unpowered(&self) -> bool {
        self.0.load(Ordering::SeqCst) == UNPOWERED
    }
}

/// Ends the clients when the director of a run panics.
struct Director<'a>(&'a Phase);

impl Drop for Director<'_> {
    fn drop(&mut self) {
        if !self.0.is_over() {
            self.0.server_dies();
        }
    }
}

/// A workload over several lives of one server.
#[derive(Debug)]
pub struct Workload {
    /// The behaviour of the clients.
    pub mix: Mix,
    /// The knowledge of the clients.
    pub keyspace: Keyspace,
    /// The findings.
    pub findings: Findings,
    seed: u64,
    random: Random,
}

impl Workload {
    /// A workload over an empty bucket. Its seed comes from `STRONGROOM_SEED` or the time, and is printed for a replay.
    pub fn new(mix: Mix) -> Self {
        let seed = number("STRONGROOM_SEED", unix_now_secs());
        println!("STRONGROOM_SEED={seed}");
        Self {
            mix,
            keyspace: Keyspace::new(mix.writers, mix.keys),
            findings: Findings::default(),
            seed,
            random: Random::new(seed),
        }
    }

    /// The random numbers of the run, also for the faults.
    pub fn random(&mut self) -> &mut Random {
        &mut self.random
    }

    /// Runs the clients until `direct`, which gets the server, has announced its death or the end.
    pub fn run<T>(
        &mut self,
        server: &mut Server,
        direct: impl FnOnce(&mut Server, &Phase) -> T,
    ) -> T {
        let seeds: Vec<_> = (0..self.mix.writers + self.mix.readers)
            .map(|_| Random::new(self.random.bits()))
            .collect();
        let phase = Phase::default();
        let huge = AtomicUsize::new(0);
        let clients = seeds
            .into_iter()
            .enumerate()
            .map(|(id, random)| Client::new(self, server, (&phase, &huge), id, random));
        let clients: Vec<_> = clients.collect();
        std::thread::scope(|scope| {
            for client in clients {
                let spawned = Builder::new().spawn_scoped(scope, move || client.run());
                spawned.expect("the system gives a thread");
            }
            let director = Director(&phase);
            let result = direct(server, &phase);
            drop(director);
            result
        })
    }

    /// Panics if a promise was broken.
    #[track_caller]
    pub fn assert_clean(&self, when: impl Display) {
        let seed = self.seed;
        assert!(self.findings.is_clean(), "{when} of seed {seed}: see above");
    }

    /// Prints the number of checks and the row of the table, and panics unless nothing was lost or wrong.
    pub fn report(&self, fault: &str, cycles: u64) {
        let (acknowledged, checked, read) = self.findings.totals();
        println!("{fault}: {acknowledged} acknowledged, {read} read beside writers");
        Row {
            fault: fault.to_owned(),
            cycles,
            checked,
            lost: self.findings.count(Kind::Lost),
            wrong: self.findings.count(Kind::Wrong),
            seed: self.seed,
        }
        .report();
    }
}

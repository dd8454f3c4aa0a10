//! The real layers over the in-memory backends, driven by one seed: clients, crashes, faults and the collector in every
//! order.
//!
//! A run is one machine with several lives. In each life, a few clients put, overwrite, delete, read, upload and abort,
//! while the collector works, interrupted at each of its calls. Then the power fails, between two steps or in the
//! middle of a disk operation, and none or some of the unsynced data stays on the disk. After each start everything
//! acknowledged must be there, and nothing else. At the end, collections must leave nothing dead behind.
//!
//! `STRONGROOM_SIM_RUNS=20000` makes the run longer; `STRONGROOM_SEED=n STRONGROOM_SIM_RUNS=1` replays one run.

mod bucket;
mod client;
mod faults;
mod history;
mod pairs;
mod schedule;
mod seams;
mod uploads;
mod world;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use parking_lot::Mutex;
use rustix::io::Errno;

use self::client::{Client, collect, collector_settings};
use self::faults::Fault;
use self::seams::{InterruptedMeta, InterruptedPacks, OtherTasks};
use self::world::World;
use crate::planted::Bug;
use crate::storage::Storage;
use crate::store::testing::{CommitFault, DiskFault, switches};

/// Maximum steps of one life: a livelock is a violation.
const STEPS_MAX: u64 = 200_000;

/// The result of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Summary {
    lives: u64,
    steps: u64,
    checked: u64,
    crashes: u64,
}

/// Runs a seed; `Err` names what was lost, wrong or left behind.
fn run(seed: u64) -> Result<Summary, String> {
    let world = World::new(seed);
    let faults: Vec<Option<Fault>> = vec![None; 1 + world.dice.index(4)];
    run_lives(&world, &faults)
}

/// Runs one life for each fault (`None`: chosen at random), and a last one without clients.
fn run_lives(world: &Arc<World>, faults: &[Option<Fault>]) -> Result<Summary, String> {
    let mut summary = Summary::default();
    for (life, fault) in faults.iter().enumerate() {
        summary.lives += 1;
        let fault = fault.unwrap_or_else(|| Fault::roll(&world.dice));
        let Some(storage) = start(world, fault, life)? else {
            world.crash();
            summary.crashes += 1;
            continue;
        };
        live(world, &storage, &mut summary);
        if let Some(violation) = world.violation() {
            return Err(format!("life {life}, {fault:?}: {violation}"));
        }
        let crashes = !world.dice.one_in(4);
        if crashes {
            world.crash();
            summary.crashes += 1;
        }
        end(world, &storage, crashes)?;
    }
    let storage = start(world, Fault::None, faults.len())?.ok_or("no start without a fault")?;
    world.check_rest(&storage);
    world.check(&storage, "at rest");
    end(world, &storage, false)?;
    summary.checked = world.history().checked;
    match world.violation() {
        Some(violation) => Err(violation),
        None => Ok(summary),
    }
}

/// Starts a process and checks that everything acknowledged is there; `None` when a fault prevents the start.
fn start(world: &Arc<World>, fault: Fault, life: usize) -> Result<Option<Arc<Storage>>, String> {
    let storage = match world.open(fault) {
        Ok(storage) => storage,
        Err(_) if world.is_faulty() => return Ok(None),
        Err(error) => return Err(format!("life {life} does not start: {error}")),
    };
    if !world.is_faulty() {
        world.check(&storage, &format!("at the start of life {life}"));
    }
    match world.violation() {
        Some(violation) => Err(format!("life {life}, {fault:?}: {violation}")),
        None => Ok(Some(storage)),
    }
}

fn end(world: &Arc<World>, storage: &Arc<Storage>, crashed: bool) -> Result<(), String> {
    world.tasks.kill();
    match storage.close() {
        Err(error) if !crashed && !world.is_faulty() => Err(format!("a clean end fails: {error}")),
        _ => Ok(()),
    }
}

/// Clients and the collector run until they are done, or until the power fails.
fn live(world: &Arc<World>, storage: &Arc<Storage>, summary: &mut Summary) {
    let dice = &world.dice;
    for _ in 0..2 + dice.below(4) {
        let client = Client {
            world: Arc::clone(world),
            storage: Arc::clone(storage),
            since: Mutex::default(),
        };
        world.tasks.spawn(client.run(3 + dice.below(12)));
    }
    let others = OtherTasks {
        tasks: Arc::clone(&world.tasks),
        dice: Arc::clone(dice),
    };
    let mut collector = storage.collector(collector_settings(world));
    collector.meta = Arc::new(InterruptedMeta {
        meta: collector.meta,
        others: others.clone(),
    });
    collector.packs = Arc::new(InterruptedPacks {
        packs: collector.packs,
        others,
    });
    let rounds = 1 + dice.below(6);
    world
        .tasks
        .spawn(collect(Arc::clone(world), collector, rounds));
    let power_fails_at = if dice.one_in(2) {
        dice.below(2500)
    } else {
        u64::MAX
    };
    for step in 0.. {
        if step == power_fails_at || world.is_dead() || world.violation().is_some() {
            return;
        }
        if step == STEPS_MAX {
            world.violated("nobody gets anything done any more");
        }
        if !world.tasks.step(dice) {
            return;
        }
        summary.steps += 1;
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the knobs of the long runs of this crate's own tests"
)]
fn knob(variable: &str, otherwise: u64) -> u64 {
    match std::env::var(variable) {
        Ok(text) => text.parse().expect("a number"),
        Err(_) => otherwise,
    }
}

#[test]
fn nothing_acknowledged_is_lost_whatever_the_order() {
    let (first, runs) = (knob("STRONGROOM_SEED", 1), knob("STRONGROOM_SIM_RUNS", 500));
    let mut total = Summary::default();
    for seed in first..first + runs {
        let summary = run(seed).unwrap_or_else(|violation| {
            panic!(
                "seed {seed}: {violation}\nreplay: STRONGROOM_SEED={seed} STRONGROOM_SIM_RUNS=1 cargo test --release \
                 --workspace --lib simulation::nothing"
            )
        });
        total.lives += summary.lives;
        total.steps += summary.steps;
        total.checked += summary.checked;
        total.crashes += summary.crashes;
    }
    println!("durability | simulation | runs {runs} | {total:?} | first seed {first}");
    assert!(total.checked > runs, "the runs look at something");
}

#[test]
fn a_seed_replays_exactly() {
    for seed in 1..20 {
        assert_eq!(run(seed), run(seed), "seed {seed}");
    }
}

/// Every n-th operation of the packs' disk fails in every way, and every n-th commit: the same life repeated.
#[test]
fn each_operation_fails_once() {
    let ways = [
        DiskFault::Fails(Errno::IO),
        DiskFault::Fails(Errno::NOSPC),
        DiskFault::Fails(Errno::ROFS),
        DiskFault::Short(0),
        DiskFault::Short(37),
    ];
    let mut checked = 0;
    // Whether there was an n-th operation.
    let mut strikes = |fault| {
        let world = World::new(FAILING_SEED);
        let storage = start(&world, fault, 0).unwrap_or_else(|why| panic!("{fault:?}: {why}"));
        if let Some(storage) = storage {
            live(&world, &storage, &mut Summary::default());
            world.crash();
            end(&world, &storage, true).expect("a crash is an end");
        }
        let struck = world.struck.load(Ordering::SeqCst);
        let after = run_lives(&world, &[]).unwrap_or_else(|why| panic!("{fault:?}: {why}"));
        checked += after.checked;
        struck
    };
    let mut operations = 0;
    while strikes(Fault::PowerAtDisk(operations + 1)) {
        operations += 1;
        for how in ways {
            strikes(Fault::Disk(operations, how));
        }
    }
    let mut commits = 0;
    while strikes(Fault::Commit(commits + 1, CommitFault::Refused)) {
        commits += 1;
        strikes(Fault::Commit(commits, CommitFault::KeptAndRefused));
    }
    assert!(
        operations > 50 && commits > 20,
        "a life with something in it"
    );
    println!(
        "durability | n-th operation fails | {operations} operations in 6 ways, {commits} commits in 2 | checked {checked}"
    );
}

/// A life with all kinds of operations.
const FAILING_SEED: u64 = 7;

/// Number of seeds within which a planted bug must be found.
const SEEDS_TO_CATCH: u64 = 3000;

#[test]
fn every_planted_bug_is_caught() {
    for bug in [
        Bug::AckBeforeSync,
        Bug::NoDirSync,
        Bug::CommitBeforePackSync,
        Bug::CounterForgotten,
        Bug::PinsIgnored,
        Bug::RowConditionLeftOut,
        Bug::DecrementTwice,
        Bug::SealedRuleIgnored,
    ] {
        let caught = (1..=SEEDS_TO_CATCH).find_map(|seed| {
            let outcome = switches::with(bug, || run(seed));
            outcome.err().map(|violation| (seed, violation))
        });
        let (seed, violation) = caught.unwrap_or_else(|| panic!("{bug:?} is not caught"));
        println!("durability | planted {bug:?} | caught by simulation | runs {seed} | {violation}");
    }
}

//! The real layers over the in-memory twins, driven by one seed: clients, crashes, faults and the collector in every order.
//!
//! A run is a machine with several lives. In each, a few clients put, overwrite, delete, read, upload and give up, while the
//! collector works, interrupted at each of its calls; then the power fails, between two steps or in the midst of a disk
//! operation, with none or some of what was not synced on the disk. After each start everything that was acknowledged
//! must be there, and nothing else; at the end, collections must leave nothing dead behind.
//!
//! `STRONGROOM_SIM_RUNS=20000` makes the run longer; `STRONGROOM_SEED=n STRONGROOM_SIM_RUNS=1` replays one.

mod client;
mod faults;
mod ledger;
mod schedule;
mod seams;
mod world;

use std::sync::Arc;

use self::client::{Client, collect, collector_settings};
use self::faults::Fault;
use self::seams::{InterruptedMeta, InterruptedPacks, Others};
use self::world::World;
use crate::planted::{Bug, switches};
use crate::vault::Vault;

/// Steps of one life at most: a livelock is a violation.
const STEPS_MAX: u64 = 200_000;

/// How a run went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Summary {
    lives: u64,
    steps: u64,
    checked: u64,
    crashes: u64,
}

/// Runs a seed; `Err` tells what was lost, wrong or left behind.
fn run(seed: u64) -> Result<Summary, String> {
    let world = World::new(seed);
    let mut summary = Summary::default();
    let lives = 1 + world.dice.below(4);
    for life in 0..=lives {
        summary.lives += 1;
        let last = life == lives;
        let fault = if last {
            Fault::None
        } else {
            Fault::roll(&world.dice)
        };
        let vault = match world.open(fault) {
            Ok(vault) => vault,
            Err(_) if world.is_faulty() => {
                world.crash();
                summary.crashes += 1;
                continue;
            }
            Err(error) => return Err(format!("life {life} does not start: {error}")),
        };
        if !world.is_faulty() {
            world.check(&vault, &format!("at the start of life {life}"));
        }
        if last {
            world.check_rest(&vault);
            world.check(&vault, "at rest");
        } else {
            live(&world, &vault, &mut summary);
        }
        if let Some(violation) = world.violation() {
            return Err(format!("life {life}, {fault:?}: {violation}"));
        }
        let crashes = !last && !world.dice.one_in(4);
        if crashes {
            world.crash();
            summary.crashes += 1;
        }
        world.tasks.kill();
        let closed = vault.close();
        if !crashes && !world.is_faulty() {
            closed.map_err(|error| format!("a clean end fails: {error}"))?;
        }
    }
    summary.checked = world.ledger().checked;
    Ok(summary)
}

/// Clients and the collector run until they are done, or until the power fails.
fn live(world: &Arc<World>, vault: &Arc<Vault>, summary: &mut Summary) {
    let dice = &world.dice;
    for _ in 0..2 + dice.below(4) {
        let client = Client {
            world: Arc::clone(world),
            vault: Arc::clone(vault),
        };
        world.tasks.spawn(client.run(3 + dice.below(12)));
    }
    let others = Others {
        tasks: Arc::clone(&world.tasks),
        dice: Arc::clone(dice),
    };
    let mut collector = vault.collector(collector_settings(world));
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

/// Seeds until a planted bug must have shown itself.
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

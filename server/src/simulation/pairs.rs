//! Two operations on the same rows: the second runs in the middle of the first, before each of its calls to Meta in
//! turn.
//!
//! At every such place, the answers and the store must equal those of one operation after the other. The expected
//! results are not modelled: both orders are run. So a decision with a missing requirement is found as soon as any
//! other operation can change what it read. The test at the end leaves out each requirement in turn.

mod stage;

use std::collections::BTreeSet;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use self::stage::{ACTS, Act, Answer, PreparedBody, READS, SCENES, SEQUENCES, Scene, Stage};
use super::schedule::alone;
use crate::tables::Keyspace;
use crate::tables::draft::Operation;
use crate::tables::draft::requirements::{self, Requirement};
use parking_lot::Mutex;

/// The answers of two operations, and the resulting store.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Outcome {
    first: Answer,
    second: Answer,
    rest: String,
}

/// The order of the two operations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    OneAfterTheOther,
    SecondFirst,
    FirstAlone,
    SecondAlone,
    /// The second runs before this call of the first.
    During(u64),
    /// This many turns of the first, this many of the second, the rest of the first, the rest of the second.
    Interleaved(u32, u32),
}

/// Runs both; `None` when the first makes fewer calls than that.
fn run(scene: Scene, [first, second]: [Act; 2], order: Order) -> Result<Option<Outcome>, String> {
    let stage = Arc::new(alone(Stage::set(scene)));
    let mine = alone(stage.pack(first, b"of the first"));
    let theirs = alone(stage.pack(second, b"of the second"));
    let (one, other) = match order {
        Order::OneAfterTheOther => {
            let one = alone(stage.run(first, mine));
            (one, alone(stage.run(second, theirs)))
        }
        Order::SecondFirst => {
            let other = alone(stage.run(second, theirs));
            (alone(stage.run(first, mine)), other)
        }
        Order::FirstAlone => (alone(stage.run(first, mine)), Ok(String::new())),
        Order::SecondAlone => (Ok(String::new()), alone(stage.run(second, theirs))),
        Order::During(call) => {
            let answer = Arc::new(Mutex::new(Ok(String::new())));
            let (amid, given) = (Arc::clone(&stage), Arc::clone(&answer));
            stage.rows.arm(call, move || {
                let other = alone(amid.run(second, theirs));
                *given.lock() = other;
            });
            let one = alone(stage.run(first, mine));
            if stage.rows.disarm() {
                return Ok(None);
            }
            let other = answer.lock();
            (one, other.clone())
        }
        Order::Interleaved(..) => return Ok(None),
    };
    outcome(&stage, (one, other)).map(Some)
}

fn outcome(stage: &Stage, (first, second): (Answer, Answer)) -> Result<Outcome, String> {
    Ok(Outcome {
        first,
        second,
        rest: stage.rest()?,
    })
}

/// Polls an operation until it is done or has had this many turns.
fn turns<F: Future<Output = Answer>>(work: &mut Pin<Box<F>>, turns: u32) -> Option<Answer> {
    let mut context = Context::from_waker(Waker::noop());
    (0..turns).find_map(|_| match work.as_mut().poll(&mut context) {
        Poll::Ready(answer) => Some(answer),
        Poll::Pending => None,
    })
}

/// Interleaves both; also returns whether the first and the second were done before the other continued.
fn weave(
    stage: &Stage,
    (first, mine): (Act, PreparedBody),
    (second, theirs): (Act, PreparedBody),
    (before, amid): (u32, u32),
) -> ((Answer, Answer), [bool; 2]) {
    let mut one = Box::pin(stage.run(first, mine));
    let mut other = Box::pin(stage.run(second, theirs));
    let early = turns(&mut one, before);
    let early_other = turns(&mut other, amid);
    let done = [early.is_some(), early_other.is_some()];
    let one = early.unwrap_or_else(|| alone(one));
    ((one, early_other.unwrap_or_else(|| alone(other))), done)
}

/// The allowed outcomes of two operations.
struct Allowed {
    scene: Scene,
    acts: [Act; 2],
    in_turn: [Outcome; 2],
    one: Outcome,
    other: Outcome,
}

impl Allowed {
    fn of(scene: Scene, acts: [Act; 2]) -> Result<Allowed, String> {
        let whole = |order| match run(scene, acts, order) {
            Ok(outcome) => Ok(outcome.expect("all of both is run")),
            Err(why) => Err(told(scene, acts, order, &why)),
        };
        Ok(Allowed {
            scene,
            acts,
            in_turn: [whole(Order::OneAfterTheOther)?, whole(Order::SecondFirst)?],
            one: whole(Order::FirstAlone)?,
            other: whole(Order::SecondAlone)?,
        })
    }

    fn judge(&self, order: Order, outcome: Result<Outcome, String>) -> Result<(), String> {
        let told = |why: &str| told(self.scene, self.acts, order, why);
        let outcome = outcome.map_err(|why| told(&why))?;
        let refusal = |answer: &Answer| answer.as_ref().err().cloned().unwrap_or_default();
        // A refusal commits nothing, so it may be based on rows of two moments and name another reason.
        let reason = refusal(&outcome.first);
        let first_refused = !reason.is_empty()
            && !reason.starts_with("Store(")
            && (&outcome.second, &outcome.rest) == (&self.other.second, &self.other.rest);
        // A bucket that is being deleted tells every write to try again.
        let second_refused = self.acts[0] == Act::DeleteBucket
            && refusal(&outcome.second).starts_with("BucketBusy")
            && (&outcome.first, &outcome.rest) == (&self.one.first, &self.one.rest);
        if first_refused || second_refused || self.in_turn.contains(&outcome) {
            return Ok(());
        }
        Err(told(&format!(
            "{outcome:#?} is neither of {:#?}",
            self.in_turn
        )))
    }
}

fn told(scene: Scene, [first, second]: [Act; 2], order: Order, why: &str) -> String {
    format!("{scene:?}, {first:?}, {second:?} {order:?}: {why}")
}

/// Runs the second operation at each point inside the first; `Err` names any result that no sequential order gives.
fn cross(scene: Scene, acts: [Act; 2]) -> Result<u64, String> {
    let allowed = Allowed::of(scene, acts)?;
    let mut places = 0;
    for call in 0.. {
        let order = Order::During(call);
        let Some(outcome) = run(scene, acts, order).transpose() else {
            break;
        };
        allowed.judge(order, outcome)?;
        places += 1;
    }
    // Only this operation takes several commits: another one may decide before the first and commit before the last.
    if acts[1] == Act::DeleteBucket {
        places += interweave(&allowed)?;
    }
    Ok(places)
}

fn interweave(allowed: &Allowed) -> Result<u64, String> {
    let mut places = 0;
    for before in 1.. {
        let mut ended = [false; 2];
        for amid in 1.. {
            if ended[1] {
                break;
            }
            let stage = alone(Stage::set(allowed.scene));
            let [first, second] = allowed.acts;
            let mine = (first, alone(stage.pack(first, b"of the first")));
            let theirs = (second, alone(stage.pack(second, b"of the second")));
            let (answers, done) = weave(&stage, mine, theirs, (before, amid));
            ended = done;
            let outcome = outcome(&stage, answers);
            allowed.judge(Order::Interleaved(before, amid), outcome)?;
            places += 1;
        }
        if ended[0] {
            break;
        }
    }
    Ok(places)
}

#[test]
fn one_operation_amid_another_is_as_one_after_the_other() {
    let mut places = 0;
    for scene in SCENES {
        for first in ACTS.into_iter().chain(READS) {
            for second in ACTS.into_iter().chain(SEQUENCES) {
                places += cross(scene, [first, second]).unwrap_or_else(|why| panic!("{why}"));
            }
        }
    }
    println!("durability | one operation amid another | places {places}");
}

/// Requirements that another one of the same commit implies today. They protect against future changes.
const IMPLIED: [(Requirement, &str); 14] = [
    (
        (Operation::HandOverUploads, Keyspace::Upload),
        "nobody but the collection, which does the same, touches uploads of a bucket marked as deleting",
    ),
    (
        (Operation::RemoveBucket, Keyspace::Bucket),
        "a marked bucket is left alone by all but the one who marked it",
    ),
    (
        (Operation::PutPart, Keyspace::Bucket),
        "an upload leaves before its bucket, and the upload is required",
    ),
    (
        (Operation::AbortUpload, Keyspace::Bucket),
        "an upload leaves before its bucket, and the upload is required",
    ),
    ((Operation::Put, Keyspace::BucketSetting), SETTING_CHANGES),
    (
        (Operation::Delete, Keyspace::BucketSetting),
        SETTING_CHANGES,
    ),
    (
        (Operation::CompleteUpload, Keyspace::BucketSetting),
        SETTING_CHANGES,
    ),
    ((Operation::Put, Keyspace::Current), HEAD_CHANGES),
    ((Operation::Put, Keyspace::Version), HEAD_CHANGES),
    ((Operation::Delete, Keyspace::Version), HEAD_CHANGES),
    ((Operation::CompleteUpload, Keyspace::Current), HEAD_CHANGES),
    ((Operation::CompleteUpload, Keyspace::Version), HEAD_CHANGES),
    (
        (Operation::CompleteUpload, Keyspace::Manifest),
        "a part that is there keeps its manifest, and the part is required",
    ),
    (
        (Operation::CompleteUpload, Keyspace::Pack),
        "a part that is there keeps its packs in use, and the part is required",
    ),
];

const SETTING_CHANGES: &str = "a setting that changes amid an operation on one key is as good as one that changes right after it";

const HEAD_CHANGES: &str =
    "every change of a key's versions writes its head, and the head is required";

#[test]
fn each_requirement_left_out_is_caught() {
    let pairs = || {
        SCENES.into_iter().flat_map(|scene| {
            ACTS.into_iter().flat_map(move |first| {
                let seconds = ACTS.into_iter().chain(SEQUENCES);
                seconds.map(move |second| (scene, first, second))
            })
        })
    };
    for (scene, first, _) in pairs().filter(|(_, _, second)| *second == Act::Collect) {
        drop(run(scene, [first, Act::Collect], Order::OneAfterTheOther));
    }
    // Writers and the collection have rules of their own, apart from the requirements of requests.
    let of_requests = |requirement: &Requirement| {
        ACTS.iter()
            .any(|act| act.operations().contains(&requirement.0))
    };
    let made: BTreeSet<Requirement> = requirements::made()
        .into_iter()
        .filter(of_requests)
        .collect();
    let implied: BTreeSet<Requirement> = IMPLIED.iter().map(|(implied, _)| *implied).collect();
    assert!(implied.is_subset(&made), "{implied:?} are made: {made:?}");
    let mut missed = Vec::new();
    for requirement in made.difference(&implied).copied() {
        let caught = pairs()
            .filter(|(_, first, _)| first.operations().contains(&requirement.0))
            .find_map(|(scene, first, second)| {
                requirements::without(requirement, || cross(scene, [first, second])).err()
            });
        match caught {
            Some(why) => println!(
                "{requirement:?}: {}",
                why.lines().next().unwrap_or_default()
            ),
            None => missed.push(requirement),
        }
    }
    assert!(missed.is_empty(), "left out unnoticed: {missed:?}");
}

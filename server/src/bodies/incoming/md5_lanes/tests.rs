//! Every digest is that of the md-5 crate, however bodies are cut, mixed and dropped.

use std::time::Duration;

use md5::{Digest as _, Md5};
use proptest::prelude::*;
use tokio::sync::Semaphore;

use super::*;

/// Longest frame of the random bodies: several blocks of MD5, and a rest.
const FRAME_MAX: usize = 300;

/// A loss would hang.
const PATIENCE: Duration = Duration::from_secs(20);

fn content(seed: usize, len: usize) -> Bytes {
    (0..len)
        .map(|at| u8::try_from((at * 31 + seed * 17 + at / 7) % 251).expect("below 251"))
        .collect()
}

fn right(frames: &[Bytes]) -> [u8; 16] {
    Md5::digest(frames.concat()).into()
}

async fn piece(room: &Arc<Semaphore>, frames: &[Bytes]) -> Arc<Piece> {
    let permit = tokio::time::timeout(PATIENCE, Arc::clone(room).acquire_owned());
    Arc::new(Piece {
        frames: frames.to_vec(),
        _room: permit.await.expect("room is left").expect("never closed"),
    })
}

/// Hands all pieces of one body over, and takes its digest.
async fn hashed(lanes: Md5Lanes, pieces: Vec<Vec<Bytes>>) -> [u8; 16] {
    let room = Arc::new(Semaphore::new(2));
    let mut task = lanes.begin();
    for frames in &pieces {
        let piece = piece(&room, frames).await;
        task.hand_over(&piece).await.expect("nothing fails");
    }
    let digest = task.take().await.expect("nothing fails");
    assert_eq!(room.available_permits(), 2, "all room is given back");
    assert!(task.take().await.is_err(), "taken once");
    digest
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// One step after the other over bodies whose frames are alike or not.
    #[test]
    fn steps_hash_as_the_md5_crate_does(
        bodies in prop::collection::vec(prop::collection::vec(0..=FRAME_MAX, 1..4), 1..40),
        alike in any::<bool>(),
    ) {
        let engine = Md5Many::new();
        let frames_of = |(seed, lens): (usize, &Vec<usize>)| {
            let frames = lens.iter().enumerate();
            let len = |(at, len): (usize, &usize)| if alike { bodies[0][at % bodies[0].len()] } else { *len };
            frames.map(|frame| content(seed + frame.0, len(frame))).collect::<Vec<_>>()
        };
        let frames: Vec<_> = bodies.iter().enumerate().map(frames_of).collect();
        let mut step = Step { bodies: Vec::new(), states: vec![Md5State::new(); frames.len()], frames: Vec::new() };
        for round in 0..3 {
            step.frames = frames.iter().map(|of| of.get(round).cloned().unwrap_or_default()).collect();
            step.hash(engine);
        }
        for (state, frames) in step.states.iter().zip(&frames) {
            prop_assert_eq!(state.finalize(), right(frames));
        }
    }

    /// Many bodies side by side through one worker, and as a simulation runs them.
    #[test]
    fn bodies_keep_their_digests_apart(
        bodies in prop::collection::vec(
            prop::collection::vec(prop::collection::vec(prop_oneof![Just(FRAME_MAX), 0..=FRAME_MAX], 1..4), 0..4),
            1..24,
        ),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        for (pool, workers) in [(BlockingPool::new(2), 1), (BlockingPool::inline(), usize::MAX)] {
            let lanes = Md5Lanes::new(pool, workers);
            let bodies = bodies.iter().enumerate().map(|(seed, pieces)| {
                let frames = |piece: &Vec<usize>| piece.iter().map(|len| content(seed, *len)).collect();
                pieces.iter().map(frames).collect::<Vec<Vec<Bytes>>>()
            });
            runtime.block_on(async {
                let tasks: Vec<_> = bodies
                    .map(|pieces| (right(&pieces.concat()), tokio::spawn(hashed(lanes.clone(), pieces))))
                    .collect();
                for (right, task) in tasks {
                    assert_eq!(task.await.expect("no panic"), right);
                }
                // A worker notices after its last answer that nothing is left.
                let ended = async {
                    while lanes.shared.queue.lock().workers > 0 {
                        tokio::task::yield_now().await;
                    }
                };
                tokio::time::timeout(PATIENCE, ended).await.expect("no worker outlives the work");
            });
        }
    }
}

#[test]
fn what_rfc_1321_says() {
    let lanes = Md5Many::new();
    let mut step = Step {
        bodies: Vec::new(),
        states: vec![Md5State::new(); 3],
        frames: ["", "abc", "message digest"].map(Bytes::from).to_vec(),
    };
    step.hash(lanes);
    let digests = step
        .states
        .iter()
        .map(|state| hex::encode(state.finalize()));
    assert_eq!(
        digests.collect::<Vec<_>>(),
        [
            "d41d8cd98f00b204e9800998ecf8427e",
            "900150983cd24fb0d6963f7d28e17f72",
            "f96b697d7cb7938d525a2f31aaf161d0"
        ]
    );
}

/// Bodies with one frame each, in the queue.
async fn queued(lens: &[usize]) -> (Queue, Vec<Md5Task>) {
    let room = Arc::new(Semaphore::new(lens.len()));
    // No worker: the test takes the steps itself.
    let lanes = Md5Lanes::new(BlockingPool::new(1), 0);
    let mut tasks = Vec::new();
    for (seed, len) in lens.iter().enumerate() {
        let mut task = lanes.begin();
        let piece = piece(&room, &[content(seed, *len)]).await;
        task.hand_over(&piece).await.expect("nothing fails");
        tasks.push(task);
    }
    let ready = std::mem::take(&mut lanes.shared.queue.lock().ready);
    (Queue { ready, workers: 0 }, tasks)
}

fn lens(bodies: &[Arc<Body>]) -> Vec<usize> {
    bodies.iter().filter_map(|body| body.next_len()).collect()
}

#[tokio::test]
async fn a_step_is_of_frames_alike_or_of_the_longest_waiting_one() {
    let (mut queue, _tasks) = queued(&[7, 9, 7, 9, 9, 7, 8]).await;
    assert_eq!(lens(&queue.next(8)), [7, 7, 7]);
    assert_eq!(lens(&queue.next(8)), [9, 9, 9]);
    assert_eq!(lens(&queue.next(8)), [8]);
    assert!(queue.next(8).is_empty());

    let (mut queue, _tasks) = queued(&[7; 20]).await;
    assert_eq!(queue.next(16).len(), 16, "one for each lane");
    assert_eq!(queue.next(4).len(), 1, "narrow vectors gain nothing");
    assert_eq!(queue.next(16).len(), 3);
    let far = [&[7][..], &[9; LOOKED_AT_MAX], &[7, 7]].concat();
    let (mut queue, _tasks) = queued(&far).await;
    assert_eq!(lens(&queue.next(16)), [7], "those like it are too far back");
    let (mut queue, _tasks) = queued(&[7, 7]).await;
    assert_eq!(queue.next(16).len(), 1, "two are faster one by one");
}

#[tokio::test]
async fn a_dropped_body_gives_its_room_back_and_takes_part_in_no_step() {
    let room = Arc::new(Semaphore::new(2));
    let lanes = Md5Lanes::new(BlockingPool::new(1), 0);
    let mut gone = lanes.begin();
    for seed in 0..2 {
        let piece = piece(&room, &[content(seed, 5)]).await;
        gone.hand_over(&piece).await.expect("nothing fails");
    }
    let bodies = lanes.shared.queue.lock().next(16);
    let mut step = Step::of(bodies);
    drop(gone);
    assert_eq!(room.available_permits(), 2);
    step.hash(Md5Many::new());
    assert!(step.end().is_empty());

    let mut gone = lanes.begin();
    let waiting = piece(&room, &[content(3, 5)]).await;
    gone.hand_over(&waiting).await.expect("nothing fails");
    drop(gone);
    let bodies = lanes.shared.queue.lock().next(16);
    assert!(Step::of(bodies).bodies.is_empty());
}

#[tokio::test]
async fn a_lost_step_is_told_to_who_waits_and_who_goes_on() {
    let room = Arc::new(Semaphore::new(2));
    let lanes = Md5Lanes::new(BlockingPool::new(1), 0);
    let mut task = lanes.begin();
    let first = piece(&room, &[content(1, 5)]).await;
    task.hand_over(&first).await.expect("nothing fails");
    let bodies = lanes.shared.queue.lock().next(16);
    let step = Step::of(bodies);
    let (taken, ()) = tokio::join!(tokio::time::timeout(PATIENCE, task.take()), async {
        drop(step);
    });
    assert!(taken.expect("in time").is_err());
    assert!(task.hand_over(&first).await.is_err());

    // A worker that panics loses the ones that wait as well: nobody else would take them.
    let mut task = lanes.begin();
    task.hand_over(&first).await.expect("nothing fails");
    lanes.shared.queue.lock().workers += 1;
    drop(Worker {
        shared: Arc::clone(&lanes.shared),
        done: false,
    });
    let taken = tokio::time::timeout(PATIENCE, task.take()).await;
    assert!(taken.expect("in time").is_err());
}

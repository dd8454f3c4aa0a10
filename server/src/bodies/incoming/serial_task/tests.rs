//! Order, room, failures, panics and disconnects of a serial task.

use std::sync::mpsc;
use std::time::Duration;

use tokio::sync::Semaphore;

use super::*;

/// Records the frames it took; can be blocked and can fail.
struct Recorder {
    taken: Vec<Bytes>,
    go: Option<Mutex<mpsc::Receiver<()>>>,
    fails_at: Option<usize>,
    panics_at: Option<usize>,
}

impl Recorder {
    fn new() -> Recorder {
        Recorder {
            taken: Vec::new(),
            go: None,
            fails_at: None,
            panics_at: None,
        }
    }
}

impl Stage for Recorder {
    fn take(mut self, frames: &[Bytes]) -> Result<Recorder, IngestError> {
        for frame in frames {
            if let Some(go) = &self.go {
                go.lock().recv().expect("the test goes on");
            }
            assert!(self.panics_at != Some(self.taken.len()), "as asked");
            if self.fails_at == Some(self.taken.len()) {
                return Err(IngestError::TooLarge { max: 7 });
            }
            self.taken.push(frame.clone());
        }
        Ok(self)
    }
}

async fn piece(room: &Arc<Semaphore>, frames: &[&'static [u8]]) -> Arc<Piece> {
    let permit = tokio::time::timeout(Duration::from_secs(20), Arc::clone(room).acquire_owned());
    Arc::new(Piece {
        frames: frames
            .iter()
            .map(|frame| Bytes::from_static(frame))
            .collect(),
        _room: permit.await.expect("room is left").expect("never closed"),
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frames_are_taken_in_order_over_many_turns() {
    for pool in [BlockingPool::new(1), BlockingPool::inline()] {
        let room = Arc::new(Semaphore::new(3));
        let mut task = SerialTask::new(pool, Recorder::new());
        for _ in 0..50 {
            let piece = piece(&room, &[b"a", b"b"]).await;
            task.hand_over(&piece).await.expect("nothing fails");
        }
        let done = task.take().await.expect("nothing fails");
        assert_eq!(done.taken.concat(), b"ab".repeat(50));
        assert_eq!(room.available_permits(), 3, "all room is given back");
        assert!(task.take().await.is_err(), "taken once");
    }
}

#[tokio::test]
async fn pieces_wait_while_one_is_worked_on_and_room_is_given_back_after_it() {
    let (go, held) = mpsc::channel();
    let room = Arc::new(Semaphore::new(2));
    let recorder = Recorder {
        go: Some(Mutex::new(held)),
        ..Recorder::new()
    };
    let mut task = SerialTask::new(BlockingPool::new(1), recorder);
    for frame in [b"1".as_slice(), b"2"] {
        let piece = piece(&room, &[frame]).await;
        task.hand_over(&piece).await.expect("nothing fails");
    }
    assert_eq!(room.available_permits(), 0);
    go.send(()).expect("the stage waits");
    let third = piece(&room, &[b"3"]).await;
    task.hand_over(&third).await.expect("nothing fails");
    drop(third);
    go.send(()).expect("the stage waits");
    go.send(()).expect("the stage waits");
    let done = task.take().await.expect("nothing fails");
    assert_eq!(done.taken.concat(), b"123");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failure_ends_the_chain_and_leaves_no_piece_behind() {
    for pool in [BlockingPool::new(1), BlockingPool::inline()] {
        let room = Arc::new(Semaphore::new(3));
        let recorder = Recorder {
            fails_at: Some(3),
            ..Recorder::new()
        };
        let mut task = SerialTask::new(pool, recorder);
        let mut failure = None;
        for _ in 0..10 {
            let piece = piece(&room, &[b"a", b"b"]).await;
            if let Err(error) = task.hand_over(&piece).await {
                failure = Some(error);
                break;
            }
        }
        let failure = match failure {
            Some(failure) => failure,
            None => task.take().await.map(drop).expect_err("it failed"),
        };
        assert!(matches!(failure, IngestError::TooLarge { max: 7 }));
        assert_eq!(room.available_permits(), 3);
    }
}

#[tokio::test]
async fn a_panic_is_the_callers_and_leaves_no_piece_behind() {
    let room = Arc::new(Semaphore::new(3));
    let recorder = Recorder {
        panics_at: Some(1),
        ..Recorder::new()
    };
    let mut task = SerialTask::new(BlockingPool::new(1), recorder);
    let (task_room, pieces) = (Arc::clone(&room), 10);
    let task = tokio::spawn(async move {
        for _ in 0..pieces {
            let piece = piece(&task_room, &[b"a"]).await;
            task.hand_over(&piece).await.map_err(drop)?;
        }
        task.take().await.map(drop).map_err(drop)
    });
    let panic = task.await.expect_err("it panics").into_panic();
    assert_eq!(panic.downcast_ref(), Some(&"as asked"), "and no timeout");
    assert_eq!(room.available_permits(), 3);
}

#[tokio::test]
async fn a_dropped_chain_ends_after_the_piece_at_work() {
    let (go, held) = mpsc::channel();
    let room = Arc::new(Semaphore::new(3));
    let recorder = Recorder {
        go: Some(Mutex::new(held)),
        ..Recorder::new()
    };
    let pool = BlockingPool::new(1);
    let mut task = SerialTask::new(pool.clone(), recorder);
    for _ in 0..3 {
        let piece = piece(&room, &[b"a"]).await;
        task.hand_over(&piece).await.expect("nothing fails");
    }
    while pool.free() > 0 {
        tokio::task::yield_now().await;
    }
    drop(task);
    assert_eq!(room.available_permits(), 2, "those that waited are gone");
    go.send(()).expect("the stage waits");
    let all = tokio::time::timeout(Duration::from_secs(20), room.acquire_many(3));
    assert!(all.await.is_ok(), "the last one gives its room back");
}

#[tokio::test]
async fn a_dropped_chain_that_waits_for_a_permit_never_begins() {
    let pool = BlockingPool::new(1);
    let (release, held) = mpsc::channel::<()>();
    let mut busy = pool.start(move || held.recv());
    while pool.free() > 0 {
        tokio::task::yield_now().await;
    }
    let room = Arc::new(Semaphore::new(2));
    let recorder = Recorder {
        panics_at: Some(0),
        ..Recorder::new()
    };
    let mut task = SerialTask::new(pool, recorder);
    for _ in 0..2 {
        let piece = piece(&room, &[b"a"]).await;
        task.hand_over(&piece).await.expect("nothing fails");
    }
    drop(task);
    let all = tokio::time::timeout(Duration::from_secs(20), room.acquire_many(2));
    assert!(all.await.is_ok(), "both are gone while the pool is full");
    release.send(()).expect("the call waits");
    busy.end().await.expect("it was released");
}

//! Group commit: batching, durability before visibility, the latch, a full queue, closing.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc as std_mpsc;

use bytes::Bytes;

use super::*;
use crate::clock::ManualClock;
use crate::meta::engine::Batch;
use crate::meta::{Condition, Write};
use crate::observer::{Observer, StoreThread};
use crate::testing::{CommitFault, MemEngine, MemRows};

/// An engine whose batches wait until the test lets them through.
struct Held {
    rows: MemEngine,
    entered: std_mpsc::Sender<usize>,
    release: Mutex<std_mpsc::Receiver<()>>,
    unreadable: AtomicBool,
}

struct Hands {
    entered: std_mpsc::Receiver<usize>,
    release: std_mpsc::Sender<()>,
}

fn held(rows: &MemRows) -> (Arc<Held>, Hands) {
    let (entered, entered_out) = std_mpsc::channel();
    let (release, release_out) = std_mpsc::channel();
    let unreadable = AtomicBool::new(false);
    let engine = Held {
        rows: rows.open(),
        entered,
        release: Mutex::new(release_out),
        unreadable,
    };
    (
        Arc::new(engine),
        Hands {
            entered: entered_out,
            release,
        },
    )
}

impl Engine for Held {
    fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Bytes>>, StoreError> {
        if self.unreadable.load(Ordering::SeqCst) && keys.iter().any(|key| key == "bad") {
            return Err(StoreError::Engine {
                op: "read",
                message: "checksum of a block".to_owned(),
            });
        }
        self.rows.get_many(keys)
    }

    fn scan(&self, from: &[u8], to: &[u8], limit: usize) -> Result<Vec<(Key, Bytes)>, StoreError> {
        self.rows.scan(from, to, limit)
    }

    fn apply(&self, batch: &Batch) -> Result<(), StoreError> {
        // A test that has seen enough drops its ends; batches then pass.
        self.entered.send(batch.writes.len()).ok();
        self.release.lock().recv().ok();
        self.rows.apply(batch)
    }

    fn last_sequence(&self) -> Result<Version, StoreError> {
        self.rows.last_sequence()
    }

    fn close(&self) {
        self.rows.close();
    }
}

/// A slow sync: it ends when the other callers have come or when none are left.
struct Slow(MemEngine, Arc<AtomicUsize>);
impl Engine for Slow {
    fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Bytes>>, StoreError> {
        self.0.get_many(keys)
    }
    fn scan(&self, from: &[u8], to: &[u8], limit: usize) -> Result<Vec<(Key, Bytes)>, StoreError> {
        self.0.scan(from, to, limit)
    }
    fn apply(&self, batch: &Batch) -> Result<(), StoreError> {
        while self.1.load(Ordering::SeqCst) > 0 {
            std::thread::yield_now();
        }
        self.0.apply(batch)
    }
    fn last_sequence(&self) -> Result<Version, StoreError> {
        self.0.last_sequence()
    }
    fn close(&self) {
        self.0.close();
    }
}

/// An engine with a bug.
struct Broken(MemEngine);
impl Engine for Broken {
    fn get_many(&self, _: &[Key]) -> Result<Vec<Option<Bytes>>, StoreError> {
        panic!("a planted bug")
    }
    fn scan(&self, from: &[u8], to: &[u8], limit: usize) -> Result<Vec<(Key, Bytes)>, StoreError> {
        self.0.scan(from, to, limit)
    }
    fn apply(&self, batch: &Batch) -> Result<(), StoreError> {
        self.0.apply(batch)
    }
    fn last_sequence(&self) -> Result<Version, StoreError> {
        self.0.last_sequence()
    }
    fn close(&self) {
        self.0.close();
    }
}

fn committer(engine: Arc<dyn Engine>) -> (Committer, Arc<Health>, Arc<Watch>) {
    let (health, watch) = (Arc::new(Health::new()), Arc::new(Watch::new()));
    let clock = Arc::new(ManualClock::at(UnixMillis(5)));
    let committer =
        Committer::start(engine, clock, Arc::clone(&health), Arc::clone(&watch)).expect("started");
    (committer, health, watch)
}

/// The objects that a committer reports to, and its engine.
type Around = (Arc<Health>, Arc<Watch>, Arc<Held>);

/// The hands come last in the tuple, so that a failed test drops them first and the committer can end.
fn held_committer(rows: &MemRows) -> (Committer, Around, Hands) {
    let (engine, hands) = held(rows);
    let (committer, health, watch) = committer(Arc::<Held>::clone(&engine));
    (committer, (health, watch, engine), hands)
}

fn put(name: &str) -> Txn {
    let key = Bytes::from(name.to_owned());
    Txn {
        conditions: vec![],
        writes: vec![Write::Put(key.clone(), key)],
    }
}

#[derive(Default)]
struct Counts {
    batches: AtomicUsize,
    txns: AtomicUsize,
    panicked: AtomicUsize,
}

impl Observer for Counts {
    fn committed(&self, batch: CommitBatch) {
        self.batches.fetch_add(1, Ordering::SeqCst);
        self.txns.fetch_add(batch.txns, Ordering::SeqCst);
    }

    fn pack_synced(&self, _: crate::observer::PackSync) {}

    fn thread_panicked(&self, thread: StoreThread) {
        assert_eq!(thread, StoreThread::Committer);
        self.panicked.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn what_arrives_during_a_sync_is_one_batch() {
    let rows = MemRows::new();
    let (committer, (_, watch, _), hands) = held_committer(&rows);
    let counts = Arc::new(Counts::default());
    watch.register(Arc::<Counts>::clone(&counts));
    let mut pending = vec![committer.commit(put("first"))];
    assert_eq!(hands.entered.recv().expect("a batch"), 1);
    pending.extend((0..100).map(|n| committer.commit(put(&format!("k{n}")))));
    assert!(
        committer
            .get_many(&[Bytes::from_static(b"first")])
            .expect("read")[0]
            .is_none(),
        "not durable, not visible"
    );
    hands.release.send(()).expect("it waits");
    assert_eq!(hands.entered.recv().expect("a batch"), 100);
    hands.release.send(()).expect("it waits");
    for pending in pending {
        assert!(matches!(pending.wait_blocking(), Ok(Outcome::Done(_))));
    }
    assert_eq!(rows.batches(), 2);
    committer.close();
    assert_eq!(
        (
            counts.batches.load(Ordering::SeqCst),
            counts.txns.load(Ordering::SeqCst)
        ),
        (2, 101)
    );
}

#[test]
fn a_conflict_is_answered_only_when_what_it_rests_on_is_durable() {
    let rows = MemRows::new();
    let (committer, _, hands) = held_committer(&rows);
    let first = committer.commit(put("first"));
    hands.entered.recv().expect("a batch");
    let absent = |name: &'static str| Txn {
        conditions: vec![Condition::Absent(Bytes::from_static(name.as_bytes()))],
        ..put(name)
    };
    let winner = committer.commit(absent("a"));
    let mut loser = committer.commit(absent("a"));
    hands.release.send(()).expect("it waits");
    assert_eq!(hands.entered.recv().expect("both in one batch"), 1);
    assert!(loser.answer.try_recv().is_err(), "no answer yet");
    hands.release.send(()).expect("it waits");
    assert!(matches!(
        first.wait_blocking(),
        Ok(Outcome::Done(Version(1)))
    ));
    assert!(matches!(
        winner.wait_blocking(),
        Ok(Outcome::Done(Version(2)))
    ));
    assert!(matches!(loser.wait_blocking(), Ok(Outcome::Conflict(0))));
}

#[test]
fn a_failed_batch_latches_and_fails_all_of_it_and_all_after_it() {
    for fault in [CommitFault::Refused, CommitFault::KeptAndRefused] {
        let rows = MemRows::new();
        let (committer, health, _) = committer(Arc::new(rows.open()));
        assert!(committer.commit(put("a")).wait_blocking().is_ok());
        rows.inject(move |_| Some(fault));
        let pending: Vec<_> = ["b", "c"].map(|name| committer.commit(put(name))).into();
        for pending in pending {
            assert!(matches!(
                pending.wait_blocking(),
                Err(StoreError::ReadOnly { .. })
            ));
        }
        rows.heal();
        assert!(matches!(
            committer.commit(put("d")).wait_blocking(),
            Err(StoreError::ReadOnly { .. })
        ));
        assert!(
            health
                .read_only()
                .expect("latched")
                .starts_with("a metadata commit failed")
        );
        assert!(
            committer
                .get_many(&[Bytes::from_static(b"a")])
                .expect("reads go on")[0]
                .is_some()
        );
        assert!(
            committer
                .get_many(&[Bytes::from_static(b"b")])
                .expect("reads go on")[0]
                .is_none()
        );
        assert!(rows.batches() <= 2, "nothing was tried again");
    }
}

#[test]
fn a_latch_from_elsewhere_stops_commits_too() {
    let rows = MemRows::new();
    let (committer, (health, ..), hands) = held_committer(&rows);
    let first = committer.commit(put("first"));
    hands.entered.recv().expect("a batch");
    let queued = committer.commit(put("queued"));
    health.latch("fsync of a pack failed");
    drop(hands);
    assert!(first.wait_blocking().is_ok(), "its sync had succeeded");
    assert!(matches!(
        queued.wait_blocking(),
        Err(StoreError::ReadOnly { .. })
    ));
    assert_eq!(rows.batches(), 1);
}

#[test]
fn a_row_that_cannot_be_read_fails_its_own_transaction_only() {
    let rows = MemRows::new();
    let (committer, (health, _, engine), hands) = held_committer(&rows);
    let first = committer.commit(put("first"));
    hands.entered.recv().expect("a batch");
    engine.unreadable.store(true, Ordering::SeqCst);
    let good = committer.commit(put("good"));
    let bad = committer.commit(Txn {
        conditions: vec![Condition::Absent(Bytes::from_static(b"bad"))],
        ..put("x")
    });
    let other = committer.commit(put("other"));
    drop(hands);
    assert!(first.wait_blocking().is_ok());
    assert!(good.wait_blocking().is_ok());
    assert!(matches!(
        bad.wait_blocking(),
        Err(StoreError::Engine { op: "read", .. })
    ));
    assert!(other.wait_blocking().is_ok());
    assert_eq!(health.read_only(), None);
}

#[tokio::test]
async fn a_full_queue_makes_callers_wait_without_a_thread() {
    let rows = MemRows::new();
    let (committer, _, hands) = held_committer(&rows);
    let committer = Arc::new(committer);
    let first = committer.commit(put("first"));
    hands.entered.recv().expect("a batch");
    let queued: Vec<_> = (0..QUEUE_TXNS_MAX)
        .map(|n| committer.commit(put(&format!("k{n}"))))
        .collect();
    assert!(queued.iter().all(|pending| pending.deferred.is_none()));
    let waiting: Vec<_> = (0..50)
        .map(|n| committer.commit(put(&format!("w{n}"))))
        .collect();
    assert!(waiting.iter().all(|pending| pending.deferred.is_some()));
    drop(committer.commit(put("given up")));
    // There is only this thread: if one of them blocked it, none would ever be answered.
    let all = waiting
        .into_iter()
        .chain(queued)
        .chain([first])
        .map(|pending| tokio::spawn(pending.wait()));
    let all: Vec<_> = all.collect();
    tokio::task::yield_now().await;
    drop(hands);
    for answer in all {
        assert!(matches!(
            answer.await.expect("no panic"),
            Ok(Outcome::Done(_))
        ));
    }
    let given_up = committer
        .get_many(&[Bytes::from_static(b"given up")])
        .expect("read");
    assert_eq!(given_up, [None]);
}

#[test]
fn closing_settles_what_is_queued_and_refuses_what_comes_later() {
    let rows = MemRows::new();
    let (committer, _, hands) = held_committer(&rows);
    let pending: Vec<_> = ["a", "b", "c"]
        .map(|name| committer.commit(put(name)))
        .into();
    drop(hands);
    committer.close();
    for pending in pending {
        assert!(matches!(pending.wait_blocking(), Ok(Outcome::Done(_))));
    }
    assert!(matches!(
        committer.commit(put("d")).wait_blocking(),
        Err(StoreError::Closed)
    ));
    committer.close();
}

#[test]
fn callers_on_many_threads_share_syncs() {
    let rows = MemRows::new();
    let to_come = Arc::new(AtomicUsize::new(64));
    let (committer, _, _) = committer(Arc::new(Slow(rows.open(), Arc::clone(&to_come))));
    std::thread::scope(|scope| {
        for n in 0..64 {
            let (committer, to_come) = (&committer, &to_come);
            scope.spawn(move || {
                let pending = committer.commit(put(&format!("k{n}")));
                to_come.fetch_sub(1, Ordering::SeqCst);
                assert!(matches!(pending.wait_blocking(), Ok(Outcome::Done(_))));
            });
        }
    });
    assert!(
        rows.batches() <= 3,
        "{} batches for 64 commits",
        rows.batches()
    );
    assert_eq!(committer.scan(b"k", b"l", 100).expect("read").len(), 64);
}

#[test]
fn a_panic_of_the_worker_latches_the_store_and_is_told() {
    let (committer, health, watch) = committer(Arc::new(Broken(MemRows::new().open())));
    let counts = Arc::new(Counts::default());
    watch.register(Arc::<Counts>::clone(&counts));
    assert!(matches!(
        committer.commit(put("a")).wait_blocking(),
        Err(StoreError::Closed)
    ));
    committer.close();
    assert_eq!(health.read_only(), Some("the committer stopped by a bug"));
    assert_eq!(counts.panicked.load(Ordering::SeqCst), 1);
}

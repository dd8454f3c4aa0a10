//! A prefetched transaction is decided as if its rows were read at its turn, and costs the committer no reads.

use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::clock::{ManualClock, UnixMillis};
use crate::health::Health;
use crate::meta::group_commit::Committer;
use crate::meta::{Condition, Meta, Outcome, Txn, Write};
use crate::observer::Watch;
use crate::testing::MemRows;

fn committer(rows: &MemRows) -> Committer {
    let (health, watch) = (Arc::new(Health::new()), Arc::new(Watch::new()));
    let clock = Arc::new(ManualClock::at(UnixMillis(5)));
    Committer::inline(Arc::new(rows.open()), clock, health, watch).expect("started")
}

fn key(n: u8) -> Key {
    Bytes::from(format!("key-{n}"))
}

fn put(n: u8) -> Txn {
    Txn {
        conditions: Vec::new(),
        writes: vec![Write::Put(key(n), Bytes::from_static(b"new"))],
    }
}

#[derive(Debug, Clone)]
enum Access {
    Same(u8, u64),
    Absent(u8),
    Put(u8),
    Delete(u8),
    Add(u8, i64),
    Tally(u8, i64),
}

/// Rows 0 to 3 are rows, 4 and 5 counters, 6 is a tally.
fn access() -> impl Strategy<Value = Access> {
    prop_oneof![
        (0_u8..4, 1_u64..12).prop_map(|(key, version)| Access::Same(key, version)),
        (0_u8..4).prop_map(Access::Absent),
        (0_u8..4).prop_map(Access::Put),
        (0_u8..4).prop_map(Access::Delete),
        (4_u8..6, 0_i64..3).prop_map(|(key, n)| Access::Add(key, n)),
        (6_u8..7, -2_i64..3).prop_map(|(key, n)| Access::Tally(key, n)),
    ]
}

fn txn(accesses: &[Access]) -> Txn {
    let mut txn = Txn::default();
    for access in accesses {
        match *access {
            Access::Same(n, version) => txn
                .conditions
                .push(Condition::Same(key(n), Version(version))),
            Access::Absent(n) => txn.conditions.push(Condition::Absent(key(n))),
            Access::Put(n) => txn
                .writes
                .push(Write::Put(key(n), Bytes::from_static(b"row"))),
            Access::Delete(n) => txn.writes.push(Write::Delete(key(n))),
            Access::Add(n, sum) => txn.writes.push(Write::Add(key(n), sum)),
            Access::Tally(n, sum) => txn.writes.push(Write::Tally(key(n), sum)),
        }
    }
    txn
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Each transaction is prefetched up to three commits before its turn.
    #[test]
    fn the_moment_of_reading_changes_no_verdict(
        history in prop::collection::vec((prop::collection::vec(access(), 1..5), 0_usize..4), 1..20),
    ) {
        let (plain, early) = (committer(&MemRows::new()), committer(&MemRows::new()));
        let txns: Vec<_> = history.iter().map(|(accesses, _)| txn(accesses)).collect();
        let mut prefetched: Vec<Option<Prefetched>> = vec![None; txns.len()];
        for (turn, txn) in txns.iter().enumerate() {
            for later in turn..txns.len().min(turn + 4) {
                if later - turn == history[later].1 {
                    prefetched[later] = Some(early.prefetch(&txns[later]).expect("readable"));
                }
            }
            let rows = prefetched[turn].take();
            let wanted = plain.commit(txn.clone()).wait_blocking().expect("decided");
            let got = early.commit_prefetched(txn.clone(), rows).wait_blocking().expect("decided");
            prop_assert_eq!(got, wanted);
            let keys: Vec<_> = (0..7).map(key).collect();
            prop_assert_eq!(early.get_many(&keys).expect("read"), plain.get_many(&keys).expect("read"));
        }
    }
}

#[test]
fn the_committer_reads_only_what_changed_since() {
    let rows = MemRows::new();
    let committer = committer(&rows);
    for n in 0..4 {
        committer.commit(put(n)).wait_blocking().expect("decided");
    }
    let large = Txn {
        conditions: (0..4_u8)
            .map(|n| Condition::Same(key(n), Version(u64::from(n) + 1)))
            .collect(),
        writes: vec![Write::Delete(key(0)), Write::Add(key(9), 1)],
    };
    let prefetched = committer.prefetch(&large).expect("readable");
    assert_eq!(rows.keys_read(), 5, "by the caller");
    let unrelated = committer.commit(put(200)).wait_blocking();
    unrelated.expect("decided");
    let again = committer.commit_prefetched(large.clone(), Some(prefetched.clone()));
    assert_eq!(
        again.wait_blocking().expect("decided"),
        Outcome::Done(Version(6))
    );
    assert_eq!(rows.keys_read(), 5, "nothing that it needs has changed");
    // Key 0 is gone and key 9 is there: both are read anew, and the change is seen.
    let again = committer.commit_prefetched(large, Some(prefetched));
    assert_eq!(
        again.wait_blocking().expect("decided"),
        Outcome::Conflict(0)
    );
    assert_eq!(rows.keys_read(), 7);
}

#[test]
fn what_is_no_longer_remembered_is_not_known() {
    let batch = |sequence: u64, keys: &[u8]| Batch {
        writes: keys.iter().map(|n| (key(*n), None)).collect(),
        sequence: Version(sequence),
    };
    let mut recent = RecentKeys::after(Version(10));
    recent.keys_max = 3;
    let known = |recent: &RecentKeys, after: u64| {
        let prefetched = Prefetched {
            after: Version(after),
            rows: (0..4).map(|n| (key(n), None)).collect(),
        };
        let mut known = HashMap::new();
        recent.add_unchanged(&prefetched, &mut known);
        let mut known: Vec<_> = known.into_keys().cloned().collect();
        known.sort_unstable();
        known
    };
    let all = [0, 1, 2, 3].map(key);
    assert_eq!(
        known(&recent, 9),
        Vec::<Key>::new(),
        "before everything remembered"
    );
    assert_eq!(known(&recent, 10), all);
    recent.remember(&batch(11, &[0, 1]));
    assert_eq!(known(&recent, 10), all[2..]);
    assert_eq!(known(&recent, 11), all);
    recent.remember(&batch(12, &[2, 7]));
    assert_eq!(
        known(&recent, 10),
        Vec::<Key>::new(),
        "the first batch is forgotten"
    );
    assert_eq!(known(&recent, 11), [key(0), key(1), key(3)]);
    assert_eq!(known(&recent, 12), all);
}

//! Meta: conditions, writes, versions, views, and a model under random transactions and reopening.

use proptest::prelude::*;

use super::*;

#[test]
fn a_condition_that_does_not_hold_changes_nothing_and_is_named() {
    on_each_meta(|subject| {
        let meta = subject.meta();
        let first = done(meta, vec![Condition::Absent(key("a"))], vec![put("a", "1")]);
        let second = done(
            meta,
            vec![Condition::Same(key("a"), first)],
            vec![put("a", "2")],
        );
        assert!(second > first);
        done(meta, vec![], vec![Write::Add(key("n"), 1)]);
        let holds = Condition::Absent(key("z"));
        for broken in [
            Condition::Absent(key("a")),
            Condition::Same(key("a"), first),
            Condition::Same(key("z"), second),
            Condition::Zero(key("n")),
        ] {
            let outcome = commit(
                meta,
                vec![holds.clone(), broken.clone()],
                vec![put("a", "3"), put("b", "3")],
            );
            assert_eq!(
                outcome.expect("healthy"),
                Outcome::Conflict(1),
                "{broken:?}"
            );
        }
        assert_eq!(
            get(meta, "a"),
            Some(Row {
                value: key("2"),
                version: second
            })
        );
        assert_eq!(get(meta, "b"), None);
    });
}

#[test]
fn a_version_is_never_used_again_also_not_after_delete_and_reopening() {
    on_each_meta(|subject| {
        let first = done(subject.meta(), vec![], vec![put("a", "same")]);
        done(subject.meta(), vec![], vec![Write::Delete(key("a"))]);
        subject.reopen();
        let again = done(
            subject.meta(),
            vec![Condition::Absent(key("a"))],
            vec![put("a", "same")],
        );
        assert!(again > first);
        let stale = commit(
            subject.meta(),
            vec![Condition::Same(key("a"), first)],
            vec![put("a", "lost")],
        );
        assert_eq!(stale.expect("healthy"), Outcome::Conflict(0));
    });
}

#[test]
fn counters_add_up_vanish_at_zero_and_never_fall_below() {
    on_each_meta(|subject| {
        let meta = subject.meta();
        done(
            meta,
            vec![Condition::Zero(key("n"))],
            vec![Write::Add(key("n"), 2), Write::Add(key("n"), 3)],
        );
        assert_eq!(
            &get(meta, "n").expect("five").value[..],
            5_i64.to_be_bytes()
        );
        let refused = commit(meta, vec![], vec![put("b", "1"), Write::Add(key("n"), -6)]);
        assert!(matches!(refused, Err(StoreError::DamagedRow { key, .. }) if key == b"n"));
        assert_eq!(get(meta, "b"), None, "all or nothing");
        done(meta, vec![], vec![Write::Add(key("n"), -5)]);
        assert_eq!(get(meta, "n"), None);
        done(
            meta,
            vec![Condition::Zero(key("n")), Condition::Absent(key("n"))],
            vec![Write::Add(key("n"), i64::MAX)],
        );
        assert!(
            commit(meta, vec![], vec![Write::Add(key("n"), 1)]).is_err(),
            "an overflow"
        );
        done(meta, vec![], vec![put("text", "no counter")]);
        assert!(commit(meta, vec![], vec![Write::Add(key("text"), 1)]).is_err());
        assert!(commit(meta, vec![Condition::Zero(key("text"))], vec![]).is_err());
    });
}

#[test]
fn a_tally_saturates_falls_below_zero_and_never_fails_a_transaction() {
    on_each_meta(|subject| {
        let meta = subject.meta();
        let tally = |n| Write::Tally(key("n"), n);
        let sum = |meta: &dyn Meta| {
            let row = get(meta, "n").expect("a tally");
            i64::from_be_bytes(row.value[..].try_into().expect("eight bytes"))
        };
        done(meta, vec![], vec![tally(2), tally(-5)]);
        assert_eq!(sum(meta), -3);
        done(meta, vec![], vec![tally(3)]);
        assert_eq!(get(meta, "n"), None, "zero has no row");
        done(meta, vec![], vec![tally(i64::MAX), tally(1)]);
        assert_eq!(sum(meta), i64::MAX);
        done(
            meta,
            vec![],
            vec![tally(i64::MIN), tally(i64::MIN), put("b", "1")],
        );
        assert_eq!(sum(meta), i64::MIN);
        done(meta, vec![], vec![Write::Delete(key("n")), tally(4)]);
        assert_eq!(sum(meta), 4);
        done(meta, vec![], vec![put("n", "no counter"), tally(7)]);
        assert_eq!(sum(meta), 7, "in one transaction");
        done(meta, vec![], vec![put("n", "no counter")]);
        let version = done(meta, vec![], vec![tally(-7), put("c", "1")]);
        assert_eq!(
            sum(meta),
            -7,
            "a stored value that is no counter starts anew"
        );
        assert_eq!(get(meta, "c").expect("put").version, version);
    });
}

#[test]
fn writes_of_one_transaction_apply_in_order() {
    on_each_meta(|subject| {
        let meta = subject.meta();
        done(
            meta,
            vec![],
            vec![
                put("a", "1"),
                Write::Delete(key("a")),
                put("b", "1"),
                put("b", "2"),
            ],
        );
        assert_eq!(get(meta, "a"), None);
        assert_eq!(get(meta, "b").expect("put").value, key("2"));
        done(meta, vec![], vec![Write::Add(key("n"), 4)]);
        done(
            meta,
            vec![],
            vec![Write::Delete(key("n")), Write::Add(key("n"), 1)],
        );
        assert_eq!(&get(meta, "n").expect("one").value[..], 1_i64.to_be_bytes());
        let value = Bytes::copy_from_slice(&7_i64.to_be_bytes());
        done(
            meta,
            vec![],
            vec![Write::Put(key("n"), value), Write::Add(key("n"), -7)],
        );
        assert_eq!(get(meta, "n"), None);
    });
}

#[test]
fn conditions_see_earlier_transactions_that_are_still_waiting() {
    on_each_meta(|subject| {
        let meta = subject.meta();
        let txn = |value| Txn {
            conditions: vec![Condition::Absent(key("a"))],
            writes: vec![put("a", value)],
        };
        // Queued together, so that they may share a batch.
        let pending: Vec<_> = ["1", "2", "3"]
            .into_iter()
            .map(|value| meta.commit(txn(value)))
            .collect();
        let outcomes: Vec<_> = pending
            .into_iter()
            .map(|p| p.wait_blocking().expect("healthy"))
            .collect();
        assert!(matches!(
            outcomes[..],
            [Outcome::Done(_), Outcome::Conflict(0), Outcome::Conflict(0)]
        ));
        assert_eq!(get(meta, "a").expect("the first").value, key("1"));
    });
}

#[test]
fn a_transaction_without_writes_only_checks() {
    on_each_meta(|subject| {
        let meta = subject.meta();
        let last = done(meta, vec![], vec![put("a", "1")]);
        assert!(done(meta, vec![Condition::Same(key("a"), last)], vec![]) >= last);
        let outcome = commit(meta, vec![Condition::Absent(key("a"))], vec![]);
        assert_eq!(outcome.expect("healthy"), Outcome::Conflict(0));
    });
}

#[test]
fn scans_are_half_open_ordered_and_limited() {
    on_each_meta(|subject| {
        let meta = subject.meta();
        done(
            meta,
            vec![],
            vec![put("b", "2"), put("a", "1"), put("c", "3"), put("ab", "1")],
        );
        let keys = |from: &str, to: &str, limit| -> Vec<Key> {
            let rows = meta
                .scan(from.as_bytes(), to.as_bytes(), limit)
                .expect("healthy");
            rows.into_iter().map(|(key, _)| key).collect()
        };
        assert_eq!(keys("a", "c", 10), ["a", "ab", "b"]);
        assert_eq!(keys("a", "c", 2), ["a", "ab"]);
        assert_eq!(keys("aa", "b\0", 10), ["ab", "b"]);
        assert!(keys("c", "a", 10).is_empty());
        assert!(keys("b", "b", 10).is_empty());
        assert!(keys("a", "c", 0).is_empty());
    });
}

#[test]
fn the_engines_sequence_never_shows() {
    on_each(|subject| {
        let own = subject.meta().scan(b"", b"\x10", 10).expect("healthy");
        assert_eq!(
            own.into_iter().map(|(key, _)| key).collect::<Vec<_>>(),
            ["\x01", "\x02"],
            "the store's own rows alone"
        );
    });
}

#[test]
fn a_dry_run_shows_its_commits_above_rows_that_stay() {
    let below = Arc::new(MapMeta::default());
    let name = |n: u32| Bytes::from(format!("k{n:04}"));
    let value = |text: &'static str| Bytes::from_static(text.as_bytes());
    // More than two pages of a scan.
    let rows = (0..1200).map(|n| Write::Put(name(2 * n), value("old")));
    let old = done(&*below, vec![], rows.collect());
    let before = all(&*below);
    let dry = DryRunMeta::over(Arc::<MapMeta>::clone(&below));
    let mut model = before.clone();
    let writes = (0..1200).map(|n| match n % 3 {
        0 => Write::Delete(name(2 * n)),
        1 => Write::Put(name(2 * n), value("new")),
        _ => Write::Put(name(2 * n + 1), value("between")),
    });
    let new = done(&dry, vec![Condition::Same(name(0), old)], writes.collect());
    for n in 0..1200 {
        let row = |text| Row {
            value: value(text),
            version: new,
        };
        match n % 3 {
            0 => drop(model.remove(&name(2 * n))),
            1 => drop(model.insert(name(2 * n), row("new"))),
            _ => drop(model.insert(name(2 * n + 1), row("between"))),
        }
    }
    assert_eq!(all(&dry), model);
    for from in [0, 1, 499, 998, 1000, 2398] {
        for limit in [1, 2, 333, 500, 501] {
            let found = dry.scan(&name(from), &name(2399), limit).expect("healthy");
            let expected = model.range(name(from)..name(2399)).take(limit);
            let expected: Vec<_> = expected.map(|(k, row)| (k.clone(), row.clone())).collect();
            assert!(found == expected, "{limit} rows from {from}");
        }
    }
    let stale = commit(&dry, vec![Condition::Same(name(2), old)], vec![]);
    assert_eq!(stale.expect("healthy"), Outcome::Conflict(0));
    let same = done(&dry, vec![Condition::Same(name(5), new)], vec![]);
    assert!(same > new);
    assert!(all(&*below) == before, "nothing below has changed");
}

#[test]
fn rows_are_read_in_the_order_asked() {
    on_each_meta(|subject| {
        let meta = subject.meta();
        let version = done(meta, vec![], vec![put("a", "1"), put("b", "")]);
        let rows = meta
            .get_many(&[key("b"), key("x"), key("a"), key("b")])
            .expect("healthy");
        let row = |text| {
            Some(Row {
                value: key(text),
                version,
            })
        };
        assert_eq!(rows, [row(""), None, row("1"), row("")]);
    });
}

#[test]
fn an_oversized_transaction_is_refused_and_does_no_harm() {
    on_each_meta(|subject| {
        let meta = subject.meta();
        let huge = Bytes::from(vec![0; crate::meta::TXN_BYTES_MAX]);
        let refused = commit(meta, vec![], vec![Write::Put(key("a"), huge)]);
        assert!(matches!(refused, Err(StoreError::TxnTooLarge { .. })));
        done(meta, vec![Condition::Absent(key("a"))], vec![put("a", "1")]);
    });
}

#[test]
fn a_closed_store_says_so() {
    on_each(|subject| {
        let meta = Arc::clone(&subject.store().meta);
        let packs = Arc::clone(&subject.store().packs);
        packs.open_shared().expect("room");
        let writer = packs.begin().expect("room");
        subject.store().close();
        assert!(matches!(packs.append(&[]), Err(StoreError::NoSharedPack)));
        assert!(matches!(packs.open_shared(), Err(StoreError::Closed)));
        assert!(matches!(
            packs.remove(writer.pack()),
            Err(StoreError::Closed)
        ));
        assert!(matches!(
            commit(&*meta, vec![], vec![put("a", "1")]),
            Err(StoreError::Closed)
        ));
        assert!(matches!(
            meta.get_many(&[key("a")]),
            Err(StoreError::Closed)
        ));
        assert!(matches!(meta.scan(b"a", b"b", 1), Err(StoreError::Closed)));
        subject.reopen();
        assert_eq!(get(subject.meta(), "a"), None);
    });
}

/// One step of the model test.
#[derive(Debug, Clone)]
enum Step {
    Commit(Vec<(u8, u8)>, Vec<(u8, u8, i64)>),
    Reopen,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let conditions = proptest::collection::vec((0..4_u8, 0..6_u8), 0..3);
    let n = prop_oneof![8 => -2..4_i64, 1 => Just(i64::MAX), 1 => Just(i64::MIN)];
    let writes = proptest::collection::vec((0..5_u8, 0..6_u8, n), 0..5);
    let step = prop_oneof![
        12 => (conditions, writes).prop_map(|(conditions, writes)| Step::Commit(conditions, writes)),
        1 => Just(Step::Reopen),
    ];
    proptest::collection::vec(step, 0..40)
}

/// Keys 0 to 2 are counters, 3 to 5 plain rows, so that every step is meaningful. Tallies use any key from 3 on: a
/// plain row that is no counter, or a row of their own.
fn name(key: u8) -> Key {
    Bytes::from(format!("k{key}"))
}

/// The model's answer to a transaction: the rules of the module docs, over a map.
fn model(rows: &mut BTreeMap<Key, Row>, txn: &Txn, version: Version) -> Option<Outcome> {
    let count = |rows: &BTreeMap<Key, Row>, key: &Key| {
        rows.get(key).map_or(0, |row| {
            i64::from_be_bytes(row.value[..].try_into().expect("a counter"))
        })
    };
    let tally = |rows: &BTreeMap<Key, Row>, key: &Key| {
        let value = rows.get(key).map(|row| &row.value[..]);
        value.map_or(0, |value| value.try_into().map_or(0, i64::from_be_bytes))
    };
    for (index, condition) in txn.conditions.iter().enumerate() {
        let holds = match condition {
            Condition::Same(key, version) => {
                rows.get(key).is_some_and(|row| row.version == *version)
            }
            Condition::Absent(key) => !rows.contains_key(key),
            Condition::Zero(key) => count(rows, key) == 0,
        };
        if !holds {
            return Some(Outcome::Conflict(index));
        }
    }
    let mut after = rows.clone();
    for write in &txn.writes {
        match write {
            Write::Put(key, value) => drop(after.insert(
                key.clone(),
                Row {
                    value: value.clone(),
                    version,
                },
            )),
            Write::Delete(key) => drop(after.remove(key)),
            Write::Add(key, n) => match count(&after, key).checked_add(*n) {
                Some(0) => drop(after.remove(key)),
                Some(..0) | None => return None,
                Some(sum) => {
                    let value = Bytes::copy_from_slice(&sum.to_be_bytes());
                    after.insert(key.clone(), Row { value, version });
                }
            },
            Write::Tally(key, n) => match tally(&after, key).saturating_add(*n) {
                0 => drop(after.remove(key)),
                sum => {
                    let value = Bytes::copy_from_slice(&sum.to_be_bytes());
                    after.insert(key.clone(), Row { value, version });
                }
            },
        }
    }
    *rows = after;
    Some(Outcome::Done(version))
}

fn transaction(
    rows: &BTreeMap<Key, Row>,
    conditions: &[(u8, u8)],
    writes: &[(u8, u8, i64)],
) -> Txn {
    let conditions = conditions
        .iter()
        .map(|(kind, at)| match (kind, rows.get(&name(*at))) {
            (0, _) => Condition::Absent(name(*at)),
            (1, _) => Condition::Zero(name(*at % 3)),
            (2, Some(row)) => Condition::Same(name(*at), row.version),
            _ => Condition::Same(name(*at), Version(1)),
        });
    let writes = writes.iter().map(|(kind, at, n)| match kind {
        0 => Write::Put(name(3 + *at % 3), Bytes::from(n.to_string())),
        1 => Write::Delete(name(*at)),
        2 => Write::Add(name(*at % 3), *n),
        _ => Write::Tally(name(3 + *at), *n),
    });
    Txn {
        conditions: conditions.collect(),
        writes: writes.collect(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn random_transactions_and_reopening_agree_with_a_map(steps in steps()) {
        on_each_meta(|subject| {
            let mut rows = BTreeMap::new();
            for step in &steps {
                match step {
                    Step::Reopen => subject.reopen(),
                    Step::Commit(conditions, writes) => {
                        let txn = transaction(&rows, conditions, writes);
                        let outcome = subject.meta().commit(txn.clone()).wait_blocking();
                        let version = match outcome {
                            Ok(Outcome::Done(version)) => version,
                            _ => Version(0),
                        };
                        assert_eq!(outcome.ok(), model(&mut rows, &txn, version), "{txn:?}");
                    }
                }
                assert_eq!(all(subject.meta()), rows);
            }
        });
    }
}

//! Chains as etcdbrctl writes them, with its handoffs and holes.

use proptest::prelude::*;

use super::*;

fn full(revision: i64) -> Full {
    named(revision, revision)
}

fn named(name: i64, revision: i64) -> Full {
    Full {
        revision,
        named: Some(name),
        captured: UnixMillis(0),
    }
}

fn delta(start: i64, last: i64) -> Delta {
    Delta {
        start,
        last,
        captured: UnixMillis(0),
    }
}

/// (deltas replayed, end, overlaps, hole as (after, next start, deltas behind)) of every chain.
type Short = (Vec<(i64, i64)>, i64, usize, Option<(i64, i64, usize)>);

fn short(chains: &Chains, deltas: &[Delta]) -> Vec<Short> {
    let revisions = |places: &[usize]| -> Vec<_> {
        places
            .iter()
            .map(|place| (deltas[*place].start, deltas[*place].last))
            .collect()
    };
    chains
        .chains
        .iter()
        .map(|chain| {
            let hole = chain.hole.as_ref();
            let hole = hole.map(|hole| (hole.after, hole.next_start, hole.behind.len()));
            (revisions(&chain.deltas), chain.end, chain.overlaps, hole)
        })
        .collect()
}

#[test]
fn deltas_belong_to_the_full_before_them() {
    let fulls = [full(60), full(100)];
    let deltas = [delta(101, 130), delta(61, 80), delta(81, 100)];
    let found = chains(&fulls, &deltas);
    let expected = [
        (vec![(61, 80), (81, 100)], 100, 0, None),
        (vec![(101, 130)], 130, 0, None),
    ];
    assert_eq!(short(&found, &deltas), expected);
    assert_eq!(found.orphans, [0; 0]);
    assert_eq!(
        found
            .chains
            .iter()
            .map(|chain| chain.full)
            .collect::<Vec<_>>(),
        [0, 1]
    );
}

#[test]
fn a_hole_ends_the_replay() {
    let deltas = [delta(61, 70), delta(72, 80), delta(81, 90)];
    let found = chains(&[full(60)], &deltas);
    assert_eq!(
        short(&found, &deltas),
        [(vec![(61, 70)], 70, 0, Some((70, 72, 2)))]
    );
    assert_eq!(
        found.chains[0]
            .hole
            .as_ref()
            .map(|hole| hole.behind.clone()),
        Some(vec![1, 2])
    );
}

#[test]
fn overlaps_are_counted_and_close_gaps() {
    // After a change of leaders two deltas begin at one revision, and one ends within the other.
    let deltas = [delta(61, 65), delta(72, 73), delta(61, 80), delta(81, 81)];
    let found = chains(&[full(60)], &deltas);
    let replayed = vec![(61, 65), (61, 80), (72, 73), (81, 81)];
    assert_eq!(short(&found, &deltas), [(replayed, 81, 2, None)]);
}

#[test]
fn a_delta_across_a_full_belongs_to_that_full() {
    // The new leader did not see the old one's full at 100 when it began its delta.
    let deltas = [delta(91, 105), delta(106, 110), delta(61, 90)];
    let found = chains(&[full(60), full(100)], &deltas);
    let expected = [
        (vec![(61, 90)], 90, 0, None),
        (vec![(91, 105), (106, 110)], 110, 1, None),
    ];
    assert_eq!(short(&found, &deltas), expected);
}

#[test]
fn deltas_count_from_the_true_revision_of_a_full() {
    // The full ran ahead of its name by 5; the first delta has nothing new.
    let deltas = [delta(61, 63), delta(64, 70)];
    let found = chains(&[named(60, 65)], &deltas);
    assert_eq!(
        short(&found, &deltas),
        [(vec![(61, 63), (64, 70)], 70, 2, None)]
    );
    assert_eq!(
        (found.chains[0].revision, found.chains[0].beyond_name),
        (65, 5)
    );
    // A true revision closes a hole after the name.
    let deltas = [delta(64, 70)];
    let found = chains(&[named(60, 65)], &deltas);
    assert_eq!(short(&found, &deltas), [(vec![(64, 70)], 70, 1, None)]);
    // A name that promises too much hides no hole.
    let found = chains(&[named(63, 60)], &deltas);
    assert_eq!(short(&found, &deltas), [(vec![], 60, 0, Some((60, 64, 1)))]);
    assert_eq!(found.chains[0].beyond_name, -3);
    // Without a name, as `snapshot save` into a plain file.
    let nameless = Full {
        named: None,
        ..full(63)
    };
    assert_eq!(
        short(&chains(&[nameless], &deltas), &deltas),
        [(vec![(64, 70)], 70, 0, None)]
    );
}

#[test]
fn deltas_without_a_full_are_orphans() {
    let deltas = [delta(81, 100), delta(61, 80), delta(101, 110)];
    let found = chains(&[full(100)], &deltas);
    assert_eq!(found.orphans, [1, 0]);
    assert_eq!(short(&found, &deltas), [(vec![(101, 110)], 110, 0, None)]);
    assert_eq!(chains(&[], &deltas).orphans, [1, 0, 2]);
    assert_eq!(
        chains(&[], &[]),
        Chains {
            chains: vec![],
            orphans: vec![]
        }
    );
}

#[test]
fn of_twins_the_newer_one_has_the_deltas() {
    // The compaction job writes a full of the same revision.
    let mut fulls = [full(60), full(60)];
    fulls[0].captured = UnixMillis(9);
    let deltas = [delta(61, 70)];
    let found = chains(&fulls, &deltas);
    let of_newer: Vec<_> = found
        .chains
        .iter()
        .map(|chain| (chain.full, chain.deltas.len()))
        .collect();
    assert_eq!(of_newer, [(1, 0), (0, 1)]);
}

#[test]
fn absurd_revisions_are_only_numbers() {
    let deltas = [delta(i64::MIN, i64::MAX), delta(i64::MAX, i64::MAX)];
    let found = chains(&[named(i64::MIN, i64::MAX), full(0)], &deltas);
    assert_eq!(found.chains.len(), 2);
}

fn histories() -> impl Strategy<Value = (Vec<Full>, Vec<Delta>)> {
    let full = (0i64..60, 0i64..4, 0u64..3).prop_map(|(name, ahead, captured)| Full {
        revision: name + ahead,
        named: Some(name),
        captured: UnixMillis(captured),
    });
    let delta = (0i64..60, 0i64..9, 0u64..3).prop_map(|(start, more, captured)| Delta {
        start,
        last: start + more,
        captured: UnixMillis(captured),
    });
    (
        prop::collection::vec(full, 0..6),
        prop::collection::vec(delta, 0..16),
    )
}

proptest! {
    #[test]
    fn a_replay_has_every_revision_and_every_delta_its_place((fulls, deltas) in histories()) {
        let found = chains(&fulls, &deltas);
        let mut placed = found.orphans.clone();
        for chain in &found.chains {
            let mut there = chain.revision;
            for place in &chain.deltas {
                prop_assert!(deltas[*place].start <= there + 1);
                there = there.max(deltas[*place].last);
            }
            prop_assert_eq!(there, chain.end);
            placed.extend(&chain.deltas);
            if let Some(hole) = &chain.hole {
                prop_assert!(hole.next_start > there + 1 && hole.after == there);
                placed.extend(&hole.behind);
            }
        }
        placed.sort_unstable();
        prop_assert_eq!(placed, (0..deltas.len()).collect::<Vec<_>>());
    }

    #[test]
    fn the_order_of_the_input_does_not_matter((fulls, deltas) in histories()) {
        let backwards = |found: &Chains, deltas: &[Delta]| short(found, deltas);
        let found = chains(&fulls, &deltas);
        let (mut fulls, mut turned) = (fulls, deltas.clone());
        fulls.reverse();
        turned.reverse();
        prop_assert_eq!(backwards(&chains(&fulls, &turned), &turned), short(&found, &deltas));
    }
}

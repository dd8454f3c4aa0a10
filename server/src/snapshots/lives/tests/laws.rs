//! What holds for every history, however strange.

use proptest::prelude::*;

use super::*;

fn histories() -> impl Strategy<Value = (Vec<Row>, Vec<Delta>)> {
    let who = prop::sample::select(vec!["a", "abc", "A", "bc", "xyz", "x", "", "cx"]);
    let row = (0u64..40, who, 0i64..12, prop::option::of(0u64..4), 0u64..3).prop_map(
        |(captured, who, revision, bytes, late)| {
            let mut row = full(captured * 20, who, revision).arrived(captured * 20 + late * 1000);
            row.bytes = bytes.unwrap_or(row.bytes);
            row
        },
    );
    let delta = (0u64..40, 0i64..12, 0i64..4)
        .prop_map(|(captured, start, more)| delta(captured * 20, start, start + more));
    (
        prop::collection::vec(row, 0..24),
        prop::collection::vec(delta, 0..8),
    )
}

proptest! {
    #[test]
    fn the_order_of_the_input_does_not_matter((rows, deltas) in histories(), turn in 0usize..24) {
        let found = of(&rows, &deltas);
        let turned: Vec<usize> = {
            let mut places: Vec<_> = (0..rows.len()).rev().collect();
            places.rotate_left(turn.min(rows.len()));
            places
        };
        let other_rows: Vec<_> = turned.iter().map(|place| rows[*place].clone()).collect();
        let mut other_deltas = deltas.clone();
        other_deltas.reverse();
        let other = of(&other_rows, &other_deltas);
        prop_assert_eq!(&found.lives, &other.lives);
        prop_assert_eq!(found.current, other.current);
        for (place, from) in turned.iter().enumerate() {
            prop_assert_eq!(found.fulls[*from], other.fulls[place]);
        }
        let latest = |found: &Lives, rows: &[Row]| found.latest.map(|row| format!("{:?}", rows[row]));
        prop_assert_eq!(latest(&found, &rows), latest(&other, &other_rows));
    }

    #[test]
    fn the_latest_is_of_the_current_life_and_every_life_has_fulls((rows, deltas) in histories()) {
        let found = of(&rows, &deltas);
        prop_assert_eq!(found.current.is_some(), !rows.is_empty());
        if let Some(latest) = found.latest {
            prop_assert_eq!(Some(found.fulls[latest]), found.current.map(Belongs::Life));
        }
        for (number, life) in found.lives.iter().enumerate() {
            let own = found.fulls.iter().filter(|belongs| **belongs == Belongs::Life(number));
            prop_assert_eq!(own.count(), life.fulls);
            prop_assert!(life.fulls > 0 && life.since <= life.until);
        }
    }
}

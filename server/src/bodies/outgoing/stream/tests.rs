//! A range over any sequence of segments: each byte comes from the segment that holds it, once, in order.

use proptest::prelude::*;

use super::*;
use crate::store::{Epoch, PackId};

/// Segments of these lengths; an empty one may be anywhere, as after an empty part.
fn segments(lengths: &[u64]) -> Vec<Segment> {
    let numbered = (0_u32..).zip(lengths);
    let segment = |(serial, plain_len): (u32, &u64)| Segment {
        pack: PackId {
            epoch: Epoch(1),
            serial,
        },
        offset: 64,
        stored_len: 1000,
        plain_len: *plain_len,
        skip: 0,
    };
    numbered.map(segment).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn a_range_is_divided_over_the_segments_that_hold_it(
        lengths in prop::collection::vec(prop_oneof![Just(0_u64), 1..20_u64, Just(5 << 30)], 0..12),
        cut in any::<(u64, u64)>(),
    ) {
        let total: u64 = lengths.iter().sum();
        let (a, b) = (cut.0 % (total + 1), cut.1 % (total + 1));
        let range = a.min(b)..a.max(b);
        let divided = readers(&segments(&lengths), &range);

        // The expected bytes of each segment, computed another way: as the overlap of two intervals.
        let mut start = 0;
        let mut expected = Vec::new();
        for length in &lengths {
            let overlap = range.end.min(start + length).saturating_sub(range.start.max(start));
            expected.extend((overlap > 0).then_some(overlap));
            start += length;
        }
        let given: Vec<u64> = divided.iter().map(SegmentReader::remaining).collect();
        prop_assert_eq!(&given, &expected);
        prop_assert_eq!(given.iter().sum::<u64>(), range.end - range.start);
    }
}

//! A range over any sequence of segments: each byte comes from the segment that holds it, once, in order.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::clock::{Entropy as _, SeededEntropy};
use crate::objects::VersionSelector;
use crate::store::packs::FRAME_PLAIN_BYTES;
use crate::store::{Epoch, PackId};
use crate::tables::Versioning;
use crate::trial::{TestStorage, key};

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

/// Reads one piece.
async fn piece(stream: &mut BodyStream) -> Vec<u8> {
    let mut piece = Vec::new();
    loop {
        let bytes = stream.next().await.expect("readable").expect("not the end");
        piece.extend_from_slice(&bytes);
        if stream.ready.is_empty() {
            return piece;
        }
    }
}

#[tokio::test]
async fn a_slow_client_gives_its_place_to_a_fast_one() {
    let storage = TestStorage::new(Versioning::Unversioned).await;
    let mut body = vec![0; 30 * FRAME_PLAIN_BYTES];
    SeededEntropy::new(3).fill(&mut body);
    storage.put("a", &body).await;
    let size = u64::try_from(body.len()).expect("small");
    let open = async || {
        let reader = &storage.storage.reader;
        let name = key("a");
        let opened = reader.open(&storage.bucket, &name, VersionSelector::Current);
        reader.stream(opened.await.expect("there"), 0..size)
    };
    let mut fast = Vec::new();
    // A simulated machine has two cores, and two places for each.
    for _ in 0..4 {
        let mut stream = open().await;
        piece(&mut stream).await;
        assert!(
            stream.place.is_none(),
            "nobody knows yet whether it is fast"
        );
        piece(&mut stream).await;
        assert!(stream.place.is_some());
        fast.push(stream);
    }
    let mut late = open().await;
    let mut got = piece(&mut late).await;
    got.extend(piece(&mut late).await);
    assert!(late.place.is_none(), "no place is left");
    let slow = fast.first_mut().expect("four");
    storage.clock.advance(Duration::from_secs(10));
    let next = piece(slow).await;
    assert!(slow.place.is_none());
    // The first frame, then a piece of four, as the window allowed.
    let at = FRAME_PLAIN_BYTES + 4 * FRAME_PLAIN_BYTES;
    assert!(
        next == body[at..at + FRAME_PLAIN_BYTES],
        "at the place where it was"
    );
    // The late one was not asked for ten seconds either; now it is fast.
    got.extend(piece(&mut late).await);
    got.extend(piece(&mut late).await);
    assert!(late.place.is_some());
    while let Some(bytes) = late.next().await.expect("readable") {
        got.extend_from_slice(&bytes);
    }
    assert!(got == body);
}

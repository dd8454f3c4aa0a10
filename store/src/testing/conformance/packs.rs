//! Packs: placements stay readable, names are never reused, removing and listing agree.

use super::*;
use crate::packs::format::segment::{Origin, OriginTarget};
use crate::packs::{
    EncodedFrame, FRAME_PLAIN_BYTES, PackOwner, Packs, Segment, SegmentDraft, SegmentReader,
};
use crate::testing::PackPerBatch;
use crate::{Epoch, PackId};

fn origin() -> Origin {
    Origin {
        bucket: 1,
        key: Bytes::from_static(b"key"),
        target: OriginTarget::Put { body: 2 },
        etag: String::new(),
        time: UnixMillis(5),
        body_offset: 0,
    }
}

fn draft(text: &'static str) -> SegmentDraft {
    SegmentDraft {
        frames: vec![EncodedFrame::data(key(text))],
        origin: origin(),
    }
}

fn read(packs: &dyn Packs, segment: Segment) -> Result<Vec<u8>, StoreError> {
    let mut reader = SegmentReader::whole(segment);
    let mut out = Vec::new();
    while reader.remaining() > 0 {
        out.extend(reader.next(packs, 4)?.concat());
    }
    Ok(out)
}

#[test]
fn batches_are_placed_one_behind_the_other_and_survive_reopening() {
    on_each(|subject| {
        let packs = Arc::clone(&subject.store().packs);
        assert!(matches!(
            packs.append(&[draft("x")]),
            Err(StoreError::NoSharedPack)
        ));
        let pack = packs.open_shared().expect("room");
        let first = packs.append(&[draft("one"), draft("two")]).expect("room");
        let second = packs.append(&[draft("three")]).expect("room");
        assert!(matches!(first.owner, PackOwner::Shared));
        let mut end = 64;
        for segment in first.segments.iter().chain(&second.segments) {
            assert_eq!((segment.pack, segment.offset), (pack, end));
            end += segment.stored_len;
        }
        assert_eq!((second.pack, second.pack_len), (pack, end));
        let next = packs.open_shared().expect("room");
        assert!(next > pack);
        let third = packs.append(&[draft("four")]).expect("room");
        assert_eq!(third.pack, next);
        subject.reopen();
        let packs = &*subject.store().packs;
        let texts = ["one", "two", "three", "four"];
        for (segment, text) in first
            .segments
            .iter()
            .chain(&second.segments)
            .chain(&third.segments)
            .zip(texts)
        {
            assert_eq!(read(packs, *segment).expect("durable"), text.as_bytes());
        }
        assert!(
            matches!(packs.append(&[draft("x")]), Err(StoreError::NoSharedPack)),
            "never reopened"
        );
    });
}

#[test]
fn a_batch_may_get_a_pack_of_its_own() {
    on_each(|subject| {
        let packs = PackPerBatch::over(Arc::clone(&subject.store().packs));
        let mut names = Vec::new();
        for _ in 0..2 {
            let appended = packs.append(&[draft("one"), draft("two")]).expect("room");
            let pack = appended.pack;
            for (segment, text) in appended.segments.iter().zip(["one", "two"]) {
                assert_eq!(segment.pack, pack);
                assert_eq!(read(&packs, *segment).expect("durable"), text.as_bytes());
            }
            let entries = packs.list(None, 9).expect("listed");
            let entry = entries.iter().find(|entry| entry.pack == pack);
            assert_eq!(entry.expect("whole").len, appended.pack_len);
            let PackOwner::Batch(hold) = appended.owner else {
                panic!("a pack of its own")
            };
            let other = hold.clone();
            drop(hold);
            assert!(
                packs.is_held(pack),
                "until the last user's commit is answered"
            );
            drop(other);
            assert!(!packs.is_held(pack));
            names.push(pack);
        }
        assert_ne!(names[0], names[1]);
    });
}

#[test]
fn a_large_body_fills_a_pack_of_its_own() {
    on_each(|subject| {
        let packs = &*subject.store().packs;
        let body: Vec<u8> = (0..3 * FRAME_PLAIN_BYTES + 5)
            .map(|i| i.to_le_bytes()[1])
            .collect();
        let mut writer = packs.begin().expect("room");
        assert_eq!(writer.len(), 64);
        for plain in body.chunks(FRAME_PLAIN_BYTES) {
            writer
                .append(&[EncodedFrame::data(Bytes::copy_from_slice(plain))])
                .expect("room");
        }
        let (pack, before) = (writer.pack(), writer.len());
        assert!(packs.is_held(pack), "while it is written");
        let finished = writer.finish(&origin()).expect("room");
        let segment = finished.segment;
        assert!(packs.is_held(pack), "until its commit is answered");
        drop(finished);
        assert!(!packs.is_held(pack));
        assert_eq!((segment.pack, segment.offset, segment.skip), (pack, 64, 0));
        assert!(segment.offset + segment.stored_len > before);
        assert_eq!(segment.plain_len, u64::try_from(body.len()).expect("small"));
        assert!(read(packs, segment).expect("durable") == body);
    });
}

#[test]
fn names_are_never_used_twice_across_reopening() {
    on_each(|subject| {
        let mut names = Vec::new();
        for _ in 0..3 {
            let store = subject.store();
            names.push(store.packs.open_shared().expect("room"));
            names.push(store.packs.begin().expect("room").pack());
            assert!(
                names
                    .iter()
                    .rev()
                    .take(2)
                    .all(|pack| pack.epoch == store.epoch)
            );
            subject.reopen();
        }
        assert!(names.is_sorted_by(|a, b| a < b), "{names:?}");
    });
}

#[test]
fn removed_packs_are_gone_and_missing_ones_are_named() {
    on_each(|subject| {
        let packs = &*subject.store().packs;
        let made: Vec<PackId> = (0..4).map(|_| packs.open_shared().expect("room")).collect();
        let listed = |after, limit| -> Vec<PackId> {
            packs
                .list(after, limit)
                .expect("listed")
                .into_iter()
                .map(|entry| entry.pack)
                .collect()
        };
        assert_eq!(listed(None, 10), made);
        assert!(
            packs
                .list(None, 10)
                .expect("listed")
                .iter()
                .all(|entry| entry.len == 64)
        );
        assert_eq!(listed(Some(made[1]), 1), made[2..3]);
        assert!(packs.read(made[0], &[0..64, 8..10]).is_ok());
        packs.remove(made[0]).expect("removed");
        packs.remove(made[0]).expect("again");
        assert_eq!(listed(None, 10), made[1..]);
        assert!(
            matches!(packs.read(made[0], &[0..64, 0..8]), Err(StoreError::PackMissing { pack }) if pack == made[0])
        );
        let never = PackId {
            epoch: Epoch(9),
            serial: 9,
        };
        packs.remove(never).expect("nothing to remove");
        assert!(
            matches!(packs.read(never, &[]), Err(StoreError::PackMissing { pack }) if pack == never)
        );
    });
}

#[test]
fn ranges_beyond_a_pack_are_refused_whatever_they_ask() {
    on_each(|subject| {
        let packs = &*subject.store().packs;
        let pack = packs.open_shared().expect("room");
        for range in [0..65, 64..65, 0..u64::MAX, u64::MAX - 1..u64::MAX] {
            let refused = packs.read(pack, std::slice::from_ref(&range));
            assert!(
                matches!(refused, Err(StoreError::PackShort { len: 64, need, .. }) if need == range.end)
            );
        }
        assert_eq!(
            packs.read(pack, &[64..64, 0..8]).expect("inside")[1],
            "SRPACK01"
        );
    });
}

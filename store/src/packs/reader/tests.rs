//! Ranges over segments on the in-memory disk: right bytes, few reads, and no damaged byte served.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use proptest::prelude::*;

use super::*;
use crate::clock::{ManualClock, UnixMillis};
use crate::health::Health;
use crate::observer::Watch;
use crate::packs::FRAME_PLAIN_BYTES;
use crate::packs::format::segment::{Origin, OriginTarget};
use crate::packs::local::disk::Disk;
use crate::packs::local::names::pack_path;
use crate::packs::local::{PackContext, PackFiles};
use crate::packs::scan::PackScan;
use crate::packs::{EncodedFrame, SegmentDraft};
use crate::testing::{DiskOp, FaultDisk, MemFiles};
use crate::{Epoch, StoreId};

fn packs_on(disk: Arc<dyn Disk>) -> PackFiles {
    let context = PackContext {
        store: StoreId([3; 16]),
        epoch: Epoch(1),
        clock: Arc::new(ManualClock::at(UnixMillis(5))),
        health: Arc::new(Health::new()),
        watch: Arc::new(Watch::new()),
    };
    PackFiles::new(disk, context)
}

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

/// Bytes that differ everywhere; every second 64 KiB is compressible.
fn body(len: usize) -> Bytes {
    let noise = |i: usize| xxhash_rust::xxh3::xxh3_64(&i.to_le_bytes()).to_le_bytes()[0];
    (0..len)
        .map(|i| noise(if (i >> 16) % 2 == 0 { i } else { i >> 10 }))
        .collect()
}

fn frames(body: &Bytes) -> Vec<EncodedFrame> {
    let pieces = (0..body.len().max(1)).step_by(FRAME_PLAIN_BYTES);
    pieces
        .map(|at| EncodedFrame::data(body.slice(at..body.len().min(at + FRAME_PLAIN_BYTES))))
        .collect()
}

fn put(packs: &dyn Packs, body: &Bytes) -> Segment {
    let mut writer = packs.begin().expect("room");
    for piece in frames(body).chunks(16) {
        writer.append(piece).expect("room");
    }
    writer.finish(&origin()).expect("room").segment
}

fn read(
    packs: &dyn Packs,
    segment: Segment,
    range: Range<u64>,
    frames_max: usize,
) -> Result<Bytes, StoreError> {
    let mut reader = SegmentReader::new(segment, range);
    let mut out = Vec::new();
    loop {
        let piece = reader.next(packs, frames_max)?;
        if piece.is_empty() {
            assert_eq!(reader.remaining(), 0);
            return Ok(Bytes::from(out.concat()));
        }
        assert!(piece.len() <= frames_max.max(1));
        out.extend(piece);
    }
}

fn within(body: &Bytes, range: &Range<u64>) -> Bytes {
    let at = |position: u64| usize::try_from(position).expect("small");
    body.slice(at(range.start)..at(range.end))
}

#[test]
fn ranges_around_every_boundary_give_their_bytes() {
    let packs = packs_on(Arc::new(MemFiles::new().open()));
    for len in [
        0,
        1,
        FRAME_PLAIN_BYTES - 1,
        FRAME_PLAIN_BYTES,
        FRAME_PLAIN_BYTES + 1,
        9 * FRAME_PLAIN_BYTES + 100,
    ] {
        let body = body(len);
        let segment = put(&packs, &body);
        let len = len64(len);
        let mut edges: Vec<u64> = (0..=len / FULL)
            .flat_map(|i| [i * FULL, i * FULL + 1])
            .collect();
        edges.extend((1..=len / FULL).map(|i| i * FULL - 1));
        edges.push(len);
        edges.retain(|edge| *edge <= len);
        for from in &edges {
            for to in edges.iter().filter(|to| *to >= from) {
                let range = *from..*to;
                let bytes = read(&packs, segment, range.clone(), 4).expect("intact");
                assert!(bytes == within(&body, &range), "{range:?} of {len}");
            }
        }
    }
}

#[test]
fn part_copies_that_start_and_end_inside_frames_share_the_table() {
    let packs = packs_on(Arc::new(MemFiles::new().open()));
    let body = body(20 * FRAME_PLAIN_BYTES + 77);
    let whole = put(&packs, &body);
    let (_, table) = read_table(&packs, &whole).expect("intact");
    for (frame, skip, plain_len) in [
        (0, 5, 10),
        (3, 0, 3 * FULL),
        (3, 1000, 12 * FULL),
        (12, 1, 8 * FULL),
        (20, 7, 70),
    ] {
        let before: u64 = table
            .stored
            .iter()
            .take(frame)
            .map(|len| 32 + u64::from(*len))
            .sum();
        let offset = whole.offset + before;
        let stored_len = whole.offset + whole.stored_len - offset;
        let copy = Segment {
            offset,
            stored_len,
            plain_len,
            skip,
            ..whole
        };
        let start = len64(frame) * FULL + u64::from(skip);
        for range in [
            0..plain_len,
            plain_len / 2..plain_len,
            plain_len.saturating_sub(1)..plain_len,
        ] {
            let bytes = read(&packs, copy, range.clone(), 3).expect("intact");
            assert!(
                bytes == within(&body, &(start + range.start..start + range.end)),
                "{copy:?} {range:?}"
            );
        }
    }
}

#[test]
fn a_far_range_costs_two_reads_and_a_whole_body_one_per_piece() {
    let reads = Arc::new(AtomicU64::new(0));
    let disk = FaultDisk::new(Arc::new(MemFiles::new().open()), {
        let reads = Arc::clone(&reads);
        move |op, _, _: &Path| {
            reads.fetch_add(u64::from(op == DiskOp::Read), Ordering::SeqCst);
            None
        }
    });
    let packs = packs_on(Arc::new(disk));
    let body = body(40 * FRAME_PLAIN_BYTES);
    let segment = put(&packs, &body);
    read(&packs, segment, 0..1, 4).expect("intact");
    let count = |range: Range<u64>| {
        let before = reads.load(Ordering::SeqCst);
        read(&packs, segment, range, 4).expect("intact");
        reads.load(Ordering::SeqCst) - before
    };
    assert_eq!(count(0..100), 1);
    assert_eq!(count(30 * FULL..30 * FULL + 100), 2);
    let whole = count(0..segment.plain_len);
    assert!(
        (10..=13).contains(&whole),
        "10 pieces of 4 frames, {whole} reads"
    );
}

#[test]
fn readers_of_several_packs_take_turns() {
    let packs = packs_on(Arc::new(MemFiles::new().open()));
    let bodies = [body(3 * FRAME_PLAIN_BYTES + 1), body(2 * FRAME_PLAIN_BYTES)];
    let segments = bodies.each_ref().map(|body| put(&packs, body));
    assert_ne!(segments[0].pack, segments[1].pack);
    let mut readers = segments.map(SegmentReader::whole);
    let mut read = [Vec::new(), Vec::new()];
    while readers.iter().any(|reader| reader.remaining() > 0) {
        for (reader, out) in readers.iter_mut().zip(&mut read) {
            out.extend(reader.next(&packs, 1).expect("whole").concat());
        }
    }
    assert!(read[0] == bodies[0] && read[1] == bodies[1]);
}

#[test]
fn no_changed_byte_of_a_segment_is_served_wrong() {
    let files = MemFiles::new();
    let packs = packs_on(Arc::new(files.open()));
    let body = body(2 * FRAME_PLAIN_BYTES + 300);
    let segment = put(&packs, &body);
    let path = pack_path(segment.pack);
    let end = usize::try_from(segment.offset + segment.stored_len).expect("small");
    let table = read_table(&packs, &segment).expect("intact").0.offset;
    let dense = usize::try_from(table).expect("small")..end;
    for at in (64..end).step_by(1009).chain(64..96).chain(dense.clone()) {
        assert!(files.corrupt(&path, |bytes| bytes[at] ^= 0x10));
        let data = read(&packs, segment, 0..segment.plain_len, 4);
        let scanned = scan(&packs, &segment);
        if dense.contains(&at) {
            assert!(
                data.is_ok_and(|data| data == body),
                "byte {at}: the body does not depend on its table"
            );
            assert!(read_table(&packs, &segment).is_err(), "byte {at}");
        } else {
            assert!(
                matches!(data, Err(StoreError::DamagedFrame { pack, .. }) if pack == segment.pack),
                "byte {at}"
            );
        }
        assert!(scanned.is_err(), "byte {at}");
        assert!(files.corrupt(&path, |bytes| bytes[at] ^= 0x10));
    }
    assert!(scan(&packs, &segment).is_ok());
}

fn scan(packs: &PackFiles, segment: &Segment) -> Result<(), StoreError> {
    let entry = packs
        .list(None, 1000)?
        .into_iter()
        .find(|entry| entry.pack == segment.pack)
        .expect("listed");
    let mut scan = PackScan::new(entry);
    while let Some(found) = scan.next(packs) {
        assert_eq!(found?.segment, *segment);
    }
    assert_eq!(scan.good_end(), segment.offset + segment.stored_len);
    Ok(())
}

#[test]
fn a_frame_put_into_the_place_of_another_is_found() {
    let files = MemFiles::new();
    let packs = packs_on(Arc::new(files.open()));
    // Frames of equal stored length, so that a swap keeps every length right.
    let noise: Vec<u8> = (0..2 * FRAME_PLAIN_BYTES)
        .map(|i| xxhash_rust::xxh3::xxh3_64(&i.to_le_bytes()).to_le_bytes()[0])
        .collect();
    let body = Bytes::from(noise);
    let (one, two) = (put(&packs, &body), put(&packs, &body.slice(1..)));
    let frame = 64..64 + FRAME_BYTES_MAX;
    let mut stolen = Vec::new();
    files.corrupt(&pack_path(two.pack), |bytes| {
        stolen = bytes[frame.clone()].to_vec();
    });
    files.corrupt(&pack_path(one.pack), |bytes| {
        bytes[frame.clone()].copy_from_slice(&stolen);
    });
    assert!(
        matches!(
            read(&packs, one, 0..1, 1),
            Err(StoreError::DamagedFrame { offset: 64, .. })
        ),
        "another pack"
    );
    files.corrupt(&pack_path(two.pack), |bytes| {
        bytes.copy_within(frame.clone(), frame.end);
    });
    assert!(read(&packs, two, 0..1, 1).is_ok());
    assert!(
        matches!(
            read(&packs, two, FULL..FULL + 1, 1),
            Err(StoreError::DamagedFrame { .. })
        ),
        "another position"
    );
}

#[test]
fn rows_that_ask_for_too_much_get_errors() {
    let packs = packs_on(Arc::new(MemFiles::new().open()));
    let segment = put(&packs, &body(3 * FRAME_PLAIN_BYTES));
    let beyond = Segment {
        stored_len: u64::MAX,
        plain_len: u64::MAX / 2,
        ..segment
    };
    assert!(read(&packs, beyond, 0..beyond.plain_len, 4).is_err());
    assert!(read(&packs, beyond, FULL * 100..beyond.plain_len, 4).is_err());
    let late = Segment {
        offset: u64::MAX - 5,
        ..segment
    };
    assert!(matches!(
        read(&packs, late, 0..10, 4),
        Err(StoreError::PackShort { .. })
    ));
    let longer = Segment {
        plain_len: segment.plain_len + 1,
        ..segment
    };
    assert!(matches!(
        read(&packs, longer, 0..longer.plain_len, 4),
        Err(StoreError::DamagedFrame { .. })
    ));
    let empty = Segment {
        stored_len: 0,
        ..segment
    };
    assert!(read(&packs, empty, 0..1, 1).is_err());
}

#[test]
fn a_scan_finds_the_segments_of_a_shared_pack_and_stops_at_a_torn_end() {
    let files = MemFiles::new();
    let packs = packs_on(Arc::new(files.open()));
    packs.open_shared().expect("room");
    let drafts: Vec<SegmentDraft> = [10, 5000, 0]
        .iter()
        .map(|len| SegmentDraft {
            frames: frames(&body(*len)),
            origin: origin(),
        })
        .collect();
    let appended = packs.append(&drafts).expect("room");
    files.corrupt(&pack_path(appended.pack), |bytes| {
        bytes.extend_from_slice(b"FR torn by a crash");
    });
    let entry = packs.list(None, 1).expect("listed").remove(0);
    let mut scan = PackScan::new(entry);
    for segment in &appended.segments {
        let found = scan.next(&packs).expect("three").expect("intact");
        assert_eq!((found.segment, found.origin), (*segment, origin()));
    }
    assert!(matches!(
        scan.next(&packs),
        Some(Err(StoreError::DamagedFrame { .. }))
    ));
    assert!(scan.next(&packs).is_none());
    assert_eq!(scan.good_end(), appended.pack_len);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_range_in_any_steps_gives_its_bytes(
        len in 0..(7 * FRAME_PLAIN_BYTES),
        cut in any::<(u64, u64)>(),
        frames_max in 0..6_usize,
    ) {
        let packs = packs_on(Arc::new(MemFiles::new().open()));
        let body = body(len);
        let segment = put(&packs, &body);
        let choices = len64(len) + 1;
        let (a, b) = (cut.0 % choices, cut.1 % choices);
        let range = a.min(b)..a.max(b);
        prop_assert!(read(&packs, segment, range.clone(), frames_max)? == within(&body, &range));
    }
}

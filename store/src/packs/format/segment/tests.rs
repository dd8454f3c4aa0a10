//! The bytes of a segment are pinned, and nothing in its table is trusted without a check.

mod layout;

use super::*;
use crate::Epoch;
use crate::packs::FRAME_PLAIN_BYTES;

const STORE: StoreId = StoreId(*b"0123456789abcdef");
const PACK: PackId = PackId {
    epoch: Epoch(1),
    serial: 2,
};

fn origin() -> Origin {
    Origin {
        bucket: 7,
        key: Bytes::from_static(b"v2/Full"),
        target: OriginTarget::Part {
            upload: [9; 16],
            number: 3,
            body: 11,
        },
        etag: "d41d8cd98f00b204e9800998ecf8427e".to_owned(),
        time: UnixMillis(1_700_000_000_000),
        body_offset: 13,
    }
}

fn written(plains: &[&'static [u8]]) -> (Segment, Bytes) {
    let mut layout = SegmentLayout::at(STORE, PACK, 64);
    let mut out = Vec::new();
    for plain in plains {
        layout.push(&EncodedFrame::data(Bytes::from_static(plain)), &mut out);
    }
    let segment = layout.finish(&origin(), &mut out);
    (segment, Bytes::from(out.concat()))
}

#[test]
fn a_segment_has_these_bytes() {
    let (segment, bytes) = written(&[b"strongroom"]);
    assert_eq!(
        hex::encode(&bytes),
        "46520001000000000a0000000a00000017c96c904f0c53f6583c296b2acd1f787374726f6e67726f6f6d4652010200000000480000003f000000a6e80c74b9b0c828e0a30a548f1b6dd5fb0001010a0a070776322f46756c6c01090100f01b030b20643431643863643938663030623230346539383030393938656366383432376580d095ffbc310d5f00000046534547"
    );
    let expected = Segment {
        pack: PACK,
        offset: 64,
        stored_len: len64(bytes.len()),
        plain_len: 10,
        skip: 0,
    };
    assert_eq!(segment, expected);
    let tail = &bytes[bytes.len() - TAIL_BYTES..];
    let table_len = decode_tail(tail).expect("a tail");
    let offset = 64 + segment.stored_len - len64(TAIL_BYTES) - table_len;
    let position = FramePosition {
        store: STORE,
        pack: PACK,
        offset,
    };
    let from = usize::try_from(offset - 64).expect("small");
    let frame = Frame::verify(position, &bytes.slice(from..)).expect("intact");
    let table = FrameTable::decode(&position, &frame).expect("a table");
    assert_eq!(
        table,
        FrameTable {
            stored: vec![10],
            plain_len: 10,
            origin: origin()
        }
    );
}

#[test]
fn a_table_that_contradicts_itself_is_damage() {
    let position = FramePosition {
        store: STORE,
        pack: PACK,
        offset: 64,
    };
    let full = len64(FRAME_PLAIN_BYTES);
    let good = [
        (1, 0),
        (1, 1),
        (1, full),
        (2, full),
        (2, full + 1),
        (2, 2 * full),
    ];
    let bad = [(0, 0), (1, full + 1), (2, full - 1), (2, 2 * full + 1)];
    for (frames, plain_len) in good.into_iter().chain(bad) {
        let table = FrameTable {
            stored: vec![10; frames],
            plain_len,
            origin: origin(),
        };
        let read = read_back(&position, table.encode());
        assert_eq!(
            read.is_ok(),
            good.contains(&(frames, plain_len)),
            "{frames} {plain_len}"
        );
    }
}

#[test]
#[should_panic(expected = "all frames of a segment but the last are full")]
fn no_frame_follows_one_that_is_not_full() {
    let mut layout = SegmentLayout::at(STORE, PACK, 64);
    let mut out = Vec::new();
    layout.push(&EncodedFrame::data(Bytes::from_static(b"short")), &mut out);
    layout.push(&EncodedFrame::data(Bytes::from_static(b"more")), &mut out);
}

#[test]
fn other_versions_trailing_bytes_and_data_frames_are_refused() {
    let position = FramePosition {
        store: STORE,
        pack: PACK,
        offset: 64,
    };
    let table = FrameTable {
        stored: vec![10],
        plain_len: 10,
        origin: origin(),
    };
    let good = table.encode().to_vec();
    assert!(read_back(&position, Bytes::from(good.clone())).is_ok());
    let mut newer = good.clone();
    newer[0] = 2;
    assert!(read_back(&position, Bytes::from(newer)).is_err());
    for len in 0..good.len() {
        assert!(
            read_back(&position, Bytes::copy_from_slice(&good[..len])).is_err(),
            "{len}"
        );
    }
    let mut longer = good;
    longer.push(0);
    assert!(read_back(&position, Bytes::from(longer)).is_err());
    let data = EncodedFrame::data(table.encode());
    let frame = Frame::verify(position, &frame_bytes(&position, &data)).expect("intact");
    assert!(FrameTable::decode(&position, &frame).is_err());
}

fn read_back(position: &FramePosition, plain: Bytes) -> Result<FrameTable, StoreError> {
    let frame = EncodedFrame::table(plain);
    let frame = Frame::verify(*position, &frame_bytes(position, &frame)).expect("intact");
    FrameTable::decode(position, &frame)
}

fn frame_bytes(position: &FramePosition, frame: &EncodedFrame) -> Bytes {
    Bytes::from([&frame.header(position)[..], frame.body()].concat())
}

//! The bytes of a frame are pinned; every changed bit and every wrong place is detected.

use proptest::prelude::*;

use super::*;
use crate::Epoch;

const PLACE: FramePosition = FramePosition {
    store: StoreId(*b"0123456789abcdef"),
    pack: PackId {
        epoch: Epoch(1),
        serial: 2,
    },
    offset: 64,
};

fn written(frame: &EncodedFrame, position: &FramePosition) -> Bytes {
    let mut out = frame.header(position).to_vec();
    out.extend_from_slice(frame.body());
    Bytes::from(out)
}

fn compressible() -> Bytes {
    Bytes::from(b"etcd ".repeat(20))
}

#[test]
fn frames_have_these_bytes() {
    let raw = written(
        &EncodedFrame::data(Bytes::from_static(b"strongroom")),
        &PLACE,
    );
    assert_eq!(
        hex::encode(raw),
        "46520001000000000a0000000a00000017c96c904f0c53f6583c296b2acd1f787374726f6e67726f6f6d"
    );
    let lz4 = written(&EncodedFrame::data(compressible()), &PLACE);
    assert_eq!(
        hex::encode(lz4),
        "4652010100000000640000000f0000000291216f8a732c953bcbd64e18997e215f6574636420050047506574636420"
    );
    let empty = written(&EncodedFrame::data(Bytes::new()), &PLACE);
    assert_eq!(
        hex::encode(empty),
        "465200010000000000000000000000001d8798b027dc11f9f84b54fda75b1ea7"
    );
}

#[test]
fn what_goes_in_comes_out() {
    let noise: Vec<u8> = (0..FRAME_PLAIN_BYTES)
        .map(|i| xxh3_64(&i.to_le_bytes()).to_le_bytes()[0])
        .collect();
    let zeros = vec![0; FRAME_PLAIN_BYTES];
    for plain in [
        Bytes::new(),
        Bytes::from_static(b"x"),
        compressible(),
        Bytes::from(noise),
        Bytes::from(zeros),
    ] {
        let frame = EncodedFrame::data(plain.clone());
        let bytes = written(&frame, &PLACE);
        assert_eq!(len64(bytes.len()), frame.stored_len());
        assert!(
            bytes.len() <= FRAME_HEADER_BYTES + plain.len(),
            "never larger than stored as is"
        );
        let read = Frame::verify(PLACE, &bytes).expect("intact");
        assert_eq!(read.kind(), FrameKind::Data);
        for prefix in [
            Prefix::Absent,
            Prefix::Bytes(b"of no use to today's codecs"),
        ] {
            assert_eq!(read.plain(prefix).expect("decodes"), plain);
        }
    }
}

#[test]
fn a_change_of_any_bit_is_found() {
    for frame in [
        EncodedFrame::data(Bytes::from_static(b"strongroom")),
        EncodedFrame::data(compressible()),
    ] {
        let good = written(&frame, &PLACE);
        for (byte, bit) in (0..good.len()).flat_map(|byte| (0..8).map(move |bit| (byte, bit))) {
            let mut bad = good.to_vec();
            bad[byte] ^= 1 << bit;
            let refused = Frame::verify(PLACE, &Bytes::from(bad));
            assert!(
                matches!(refused, Err(StoreError::DamagedFrame { offset: 64, .. })),
                "{byte}.{bit}"
            );
        }
        for len in 0..good.len() {
            assert!(Frame::verify(PLACE, &good.slice(..len)).is_err(), "{len}");
        }
    }
}

#[test]
fn a_frame_of_another_place_is_found() {
    let bytes = written(&EncodedFrame::data(compressible()), &PLACE);
    let other_store = FramePosition {
        store: StoreId([0; 16]),
        ..PLACE
    };
    let other_pack = FramePosition {
        pack: PackId {
            epoch: Epoch(1),
            serial: 3,
        },
        ..PLACE
    };
    let other_epoch = FramePosition {
        pack: PackId {
            epoch: Epoch(2),
            serial: 2,
        },
        ..PLACE
    };
    let other_offset = FramePosition {
        offset: 65,
        ..PLACE
    };
    for position in [other_store, other_pack, other_epoch, other_offset] {
        let refused = Frame::verify(position, &bytes);
        assert!(
            matches!(
                refused,
                Err(StoreError::DamagedFrame {
                    what: "checksum of the frame",
                    ..
                })
            ),
            "{position:?}"
        );
    }
    assert!(Frame::verify(PLACE, &bytes).is_ok());
}

#[test]
fn a_block_that_does_not_decode_is_an_error_even_with_its_checksum_right() {
    let stored = Bytes::from_static(b"\xff\xff\xff\xff");
    for plain_len in [5, 100, len32(&Bytes::from(vec![0; FRAME_PLAIN_BYTES]))] {
        let frame = EncodedFrame {
            codec: Codec::Lz4,
            kind: FrameKind::Data,
            plain_len,
            stored_len: 4,
            stored: stored.clone(),
        };
        let read = Frame::verify(PLACE, &written(&frame, &PLACE)).expect("the checksum holds");
        assert!(
            matches!(
                read.plain(Prefix::Absent),
                Err(StoreError::DamagedFrame { .. })
            ),
            "{plain_len}"
        );
    }
}

#[test]
fn lengths_that_no_writer_gives_are_refused_even_with_their_checksum_right() {
    let body = Bytes::from_static(b"0123456789");
    let too_long = len32(&Bytes::from(vec![0; FRAME_PLAIN_BYTES])) + 1;
    for (codec, plain_len, what) in [
        (Codec::Stored, 9, "the lengths contradict the codec"),
        (Codec::Stored, 11, "the lengths contradict the codec"),
        (Codec::Lz4, 9, "the lengths contradict the codec"),
        (Codec::Lz4, 10, "the lengths contradict the codec"),
        (Codec::Lz4, too_long, "the plain length exceeds a frame"),
    ] {
        let frame = EncodedFrame {
            codec,
            kind: FrameKind::Data,
            plain_len,
            stored_len: len32(&body),
            stored: body.clone(),
        };
        let refused = Frame::verify(PLACE, &written(&frame, &PLACE));
        let Err(StoreError::DamagedFrame { what: told, .. }) = refused else {
            panic!("{codec:?} {plain_len}: {refused:?}");
        };
        assert_eq!(told, what, "{codec:?} {plain_len}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn any_bytes_give_a_frame_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        // Starts correctly, so that the checks after the magic are reached.
        let mut started = b"FR".to_vec();
        started.extend_from_slice(&bytes);
        prop_assert!(Frame::verify(PLACE, &Bytes::from(started)).is_err());
        prop_assert!(Frame::verify(PLACE, &Bytes::from(bytes)).is_err());
    }

    #[test]
    fn any_body_survives(plain in proptest::collection::vec(0_u8..4, 0..5000)) {
        let plain = Bytes::from(plain);
        let bytes = written(&EncodedFrame::data(plain.clone()), &PLACE);
        prop_assert_eq!(Frame::verify(PLACE, &bytes)?.plain(Prefix::Absent)?, plain);
    }
}

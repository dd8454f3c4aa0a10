//! Segments of random bodies: every frame is where the table says, and any table is either read or refused.

use proptest::prelude::*;

use super::*;
use crate::packs::FRAME_PLAIN_BYTES;
use crate::packs::format::frame::FRAME_HEADER_BYTES;

/// Bytes of a body: full frames, which shrink, and a rest that may not shrink.
fn bodies() -> impl Strategy<Value = Vec<u8>> {
    let rest = prop::collection::vec(any::<u8>(), 0..3000);
    (0..3_usize, any::<u8>(), rest).prop_map(|(full, byte, rest)| {
        let mut body = vec![byte; full * FRAME_PLAIN_BYTES];
        body.extend(rest);
        body
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn frames_lie_where_the_table_says(body in bodies(), start in 64_u64..1 << 40) {
        let body = Bytes::from(body);
        let mut layout = SegmentLayout::at(STORE, PACK, start);
        let mut out = Vec::new();
        for at in (0..body.len().max(1)).step_by(FRAME_PLAIN_BYTES) {
            let plain = body.slice(at..body.len().min(at + FRAME_PLAIN_BYTES));
            layout.push(&EncodedFrame::data(plain), &mut out);
        }
        let segment = layout.finish(&origin(), &mut out);
        let bytes = Bytes::from(out.concat());
        prop_assert_eq!(segment.stored_len, len64(bytes.len()));
        prop_assert_eq!(segment.plain_len, len64(body.len()));

        let position = |at: usize| FramePosition { store: STORE, pack: PACK, offset: start + len64(at) };
        let tail = bytes.slice(bytes.len() - TAIL_BYTES..);
        let table_len = usize::try_from(decode_tail(&tail).expect("a tail"))?;
        let table_at = bytes.len() - TAIL_BYTES - table_len;
        let frame = Frame::verify(position(table_at), &bytes.slice(table_at..))?;
        let table = FrameTable::decode(&position(table_at), &frame)?;
        prop_assert_eq!((table.plain_len, &table.origin), (segment.plain_len, &origin()));

        let (mut at, mut plain) = (0, Vec::new());
        for stored in &table.stored {
            let frame = Frame::verify(position(at), &bytes.slice(at..))?;
            plain.extend_from_slice(&frame.plain(Prefix::Absent)?);
            prop_assert!(Frame::verify(position(at + 1), &bytes.slice(at..)).is_err(), "another place");
            at += FRAME_HEADER_BYTES + usize::try_from(*stored)?;
        }
        prop_assert_eq!(at, table_at, "the table follows the last frame");
        prop_assert!(plain == body);
    }

    #[test]
    fn tables_survive_the_round_trip(
        stored in prop::collection::vec(any::<u32>(), 1..50), rest in 0..=FRAME_PLAIN_BYTES,
        bucket: u64, key: Vec<u8>, etag: String, time: u64, body_offset: u64, target in any::<Option<([u8; 16], u16)>>(),
    ) {
        let plain_len = len64((stored.len() - 1) * FRAME_PLAIN_BYTES + rest);
        let target = match target {
            None => OriginTarget::Put { body: time },
            Some((upload, number)) => OriginTarget::Part { upload, number, body: bucket },
        };
        let origin = Origin { bucket, key: Bytes::from(key), target, etag, time: UnixMillis(time), body_offset };
        let table = FrameTable { stored, plain_len, origin };
        let position = FramePosition { store: STORE, pack: PACK, offset: 64 };
        prop_assert_eq!(read_back(&position, table.encode())?, table);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn any_bytes_give_a_table_or_an_error(
        bytes in prop::collection::vec(any::<u8>(), 0..120),
        good in any::<(bool, prop::sample::Index, u8)>(),
    ) {
        let position = FramePosition { store: STORE, pack: PACK, offset: 64 };
        // Half of them are a table with one changed byte, so that the checks after the first fields are reached.
        let plain = if good.0 {
            let table = FrameTable { stored: vec![10, 20], plain_len: len64(FRAME_PLAIN_BYTES) + 5, origin: origin() };
            let mut plain = table.encode().to_vec();
            let at = good.1.index(plain.len());
            plain[at] = good.2;
            plain
        } else {
            [&[TABLE_VERSION], bytes.as_slice()].concat()
        };
        if let Ok(table) = read_back(&position, Bytes::from(plain)) {
            prop_assert!(table.lengths_agree());
            prop_assert_eq!(read_back(&position, table.encode())?, table);
        }
        prop_assert!(decode_tail(&bytes).is_none() || bytes.len() >= TAIL_BYTES);
    }
}

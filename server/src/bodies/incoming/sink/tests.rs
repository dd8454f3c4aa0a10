//! Packs stay below their limit, however many frames come at once.

use super::*;
use crate::clock::{Entropy as _, SeededEntropy, UnixMillis};
use crate::store::packs::FRAME_PLAIN_BYTES;
use crate::store::packs::format::segment::OriginTarget;
use crate::tables::Versioning;
use crate::trial::TestStorage;

/// Frames that do not compress.
fn noise(frames: usize) -> Vec<Bytes> {
    let entropy = SeededEntropy::new(7);
    let word = |_| entropy.next_u64().to_le_bytes();
    let frame = |_| (0..FRAME_PLAIN_BYTES / 8).flat_map(word).collect();
    (0..frames).map(frame).collect()
}

#[tokio::test]
async fn frames_that_come_together_do_not_exceed_a_pack() {
    let storage = TestStorage::new(Versioning::Unversioned).await;
    let packs = &storage.storage.store.packs;
    let origin = Origin {
        bucket: 1,
        key: Bytes::from_static(b"a"),
        target: OriginTarget::Put { body: 1 },
        etag: String::new(),
        time: UnixMillis(5),
        body_offset: 0,
    };
    // Room for two frames to nine, and the table.
    for pack in (2..=9).map(|frames| TABLE_ROOM_BYTES + frames * 270_000) {
        let full = FullPacks::default();
        let budget = Arc::new(Semaphore::new(0));
        let sizes = Sizes::of_packs(pack);
        let mut sink = Sink::new(
            Arc::clone(packs),
            budget,
            sizes,
            origin.clone(),
            full.clone(),
        );
        for _ in 0..3 {
            sink = sink.take(&noise(8)).expect("taken");
        }
        let mut stored = 0;
        while let Some(FullPack { writer, .. }) = full.pop() {
            let len = writer.len();
            assert!(len + TABLE_ROOM_BYTES <= pack, "{len} bytes of {pack}");
            stored += len;
        }
        assert!(stored > 3 * 4 * 256 * 1024, "most packs are full: {stored}");
    }
}

//! The place of a body that runs ahead.

use std::time::Duration;

use super::*;
use crate::tables::Versioning;
use crate::trial::{TestStorage, key};

fn frame() -> Bytes {
    Bytes::from(vec![7; FRAME_PLAIN_BYTES])
}

#[tokio::test]
async fn a_body_that_gets_slow_gives_its_place_back() {
    let storage = TestStorage::new(Versioning::Unversioned).await;
    let bucket = storage.storage.objects.bucket(&storage.bucket).await;
    let target = BodyTarget {
        bucket: bucket.expect("the bucket").id,
        key: key("a"),
        part: None,
    };
    let mut body = storage.storage.ingest.begin(&target, Expected::default());
    body.write(frame()).await.expect("taken");
    assert!(body.place.is_none(), "the tasks were as fast as the client");
    // As if the tasks were at work when a frame came.
    let busy = Arc::clone(&body.room).acquire_owned().await;
    assert_eq!(body.frames_at_once(), FRAMES_AT_ONCE);
    assert!(body.place.is_some());
    drop(busy);
    assert_eq!(body.room.available_permits(), PIECES_AHEAD);
    body.write(frame()).await.expect("taken");
    assert!(body.place.is_some(), "it is still fast");
    storage.clock.advance(Duration::from_secs(1));
    body.write(frame()).await.expect("taken");
    assert!(body.place.is_none());
    assert_eq!(body.room.available_permits(), 1);
    let stored = body.finish().await.expect("stored");
    assert_eq!(stored.size, 3 * 256 * 1024);
}

//! A panic of the appending thread.

use std::ops::Range;
use std::sync::OnceLock;

use bytes::Bytes;

use super::*;
use crate::clock::{ManualClock, UnixMillis};
use crate::store::StoreId;
use crate::store::health::Health;
use crate::store::meta::group_commit::Committer;
use crate::store::observer::{CommitBatch, Observer, PackSync, StoreThread, Watch};
use crate::store::packs::format::segment::OriginTarget;
use crate::store::packs::{Appended, EncodedFrame, Origin, PackEntry, PackWriter};
use crate::store::testing::MemRows;

/// Packs with a bug where the shared one is opened.
struct Broken;

impl Packs for Broken {
    fn store(&self) -> StoreId {
        StoreId([0; 16])
    }
    fn open_shared(&self) -> Result<PackId, StoreError> {
        panic!("a planted bug")
    }
    fn append(&self, _: &[SegmentDraft]) -> Result<Appended, StoreError> {
        Err(StoreError::NoSharedPack)
    }
    fn is_held(&self, _: PackId) -> bool {
        false
    }
    fn begin(&self) -> Result<Box<dyn PackWriter>, StoreError> {
        Err(StoreError::Closed)
    }
    fn read(&self, pack: PackId, _: &[Range<u64>]) -> Result<Vec<Bytes>, StoreError> {
        Err(StoreError::PackMissing { pack })
    }
    fn remove(&self, _: PackId) -> Result<(), StoreError> {
        Ok(())
    }
    fn list(&self, _: Option<PackId>, _: usize) -> Result<Vec<PackEntry>, StoreError> {
        Ok(Vec::new())
    }
}

#[derive(Default)]
struct Told(OnceLock<StoreThread>);

impl Observer for Told {
    fn committed(&self, _: CommitBatch) {}
    fn pack_synced(&self, _: PackSync) {}
    fn thread_panicked(&self, thread: StoreThread) {
        self.0.set(thread).expect("one thread panics once");
    }
}

#[tokio::test]
async fn a_panic_of_the_thread_latches_the_store_and_is_told() {
    let (health, watch) = (Arc::new(Health::new()), Arc::new(Watch::new()));
    let told = Arc::new(Told::default());
    watch.register(Arc::<Told>::clone(&told));
    let clock = Arc::new(ManualClock::at(UnixMillis(5)));
    let engine = Arc::new(MemRows::new().open());
    let meta = Committer::inline(engine, clock, Arc::clone(&health), Arc::clone(&watch));
    let guard = ThreadGuard {
        thread: StoreThread::Appender,
        health: Arc::clone(&health),
        watch,
    };
    let meta = Arc::new(meta.expect("an empty engine opens"));
    let appender =
        Appender::start(meta, Arc::new(Broken), Epoch(1), 1 << 20, guard).expect("started");
    let origin = Origin {
        bucket: 1,
        key: Bytes::from_static(b"k"),
        target: OriginTarget::Put { body: 1 },
        etag: String::new(),
        time: UnixMillis(5),
        body_offset: 0,
    };
    let frames = vec![EncodedFrame::data(Bytes::from_static(b"x"))];
    let refused = appender.append(SegmentDraft { frames, origin }).await;
    assert!(
        matches!(refused, Err(IngestError::Store(StoreError::Closed))),
        "{refused:?}"
    );
    assert!(matches!(appender.close(), Err(StoreError::Closed)));
    assert_eq!(health.read_only(), Some("the appender stopped by a bug"));
    assert_eq!(told.0.get(), Some(&StoreThread::Appender));
}

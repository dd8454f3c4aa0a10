//! A panic of the appending thread; packs that belong to a batch.

use std::ops::Range;
use std::sync::OnceLock;

use bytes::Bytes;

use super::*;
use crate::clock::{ManualClock, SeededEntropy, UnixMillis};
use crate::store::StoreId;
use crate::store::health::Health;
use crate::store::meta::group_commit::Committer;
use crate::store::meta::{Txn, Write};
use crate::store::observer::{CommitBatch, Observer, PackSync, StoreThread, Watch};
use crate::store::packs::format::segment::OriginTarget;
use crate::store::packs::{Appended, EncodedFrame, Origin, PackEntry, PackWriter};
use crate::store::testing::{MemRows, PackPerBatch};
use crate::store::{Execution, MemoryBackend};
use crate::tables::record::encode;
use crate::tables::table::get;
use crate::tables::{Keyed as _, PackRow, PackRows};

/// Packs with a bug in opening the shared one.
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
    let meta = meta(&health, &watch);
    let guard = ThreadGuard {
        thread: StoreThread::Appender,
        health: Arc::clone(&health),
        watch,
    };
    let appender =
        Appender::start(meta, Arc::new(Broken), Epoch(1), 1 << 20, guard).expect("started");
    let refused = appender.append(draft()).await.map(|_| ());
    assert!(
        matches!(refused, Err(IngestError::Store(StoreError::Closed))),
        "{refused:?}"
    );
    assert!(matches!(appender.close(), Err(StoreError::Closed)));
    assert_eq!(health.read_only(), Some("the appender stopped by a bug"));
    assert_eq!(told.0.get(), Some(&StoreThread::Appender));
}

fn meta(health: &Arc<Health>, watch: &Arc<Watch>) -> Arc<dyn Meta> {
    let clock = Arc::new(ManualClock::at(UnixMillis(5)));
    let engine = Arc::new(MemRows::new().open());
    let meta = Committer::inline(engine, clock, Arc::clone(health), Arc::clone(watch));
    Arc::new(meta.expect("an empty engine opens"))
}

fn draft() -> SegmentDraft {
    let origin = Origin {
        bucket: 1,
        key: Bytes::from_static(b"k"),
        target: OriginTarget::Put { body: 1 },
        etag: String::new(),
        time: UnixMillis(5),
        body_offset: 0,
    };
    let frames = vec![EncodedFrame::data(Bytes::from_static(b"x"))];
    SegmentDraft { frames, origin }
}

/// Its row comes with the commit that first uses the pack: until then only the lease keeps the sweep away.
#[tokio::test]
async fn the_pack_of_a_batch_is_leased_until_the_last_body_of_it_is_committed_or_given_up() {
    let clock = Arc::new(ManualClock::at(UnixMillis(5)));
    let store = MemoryBackend::new().open(clock, &SeededEntropy::new(1), Execution::Inline);
    let store = store.expect("the backend opens");
    let packs: Arc<dyn Packs> = Arc::new(PackPerBatch::over(Arc::clone(&store.packs)));
    writers::begin(&*store.meta, store.epoch, UnixMillis(5)).expect("a new writer");
    let (meta, taken) = (Arc::clone(&store.meta), Arc::clone(&packs));
    let appender = Appender::inline(meta, taken, store.epoch, 1 << 20);
    let appender = appender.expect("no thread is needed");
    let body = appender.append(draft()).await.expect("appended");
    assert!(matches!(body.placed.claim, PackClaim::Own { .. }));
    let pack = body.placed.segment.pack;
    assert!(packs.is_held(pack));
    drop(body);
    assert!(!packs.is_held(pack));
}

/// A pack whose seal failed was forgotten when the next one opened: nothing sealed it, and so nothing ever freed it.
#[tokio::test]
async fn a_pack_whose_seal_failed_is_sealed_before_the_next_one_opens() {
    let clock = Arc::new(ManualClock::at(UnixMillis(5)));
    let store = MemoryBackend::new().open(clock, &SeededEntropy::new(1), Execution::Inline);
    let store = store.expect("the backend opens");
    writers::begin(&*store.meta, store.epoch, UnixMillis(5)).expect("a new writer");
    let (meta, packs) = (Arc::clone(&store.meta), Arc::clone(&store.packs));
    // Each batch fills its pack.
    let appender = Appender::inline(meta, packs, store.epoch, 1);
    let appender = appender.expect("no thread is needed");
    let first = appender.append(draft()).await.expect("appended");
    let pack = first.placed.segment.pack;
    let write = |value: Bytes| {
        let txn = Txn {
            conditions: Vec::new(),
            writes: vec![Write::Put(PackRows.key(pack), value)],
        };
        store.meta.commit(txn).wait_blocking().expect("committed");
    };
    write(Bytes::from_static(b"\x01\x00?!"));
    let refused = appender.append(draft()).await.map(|_| ());
    assert!(refused.is_err(), "its row cannot be read");
    write(encode(&PackRow::Live));
    let second = appender.append(draft()).await.expect("appended");
    assert_ne!(second.placed.segment.pack, pack);
    let row = get(&*store.meta, PackRows, pack).expect("readable");
    assert!(matches!(row, Some(PackRow::Sealed { .. })), "{row:?}");
}

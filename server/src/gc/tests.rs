//! What a run frees and what it must keep, over the in-memory backend.

mod quarantine;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::*;
use crate::clock::{ManualClock, SeededEntropy};
use crate::objects::{CompleteRequest, ObjectsError, PutCondition, VersionSelector};
use crate::store::meta::walk::PAGE_ROWS;
use crate::store::meta::{Txn, Write};
use crate::store::{Epoch, ManifestId, PackId};
use crate::tables::draft::{Operation, Settled, settle};
use crate::tables::table::after_prefix;
use crate::tables::{
    DeadManifests, Draft, Keyed as _, Keyspace, PackRow, PackRows, Rows as _, StoredBytes,
    Versioning, WriterRow, Writers,
};
use crate::trial::{TestStorage, key};

const GRACE: Duration = Duration::from_mins(1);

/// Longer than `GRACE`.
const QUARANTINE: Duration = Duration::from_hours(24);

const SETTINGS: CollectorSettings = CollectorSettings {
    grace: GRACE,
    quarantine: QUARANTINE,
};

const MOMENT: Duration = Duration::from_millis(1);

/// An incompressible body that takes a pack of its own.
fn large(seed: u64) -> Vec<u8> {
    use crate::clock::Entropy as _;
    let mut bytes = vec![0; 2_000_000];
    SeededEntropy::new(seed).fill(&mut bytes);
    bytes
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work)
        .await
        .expect("it does not panic")
}

impl TestStorage {
    async fn round(&self) -> GcReport {
        let collector = self.storage.collector(SETTINGS);
        blocking(move || collector.run()).await.expect("a round")
    }

    /// Repeats runs until nothing more is freed, with the grace period between them.
    async fn settle(&self) {
        for _ in 0..4 {
            self.round().await;
            self.clock.advance(GRACE);
        }
    }

    async fn rows(&self, keyspace: Keyspace) -> usize {
        let meta = Arc::clone(&self.storage.store.meta);
        blocking(move || {
            let from = [keyspace.number()];
            meta.scan(&from, &after_prefix(&from), 1000)
                .expect("readable")
                .len()
        })
        .await
    }

    async fn plan(&self) -> Plan {
        let store = &self.storage.store;
        let (meta, packs) = (Arc::clone(&store.meta), Arc::clone(&store.packs));
        let clock = Arc::<ManualClock>::clone(&self.clock);
        blocking(move || forecast(&meta, packs, SETTINGS, clock).expect("readable")).await
    }

    async fn files(&self) -> usize {
        let packs = Arc::clone(&self.storage.store.packs);
        blocking(move || packs.list(None, 1000).expect("readable").len()).await
    }
}

#[tokio::test]
async fn what_was_overwritten_and_deleted_leaves_without_a_trace() {
    let storage = TestStorage::new(Versioning::Unversioned).await;
    storage.put("a", &large(1)).await;
    storage.put("a", &large(2)).await;
    storage.put("b", b"small").await;
    assert_eq!(storage.files().await, 3);
    storage.settle().await;
    assert_eq!(
        storage
            .get("a", VersionSelector::Current)
            .await
            .expect("there"),
        large(2)
    );
    assert_eq!(storage.files().await, 2, "the replaced body's pack is gone");
    storage
        .delete("a", VersionSelector::Current)
        .await
        .expect("deleted");
    storage
        .delete("b", VersionSelector::Current)
        .await
        .expect("deleted");
    storage.settle().await;
    assert_eq!(storage.files().await, 1, "the open shared pack stays");
    for keyspace in [
        Keyspace::Manifest,
        Keyspace::ManifestUsers,
        Keyspace::DeadManifest,
        Keyspace::PackSegments,
        Keyspace::PackLive,
        Keyspace::PackUser,
        Keyspace::LogicalBytes,
        Keyspace::StoredBytes,
    ] {
        assert_eq!(storage.rows(keyspace).await, 0, "{keyspace:?}");
    }
}

#[tokio::test]
async fn a_plan_tells_what_the_next_rounds_do() {
    let storage = TestStorage::new(Versioning::Unversioned).await;
    storage.put("kept", &large(1)).await;
    storage.put("a", &large(2)).await;
    storage
        .delete("a", VersionSelector::Current)
        .await
        .expect("deleted");
    let upload = storage.upload("aborted").await;
    storage
        .part("aborted", upload, 1, &large(3))
        .await
        .expect("a part");
    let (bucket, name) = (storage.bucket.clone(), key("aborted"));
    let aborted = storage.storage.objects.abort_upload(&bucket, &name, upload);
    aborted.await.expect("aborted");
    drop(storage.body("given up", &large(4)).await);
    let planned = storage.plan().await;
    assert_eq!(
        (planned.uploads, planned.manifests, planned.marked.len()),
        (1, 2, 2)
    );
    assert_eq!((planned.orphans.len(), planned.removed.len()), (1, 0));
    let done = storage.round().await;
    assert_eq!((done.uploads, done.manifests), (1, 2));
    assert_eq!((done.marked, done.orphans), (2, 1));
    assert_eq!(storage.plan().await.waiting, 3, "in their grace");
    storage.clock.advance(GRACE);
    let planned = storage.plan().await;
    assert_eq!(planned.removed.len(), 3);
    assert_eq!(planned.bytes, planned.removed.values().sum::<u64>());
    storage.settle().await;
    assert_eq!(storage.files().await, 1);
    assert_eq!(storage.plan().await, Plan::default());
}

#[tokio::test]
async fn a_marked_pack_stays_for_its_grace() {
    let storage = TestStorage::new(Versioning::Unversioned).await;
    storage.put("a", &large(1)).await;
    storage
        .delete("a", VersionSelector::Current)
        .await
        .expect("deleted");
    assert_eq!(storage.round().await.marked, 1);
    assert_eq!(storage.files().await, 1);
    storage.clock.advance(GRACE.saturating_sub(MOMENT));
    storage.round().await;
    assert_eq!(storage.files().await, 1);
    storage.clock.advance(MOMENT);
    storage.round().await;
    assert_eq!(storage.files().await, 0);
}

#[tokio::test]
async fn a_get_under_way_keeps_its_packs() {
    let storage = TestStorage::new(Versioning::Unversioned).await;
    storage.put("a", &large(1)).await;
    let open = storage
        .storage
        .reader
        .open(&storage.bucket, &key("a"), VersionSelector::Current)
        .await
        .expect("there");
    storage
        .delete("a", VersionSelector::Current)
        .await
        .expect("deleted");
    storage.settle().await;
    assert_eq!(storage.files().await, 1, "it is pinned");
    let mut stream = storage.storage.reader.stream(open, 0..2_000_000);
    let mut out = Vec::new();
    while let Some(piece) = stream.next().await.expect("healthy bytes") {
        out.extend_from_slice(&piece);
    }
    assert!(out == large(1));
    drop(stream);
    storage.settle().await;
    assert_eq!(storage.files().await, 0);
}

#[tokio::test]
async fn parts_leave_and_the_object_made_of_them_stays() {
    let storage = TestStorage::new(Versioning::Unversioned).await;
    let (first, second) = (vec![1; 5 * 1024 * 1024], large(3));
    let upload = storage.upload("joined").await;
    let parts = vec![
        storage
            .part("joined", upload, 1, &first)
            .await
            .expect("a part"),
        storage
            .part("joined", upload, 2, &second)
            .await
            .expect("a part"),
    ];
    storage
        .part("joined", upload, 3, b"not named by Complete")
        .await
        .expect("a part");
    let request = CompleteRequest {
        parts,
        checksum: None,
        size: None,
        condition: PutCondition::Always,
    };
    let objects = &storage.storage.objects;
    objects
        .complete_upload(&storage.bucket, &key("joined"), upload, request)
        .await
        .expect("completed");
    let aborted = storage.upload("aborted").await;
    storage
        .part("aborted", aborted, 1, &large(4))
        .await
        .expect("a part");
    objects
        .abort_upload(&storage.bucket, &key("aborted"), aborted)
        .await
        .expect("aborted");
    storage.settle().await;
    assert_eq!(storage.rows(Keyspace::Part).await, 0);
    assert_eq!(storage.rows(Keyspace::DeadUpload).await, 0);
    assert_eq!(
        storage.rows(Keyspace::ManifestUsers).await,
        1,
        "the object's own manifest"
    );
    assert!(
        storage
            .get("joined", VersionSelector::Current)
            .await
            .expect("there")
            == [first, second].concat()
    );
    assert_eq!(storage.rows(Keyspace::Completed).await, 1);
    storage.clock.advance(COMPLETED_KEPT);
    storage.round().await;
    assert_eq!(storage.rows(Keyspace::Completed).await, 0);
}

#[tokio::test]
async fn a_dead_upload_of_more_parts_than_a_page_leaves_whole() {
    for parts in [PAGE_ROWS, PAGE_ROWS + 1, 2 * PAGE_ROWS + 1] {
        let storage = TestStorage::new(Versioning::Unversioned).await;
        let upload = storage.upload("many").await;
        for number in 1..=parts {
            let number = u64::try_from(number).expect("few");
            let part = storage.part("many", upload, number, b"x").await;
            part.expect("a part");
        }
        let kept = storage.upload("many").await;
        let part = storage.part("many", kept, 1, b"of another upload").await;
        part.expect("a part");
        let (objects, name) = (&storage.storage.objects, key("many"));
        let aborted = objects.abort_upload(&storage.bucket, &name, upload);
        aborted.await.expect("aborted");
        let done = storage.round().await;
        let freed = u64::try_from(parts).expect("few");
        assert_eq!(done.manifests, freed, "of {parts} parts");
        assert_eq!(storage.rows(Keyspace::Part).await, 1, "of {parts} parts");
        assert_eq!(storage.rows(Keyspace::DeadUpload).await, 0);
        assert_eq!(storage.rows(Keyspace::ManifestUsers).await, 1);
    }
}

#[tokio::test]
async fn an_upload_that_nobody_ends_expires() {
    let storage = TestStorage::new(Versioning::Unversioned).await;
    let upload = storage.upload("forgotten").await;
    storage
        .part("forgotten", upload, 1, &large(5))
        .await
        .expect("a part");
    storage.clock.advance(UPLOAD_AGE_MAX);
    assert_eq!(
        storage.round().await.expired_uploads,
        0,
        "not a moment too early"
    );
    storage.clock.advance(MOMENT);
    assert_eq!(storage.round().await.expired_uploads, 1);
    storage.settle().await;
    assert_eq!(
        (storage.rows(Keyspace::Part).await, storage.files().await),
        (0, 0)
    );
}

#[tokio::test]
async fn files_of_a_body_that_was_given_up_leave_without_a_restart() {
    let storage = TestStorage::new(Versioning::Unversioned).await;
    storage.put("kept", &large(6)).await;
    let given_up = storage.body("lost", &large(7)).await;
    assert_eq!(
        storage.round().await.orphans,
        0,
        "its commit may still come: the body is held"
    );
    drop(given_up);
    assert_eq!(storage.round().await.orphans, 1);
    storage.settle().await;
    assert_eq!(storage.files().await, 1);
    assert!(
        storage
            .get("kept", VersionSelector::Current)
            .await
            .expect("there")
            == large(6)
    );
}

#[tokio::test]
async fn a_put_that_comes_too_late_loses_and_says_so() {
    let storage = TestStorage::new(Versioning::Unversioned).await;
    storage.put("first", b"opens the shared pack").await;
    let late = storage.body("late", b"in the same pack").await;
    let pack = late.segments.first().expect("one").segment.pack;
    storage
        .delete("first", VersionSelector::Current)
        .await
        .expect("deleted");
    let meta = Arc::clone(&storage.storage.store.meta);
    blocking(move || {
        let sealed = PackRow::Sealed { len: 4096 };
        settle(&*meta, Operation::SealPack, |draft| {
            draft.read(PackRows, pack)?;
            draft.put(PackRows, pack, &sealed);
            draft.tally(StoredBytes, pack.epoch, 4096);
            Ok(Settled::Commit(()))
        })
        .expect("committed");
    })
    .await;
    assert_eq!(storage.round().await.marked, 1);
    let refused = storage.commit("late", late).await;
    assert!(
        matches!(refused, Err(ObjectsError::PackGone(gone)) if gone == pack),
        "{refused:?}"
    );
}

#[tokio::test]
async fn the_row_of_a_swept_pack_goes_with_its_file_if_no_commit_may_come() {
    let storage = TestStorage::new(Versioning::Unversioned).await;
    drop(storage.body("lost", &large(8)).await);
    storage.settle().await;
    assert_eq!(storage.files().await, 0);
    assert_eq!(storage.rows(Keyspace::Pack).await, 0);
}

#[tokio::test]
async fn the_row_of_a_swept_pack_stays_while_another_process_may_commit_it() {
    let storage = TestStorage::new(Versioning::Unversioned).await;
    let other = PackId {
        epoch: Epoch(77),
        serial: 1,
    };
    let meta = Arc::clone(&storage.storage.store.meta);
    let change = |change: fn(&mut Draft<'_>, PackId)| {
        let meta = Arc::clone(&meta);
        blocking(move || {
            settle(&*meta, Operation::BeginWriter, |draft| {
                change(draft, other);
                Ok(Settled::Commit(()))
            })
            .expect("committed");
        })
    };
    change(|draft, other| {
        let since = crate::trial::NOW;
        draft.put(Writers, other.epoch, &WriterRow { since, open: None });
        draft.put(PackRows, other, &PackRow::Marked { since });
    })
    .await;
    storage.settle().await;
    assert_eq!(storage.rows(Keyspace::Pack).await, 1);
    change(|draft, other| draft.delete(Writers, other.epoch)).await;
    storage.round().await;
    assert_eq!(storage.rows(Keyspace::Pack).await, 0);
}

#[tokio::test]
async fn a_row_that_cannot_be_read_is_skipped_and_the_others_are_collected() {
    let storage = TestStorage::new(Versioning::Unversioned).await;
    storage.put("a", &large(9)).await;
    storage
        .delete("a", VersionSelector::Current)
        .await
        .expect("deleted");
    let meta = Arc::clone(&storage.storage.store.meta);
    blocking(move || {
        // Before every other row of its table, so that a walk that ends here skips them all.
        let first = ManifestId::from_bytes([0; 12]);
        let damage = Write::Put(DeadManifests.key(first), Bytes::from_static(b"\x01\x00?!"));
        let txn = Txn {
            conditions: Vec::new(),
            writes: vec![damage],
        };
        meta.commit(txn).wait_blocking().expect("committed")
    })
    .await;
    let done = storage.round().await;
    assert_eq!((done.skipped, done.manifests, done.marked), (1, 1, 1));
}

#[tokio::test]
async fn what_dies_after_a_run_has_begun_is_left_to_the_next_one() {
    let storage = TestStorage::new(Versioning::Unversioned).await;
    storage.put("a", b"dies during the run").await;
    let collector = storage.storage.collector(SETTINGS);
    // The run began a moment before the delete.
    let (begun, clock) = (crate::trial::NOW, Arc::clone(&storage.clock));
    clock.advance(MOMENT);
    storage
        .delete("a", VersionSelector::Current)
        .await
        .expect("deleted");
    let past = Collector {
        clock: Arc::new(ManualClock::at(begun)),
        ..collector
    };
    let report = blocking(move || past.run()).await.expect("a round");
    assert_eq!(report.manifests, 0);
    assert_eq!(storage.round().await.manifests, 1);
}

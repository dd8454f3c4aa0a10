//! Bodies that no row names: left by a crash, or newer than the rows.

use super::*;
use crate::store::testing::MemRows;

#[tokio::test]
async fn files_that_a_crash_left_are_marked_and_removed() {
    let storage = TestStorage::new(Versioning::Unversioned).await;
    storage.put("kept", &large(6)).await;
    drop(storage.body("lost", &large(7)).await);
    let TestStorage {
        backend,
        clock,
        storage,
        ..
    } = storage;
    blocking(move || drop(storage)).await;
    let storage = TestStorage::open(backend, clock, Versioning::Unversioned).await;
    assert_eq!(storage.files().await, 2);
    let found = storage.round().await;
    assert_eq!((found.orphans, found.quarantined), (0, 1));
    storage.settle().await;
    assert_eq!(storage.files().await, 2, "in quarantine");
    storage.clock.advance(QUARANTINE);
    storage.settle().await;
    assert_eq!(storage.files().await, 1);
    assert_eq!(storage.rows(Keyspace::Quarantine).await, 0);
    assert!(
        storage
            .get("kept", VersionSelector::Current)
            .await
            .expect("there")
            == large(6)
    );
    assert_eq!(
        storage.rows(Keyspace::Pack).await,
        1,
        "the orphan's row went with its epoch"
    );
}

/// A process over rows that were copied while another one ran on, and the packs of that other one.
async fn with_older_rows(storage: TestStorage, rows: MemRows) -> TestStorage {
    let TestStorage {
        mut backend,
        clock,
        storage,
        ..
    } = storage;
    blocking(move || drop(storage)).await;
    backend.rows = rows;
    TestStorage::open(backend, clock, Versioning::Unversioned).await
}

#[tokio::test]
async fn what_rows_put_back_from_an_older_copy_do_not_name_is_kept_and_shown() {
    let storage = TestStorage::new(Versioning::Unversioned).await;
    storage.put("before", b"opens the shared pack").await;
    storage
        .delete("before", VersionSelector::Current)
        .await
        .expect("deleted");
    let rows = storage.backend.rows.copied();
    storage.put("in the shared pack", b"acknowledged").await;
    storage.put("in a pack of its own", &large(9)).await;
    let storage = with_older_rows(storage, rows).await;
    assert_eq!(storage.files().await, 2);
    storage.settle().await;
    assert_eq!(storage.files().await, 2, "neither is removed");
    assert_eq!(storage.rows(Keyspace::Quarantine).await, 2);
    let (meta, packs) = {
        let store = &storage.storage.store;
        (Arc::clone(&store.meta), Arc::clone(&store.packs))
    };
    let report = blocking(move || crate::doctor::examine(&*meta, &*packs)).await;
    assert_eq!(report.findings, []);
    let shown = report.unnamed.iter().map(|body| body.object.as_str());
    assert_eq!(
        shown.collect::<Vec<_>>(),
        [
            "s3://etcd-backup/in the shared pack",
            "s3://etcd-backup/in a pack of its own"
        ]
    );
    storage.clock.advance(QUARANTINE);
    storage.settle().await;
    assert_eq!(storage.files().await, 0, "the quarantine is over");
    assert_eq!(storage.rows(Keyspace::Pack).await, 0);
}

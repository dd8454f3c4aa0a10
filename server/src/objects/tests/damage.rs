//! Rows that other rows name, and that are not there.

use crate::model::{ObjectKey, VersionNumber};
use crate::objects::decision::Operation;
use crate::objects::{ObjectsError, PutCondition, VersionSelector};
use crate::store::StoreError;
use crate::tables::draft::{Draft, Settled, settle};
use crate::tables::{
    Currents, Heads, Keyed as _, ManifestHeads, Rows as _, VersionKind, Versioning, Versions,
};
use crate::trial::{TestStorage, attributes, key};

impl TestStorage {
    fn change(&self, change: impl Fn(&mut Draft<'_>)) {
        settle(&*self.storage.store.meta, Operation::Put, |draft| {
            change(draft);
            Ok(Settled::Commit(()))
        })
        .expect("committed");
    }
}

/// A missing row was looked for 64 or 256 times, and answered with "too many concurrent changes", which clients repeat.
#[track_caller]
fn damaged<T: std::fmt::Debug>(answer: Result<T, ObjectsError>, row: &[u8]) {
    match answer {
        Err(ObjectsError::Store(StoreError::DamagedRow { key, .. })) => assert_eq!(key, row),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_version_that_is_missing_is_damage_and_no_contention() {
    for versioning in [Versioning::Unversioned, Versioning::Enabled] {
        let storage = TestStorage::new(versioning).await;
        storage.put("a", b"one").await;
        let bucket = storage.storage.objects.bucket(&storage.bucket).await;
        let id = bucket.expect("there").id;
        let a: ObjectKey = key("a");
        let mut meta = &*storage.storage.store.meta;
        let head = meta.read(Heads, (id, &a)).expect("readable");
        let number: VersionNumber = head.expect("a head").current.expect("a version");
        storage.change(|draft| draft.delete(Versions, (id, &a, number)));
        let row = Versions.key((id, &a, number));

        damaged(storage.get("a", VersionSelector::Current).await, &row);
        if versioning == Versioning::Unversioned {
            damaged(storage.delete("a", VersionSelector::Current).await, &row);
            let put = storage.put_with("a", b"two", attributes(), PutCondition::Always);
            damaged(put.await, &row);
        }
        let listed = meta.read(Currents, (id, &a)).expect("readable");
        assert!(listed.is_some(), "nothing was lost on the way");
    }
}

#[tokio::test]
async fn a_manifest_that_is_missing_is_damage_and_no_contention() {
    let storage = TestStorage::new(Versioning::Unversioned).await;
    storage.put("a", b"one").await;
    let bucket = storage.storage.objects.bucket(&storage.bucket).await;
    let id = bucket.expect("there").id;
    let a: ObjectKey = key("a");
    let mut meta = &*storage.storage.store.meta;
    let head = meta
        .read(Heads, (id, &a))
        .expect("readable")
        .expect("a head");
    let version = meta.read(Versions, (id, &a, head.current.expect("one")));
    let VersionKind::Object(data) = version.expect("readable").expect("there").kind else {
        panic!("an object was put");
    };
    let manifest = data.manifest.expect("it has bytes");
    storage.change(|draft| draft.delete(ManifestHeads, manifest));
    let row = ManifestHeads.key(manifest);
    damaged(storage.get("a", VersionSelector::Current).await, &row);
}

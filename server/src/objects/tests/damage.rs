//! Rows that other rows name, and that are not there.

use crate::model::{ObjectKey, VersionNumber};
use crate::objects::decision::Operation;
use crate::objects::{ObjectsError, PutCondition, VersionSelector};
use crate::store::StoreError;
use crate::store::meta::{Txn, Write};
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

impl TestStorage {
    async fn bucket_id(&self) -> crate::model::BucketId {
        let bucket = self.storage.objects.bucket(&self.bucket).await;
        bucket.expect("there").id
    }

    async fn give_up(&self, name: &str) -> usize {
        let (objects, name) = (&self.storage.objects, key(name));
        let given_up = objects.give_up_unreadable(&self.bucket, &name).await;
        given_up.expect("given up")
    }

    fn damage<T: crate::tables::Table>(&self, table: T, key: T::Key<'_>) {
        let garbage = bytes::Bytes::from_static(b"\x01\x00?!");
        let txn = Txn {
            conditions: Vec::new(),
            writes: vec![Write::Put(table.key(key), garbage)],
        };
        let meta = &self.storage.store.meta;
        meta.commit(txn).wait_blocking().expect("committed");
    }
}

#[tokio::test]
async fn a_key_whose_version_is_missing_takes_changes_again_after_it_is_given_up() {
    let storage = TestStorage::new(Versioning::Unversioned).await;
    let id = storage.bucket_id().await;
    for delete in [true, false] {
        storage.put("a", b"one").await;
        let a: ObjectKey = key("a");
        let head = (&*storage.storage.store.meta).read(Heads, (id, &a));
        let number = head.expect("readable").expect("a head").current;
        let row = (id, &a, number.expect("a version"));
        storage.change(|draft| draft.delete(Versions, row));
        assert_eq!(storage.give_up("a").await, 1);
        assert_eq!(storage.give_up("a").await, 0, "nothing is left to give up");
        if delete {
            let deleted = storage.delete("a", VersionSelector::Current).await;
            deleted.expect("nothing to delete is no error");
        }
        storage.put("a", b"two").await;
        let found = storage.get("a", VersionSelector::Current).await;
        assert_eq!(found.expect("there"), b"two");
    }
}

#[tokio::test]
async fn what_is_readable_of_a_key_stays_when_the_rest_is_given_up() {
    let storage = TestStorage::new(Versioning::Enabled).await;
    let id = storage.bucket_id().await;
    let a: ObjectKey = key("a");
    for body in [b"one", b"two", b"new"] {
        storage.put("a", body).await;
    }
    assert_eq!(storage.give_up("a").await, 0, "a healthy key");
    storage.damage(Versions, (id, &a, VersionNumber(3)));
    storage.damage(Heads, (id, &a));
    let put = storage.put_with("a", b"four", attributes(), PutCondition::Always);
    damaged(put.await, &Heads.key((id, &a)));
    assert_eq!(storage.give_up("a").await, 2);
    let found = storage.get("a", VersionSelector::Current).await;
    assert_eq!(found.expect("there"), b"two");
    storage.put("a", b"four").await;
    let mut meta = &*storage.storage.store.meta;
    let row = meta.read(Versions, (id, &a, VersionNumber(4)));
    assert!(
        row.expect("readable").is_some(),
        "no number is given a second time"
    );
}

#[tokio::test]
async fn a_damaged_row_of_the_listing_is_written_anew() {
    let storage = TestStorage::new(Versioning::Unversioned).await;
    let id = storage.bucket_id().await;
    storage.put("a", b"one").await;
    let a: ObjectKey = key("a");
    storage.damage(Currents, (id, &a));
    assert_eq!(storage.give_up("a").await, 1);
    let listed = (&*storage.storage.store.meta).read(Currents, (id, &a));
    assert_eq!(listed.expect("readable").expect("listed").size, 3);
}

//! A bucket that is being deleted, or that was not deleted after all.

use std::pin::pin;
use std::time::Duration;

use crate::model::{BucketName, UploadId};
use crate::objects::decision::Operation;
use crate::objects::{BucketCreated, ListUploadsQuery, NewBucket, ObjectsError, VersionSelector};
use crate::store::meta::Row;
use crate::tables::draft::{Settled, settle};
use crate::tables::{BucketState, Buckets, Keyed as _, Rows as _, Versioning};
use crate::trial::{TestStorage, owner};

impl TestStorage {
    /// The bucket's row, with its version.
    fn bucket_row(&self) -> Option<Row> {
        let place = Buckets.key(&self.bucket);
        let rows = self.storage.store.meta.get_many(&[place]);
        rows.expect("readable").remove(0)
    }

    fn bucket_state(&self) -> Option<BucketState> {
        let mut meta = &*self.storage.store.meta;
        let row = meta.read(Buckets, &self.bucket).expect("readable");
        row.map(|row| row.state)
    }

    fn mark(&self) {
        settle(
            &*self.storage.store.meta,
            Operation::ChangeBucket,
            |draft| {
                let mut row = draft.read(Buckets, &self.bucket)?.expect("it is there");
                row.state = BucketState::Deleting;
                draft.put(Buckets, &self.bucket, &row);
                Ok(Settled::Commit(()))
            },
        )
        .expect("committed");
    }
}

#[tokio::test]
async fn a_full_bucket_is_refused_without_any_change() {
    let storage = TestStorage::new(Versioning::Unversioned).await;
    storage.put("a", b"one").await;
    let before = storage.bucket_row();
    let refused = storage.storage.objects.delete_bucket(&storage.bucket).await;
    assert!(
        matches!(refused, Err(ObjectsError::BucketNotEmpty(_))),
        "{refused:?}"
    );
    assert_eq!(storage.bucket_row(), before, "nobody could have met a mark");
}

/// A client may hang up between any two steps of its request.
#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_goes_away_leaves_no_mark() {
    for polls in 1..6 {
        let storage = TestStorage::threaded(Versioning::Unversioned).await;
        {
            let mut deletion = pin!(storage.storage.objects.delete_bucket(&storage.bucket));
            for _ in 0..polls {
                if futures_util::poll!(deletion.as_mut()).is_ready() {
                    break;
                }
                tokio::task::yield_now().await;
            }
        }
        let decided = async {
            while storage.bucket_state().is_some() {
                tokio::task::yield_now().await;
            }
        };
        let decided = tokio::time::timeout(Duration::from_secs(30), decided).await;
        let dropped = tokio::task::spawn_blocking(move || drop(storage));
        dropped.await.expect("threads end");
        decided.expect("it is deleted, whoever waits for that");
    }
}

#[tokio::test]
async fn reads_go_on_and_writes_are_told_to_try_again_while_it_is_decided() {
    let storage = TestStorage::new(Versioning::Unversioned).await;
    storage.put("a", b"one").await;
    let upload = storage.upload("b").await;
    storage.mark();
    assert_eq!(
        storage
            .get("a", VersionSelector::Current)
            .await
            .expect("there"),
        b"one"
    );
    assert_eq!(storage.list("", None, None, 10).await.entries.len(), 1);
    let (objects, bucket) = (&storage.storage.objects, &storage.bucket);
    objects.bucket(bucket).await.expect("HeadBucket");
    objects
        .versioning(bucket)
        .await
        .expect("GetBucketVersioning");
    assert_eq!(objects.list_buckets().await.expect("ListBuckets").len(), 1);
    let every = ListUploadsQuery {
        delimiter: None,
        prefix: String::new(),
        after: None,
        max: 10,
    };
    let uploads = objects.list_uploads(bucket, every);
    assert_eq!(
        uploads.await.expect("ListMultipartUploads").entries.len(),
        1
    );

    for (what, refused) in writes(&storage, upload).await {
        assert!(
            matches!(refused, ObjectsError::BucketBusy(_)),
            "{what}: {refused:?}"
        );
    }
    objects
        .revert_interrupted_deletes()
        .await
        .expect("reverted");
    assert_eq!(storage.put("a", b"two").await.version, None);
}

/// Every kind of write, and its refusal.
async fn writes(storage: &TestStorage, upload: UploadId) -> Vec<(&'static str, ObjectsError)> {
    let (objects, bucket): (_, &BucketName) = (&storage.storage.objects, &storage.bucket);
    let body = storage.body("c", b"new").await;
    let put = storage.commit("c", body).await.map(|_| ());
    let part = storage.part("b", upload, 1, b"part").await.map(|_| ());
    let delete = storage
        .delete("a", VersionSelector::Current)
        .await
        .map(|_| ());
    let create = objects
        .create_bucket(bucket, NewBucket::plain(owner()))
        .await;
    let create = create.map(|created| assert_eq!(created, BucketCreated::New));
    let settings = objects.set_versioning(bucket, Versioning::Enabled).await;
    let again = objects.delete_bucket(bucket).await;
    [
        ("PutObject", put),
        ("UploadPart", part),
        ("DeleteObject", delete),
        ("CreateBucket", create),
        ("PutBucketVersioning", settings),
        ("DeleteBucket", again),
    ]
    .into_iter()
    .map(|(what, done)| (what, done.expect_err(what)))
    .collect()
}

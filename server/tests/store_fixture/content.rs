//! The content of the fixture store: every kind of row, with a non-default value in each field.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use strongroom_server::bodies::incoming::digests::ChecksumValue;
use strongroom_server::bodies::incoming::{BodyTarget, Expected};
use strongroom_server::clock::{ManualClock, SeededEntropy, UnixMillis};
use strongroom_server::model::{
    BucketName, ChecksumAlgorithm, ContentHeaders, LegalHold, ObjectKey, Owner, PartNumber,
    Retention, RetentionMode, StorageClass, Tags, UploadId, UserMetadata,
};
use strongroom_server::objects::{
    Attributes, CompletePart, CompleteRequest, NewBucket, NewUpload, PutCondition, StoredBody,
    VersionSelector,
};
use strongroom_server::storage::Storage;
use strongroom_server::store::Store;
use strongroom_server::tables::{UploadChecksumKind, Versioning};

/// The write time of everything in it.
pub(crate) const WRITTEN: UnixMillis = UnixMillis(1_700_000_000_000);

/// The key whose newest version is a delete marker.
pub(crate) const DELETED: &str = "deleted";

/// The key completed from two parts.
pub(crate) const JOINED: &str = "cluster/v2/Full-00000000-00000042-1700000000";

/// The key with an upload in progress.
pub(crate) const UPLOADING: &str = "uploading";

/// The bucket that keeps versions and locks.
pub(crate) fn locked() -> BucketName {
    BucketName::parse("locked").expect("a valid name")
}

/// The bucket without versions.
pub(crate) fn plain() -> BucketName {
    BucketName::parse("etcd-backup").expect("a valid name")
}

/// The owner of everything.
pub(crate) fn owner() -> Owner {
    Owner("backup-operator".to_owned())
}

/// A key.
pub(crate) fn key(text: &str) -> ObjectKey {
    ObjectKey::parse(text).expect("a valid key")
}

/// The attributes of every object.
pub(crate) fn attributes() -> Attributes {
    let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
    Attributes {
        owner: owner(),
        class: StorageClass("STANDARD_IA".to_owned()),
        headers: ContentHeaders {
            content_type: Some("application/x-etcd".to_owned()),
            cache_control: Some("no-store".to_owned()),
            content_disposition: Some("attachment".to_owned()),
            content_encoding: Some("identity".to_owned()),
            content_language: Some("en".to_owned()),
            expires: Some("Thu, 01 Dec 2044 16:00:00 GMT".to_owned()),
        },
        metadata: UserMetadata(vec![
            pair("etcd-version", "3.6.14"),
            pair("node", "master-1"),
        ]),
        tags: Tags(vec![pair("cluster", "prod")]),
        retention: Some(Retention {
            mode: RetentionMode::Compliance,
            until: UnixMillis(4_000_000_000_000),
        }),
        hold: LegalHold::On,
    }
}

/// The body of an object by name: small ones share a pack, the first part of [`JOINED`] fills one of its own.
pub(crate) fn body(name: &str, len: usize) -> Vec<u8> {
    name.bytes().cycle().take(len).collect()
}

/// Length of the first part of [`JOINED`]: S3's minimum.
pub(crate) const FIRST_PART: usize = 5 * 1024 * 1024;

/// Opens the store in `dir`.
pub(crate) async fn open(dir: &Path) -> Storage {
    let (clock, entropy) = (
        Arc::new(ManualClock::at(WRITTEN)),
        Arc::new(SeededEntropy::new(1)),
    );
    let (dir, on, with) = (dir.to_owned(), clock.clone(), Arc::clone(&entropy));
    let open = move || Store::open(&dir, on, &*with).expect("the store opens");
    let store = tokio::task::spawn_blocking(open)
        .await
        .expect("it does not panic");
    Storage::open(
        Arc::new(store),
        clock,
        entropy,
        strongroom_server::bodies::incoming::Sizes::default(),
    )
    .await
    .expect("the layers open")
}

async fn stored(
    storage: &Storage,
    bucket: &BucketName,
    name: &str,
    bytes: &[u8],
    checksum: ChecksumAlgorithm,
) -> StoredBody {
    let bucket = storage.objects.bucket(bucket).await.expect("the bucket").id;
    let expected = Expected {
        checksum: Some((checksum, ChecksumValue::Computed)),
        ..Expected::default()
    };
    let mut ingest = storage.ingest.begin(
        &BodyTarget {
            bucket,
            key: key(name),
            part: None,
        },
        expected,
    );
    ingest
        .write(Bytes::copy_from_slice(bytes))
        .await
        .expect("taken");
    ingest.finish().await.expect("stored")
}

async fn put(storage: &Storage, bucket: &BucketName, name: &str, checksum: ChecksumAlgorithm) {
    let body = stored(storage, bucket, name, &body(name, 3000), checksum).await;
    storage
        .objects
        .put(bucket, &key(name), body, attributes(), PutCondition::Always)
        .await
        .expect("put");
}

async fn part(
    storage: &Storage,
    name: &str,
    upload: UploadId,
    number: u64,
    len: usize,
) -> CompletePart {
    let number = PartNumber::new(number).expect("a valid number");
    let body = stored(
        storage,
        &plain(),
        name,
        &body(name, len),
        ChecksumAlgorithm::Crc32c,
    )
    .await;
    let row = storage
        .objects
        .put_part(&plain(), &key(name), upload, number, body)
        .await
        .expect("a part");
    CompletePart {
        number,
        etag: row.etag,
        checksums: Vec::new(),
    }
}

async fn begin_upload(storage: &Storage, name: &str) -> UploadId {
    let free = Attributes {
        retention: None,
        hold: LegalHold::Off,
        ..attributes()
    };
    let checksum = Some((ChecksumAlgorithm::Crc32c, UploadChecksumKind::FullObject));
    storage
        .objects
        .create_upload(
            &plain(),
            &key(name),
            NewUpload {
                attributes: free,
                checksum,
            },
        )
        .await
        .expect("an upload")
}

/// Writes the fixture into an empty directory.
pub(crate) async fn write(dir: &Path) {
    let storage = open(dir).await;
    let versioned = NewBucket {
        owner: owner(),
        versioning: Versioning::Enabled,
        object_lock: true,
    };
    storage
        .objects
        .create_bucket(&locked(), versioned)
        .await
        .expect("created");
    storage
        .objects
        .create_bucket(&plain(), NewBucket::plain(owner()))
        .await
        .expect("created");
    for algorithm in ChecksumAlgorithm::ALL {
        put(&storage, &locked(), algorithm.name(), algorithm).await;
    }
    put(&storage, &locked(), DELETED, ChecksumAlgorithm::Sha256).await;
    storage
        .objects
        .delete(&locked(), &key(DELETED), VersionSelector::Current, &owner())
        .await
        .expect("a marker");
    let upload = begin_upload(&storage, JOINED).await;
    let parts = vec![
        part(&storage, JOINED, upload, 1, FIRST_PART).await,
        part(&storage, JOINED, upload, 7, 100).await,
    ];
    let request = CompleteRequest {
        parts,
        checksum: None,
        size: None,
        condition: PutCondition::IfAbsent,
    };
    storage
        .objects
        .complete_upload(&plain(), &key(JOINED), upload, request)
        .await
        .expect("completed");
    let upload = begin_upload(&storage, UPLOADING).await;
    part(&storage, UPLOADING, upload, 3, 500).await;
    storage.close().expect("a clean close");
}

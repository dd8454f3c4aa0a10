//! Stores of earlier builds open and return every field. A fresh store is written and checked the same way, so that the
//! fixture's writer cannot rot.

use std::path::{Path, PathBuf};

use strongroom_server::model::{ChecksumAlgorithm, ChecksumKind, LegalHold};
use strongroom_server::objects::{Found, ListUploadsQuery, ObjectsError, VersionSelector};
use strongroom_server::storage::Storage;
use strongroom_server::tables::{UploadChecksumKind, Versioning};

#[path = "store_fixture/content.rs"]
mod content;

use content::{
    DELETED, FIRST_PART, JOINED, UPLOADING, attributes, body, key, locked, owner, plain,
};

async fn bytes_of(
    storage: &Storage,
    name: &str,
    bucket: &strongroom_server::model::BucketName,
) -> Vec<u8> {
    let object = storage
        .reader
        .open(bucket, &key(name), VersionSelector::Current)
        .await
        .expect("it opens");
    let size = object.found.data.size;
    let mut stream = storage.reader.stream(object, 0..size);
    let mut out = Vec::new();
    while let Some(piece) = stream.next().await.expect("healthy bytes") {
        out.extend_from_slice(&piece);
    }
    out
}

fn assert_attributes(found: &Found) {
    let wanted = attributes();
    assert_eq!(found.version.owner, wanted.owner);
    assert_eq!(found.version.tags, wanted.tags);
    assert_eq!(found.version.retention, wanted.retention);
    assert_eq!(found.version.hold, wanted.hold);
    assert_eq!(found.version.time, content::WRITTEN);
    assert_eq!(found.data.class, wanted.class);
    assert_eq!(found.data.headers, wanted.headers);
    assert_eq!(found.data.metadata, wanted.metadata);
}

async fn check_locked(storage: &Storage) {
    let bucket = storage.objects.bucket(&locked()).await.expect("the bucket");
    let versioning = storage.objects.versioning(&locked()).await;
    assert_eq!(versioning.expect("the setting"), Versioning::Enabled);
    assert!(bucket.object_lock);
    assert_eq!((bucket.owner, bucket.created), (owner(), content::WRITTEN));
    for algorithm in ChecksumAlgorithm::ALL {
        let name = algorithm.name();
        assert_eq!(
            bytes_of(storage, name, &locked()).await,
            body(name, 3000),
            "{name}"
        );
        let found = storage
            .objects
            .lookup(&locked(), &key(name), VersionSelector::Current)
            .await
            .expect("found");
        assert_attributes(&found);
        let checksums: Vec<_> = found
            .data
            .checksums
            .iter()
            .map(|c| (c.algorithm, c.value.clone()))
            .collect();
        assert_eq!(
            checksums,
            [(algorithm, algorithm.digest(&body(name, 3000)))]
        );
        let refused = storage
            .objects
            .delete(
                &locked(),
                &key(name),
                VersionSelector::Id(found.version.id),
                &owner(),
            )
            .await;
        assert!(
            matches!(refused, Err(ObjectsError::Locked(_))),
            "{refused:?}"
        );
    }
    let deleted = storage
        .objects
        .lookup(&locked(), &key(DELETED), VersionSelector::Current)
        .await;
    assert!(
        matches!(
            deleted,
            Err(ObjectsError::DeleteMarker { named: false, .. })
        ),
        "{deleted:?}"
    );
}

async fn check_plain(storage: &Storage) {
    let found = storage
        .objects
        .lookup(&plain(), &key(JOINED), VersionSelector::Current)
        .await
        .expect("found");
    assert_eq!(found.data.etag.parts, 2);
    assert_eq!(found.version.hold, LegalHold::Off);
    let whole = [body(JOINED, FIRST_PART), body(JOINED, 100)].concat();
    assert!(bytes_of(storage, JOINED, &plain()).await == whole);
    let checksum = found
        .data
        .checksums
        .first()
        .expect("the whole object's CRC32C");
    assert_eq!(checksum.kind, ChecksumKind::FullObject);
    assert_eq!(checksum.value, ChecksumAlgorithm::Crc32c.digest(&whole));
    let manifest = found.data.manifest.expect("it has bytes");
    let table = storage
        .objects
        .part_table(manifest)
        .await
        .expect("readable")
        .expect("completed from parts");
    assert_eq!(
        table
            .parts
            .iter()
            .map(|part| part.number)
            .collect::<Vec<_>>(),
        [1, 7]
    );
    let query = ListUploadsQuery {
        prefix: String::new(),
        delimiter: None,
        after: None,
        max: 10,
    };
    let page = storage
        .objects
        .list_uploads(&plain(), query)
        .await
        .expect("a page");
    assert_eq!((page.entries.len(), page.next), (1, None));
    let upload = page.entries.first().expect("one");
    assert_eq!(upload.key, key(UPLOADING));
    assert_eq!(
        upload.row.checksum,
        Some((ChecksumAlgorithm::Crc32c, UploadChecksumKind::FullObject))
    );
    let (parts, _) = storage
        .objects
        .list_parts(&plain(), &key(UPLOADING), upload.upload, 0, 10)
        .await
        .expect("a page");
    assert_eq!(
        parts
            .iter()
            .map(|(number, row)| (number.get(), row.size))
            .collect::<Vec<_>>(),
        [(3, 500)]
    );
}

async fn check(dir: &Path) {
    let storage = content::open(dir).await;
    check_locked(&storage).await;
    check_plain(&storage).await;
    storage.close().expect("a clean close");
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("readable") {
        let entry = entry.expect("readable");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("readable").is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), &target).expect("copied");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_store_of_format_version_1_opens_with_every_field() {
    // The first program of the format left its rows in the log, the last one in a table.
    for fixture in ["store-v1", "store-v1-last"] {
        // Cargo runs tests in their package's folder; a compile-time path may point to another checkout.
        let fixture = PathBuf::from("tests/fixtures").join(fixture);
        let dir = tempfile::tempdir().expect("a folder");
        copy(&fixture, dir.path());
        check(dir.path()).await;
        // Rows rewritten by the first start are read the same.
        check(dir.path()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_written_today_reads_the_same() {
    let dir = tempfile::tempdir().expect("a folder");
    content::write(dir.path()).await;
    check(dir.path()).await;
}

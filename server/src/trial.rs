//! A storage over the in-memory backend, for this crate's own tests: one bucket, a clock that stands still, few words.

use std::sync::Arc;

use bytes::Bytes;

use crate::bodies::incoming::{BodyTarget, Expected, Sizes};
use crate::clock::{ManualClock, SeededEntropy, UnixMillis};
use crate::model::{
    BucketName, ContentHeaders, LegalHold, ObjectKey, Owner, PartNumber, StorageClass, Tags,
    UploadId, UserMetadata,
};
use crate::objects::{
    Attributes, CompletePart, CompleteRequest, Completed, Deleted, ListQuery, Listing, NewBucket,
    NewUpload, ObjectsError, PutCondition, PutDone, StoredBody, VersionSelector,
};
use crate::storage::Storage;
use crate::store::{Execution, MemoryBackend};
use crate::tables::Versioning;

/// The start time of its clock.
pub(crate) const NOW: UnixMillis = UnixMillis(1_700_000_000_000);

/// The storage and its backend.
pub(crate) struct TestStorage {
    pub(crate) backend: MemoryBackend,
    pub(crate) storage: Storage,
    pub(crate) bucket: BucketName,
    pub(crate) clock: Arc<ManualClock>,
}

pub(crate) fn key(text: &str) -> ObjectKey {
    ObjectKey::parse(text).expect("test keys are valid")
}

pub(crate) fn owner() -> Owner {
    Owner("root".to_owned())
}

pub(crate) fn attributes() -> Attributes {
    Attributes {
        owner: owner(),
        class: StorageClass::default(),
        headers: ContentHeaders::default(),
        metadata: UserMetadata::default(),
        tags: Tags::default(),
        retention: None,
        hold: LegalHold::Off,
    }
}

impl TestStorage {
    pub(crate) async fn new(versioning: Versioning) -> TestStorage {
        TestStorage::open(
            MemoryBackend::new(),
            Arc::new(ManualClock::at(NOW)),
            versioning,
        )
        .await
    }

    /// With threads, as in production.
    pub(crate) async fn threaded(versioning: Versioning) -> TestStorage {
        let (backend, clock) = (MemoryBackend::new(), Arc::new(ManualClock::at(NOW)));
        TestStorage::open_on(backend, clock, versioning, Execution::Threaded).await
    }

    /// Starts a process on the contents of the backend.
    pub(crate) async fn open(
        backend: MemoryBackend,
        clock: Arc<ManualClock>,
        versioning: Versioning,
    ) -> TestStorage {
        TestStorage::open_on(backend, clock, versioning, Execution::Inline).await
    }

    async fn open_on(
        backend: MemoryBackend,
        clock: Arc<ManualClock>,
        versioning: Versioning,
        execution: Execution,
    ) -> TestStorage {
        let entropy = Arc::new(SeededEntropy::new(7));
        let opened = {
            let (backend, clock, entropy) = (backend.clone(), clock.clone(), entropy.clone());
            tokio::task::spawn_blocking(move || backend.open(clock, &*entropy, execution)).await
        };
        let store = opened.expect("no panic").expect("the backend opens");
        let sizes = Sizes::default();
        let storage = Storage::open(Arc::new(store), clock.clone(), entropy, sizes)
            .await
            .expect("the layers open");
        let bucket = BucketName::parse("etcd-backup").expect("a valid name");
        let new = NewBucket {
            versioning,
            ..NewBucket::plain(owner())
        };
        storage
            .objects
            .create_bucket(&bucket, new)
            .await
            .expect("created");
        TestStorage {
            backend,
            storage,
            bucket,
            clock,
        }
    }

    pub(crate) async fn body(&self, name: &str, bytes: &[u8]) -> StoredBody {
        let bucket = self
            .storage
            .objects
            .bucket(&self.bucket)
            .await
            .expect("the bucket")
            .id;
        let target = BodyTarget {
            bucket,
            key: key(name),
            part: None,
        };
        let mut ingest = self.storage.ingest.begin(&target, Expected::default());
        ingest
            .write(Bytes::copy_from_slice(bytes))
            .await
            .expect("taken");
        ingest.finish().await.expect("stored")
    }

    pub(crate) async fn put_with(
        &self,
        name: &str,
        bytes: &[u8],
        attributes: Attributes,
        condition: PutCondition,
    ) -> Result<PutDone, ObjectsError> {
        let body = self.body(name, bytes).await;
        self.storage
            .objects
            .put(&self.bucket, &key(name), body, attributes, condition)
            .await
    }

    pub(crate) async fn commit(
        &self,
        name: &str,
        body: StoredBody,
    ) -> Result<PutDone, ObjectsError> {
        let always = PutCondition::Always;
        self.storage
            .objects
            .put(&self.bucket, &key(name), body, attributes(), always)
            .await
    }

    pub(crate) async fn put(&self, name: &str, bytes: &[u8]) -> PutDone {
        self.put_with(name, bytes, attributes(), PutCondition::Always)
            .await
            .expect("put")
    }

    pub(crate) async fn get(
        &self,
        name: &str,
        selector: VersionSelector,
    ) -> Result<Vec<u8>, ObjectsError> {
        let object = self
            .storage
            .reader
            .open(&self.bucket, &key(name), selector)
            .await?;
        let size = object.found.data.size;
        let mut stream = self.storage.reader.stream(object, 0..size);
        let mut out = Vec::new();
        while let Some(piece) = stream.next().await? {
            out.extend_from_slice(&piece);
        }
        Ok(out)
    }

    pub(crate) async fn delete(
        &self,
        name: &str,
        selector: VersionSelector,
    ) -> Result<Deleted, ObjectsError> {
        self.storage
            .objects
            .delete(&self.bucket, &key(name), selector, &owner())
            .await
    }

    pub(crate) async fn upload(&self, name: &str) -> UploadId {
        let new = NewUpload {
            attributes: attributes(),
            checksum: None,
        };
        self.storage
            .objects
            .create_upload(&self.bucket, &key(name), new)
            .await
            .expect("an upload")
    }

    pub(crate) async fn part(
        &self,
        name: &str,
        upload: UploadId,
        number: u64,
        bytes: &[u8],
    ) -> Result<CompletePart, ObjectsError> {
        let number = PartNumber::new(number).expect("a valid number");
        let body = self.body(name, bytes).await;
        let row = self
            .storage
            .objects
            .put_part(&self.bucket, &key(name), upload, number, body)
            .await?;
        Ok(CompletePart {
            number,
            etag: row.etag,
            checksums: Vec::new(),
        })
    }

    pub(crate) async fn complete(
        &self,
        name: &str,
        upload: UploadId,
        parts: Vec<CompletePart>,
    ) -> Result<Completed, ObjectsError> {
        let request = CompleteRequest {
            parts,
            checksum: None,
            size: None,
            condition: PutCondition::Always,
        };
        self.storage
            .objects
            .complete_upload(&self.bucket, &key(name), upload, request)
            .await
    }

    pub(crate) async fn list(
        &self,
        prefix: &str,
        delimiter: Option<&str>,
        after: Option<String>,
        max: usize,
    ) -> Listing {
        let query = ListQuery {
            prefix: prefix.to_owned(),
            delimiter: delimiter.map(str::to_owned),
            after,
            max,
        };
        self.storage
            .objects
            .list(&self.bucket, query)
            .await
            .expect("a page")
    }
}

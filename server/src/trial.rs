//! A vault over the in-memory twin, for this crate's own tests: one bucket, a clock that stands still, few words.

use std::sync::Arc;

use bytes::Bytes;

use crate::clock::{ManualClock, SeededEntropy, UnixMillis};
use crate::ingest::{BodyTarget, Expected, Sizes};
use crate::model::{
    BucketName, ContentHeaders, LegalHold, ObjectKey, Owner, PartNumber, StorageClass, Tags,
    UploadId, UserMetadata,
};
use crate::objects::{
    Attributes, CompletePart, CompleteRequest, Completed, Deleted, ListQuery, Listing, NewBucket,
    NewUpload, ObjectsError, PutCondition, PutDone, StoredBody, VersionSelector,
};
use crate::store::{Execution, Twin};
use crate::tables::Versioning;
use crate::vault::Vault;

/// When its clock starts.
pub(crate) const NOW: UnixMillis = UnixMillis(1_700_000_000_000);

/// The vault and what it stands on.
pub(crate) struct House {
    pub(crate) twin: Twin,
    pub(crate) vault: Vault,
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

impl House {
    pub(crate) async fn new(versioning: Versioning) -> House {
        House::open(Twin::new(), Arc::new(ManualClock::at(NOW)), versioning).await
    }

    /// A process on what the twin holds.
    pub(crate) async fn open(twin: Twin, clock: Arc<ManualClock>, versioning: Versioning) -> House {
        let entropy = Arc::new(SeededEntropy::new(7));
        let store = twin
            .open(clock.clone(), &*entropy, Execution::Inline)
            .expect("the twin opens");
        let sizes = Sizes::default();
        let vault = Vault::open(Arc::new(store), clock.clone(), entropy, sizes)
            .await
            .expect("the layers open");
        let bucket = BucketName::parse("etcd-backup").expect("a valid name");
        let new = NewBucket {
            versioning,
            ..NewBucket::plain(owner())
        };
        vault
            .objects
            .create_bucket(&bucket, new)
            .await
            .expect("created");
        House {
            twin,
            vault,
            bucket,
            clock,
        }
    }

    pub(crate) async fn body(&self, name: &str, bytes: &[u8]) -> StoredBody {
        let bucket = self
            .vault
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
        let mut ingest = self.vault.ingest.begin(&target, Expected::default());
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
        self.vault
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
        self.vault
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
            .vault
            .reader
            .open(&self.bucket, &key(name), selector)
            .await?;
        let size = object.found.data.size;
        let mut stream = self.vault.reader.stream(object, 0..size);
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
        self.vault
            .objects
            .delete(&self.bucket, &key(name), selector, &owner())
            .await
    }

    pub(crate) async fn upload(&self, name: &str) -> UploadId {
        let new = NewUpload {
            attributes: attributes(),
            checksum: None,
        };
        self.vault
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
            .vault
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
        self.vault
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
        self.vault
            .objects
            .list(&self.bucket, query)
            .await
            .expect("a page")
    }
}

//! A running store, with or without a bucket, an upload and an object, and the operations on it.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use super::super::schedule::alone;
use super::super::seams::InterruptedOnce;
use crate::bodies::incoming::{BodyTarget, Expected, Sizes};
use crate::clock::{ManualClock, SeededEntropy, UnixMillis};
use crate::doctor;
use crate::gc::CollectorSettings;
use crate::model::{BucketId, BucketName, ETag, PartNumber, UploadId, VersionId};
use crate::objects::{
    CompletePart, CompleteRequest, NewBucket, NewUpload, ObjectsError, PutCondition, StoredBody,
    VersionSelector,
};
use crate::storage::Storage;
use crate::store::{Execution, MemoryBackend, StoreError};
use crate::tables::draft::Operation;
use crate::tables::table::scan;
use crate::tables::{
    BucketVersioning, Buckets, Currents, Entry, Heads, Parts, Table, Uploads, VersionKind,
    Versioning, Versions,
};
use crate::trial::{attributes, key, owner};

/// The answer to a client; `Err` is a refusal.
pub(super) type Answer = Result<String, String>;

/// Each batch of small bodies fills a pack: the next one seals it.
const SIZES: Sizes = Sizes {
    small_body: 4096,
    pack: 65,
};

/// The object key and upload key of all operations.
const KEY: &str = "a";

/// The contents of the object, if there is one.
const OBJECT: &[u8] = b"the object";

/// The contents of the upload's only part.
const PART: &[u8] = b"the part";

/// Runs after which a collection has nothing left to do.
const ROUNDS_TO_REST: u32 = 4;

/// The contents of the store before the two operations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scene {
    NoBucket,
    /// A bucket with an open upload and no object.
    NoObject(Versioning),
    /// A bucket with an open upload and an object.
    Object(Versioning),
    /// The same, with a null version below the object.
    NullBelow,
}

pub(super) const SCENES: [Scene; 6] = [
    Scene::NoBucket,
    Scene::NoObject(Versioning::Unversioned),
    Scene::NoObject(Versioning::Enabled),
    Scene::Object(Versioning::Unversioned),
    Scene::Object(Versioning::Enabled),
    Scene::NullBelow,
];

/// The condition under which a put or a Complete may replace the object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum When {
    Always,
    Absent,
    Matches,
}

/// One operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Act {
    CreateBucket,
    DeleteBucket,
    Version(Versioning),
    Put(When),
    /// Deletes the current, the null or the scene's last version.
    Delete(Which),
    CreateUpload,
    PutPart,
    Abort,
    Complete(When),
    /// Reads the bytes of the current, the null or the scene's last version.
    Get(Which),
    Collect,
    /// Deletes the bucket and creates another one with its name.
    Recreate,
    /// Small bodies fill the shared pack, and a collection follows: a body that is not used yet loses its pack.
    Crowd,
    /// A put, and collections that remove all of what it replaced.
    Replace,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Which {
    Current,
    Null,
    Id,
}

/// Operations of one transaction, or of several that look like one.
pub(super) const ACTS: [Act; 16] = [
    Act::CreateBucket,
    Act::DeleteBucket,
    Act::Version(Versioning::Enabled),
    Act::Version(Versioning::Suspended),
    Act::Put(When::Always),
    Act::Put(When::Absent),
    Act::Put(When::Matches),
    Act::Delete(Which::Current),
    Act::Delete(Which::Null),
    Act::Delete(Which::Id),
    Act::CreateUpload,
    Act::PutPart,
    Act::Abort,
    Act::Complete(When::Always),
    Act::Complete(When::Matches),
    Act::Collect,
];

/// Operations that change nothing: others run inside them, never the other way around.
pub(super) const READS: [Act; 3] = [
    Act::Get(Which::Current),
    Act::Get(Which::Null),
    Act::Get(Which::Id),
];

/// Several operations in sequence: only inside another operation do they look like one.
pub(super) const SEQUENCES: [Act; 3] = [Act::Recreate, Act::Crowd, Act::Replace];

impl Act {
    /// The decisions that it makes.
    pub(super) fn operations(self) -> &'static [Operation] {
        match self {
            Act::CreateBucket => &[Operation::CreateBucket],
            Act::DeleteBucket => &[
                Operation::ChangeBucket,
                Operation::HandOverUploads,
                Operation::RemoveBucket,
                Operation::RevertDeleting,
            ],
            Act::Version(_) => &[Operation::ChangeBucket],
            Act::Put(_) => &[Operation::Put],
            Act::Delete(_) => &[Operation::Delete],
            Act::CreateUpload => &[Operation::CreateUpload],
            Act::PutPart => &[Operation::PutPart],
            Act::Abort => &[Operation::AbortUpload],
            Act::Complete(_) => &[Operation::CompleteUpload],
            Act::Get(_) | Act::Collect | Act::Recreate | Act::Crowd | Act::Replace => &[],
        }
    }
}

/// A running store in its scene.
pub(super) struct Stage {
    storage: Storage,
    pub(super) rows: Arc<InterruptedOnce>,
    bucket: BucketName,
    bucket_id: BucketId,
    upload: UploadId,
    version: VersionId,
}

/// The body that an operation uses: stored before, whether it is committed or not.
pub(super) type PreparedBody = Option<StoredBody>;

impl Stage {
    pub(super) async fn set(scene: Scene) -> Stage {
        let clock = Arc::new(ManualClock::at(UnixMillis(1_700_000_000_000)));
        let entropy = Arc::new(SeededEntropy::new(7));
        let opened = MemoryBackend::new().open(clock.clone(), &*entropy, Execution::Inline);
        let mut store = opened.expect("the backend opens");
        let rows = Arc::new(InterruptedOnce::new(Arc::clone(&store.meta)));
        store.meta = Arc::<InterruptedOnce>::clone(&rows);
        let storage = Storage::open(Arc::new(store), clock, entropy, SIZES).await;
        let mut stage = Stage {
            storage: storage.expect("the layers open"),
            rows,
            bucket: BucketName::parse("etcd-backup").expect("a valid name"),
            bucket_id: BucketId(0),
            upload: UploadId([0; 16]),
            version: VersionId::parse(&"0".repeat(32)).expect("a valid id"),
        };
        match scene {
            Scene::NoBucket => {}
            Scene::NoObject(versioning) => stage.furnish(versioning).await,
            Scene::Object(versioning) => {
                stage.furnish(versioning).await;
                stage.put_object().await;
            }
            Scene::NullBelow => {
                stage.furnish(Versioning::Unversioned).await;
                stage.put_object().await;
                let enabled = stage
                    .storage
                    .objects
                    .set_versioning(&stage.bucket, Versioning::Enabled);
                enabled.await.expect("the bucket is there");
                stage.put_object().await;
            }
        }
        stage
    }

    /// A bucket with an upload of one part.
    async fn furnish(&mut self, versioning: Versioning) {
        let (objects, bucket, name) = (&self.storage.objects, &self.bucket, key(KEY));
        let created = objects.create_bucket(bucket, new_bucket(versioning)).await;
        created.expect("there is none yet");
        self.bucket_id = objects.bucket(bucket).await.expect("created").id;
        let created = objects.create_upload(bucket, &name, new_upload()).await;
        self.upload = created.expect("the bucket is there");
        let body = self.body(PART).await;
        let put = objects.put_part(bucket, &name, self.upload, number(), body);
        put.await.expect("the upload is there");
    }

    async fn put_object(&mut self) {
        let body = self.body(OBJECT).await;
        let always = PutCondition::Always;
        let (objects, bucket, name) = (&self.storage.objects, &self.bucket, key(KEY));
        let put = objects.put(bucket, &name, body, attributes(), always);
        put.await.expect("the bucket is there");
        let current = VersionSelector::Current;
        let found = objects.lookup(bucket, &name, current).await;
        self.version = found.expect("just put").version.id;
    }

    async fn body(&self, bytes: &'static [u8]) -> StoredBody {
        let target = BodyTarget {
            bucket: self.bucket_id,
            key: key(KEY),
            part: None,
        };
        let mut ingest = self.storage.ingest.begin(&target, Expected::default());
        ingest.write(bytes.into()).await.expect("taken");
        ingest.finish().await.expect("stored")
    }

    /// Stores the body that the operation will commit.
    pub(super) async fn pack(&self, act: Act, bytes: &'static [u8]) -> PreparedBody {
        match act {
            Act::Put(_) | Act::PutPart | Act::Replace => Some(self.body(bytes).await),
            _ => None,
        }
    }

    /// Runs an operation; returns the answer as a client sees it.
    pub(super) async fn run(&self, act: Act, luggage: PreparedBody) -> Answer {
        let answer = self.answer(act, luggage).await;
        answer.map_err(|error| format!("{error:?}"))
    }

    async fn answer(&self, act: Act, luggage: PreparedBody) -> Result<String, ObjectsError> {
        let (objects, bucket, name) = (&self.storage.objects, &self.bucket, key(KEY));
        let body = || luggage.expect("it was packed");
        Ok(match act {
            Act::CreateBucket => {
                let new = new_bucket(Versioning::Unversioned);
                format!("{:?}", objects.create_bucket(bucket, new).await?)
            }
            Act::DeleteBucket => format!("{:?}", objects.delete_bucket(bucket).await?),
            Act::Version(state) => format!("{:?}", objects.set_versioning(bucket, state).await?),
            Act::Put(when) => {
                let put = objects.put(bucket, &name, body(), attributes(), condition(when));
                shown(put.await?.version)
            }
            Act::Delete(which) => {
                let selector = self.selector(which);
                let deleted = objects.delete(bucket, &name, selector, &owner()).await?;
                let number = deleted.version.as_deref().map(|id| &id[..id.len().min(16)]);
                format!("{number:?} {}", deleted.marker)
            }
            Act::CreateUpload => {
                objects.create_upload(bucket, &name, new_upload()).await?;
                "created".to_owned()
            }
            Act::PutPart => {
                let put = objects.put_part(bucket, &name, self.upload, number(), body());
                put.await?.etag.to_string()
            }
            Act::Abort => {
                let aborted = objects.abort_upload(bucket, &name, self.upload).await;
                format!("{:?}", aborted?)
            }
            Act::Complete(when) => {
                let part = CompletePart {
                    number: number(),
                    etag: etag(PART),
                    checksums: Vec::new(),
                };
                let request = CompleteRequest {
                    parts: vec![part],
                    checksum: None,
                    size: None,
                    condition: condition(when),
                };
                let done = objects.complete_upload(bucket, &name, self.upload, request);
                shown(done.await?.version)
            }
            Act::Get(which) => self.read(self.selector(which)).await?,
            Act::Collect => self.collect().map(|()| String::new())?,
            Act::Recreate => {
                objects.delete_bucket(bucket).await?;
                let new = new_bucket(Versioning::Unversioned);
                format!("{:?}", objects.create_bucket(bucket, new).await?)
            }
            Act::Crowd => {
                let filled = self.body(b"it is nobody's").await;
                drop((self.body(b"another pack").await, filled));
                self.collect()?;
                String::new()
            }
            Act::Replace => {
                let put = objects.put(bucket, &name, body(), attributes(), PutCondition::Always);
                put.await?;
                self.collect_all()?;
                String::new()
            }
        })
    }

    fn selector(&self, which: Which) -> VersionSelector {
        match which {
            Which::Current => VersionSelector::Current,
            Which::Null => VersionSelector::Null,
            Which::Id => VersionSelector::Id(self.version),
        }
    }

    fn collect(&self) -> Result<(), StoreError> {
        let grace = Duration::ZERO;
        let collector = self.storage.collector(CollectorSettings {
            grace,
            quarantine: grace,
        });
        collector.run().map(|_| ())
    }

    fn collect_all(&self) -> Result<(), StoreError> {
        (0..ROUNDS_TO_REST).try_for_each(|_| self.collect())
    }

    /// Problems of the store, found in its own rows.
    fn complaints(&self, when: &str) -> Result<(), String> {
        let report = doctor::examine(&*self.rows, &*self.storage.store.packs);
        match report.findings.first() {
            Some(finding) => Err(format!("{when}: {}", finding.what)),
            None => Ok(()),
        }
    }

    /// The store's contents once everything dead is gone; `Err` names its problems.
    pub(super) fn rest(&self) -> Result<String, String> {
        self.complaints("at the end")?;
        self.collect_all()
            .map_err(|e| format!("a collection: {e}"))?;
        self.complaints("at rest")?;
        let census = doctor::examine(&*self.rows, &*self.storage.store.packs).census;
        if census.orphans + census.marked + census.dead > 0 {
            return Err(format!("collections leave something behind: {census:?}"));
        }
        self.contents().map_err(|error| format!("at rest: {error}"))
    }

    /// Everything that clients can see, without random names.
    fn contents(&self) -> Result<String, StoreError> {
        let mut out = String::new();
        self.each(&mut out, Buckets, |bucket| {
            format!("{} {:?}", bucket.key, bucket.value.state)
        })?;
        self.each(&mut out, BucketVersioning, |state| {
            format!("{:?}", state.value)
        })?;
        self.each(&mut out, Heads, |head| {
            format!("{} {:?}", head.key.1, head.value)
        })?;
        self.each(&mut out, Currents, |current| {
            let (key, row) = (&current.key.1, &current.value);
            format!("{key} {:?} {}", row.number, row.etag)
        })?;
        self.each(&mut out, Versions, |version| {
            let (_, key, number) = &version.key;
            let what = match &version.value.kind {
                VersionKind::Object(data) => data.etag.to_string(),
                VersionKind::DeleteMarker => "marker".to_owned(),
            };
            format!("{key} {number:?} null {} {what}", version.value.is_null)
        })?;
        self.each(&mut out, Uploads, |upload| upload.key.1.to_string())?;
        self.each(&mut out, Parts, |part| part.value.etag.to_string())?;
        let object = match alone(self.read(VersionSelector::Current)) {
            Ok(object) => object,
            Err(ObjectsError::DeleteMarker { .. }) => "marker".to_owned(),
            Err(error) => format!("{error:?}"),
        };
        out.push_str(&object);
        Ok(out)
    }

    fn each<T: Table>(
        &self,
        out: &mut String,
        table: T,
        show: impl Fn(&Entry<T>) -> String,
    ) -> Result<(), StoreError> {
        for entry in scan(&*self.rows, table, &table.whole(), 100)? {
            writeln!(out, "{:?} {}", T::KEYSPACE, show(&entry)).expect("a string takes everything");
        }
        Ok(())
    }

    /// A version's bytes, with the error if they end early.
    async fn read(&self, selector: VersionSelector) -> Result<String, ObjectsError> {
        let reader = &self.storage.reader;
        let object = reader.open(&self.bucket, &key(KEY), selector).await?;
        let number = object.found.version.id.number;
        let size = object.found.data.size;
        let mut stream = reader.stream(object, 0..size);
        let mut bytes = Vec::new();
        loop {
            match stream.next().await {
                Ok(Some(piece)) => bytes.extend_from_slice(&piece),
                Ok(None) => break,
                Err(error) => return Ok(format!("{error:?}")),
            }
        }
        Ok(format!("{number:?} {}", String::from_utf8_lossy(&bytes)))
    }
}

fn number() -> PartNumber {
    PartNumber::new(1).expect("in range")
}

fn etag(bytes: &[u8]) -> ETag {
    use md5::Digest as _;
    ETag::whole(md5::Md5::digest(bytes).into())
}

fn condition(when: When) -> PutCondition {
    match when {
        When::Always => PutCondition::Always,
        When::Absent => PutCondition::IfAbsent,
        When::Matches => PutCondition::IfMatch(etag(OBJECT)),
    }
}

fn shown(version: Option<VersionId>) -> String {
    format!("version {:?}", version.map(|version| version.number))
}

fn new_bucket(versioning: Versioning) -> NewBucket {
    NewBucket {
        versioning,
        ..NewBucket::plain(owner())
    }
}

fn new_upload() -> NewUpload {
    NewUpload {
        attributes: attributes(),
        checksum: None,
    }
}

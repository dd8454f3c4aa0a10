//! Random operations on the real engines, reopened at random, against a map in memory.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use proptest::prelude::*;
use strongroom_server::bodies::incoming::{BodyTarget, Expected};
use strongroom_server::clock::{Entropy, SeededEntropy, SystemClock};
use strongroom_server::model::{
    BucketName, ContentHeaders, LegalHold, ObjectKey, Owner, PartNumber, StorageClass, Tags,
    UploadId, UserMetadata,
};
use strongroom_server::objects::{
    Attributes, CompletePart, CompleteRequest, ListQuery, NewBucket, NewUpload, ObjectsError,
    PutCondition, StoredBody, VersionSelector,
};
use strongroom_server::storage::Storage;
use strongroom_server::store::Store;

#[derive(Debug, Clone)]
enum Step {
    Put { key: u8, len: usize },
    Delete { key: u8 },
    Multipart { key: u8, last: usize },
    Range { key: u8, at: usize, len: usize },
    List,
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    // Sizes on both sides of every limit: empty, one frame, the small-body limit, several frames.
    let len = prop_oneof![
        0..50_usize,
        262_100..262_200_usize,
        1_048_570..1_048_580_usize,
        0..3_000_000_usize
    ];
    prop_oneof![
        5 => (0..6_u8, len.clone()).prop_map(|(key, len)| Step::Put { key, len }),
        2 => (0..6_u8).prop_map(|key| Step::Delete { key }),
        1 => (0..6_u8, len).prop_map(|(key, last)| Step::Multipart { key, last }),
        3 => (0..6_u8, 0..3_000_000_usize, 1..600_000_usize).prop_map(|(key, at, len)| Step::Range { key, at, len }),
        1 => Just(Step::List),
        1 => Just(Step::Reopen),
    ]
}

struct Subject {
    storage: Storage,
    bucket: BucketName,
    entropy: Arc<SeededEntropy>,
}

fn object_key(number: u8) -> ObjectKey {
    ObjectKey::parse(&format!("cluster/v2/\0snapshot {number}")).expect("a valid key")
}

/// Bytes of which half is compressible.
fn body(entropy: &SeededEntropy, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    let random = len / 2;
    entropy.fill(bytes.get_mut(..random).unwrap_or_default());
    bytes
}

fn attributes() -> Attributes {
    Attributes {
        owner: Owner("root".to_owned()),
        class: StorageClass::default(),
        headers: ContentHeaders::default(),
        metadata: UserMetadata(vec![("k".to_owned(), "v".to_owned())]),
        tags: Tags::default(),
        retention: None,
        hold: LegalHold::Off,
    }
}

impl Subject {
    async fn open(dir: &Path, entropy: Arc<SeededEntropy>) -> Subject {
        let clock = Arc::new(SystemClock::new());
        let (dir, on, with) = (dir.to_owned(), clock.clone(), Arc::clone(&entropy));
        let open = move || Store::open(&dir, on, &*with).expect("the store opens");
        let store = tokio::task::spawn_blocking(open)
            .await
            .expect("it does not panic");
        let storage = Storage::open(
            Arc::new(store),
            clock,
            entropy.clone(),
            strongroom_server::bodies::incoming::Sizes::default(),
        )
        .await
        .expect("the layers open");
        let bucket = BucketName::parse("etcd-backup").expect("a valid name");
        storage
            .objects
            .create_bucket(&bucket, NewBucket::plain(Owner("root".to_owned())))
            .await
            .expect("created");
        Subject {
            storage,
            bucket,
            entropy,
        }
    }

    async fn store_body(
        &self,
        key: &ObjectKey,
        part: Option<(UploadId, PartNumber)>,
        bytes: &[u8],
    ) -> StoredBody {
        let bucket = self
            .storage
            .objects
            .bucket(&self.bucket)
            .await
            .expect("the bucket")
            .id;
        let target = BodyTarget {
            bucket,
            key: key.clone(),
            part,
        };
        let mut ingest = self.storage.ingest.begin(&target, Expected::default());
        for piece in bytes.chunks(100_000) {
            ingest
                .write(Bytes::copy_from_slice(piece))
                .await
                .expect("taken");
        }
        ingest.finish().await.expect("stored")
    }

    async fn put(&self, key: &ObjectKey, bytes: &[u8]) {
        let body = self.store_body(key, None, bytes).await;
        self.storage
            .objects
            .put(&self.bucket, key, body, attributes(), PutCondition::Always)
            .await
            .expect("put");
    }

    async fn multipart(&self, key: &ObjectKey, parts: &[Vec<u8>]) {
        let objects = &self.storage.objects;
        let new = NewUpload {
            attributes: attributes(),
            checksum: None,
        };
        let upload = objects
            .create_upload(&self.bucket, key, new)
            .await
            .expect("an upload");
        let mut named = Vec::new();
        for (number, bytes) in (1..).zip(parts) {
            let number = PartNumber::new(number).expect("a valid number");
            let body = self.store_body(key, Some((upload, number)), bytes).await;
            let row = objects
                .put_part(&self.bucket, key, upload, number, body)
                .await
                .expect("a part");
            named.push(CompletePart {
                number,
                etag: row.etag,
                checksums: Vec::new(),
            });
        }
        let request = CompleteRequest {
            parts: named,
            checksum: None,
            size: None,
            condition: PutCondition::Always,
        };
        objects
            .complete_upload(&self.bucket, key, upload, request)
            .await
            .expect("completed");
    }

    async fn delete(&self, key: &ObjectKey) {
        let owner = Owner("root".to_owned());
        self.storage
            .objects
            .delete(&self.bucket, key, VersionSelector::Current, &owner)
            .await
            .expect("deleted");
    }

    async fn range(&self, key: &ObjectKey, at: usize, len: usize) -> Option<Vec<u8>> {
        let object = match self
            .storage
            .reader
            .open(&self.bucket, key, VersionSelector::Current)
            .await
        {
            Err(ObjectsError::NoSuchKey(_)) => return None,
            other => other.expect("it opens"),
        };
        let size = usize::try_from(object.found.data.size).expect("a test size");
        let (at, end) = (at.min(size), at.saturating_add(len).min(size));
        let range = u64::try_from(at).expect("fits")..u64::try_from(end).expect("fits");
        let mut stream = self.storage.reader.stream(object, range);
        let mut out = Vec::new();
        while let Some(piece) = stream.next().await.expect("healthy bytes") {
            out.extend_from_slice(&piece);
        }
        Some(out)
    }

    async fn listed(&self) -> Vec<(String, u64)> {
        let query = ListQuery {
            prefix: "cluster/".to_owned(),
            delimiter: None,
            after: None,
            max: 1000,
        };
        let page = self
            .storage
            .objects
            .list(&self.bucket, query)
            .await
            .expect("a page");
        page.entries
            .into_iter()
            .map(|entry| (entry.key.to_string(), entry.row.size))
            .collect()
    }
}

type Model = BTreeMap<u8, Vec<u8>>;

async fn apply(subject: &Subject, model: &mut Model, step: &Step) {
    match *step {
        Step::Put { key, len } => {
            let bytes = body(&subject.entropy, len);
            subject.put(&object_key(key), &bytes).await;
            model.insert(key, bytes);
        }
        Step::Delete { key } => {
            subject.delete(&object_key(key)).await;
            model.remove(&key);
        }
        Step::Multipart { key, last } => {
            let parts = vec![
                body(&subject.entropy, 5 * 1024 * 1024),
                body(&subject.entropy, last),
            ];
            subject.multipart(&object_key(key), &parts).await;
            model.insert(key, parts.concat());
        }
        Step::Range { key, at, len } => {
            let expected = model.get(&key).map(|bytes| {
                let at = at.min(bytes.len());
                bytes
                    .get(at..at.saturating_add(len).min(bytes.len()))
                    .unwrap_or_default()
                    .to_vec()
            });
            assert!(
                subject.range(&object_key(key), at, len).await == expected,
                "{step:?}"
            );
        }
        Step::List | Step::Reopen => {}
    }
}

async fn run(steps: &[Step], dir: &Path) {
    let entropy = Arc::new(SeededEntropy::new(42));
    let mut subject = Subject::open(dir, Arc::clone(&entropy)).await;
    let mut model = Model::new();
    for step in steps {
        apply(&subject, &mut model, step).await;
        if matches!(step, Step::Reopen) {
            subject.storage.close().expect("a clean close");
            drop(subject);
            subject = Subject::open(dir, Arc::clone(&entropy)).await;
        }
        let expected: Vec<_> = model
            .iter()
            .map(|(key, bytes)| {
                (
                    object_key(*key).to_string(),
                    u64::try_from(bytes.len()).expect("fits"),
                )
            })
            .collect();
        assert_eq!(subject.listed().await, expected, "after {step:?}");
    }
    for (key, bytes) in &model {
        assert!(
            subject
                .range(&object_key(*key), 0, usize::MAX)
                .await
                .as_ref()
                == Some(bytes),
            "object {key}"
        );
    }
    subject.storage.close().expect("a clean close");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, max_shrink_iters: 40, ..ProptestConfig::default() })]

    #[test]
    fn the_store_agrees_with_a_map(steps in proptest::collection::vec(step(), 1..25)) {
        let dir = tempfile::tempdir().expect("a folder");
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
        runtime.block_on(run(&steps, dir.path()));
    }
}

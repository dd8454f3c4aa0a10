//! Uploads: conditions of Complete, repeated Completes, and pages of uploads and parts.

use proptest::prelude::*;

use crate::model::{BucketName, ETag, ObjectKey, PartNumber, UploadId};
use crate::objects::{
    CompletePart, CompleteRequest, Completed, ListUploadsQuery, NewBucket, ObjectsError,
    PutCondition, VersionSelector,
};
use crate::tables::Versioning;
use crate::trial::{TestStorage, key, owner};

/// An upload of `a` with one part, and that part.
async fn upload_of_one(storage: &TestStorage) -> (UploadId, Vec<CompletePart>) {
    let upload = storage.upload("a").await;
    let part = storage.part("a", upload, 1, b"from the part").await;
    (upload, vec![part.expect("a part")])
}

async fn complete_if(
    storage: &TestStorage,
    condition: PutCondition,
    upload: UploadId,
    parts: &[CompletePart],
) -> Result<Completed, ObjectsError> {
    let request = CompleteRequest {
        parts: parts.to_vec(),
        checksum: None,
        size: None,
        condition,
    };
    let (objects, bucket) = (&storage.storage.objects, &storage.bucket);
    objects
        .complete_upload(bucket, &key("a"), upload, request)
        .await
}

#[tokio::test]
async fn a_complete_that_must_find_nothing_replaces_nothing() {
    for versioning in [Versioning::Unversioned, Versioning::Enabled] {
        let storage = TestStorage::new(versioning).await;
        let (upload, parts) = upload_of_one(&storage).await;
        storage.put("a", b"was there first").await;
        let refused = complete_if(&storage, PutCondition::IfAbsent, upload, &parts).await;
        assert!(
            matches!(&refused, Err(ObjectsError::PreconditionFailed(name)) if *name == key("a")),
            "{refused:?}"
        );
        let found = storage.get("a", VersionSelector::Current).await;
        assert_eq!(found.expect("there"), b"was there first");
        // The upload is unchanged: once the object has gone, it can be completed.
        let deleted = storage.delete("a", VersionSelector::Current).await;
        deleted.expect("deleted");
        let done = complete_if(&storage, PutCondition::IfAbsent, upload, &parts).await;
        done.expect("nothing is there: a marker is no object");
        let found = storage.get("a", VersionSelector::Current).await;
        assert_eq!(found.expect("there"), b"from the part");
    }
}

#[tokio::test]
async fn a_complete_that_must_match_replaces_that_object_only() {
    let storage = TestStorage::new(Versioning::Unversioned).await;
    let (upload, parts) = upload_of_one(&storage).await;
    let any = PutCondition::IfMatch(ETag::whole([7; 16]));
    let refused = complete_if(&storage, any, upload, &parts).await;
    assert!(
        matches!(&refused, Err(ObjectsError::NothingToMatch(name)) if *name == key("a")),
        "{refused:?}"
    );
    let meant = storage.put("a", b"the one that is meant").await.etag;
    storage.put("a", b"a later one").await;
    let refused = complete_if(&storage, PutCondition::IfMatch(meant), upload, &parts).await;
    assert!(
        matches!(&refused, Err(ObjectsError::PreconditionFailed(name)) if *name == key("a")),
        "{refused:?}"
    );
    let found = storage.get("a", VersionSelector::Current).await;
    assert_eq!(found.expect("there"), b"a later one");
    let meant = storage.put("a", b"the one that is meant").await.etag;
    let done = complete_if(&storage, PutCondition::IfMatch(meant), upload, &parts).await;
    let done = done.expect("it matches");
    // It gets its own answer again, although its condition would now fail.
    let again = complete_if(&storage, PutCondition::IfMatch(meant), upload, &parts).await;
    assert_eq!(again.expect("the same answer"), done);
    let found = storage.get("a", VersionSelector::Current).await;
    assert_eq!(found.expect("there"), b"from the part");
}

#[tokio::test]
async fn a_complete_is_repeated_only_for_its_own_bucket_and_key() {
    let storage = TestStorage::new(Versioning::Unversioned).await;
    let (upload, parts) = upload_of_one(&storage).await;
    let done = storage.complete("a", upload, parts.clone()).await;
    let done = done.expect("completed");
    let elsewhere = storage.complete("b", upload, parts.clone()).await;
    assert!(
        matches!(&elsewhere, Err(ObjectsError::NoSuchUpload(name)) if *name == key("b")),
        "{elsewhere:?}"
    );
    let other = BucketName::parse("another-bucket").expect("a valid name");
    let objects = &storage.storage.objects;
    let created = objects.create_bucket(&other, NewBucket::plain(owner()));
    created.await.expect("created");
    let request = CompleteRequest {
        parts: parts.clone(),
        checksum: None,
        size: None,
        condition: PutCondition::Always,
    };
    let name = key("a");
    let elsewhere = objects.complete_upload(&other, &name, upload, request);
    let elsewhere = elsewhere.await;
    assert!(
        matches!(&elsewhere, Err(ObjectsError::NoSuchUpload(name)) if *name == key("a")),
        "{elsewhere:?}"
    );
    let again = storage.complete("a", upload, parts).await;
    assert_eq!(again.expect("the same answer"), done);
}

#[tokio::test]
async fn parts_are_listed_by_number_a_page_at_a_time() {
    let storage = TestStorage::new(Versioning::Unversioned).await;
    let upload = storage.upload("a").await;
    let numbers = [10_000, 1, 256, 2, 255, 4096];
    for number in numbers {
        let part = storage.part("a", upload, number, b"x").await;
        part.expect("a part");
    }
    let mut sorted = numbers.map(|n| u16::try_from(n).expect("in range"));
    sorted.sort_unstable();
    for max in 0..=7 {
        // Also after numbers without a part.
        for after in [0, 1, 2, 3, 254, 255, 256, 9_999, 10_000] {
            let (objects, name) = (&storage.storage.objects, key("a"));
            let page = objects.list_parts(&storage.bucket, &name, upload, after, max);
            let (page, more) = page.await.expect("a page");
            let listed: Vec<u16> = page.iter().map(|(number, _)| number.get()).collect();
            let left = sorted.iter().copied().filter(|number| *number > after);
            let left: Vec<u16> = left.collect();
            assert_eq!(listed, left[..max.min(left.len())], "{max} after {after}");
            assert_eq!(more, max > 0 && left.len() > max, "{max} after {after}");
        }
    }
    assert!(PartNumber::new(0).is_none(), "before all parts is 0");
}

/// Uploads and common prefixes in the order of a listing; a prefix has no upload.
type Listed = Vec<(String, Option<UploadId>)>;

/// The expected page of uploads, from all of them in order.
fn expected_page(all: &[(ObjectKey, UploadId)], query: &ListUploadsQuery) -> (Listed, bool) {
    let prefix_of = |name: &str| {
        let delimiter = query.delimiter.as_deref()?;
        let at = name.strip_prefix(&query.prefix)?.find(delimiter)?;
        Some(name[..query.prefix.len() + at + delimiter.len()].to_owned())
    };
    let comes_after = |(name, id): &(ObjectKey, UploadId)| match &query.after {
        None => true,
        // Without the second half, all uploads of the key count as before the marker, and all below a common prefix.
        Some((marker, None)) if prefix_of(marker.as_str()).as_deref() == Some(marker.as_str()) => {
            name > marker && !name.as_str().starts_with(marker.as_str())
        }
        Some((marker, None)) => name > marker,
        Some((marker, Some(upload))) => (name, id) > (marker, upload),
    };
    let left: Vec<_> = all
        .iter()
        .filter(|(name, _)| name.as_str().starts_with(&query.prefix))
        .filter(|upload| comes_after(upload))
        .collect();
    let mut listed: Listed = Vec::new();
    for (name, id) in left {
        let entry = match prefix_of(name.as_str()) {
            Some(prefix) => (prefix, None),
            None => (name.as_str().to_owned(), Some(*id)),
        };
        if listed.last() != Some(&entry) {
            listed.push(entry);
        }
    }
    let more = query.max > 0 && listed.len() > query.max;
    listed.truncate(query.max);
    (listed, more)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn uploads_are_listed_after_any_marker(
        names in proptest::collection::vec("[ab\\x00]{1,2}(/[ab])?", 1..12),
        prefix in "[ab]{0,1}",
        max in 0_usize..6,
        marker in "[ab\\x00]{1,2}(/[ab]?)?",
        delimiter in proptest::option::of("[/a]"),
        half in proptest::option::of(proptest::array::uniform16(any::<u8>())),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(async {
            let storage = TestStorage::new(Versioning::Unversioned).await;
            let mut all = Vec::new();
            for name in &names {
                all.push((key(name), storage.upload(name).await));
            }
            all.sort();
            // Random markers, which mostly name no upload, then each upload with and without the second half.
            let mut markers = vec![None, Some((key(&marker), None))];
            markers.push(half.map(|half| (key(&marker), Some(UploadId(half)))));
            for (name, upload) in &all {
                markers.push(Some((name.clone(), None)));
                markers.push(Some((name.clone(), Some(*upload))));
            }
            for after in markers {
                let delimiter = delimiter.clone();
                let query = ListUploadsQuery { prefix: prefix.clone(), delimiter, after, max };
                let objects = &storage.storage.objects;
                let page = objects.list_uploads(&storage.bucket, query.clone()).await;
                let page = page.expect("a page");
                let uploads = page.entries.iter();
                let uploads = uploads.map(|entry| (entry.key.as_str().to_owned(), Some(entry.upload)));
                let mut listed: Listed = uploads.collect();
                listed.extend(page.prefixes.iter().map(|prefix| (prefix.clone(), None)));
                listed.sort();
                let last = listed.last().cloned();
                let (expected, more) = expected_page(&all, &query);
                assert_eq!(listed, expected, "{query:?}");
                assert_eq!(page.next, last.filter(|_| more), "{query:?}");
            }
        });
    }
}

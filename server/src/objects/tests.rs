//! The rules of versions, locks, listings and uploads, over the in-memory backend.

mod bucket_deletion;
mod damage;
mod uploads;

use std::collections::BTreeSet;
use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::clock::UnixMillis;
use crate::model::{ETag, LegalHold, PartNumber, Retention, RetentionMode};
use crate::tables::Versioning;
use crate::trial::{NOW, TestStorage, attributes, key};

#[tokio::test]
async fn an_unversioned_key_holds_its_last_body_and_goes_without_a_trace() {
    let storage = TestStorage::new(Versioning::Unversioned).await;
    assert_eq!(storage.put("a", b"one").await.version, None);
    storage.put("a", b"two").await;
    assert_eq!(
        storage
            .get("a", VersionSelector::Current)
            .await
            .expect("there"),
        b"two"
    );
    assert_eq!(
        storage
            .delete("a", VersionSelector::Current)
            .await
            .expect("deleted"),
        Deleted::default()
    );
    assert!(matches!(
        storage.get("a", VersionSelector::Current).await,
        Err(ObjectsError::NoSuchKey(_))
    ));
    assert_eq!(
        storage
            .delete("a", VersionSelector::Current)
            .await
            .expect("again"),
        Deleted::default()
    );
    storage
        .storage
        .objects
        .delete_bucket(&storage.bucket)
        .await
        .expect("nothing is left in it");
}

#[tokio::test]
async fn versions_stay_and_a_marker_hides_them() {
    let storage = TestStorage::new(Versioning::Enabled).await;
    let first = storage.put("a", b"one").await.version.expect("an id");
    let second = storage.put("a", b"two").await.version.expect("an id");
    let marker = storage
        .delete("a", VersionSelector::Current)
        .await
        .expect("a marker");
    assert!(marker.marker);
    assert!(matches!(
        storage.get("a", VersionSelector::Current).await,
        Err(ObjectsError::DeleteMarker { named: false, .. })
    ));
    assert!(storage.list("", None, None, 10).await.entries.is_empty());
    assert_eq!(
        storage
            .get("a", VersionSelector::Id(first))
            .await
            .expect("kept"),
        b"one"
    );
    assert!(matches!(
        storage.storage.objects.delete_bucket(&storage.bucket).await,
        Err(ObjectsError::BucketNotEmpty(_))
    ));

    // Removing the marker makes the newest version current again; removing that version, the one before.
    let marker = crate::model::VersionId::parse(&marker.version.expect("an id")).expect("an id");
    storage
        .delete("a", VersionSelector::Id(marker))
        .await
        .expect("removed");
    assert_eq!(
        storage
            .get("a", VersionSelector::Current)
            .await
            .expect("back"),
        b"two"
    );
    storage
        .delete("a", VersionSelector::Id(second))
        .await
        .expect("removed");
    assert_eq!(
        storage
            .get("a", VersionSelector::Current)
            .await
            .expect("back"),
        b"one"
    );
    assert_eq!(
        storage
            .list("", None, None, 10)
            .await
            .entries
            .first()
            .map(|e| e.row.size),
        Some(3)
    );
    storage
        .delete("a", VersionSelector::Id(first))
        .await
        .expect("removed");
    assert!(matches!(
        storage.get("a", VersionSelector::Current).await,
        Err(ObjectsError::NoSuchKey(_))
    ));
}

#[tokio::test]
async fn a_suspended_bucket_replaces_its_null_version_only() {
    let storage = TestStorage::new(Versioning::Unversioned).await;
    storage.put("a", b"null").await;
    storage
        .storage
        .objects
        .set_versioning(&storage.bucket, Versioning::Enabled)
        .await
        .expect("enabled");
    let kept = storage.put("a", b"kept").await.version.expect("an id");
    storage
        .storage
        .objects
        .set_versioning(&storage.bucket, Versioning::Suspended)
        .await
        .expect("suspended");
    storage.put("a", b"new null").await;
    assert_eq!(
        storage
            .get("a", VersionSelector::Null)
            .await
            .expect("there"),
        b"new null"
    );
    assert_eq!(
        storage
            .get("a", VersionSelector::Id(kept))
            .await
            .expect("there"),
        b"kept"
    );
    let found = storage
        .storage
        .objects
        .lookup(&storage.bucket, &key("a"), VersionSelector::Current)
        .await
        .expect("found");
    assert_eq!(found.shown_version().as_deref(), Some("null"));
}

#[tokio::test]
async fn retention_and_holds_keep_a_version() {
    let storage = TestStorage::new(Versioning::Enabled).await;
    let until = UnixMillis(NOW.0 + 1000);
    let retained = Attributes {
        retention: Some(Retention {
            mode: RetentionMode::Compliance,
            until,
        }),
        ..attributes()
    };
    let held = Attributes {
        hold: LegalHold::On,
        ..attributes()
    };
    let retained = storage
        .put_with("a", b"x", retained, PutCondition::Always)
        .await
        .expect("put")
        .version
        .expect("id");
    let held = storage
        .put_with("b", b"x", held, PutCondition::Always)
        .await
        .expect("put")
        .version
        .expect("id");
    for (name, version) in [("a", retained), ("b", held)] {
        let refused = storage.delete(name, VersionSelector::Id(version)).await;
        assert!(
            matches!(refused, Err(ObjectsError::Locked(_))),
            "{refused:?}"
        );
    }
    storage.clock.advance(std::time::Duration::from_secs(2));
    storage
        .delete("a", VersionSelector::Id(retained))
        .await
        .expect("its retention has ended");
}

#[tokio::test]
async fn conditions_are_judged_with_the_commit() {
    let storage = TestStorage::new(Versioning::Unversioned).await;
    let put = |name: &'static str, condition| storage.put_with(name, b"x", attributes(), condition);
    put("a", PutCondition::IfAbsent).await.expect("the first");
    assert!(matches!(
        put("a", PutCondition::IfAbsent).await,
        Err(ObjectsError::PreconditionFailed(_))
    ));
    let wrong = PutCondition::IfMatch(ETag::whole([0; 16]));
    assert!(matches!(
        put("a", wrong).await,
        Err(ObjectsError::PreconditionFailed(_))
    ));
    assert!(matches!(
        put("b", wrong).await,
        Err(ObjectsError::NothingToMatch(_))
    ));
    let etag = storage.put("a", b"x").await.etag;
    put("a", PutCondition::IfMatch(etag))
        .await
        .expect("it matches");
}

const FIVE_MIB: usize = 5 * 1024 * 1024;

#[tokio::test]
async fn a_completed_upload_is_its_parts_joined_and_answers_twice() {
    let storage = TestStorage::new(Versioning::Unversioned).await;
    let upload = storage.upload("big").await;
    let (first, second) = (vec![1; FIVE_MIB], vec![2; 10]);
    let two = storage
        .part("big", upload, 2, &second)
        .await
        .expect("a part");
    let one = storage
        .part("big", upload, 1, &first)
        .await
        .expect("a part");
    let parts = vec![one.clone(), two];
    let done = storage
        .complete("big", upload, parts.clone())
        .await
        .expect("completed");
    assert_eq!(done.etag.parts, 2);
    let joined = storage
        .get("big", VersionSelector::Current)
        .await
        .expect("there");
    assert_eq!(joined, [first, second].concat());
    assert_eq!(
        storage
            .complete("big", upload, parts)
            .await
            .expect("the same answer"),
        done
    );
    assert!(matches!(
        storage.part("big", upload, 3, b"late").await,
        Err(ObjectsError::NoSuchUpload(_))
    ));
    let gone = storage
        .storage
        .objects
        .abort_upload(&storage.bucket, &key("big"), upload)
        .await;
    assert!(matches!(gone, Err(ObjectsError::NoSuchUpload(_))));
}

#[tokio::test]
async fn a_wrong_complete_names_the_part_and_changes_nothing() {
    let storage = TestStorage::new(Versioning::Unversioned).await;
    let upload = storage.upload("big").await;
    let one = storage
        .part("big", upload, 1, b"small")
        .await
        .expect("a part");
    let two = storage
        .part("big", upload, 2, b"small")
        .await
        .expect("a part");
    let lie = CompletePart {
        etag: ETag::whole([9; 16]),
        ..one.clone()
    };
    let missing = CompletePart {
        number: PartNumber::new(7).expect("valid"),
        ..one.clone()
    };
    for (parts, expected) in [
        (vec![], "NoParts"),
        (vec![two.clone(), one.clone()], "PartOrder(1)"),
        (vec![one.clone(), two.clone()], "PartTooSmall { number: 1"),
        (vec![lie], "InvalidPart(1)"),
        (vec![missing], "InvalidPart(7)"),
    ] {
        let refused = storage
            .complete("big", upload, parts)
            .await
            .expect_err("it is wrong");
        assert!(format!("{refused:?}").starts_with(expected), "{refused:?}");
    }
    storage
        .complete("big", upload, vec![one])
        .await
        .expect("the upload is still there");
}

#[tokio::test]
async fn concurrent_puts_of_one_key_leave_one_whole_body() {
    let storage = Arc::new(TestStorage::new(Versioning::Unversioned).await);
    let mut puts = tokio::task::JoinSet::new();
    for n in 0..24_u8 {
        let storage = Arc::clone(&storage);
        puts.spawn(async move { storage.put("a", &[n; 3000]).await });
    }
    let etags: Vec<_> = puts
        .join_all()
        .await
        .into_iter()
        .map(|done| done.etag)
        .collect();
    let body = storage
        .get("a", VersionSelector::Current)
        .await
        .expect("there");
    assert!(body.len() == 3000 && body.iter().all(|b| Some(b) == body.first()));
    let found = storage
        .storage
        .objects
        .lookup(&storage.bucket, &key("a"), VersionSelector::Current)
        .await
        .expect("found");
    assert!(etags.contains(&found.data.etag));
}

/// The expected page by S3's documentation, computed from the whole set of keys.
fn expected_page(
    keys: &BTreeSet<String>,
    prefix: &str,
    delimiter: Option<&str>,
    after: Option<&str>,
    max: usize,
) -> (Vec<String>, bool) {
    let mut items: BTreeSet<String> = BTreeSet::new();
    for key in keys.iter().filter(|key| key.starts_with(prefix)) {
        let rest = key.get(prefix.len()..).unwrap_or_default();
        let item = match delimiter.and_then(|d| rest.find(d).map(|at| prefix.len() + at + d.len()))
        {
            Some(end) => key.get(..end).unwrap_or_default().to_owned(),
            None => key.clone(),
        };
        if after.is_none_or(|after| item.as_str() > after) {
            items.insert(item);
        }
    }
    let more = items.len() > max;
    (items.into_iter().take(max).collect(), more)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn pages_of_a_listing_join_to_the_whole(
        keys in proptest::collection::btree_set("[ab\\x00]{0,2}(/[ab]{0,2}){0,2}[a-c]", 1..40),
        prefix in "[ab]{0,1}/?",
        delimiter in proptest::option::of("/|b|a/"),
        max in 1_usize..6,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(async {
            let storage = TestStorage::new(Versioning::Unversioned).await;
            for key in &keys {
                storage.put(key, b"x").await;
            }
            let mut after: Option<String> = None;
            loop {
                let page = storage.list(&prefix, delimiter.as_deref(), after.clone(), max).await;
                let mut items: Vec<String> = page.entries.iter().map(|e| e.key.to_string()).collect();
                items.extend(page.prefixes.clone());
                items.sort();
                let (expected, more) =
                    expected_page(&keys, &prefix, delimiter.as_deref(), after.as_deref(), max);
                assert_eq!(items, expected);
                assert_eq!(page.next.is_some(), more);
                match page.next {
                    Some(next) => after = Some(next),
                    None => break,
                }
            }
        });
    }
}

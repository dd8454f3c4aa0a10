//! Rows and packs damaged on purpose, and the findings of the doctor.

use super::*;
use crate::clock::{Entropy as _, SeededEntropy};
use crate::model::BucketId;
use crate::objects::{PackClaim, PlacedSegment, StoredBody};
use crate::store::PackId;
use crate::store::meta::{Outcome, Txn, Write};
use crate::store::packs::format::header::PACK_HEADER_BYTES;
use crate::store::packs::format::segment::OriginTarget;
use crate::store::packs::{EncodedFrame, FRAME_PLAIN_BYTES, Origin, Segment};
use crate::tables::record::encode;
use crate::tables::table::{get, scan};
use crate::tables::{
    CompletedRow, Completions, DeadRow, DeadUploads, Keyed as _, PackRow, PackRows, PackUserRow,
    PackUsers, StoredBytes, Table, Uploads, Versioning, WriterRow, Writers,
};
use crate::trial::{NOW, TestStorage, key};

fn examined(storage: &TestStorage) -> Vec<String> {
    let store = &storage.storage.store;
    let report = examine(&*store.meta, &*store.packs);
    report
        .findings
        .into_iter()
        .map(|found| found.what)
        .collect()
}

/// Writes rows without any checks.
fn write(storage: &TestStorage, writes: Vec<Write>) {
    let conditions = Vec::new();
    let txn = Txn { conditions, writes };
    let done = storage.storage.store.meta.commit(txn).wait_blocking();
    assert!(matches!(done, Ok(Outcome::Done(_))), "{done:?}");
}

fn put<T: Table>(table: T, key: T::Key<'_>, value: &T::Value) -> Write {
    Write::Put(table.key(key), encode(value))
}

/// The row of a writer with this open pack.
fn writer(pack: PackId, open: Option<PackId>) -> Write {
    let since = NOW;
    put(Writers, pack.epoch, &WriterRow { since, open })
}

/// The only finding.
fn only(storage: &TestStorage) -> String {
    let found = examined(storage);
    assert_eq!(found.len(), 1, "{found:#?}");
    found.into_iter().next().unwrap_or_default()
}

/// A storage with an object whose body is the first in the open pack.
async fn with_one_object() -> (TestStorage, Segment) {
    let storage = TestStorage::new(Versioning::Unversioned).await;
    let body = storage.body("a", b"a small body").await;
    let placed = body.segments.first().expect("one segment");
    let segment = placed.segment;
    storage.commit("a", body).await.expect("put");
    assert_eq!(examined(&storage), [""; 0]);
    (storage, segment)
}

fn pack(serial: u32) -> PackId {
    PackId {
        serial,
        ..PackId::from_bytes([0; 8])
    }
}

#[tokio::test]
async fn only_the_open_pack_may_be_live() {
    let (storage, segment) = with_one_object().await;
    let (open, other) = (segment.pack, pack(77));
    write(&storage, vec![put(PackRows, other, &PackRow::Live)]);
    assert_eq!(
        only(&storage),
        format!("pack {other} is live, and no writer's open pack: nothing will seal it")
    );
    write(&storage, vec![Write::Delete(PackRows.key(other))]);
    write(&storage, vec![writer(open, None)]);
    assert_eq!(
        only(&storage),
        format!("pack {open} is live, and no writer's open pack: nothing will seal it")
    );
    write(&storage, vec![writer(open, Some(open))]);
    assert_eq!(examined(&storage), [""; 0]);
    storage.storage.ingest.close().expect("sealed");
    write(&storage, vec![writer(open, Some(open))]);
    assert_eq!(only(&storage), format!("the open pack {open} is not live"));
}

#[tokio::test]
async fn a_pack_is_sealed_behind_a_segment_and_behind_all_in_use() {
    let (storage, segment) = with_one_object().await;
    let pack = segment.pack;
    drop(storage.body("b", b"of a client that hung up").await);
    let end = segment.offset + segment.stored_len;
    let sealed = |len: u64| {
        let stored = StoredBytes.key(pack.epoch);
        vec![
            put(PackRows, pack, &PackRow::Sealed { len }),
            Write::Delete(stored.clone()),
            Write::Tally(stored, i64::try_from(len).expect("small")),
        ]
    };
    write(&storage, vec![writer(pack, None)]);
    write(&storage, sealed(end));
    assert_eq!(examined(&storage), [""; 0], "at the end of what is in use");
    write(&storage, sealed(end - 1));
    let found = examined(&storage);
    let short = format!(
        "pack {pack} is sealed at {}, and in use up to {end}",
        end - 1
    );
    assert!(found.contains(&short), "{found:#?}");
    write(&storage, sealed(end + 1));
    let long = format!(
        "pack {pack} is sealed at {}, where no segment ends",
        end + 1
    );
    assert_eq!(only(&storage), long);
    let listed = storage.storage.store.packs.list(None, 10).expect("listed");
    let file = listed.first().expect("one pack");
    write(&storage, sealed(file.len));
    assert_eq!(
        examined(&storage),
        [""; 0],
        "at the end of what was appended"
    );
}

/// The process dies, and another one starts.
async fn restarted(storage: TestStorage) -> TestStorage {
    let TestStorage {
        backend,
        clock,
        storage,
        ..
    } = storage;
    drop(storage);
    TestStorage::open(backend, clock, Versioning::Unversioned).await
}

fn row_of_pack(storage: &TestStorage, pack: PackId) -> PackRow {
    let row = get(&*storage.storage.store.meta, PackRows, pack);
    row.expect("readable").expect("a row")
}

#[tokio::test]
async fn a_crash_seals_the_open_pack_behind_its_last_user() {
    let (storage, segment) = with_one_object().await;
    let (pack, end) = (segment.pack, segment.offset + segment.stored_len);
    drop(storage.body("b", b"of a client that hung up").await);
    let storage = restarted(storage).await;
    assert_eq!(row_of_pack(&storage, pack), PackRow::Sealed { len: end });
    assert_eq!(examined(&storage), [""; 0]);

    let body = storage.body("c", b"nobody commits it").await;
    let pack = body.segments.first().expect("one segment").segment.pack;
    drop(body);
    let storage = restarted(storage).await;
    let len = PACK_HEADER_BYTES;
    assert_eq!(row_of_pack(&storage, pack), PackRow::Sealed { len });
    assert_eq!(examined(&storage), [""; 0]);
}

/// An object in three packs, whose tables name these places in the body.
async fn of_three_packs(storage: &TestStorage, offsets: [u64; 3]) -> [Segment; 3] {
    let packs = &storage.storage.store.packs;
    let mut body = StoredBody {
        size: 0,
        md5: [0; 16],
        checksums: Vec::new(),
        segments: Vec::new(),
        leases: Vec::new(),
    };
    let segments = offsets.map(|body_offset| {
        let mut writer = packs.begin().expect("a pack");
        let mut plain = vec![0; FRAME_PLAIN_BYTES];
        SeededEntropy::new(body_offset).fill(&mut plain);
        let frame = EncodedFrame::data(plain.into());
        writer.append(&[frame]).expect("appended");
        let origin = Origin {
            bucket: 1,
            key: "a".into(),
            target: OriginTarget::Put { body: 7 },
            etag: String::new(),
            time: NOW,
            body_offset,
        };
        let finished = writer.finish(&origin).expect("synced");
        let segment = finished.segment;
        body.size += segment.plain_len;
        body.leases.push(finished.lease);
        let len = segment.offset + segment.stored_len;
        let claim = PackClaim::Own { len };
        body.segments.push(PlacedSegment { segment, claim });
        segment
    });
    storage.commit("a", body).await.expect("put");
    segments
}

#[tokio::test]
async fn each_segment_names_its_place_in_the_body() {
    let storage = TestStorage::new(Versioning::Unversioned).await;
    let frame = 256 * 1024;
    of_three_packs(&storage, [0, frame, 2 * frame]).await;
    assert_eq!(examined(&storage), [""; 0]);
    for (offsets, wrong, named, is) in [
        ([1, frame, 2 * frame], 0, 1, 0),
        ([0, 0, 2 * frame], 1, 0, frame),
        ([0, frame, frame], 2, frame, 2 * frame),
    ] {
        let storage = TestStorage::new(Versioning::Unversioned).await;
        let segments = of_three_packs(&storage, offsets).await;
        let Segment { pack, offset, .. } = segments[wrong];
        assert_eq!(
            only(&storage),
            format!(
                "the segment at {offset} of pack {pack} is at byte {is} of its body, and names byte {named}"
            )
        );
    }
}

#[tokio::test]
async fn a_pack_names_where_its_users_end() {
    let (storage, segment) = with_one_object().await;
    let end = segment.offset + segment.stored_len;
    let meta = &*storage.storage.store.meta;
    let users = scan(meta, PackUsers, &PackUsers.whole(), 10).expect("readable");
    let (pack, manifest) = users.first().expect("one").key;
    let said = |end| vec![put(PackUsers, (pack, manifest), &PackUserRow { end })];
    write(&storage, said(end - 1));
    assert_eq!(
        only(&storage),
        format!(
            "pack {pack} names manifest {manifest} up to {}, and its last segment in it ends at {end}",
            end - 1
        )
    );
    write(&storage, said(end));
    assert_eq!(examined(&storage), [""; 0]);
}

#[tokio::test]
async fn a_part_has_an_upload_and_an_upload_has_one_state() {
    let (storage, _) = with_one_object().await;
    let upload = storage.upload("a").await;
    storage
        .part("a", upload, 3, b"a part")
        .await
        .expect("a part");
    let bucket = storage.storage.objects.bucket(&storage.bucket).await;
    let (bucket, name) = (bucket.expect("the bucket").id, key("a"));
    let open = Uploads.key((bucket, &name, upload));
    let row = storage
        .storage
        .store
        .meta
        .get_many(std::slice::from_ref(&open));
    let row = row.expect("readable").pop().flatten().expect("it is open");

    let dead = DeadRow { since: NOW };
    write(&storage, vec![put(DeadUploads, upload, &dead)]);
    assert_eq!(
        only(&storage),
        format!("upload {upload} is left to the collection, and open as well")
    );
    write(&storage, vec![Write::Delete(open.clone())]);
    assert_eq!(examined(&storage), [""; 0], "it is on its way out");
    write(&storage, vec![Write::Delete(DeadUploads.key(upload))]);
    assert_eq!(
        only(&storage),
        format!("part 3 is of upload {upload}, which is neither open nor left to the collection")
    );
    let nowhere = BucketId(bucket.0 ^ 1);
    let moved = Uploads.key((nowhere, &name, upload));
    write(&storage, vec![Write::Put(moved.clone(), row.value.clone())]);
    assert_eq!(
        only(&storage),
        format!("upload {upload} of a lies in a bucket that is not there")
    );
    write(
        &storage,
        vec![Write::Delete(moved), Write::Put(open, row.value)],
    );
    let completed = CompletedRow {
        bucket: storage.bucket.clone(),
        key: name,
        etag: crate::model::ETag::whole([0; 16]),
        checksums: Vec::new(),
        version: None,
        time: NOW,
    };
    write(&storage, vec![put(Completions, upload, &completed)]);
    assert_eq!(
        only(&storage),
        format!("upload {upload} is completed, and open as well")
    );
}

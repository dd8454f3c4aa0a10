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

fn examined(house: &TestStorage) -> Vec<String> {
    let store = &house.storage.store;
    let report = examine(&*store.meta, &*store.packs);
    report
        .findings
        .into_iter()
        .map(|found| found.what)
        .collect()
}

/// Writes rows without any checks.
fn write(house: &TestStorage, writes: Vec<Write>) {
    let conditions = Vec::new();
    let txn = Txn { conditions, writes };
    let done = house.storage.store.meta.commit(txn).wait_blocking();
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
fn only(house: &TestStorage) -> String {
    let found = examined(house);
    assert_eq!(found.len(), 1, "{found:#?}");
    found.into_iter().next().unwrap_or_default()
}

/// A storage with an object whose body is the first in the open pack.
async fn furnished() -> (TestStorage, Segment) {
    let house = TestStorage::new(Versioning::Unversioned).await;
    let body = house.body("a", b"a small body").await;
    let placed = body.segments.first().expect("one segment");
    let segment = placed.segment;
    house.commit("a", body).await.expect("put");
    assert_eq!(examined(&house), [""; 0]);
    (house, segment)
}

fn pack(serial: u32) -> PackId {
    PackId {
        serial,
        ..PackId::from_bytes([0; 8])
    }
}

#[tokio::test]
async fn only_the_open_pack_may_be_live() {
    let (house, segment) = furnished().await;
    let (open, other) = (segment.pack, pack(77));
    write(&house, vec![put(PackRows, other, &PackRow::Live)]);
    assert_eq!(
        only(&house),
        format!("pack {other} is live, and no writer's open pack: nothing will seal it")
    );
    write(&house, vec![Write::Delete(PackRows.key(other))]);
    write(&house, vec![writer(open, None)]);
    assert_eq!(
        only(&house),
        format!("pack {open} is live, and no writer's open pack: nothing will seal it")
    );
    write(&house, vec![writer(open, Some(open))]);
    assert_eq!(examined(&house), [""; 0]);
    house.storage.ingest.close().expect("sealed");
    write(&house, vec![writer(open, Some(open))]);
    assert_eq!(only(&house), format!("the open pack {open} is not live"));
}

#[tokio::test]
async fn a_pack_is_sealed_behind_a_segment_and_behind_all_in_use() {
    let (house, segment) = furnished().await;
    let pack = segment.pack;
    drop(house.body("b", b"of a client that hung up").await);
    let end = segment.offset + segment.stored_len;
    let sealed = |len: u64| {
        let stored = StoredBytes.key(pack.epoch);
        vec![
            put(PackRows, pack, &PackRow::Sealed { len }),
            Write::Delete(stored.clone()),
            Write::Tally(stored, i64::try_from(len).expect("small")),
        ]
    };
    write(&house, vec![writer(pack, None)]);
    write(&house, sealed(end));
    assert_eq!(examined(&house), [""; 0], "at the end of what is in use");
    write(&house, sealed(end - 1));
    let found = examined(&house);
    let short = format!(
        "pack {pack} is sealed at {}, and in use up to {end}",
        end - 1
    );
    assert!(found.contains(&short), "{found:#?}");
    write(&house, sealed(end + 1));
    let long = format!(
        "pack {pack} is sealed at {}, where no segment ends",
        end + 1
    );
    assert_eq!(only(&house), long);
    let listed = house.storage.store.packs.list(None, 10).expect("listed");
    let file = listed.first().expect("one pack");
    write(&house, sealed(file.len));
    assert_eq!(examined(&house), [""; 0], "at the end of what was appended");
}

/// The process dies, and another one starts.
async fn restarted(house: TestStorage) -> TestStorage {
    let TestStorage {
        twin,
        clock,
        storage,
        ..
    } = house;
    drop(storage);
    TestStorage::open(twin, clock, Versioning::Unversioned).await
}

fn row_of_pack(house: &TestStorage, pack: PackId) -> PackRow {
    let row = get(&*house.storage.store.meta, PackRows, pack);
    row.expect("readable").expect("a row")
}

#[tokio::test]
async fn a_crash_seals_the_open_pack_behind_its_last_user() {
    let (house, segment) = furnished().await;
    let (pack, end) = (segment.pack, segment.offset + segment.stored_len);
    drop(house.body("b", b"of a client that hung up").await);
    let house = restarted(house).await;
    assert_eq!(row_of_pack(&house, pack), PackRow::Sealed { len: end });
    assert_eq!(examined(&house), [""; 0]);

    let body = house.body("c", b"nobody commits it").await;
    let pack = body.segments.first().expect("one segment").segment.pack;
    drop(body);
    let house = restarted(house).await;
    let len = PACK_HEADER_BYTES;
    assert_eq!(row_of_pack(&house, pack), PackRow::Sealed { len });
    assert_eq!(examined(&house), [""; 0]);
}

/// An object in three packs, whose tables name these places in the body.
async fn of_three_packs(house: &TestStorage, offsets: [u64; 3]) -> [Segment; 3] {
    let packs = &house.storage.store.packs;
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
    house.commit("a", body).await.expect("put");
    segments
}

#[tokio::test]
async fn each_segment_names_its_place_in_the_body() {
    let house = TestStorage::new(Versioning::Unversioned).await;
    let frame = 256 * 1024;
    of_three_packs(&house, [0, frame, 2 * frame]).await;
    assert_eq!(examined(&house), [""; 0]);
    for (offsets, wrong, named, is) in [
        ([1, frame, 2 * frame], 0, 1, 0),
        ([0, 0, 2 * frame], 1, 0, frame),
        ([0, frame, frame], 2, frame, 2 * frame),
    ] {
        let house = TestStorage::new(Versioning::Unversioned).await;
        let segments = of_three_packs(&house, offsets).await;
        let Segment { pack, offset, .. } = segments[wrong];
        assert_eq!(
            only(&house),
            format!(
                "the segment at {offset} of pack {pack} is at byte {is} of its body, and names byte {named}"
            )
        );
    }
}

#[tokio::test]
async fn a_pack_names_where_its_users_end() {
    let (house, segment) = furnished().await;
    let end = segment.offset + segment.stored_len;
    let meta = &*house.storage.store.meta;
    let users = scan(meta, PackUsers, &PackUsers.whole(), 10).expect("readable");
    let (pack, manifest) = users.first().expect("one").key;
    let said = |end| vec![put(PackUsers, (pack, manifest), &PackUserRow { end })];
    write(&house, said(end - 1));
    assert_eq!(
        only(&house),
        format!(
            "pack {pack} names manifest {manifest} up to {}, and its last segment in it ends at {end}",
            end - 1
        )
    );
    write(&house, said(end));
    assert_eq!(examined(&house), [""; 0]);
}

#[tokio::test]
async fn a_part_has_an_upload_and_an_upload_has_one_state() {
    let (house, _) = furnished().await;
    let upload = house.upload("a").await;
    house.part("a", upload, 3, b"a part").await.expect("a part");
    let bucket = house.storage.objects.bucket(&house.bucket).await;
    let (bucket, name) = (bucket.expect("the bucket").id, key("a"));
    let open = Uploads.key((bucket, &name, upload));
    let row = house
        .storage
        .store
        .meta
        .get_many(std::slice::from_ref(&open));
    let row = row.expect("readable").pop().flatten().expect("it is open");

    let dead = DeadRow { since: NOW };
    write(&house, vec![put(DeadUploads, upload, &dead)]);
    assert_eq!(
        only(&house),
        format!("upload {upload} is left to the collection, and open as well")
    );
    write(&house, vec![Write::Delete(open.clone())]);
    assert_eq!(examined(&house), [""; 0], "it is on its way out");
    write(&house, vec![Write::Delete(DeadUploads.key(upload))]);
    assert_eq!(
        only(&house),
        format!("part 3 is of upload {upload}, which is neither open nor left to the collection")
    );
    let nowhere = BucketId(bucket.0 ^ 1);
    let moved = Uploads.key((nowhere, &name, upload));
    write(&house, vec![Write::Put(moved.clone(), row.value.clone())]);
    assert_eq!(
        only(&house),
        format!("upload {upload} of a lies in a bucket that is not there")
    );
    write(
        &house,
        vec![Write::Delete(moved), Write::Put(open, row.value)],
    );
    let completed = CompletedRow {
        bucket: house.bucket.clone(),
        key: name,
        etag: crate::model::ETag::whole([0; 16]),
        checksums: Vec::new(),
        version: None,
        time: NOW,
    };
    write(&house, vec![put(Completions, upload, &completed)]);
    assert_eq!(
        only(&house),
        format!("upload {upload} is completed, and open as well")
    );
}

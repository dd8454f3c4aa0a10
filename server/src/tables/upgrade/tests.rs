//! Rows left by older programs, and their upgraded form.

use super::*;
use crate::clock::SeededEntropy;
use crate::model::{BucketId, BucketName, Owner, Tags};
use crate::store::{Execution, MemoryBackend, Store};
use crate::tables::table::{get, tallied};
use crate::tables::{BucketState, total};

const NOW: UnixMillis = UnixMillis(1_700_000_000_000);
const PACK: PackId = PackId {
    epoch: Epoch(3),
    serial: 7,
};

fn store() -> Store {
    let clock = std::sync::Arc::new(crate::clock::ManualClock::at(NOW));
    MemoryBackend::new()
        .open(clock, &SeededEntropy::new(1), Execution::Inline)
        .expect("the backend opens")
}

fn write(meta: &dyn Meta, writes: Vec<Write>) {
    let conditions = Vec::new();
    let done = meta.commit(Txn { conditions, writes }).wait_blocking();
    assert!(matches!(done, Ok(Outcome::Done(_))), "{done:?}");
}

/// The bytes that a program before this one wrote for a record.
fn old<T: serde::Serialize>(record: &T) -> Bytes {
    Bytes::from(postcard::to_extend(record, vec![1, 0]).expect("plain data always encodes"))
}

#[test]
fn settings_of_a_bucket_get_rows_of_their_own() {
    let store = store();
    let meta = &*store.meta;
    let name = BucketName::parse("etcd-backup").expect("a valid name");
    let bucket = |versioning| buckets::v1::BucketRow {
        id: BucketId(5),
        created: NOW,
        owner: Owner("root".to_owned()),
        state: BucketState::Active,
        versioning,
        object_lock: true,
        default_retention: None,
        tags: Tags::default(),
    };
    let put = |versioning| vec![Write::Put(Buckets.key(&name), old(&bucket(versioning)))];
    write(meta, put(Versioning::Unversioned));
    upgrade(meta, store.epoch, NOW).expect("upgraded");
    assert_eq!(get(meta, BucketVersioning, BucketId(5)).ok(), Some(None));
    write(meta, put(Versioning::Suspended));
    for _ in 0..2 {
        upgrade(meta, store.epoch, NOW).expect("upgraded, also a second time");
        let setting = get(meta, BucketVersioning, BucketId(5)).expect("readable");
        assert_eq!(setting, Some(Versioning::Suspended));
        let row = get(meta, Buckets, &name).expect("readable").expect("there");
        assert!(row.object_lock && row.id == BucketId(5));
        let stored = row_of(meta, &Buckets.key(&name)).expect("readable");
        assert_eq!(stored.expect("there").value.first(), Some(&2));
    }
}

#[test]
fn the_open_pack_becomes_its_writers() {
    let store = store();
    let meta = &*store.meta;
    let open = old(&OpenPackRow { pack: PACK });
    write(meta, vec![Write::Put(Bytes::from_static(OPEN_PACK), open)]);
    upgrade(meta, store.epoch, NOW).expect("upgraded");
    let writer = get(meta, Writers, PACK.epoch).expect("readable");
    assert_eq!(writer.expect("there").open, Some(PACK));
    let gone = row_of(meta, &Bytes::from_static(OPEN_PACK)).expect("readable");
    assert_eq!(gone, None);
}

#[test]
fn sums_and_shares_of_ended_processes_are_taken_over() {
    let store = store();
    let meta = &*store.meta;
    let add = |key: &Key, n| Write::Tally(key.clone(), n);
    let single = Bytes::from_static(LOGICAL_BYTES);
    let (mine, other) = (store.epoch, Epoch(store.epoch.0 + 9));
    write(
        meta,
        vec![
            add(&single, 1000),
            add(&LogicalBytes.key(mine), -300),
            add(&LogicalBytes.key(other), -200),
            Write::Put(StoredBytes.key(other), Bytes::from_static(b"no counter")),
        ],
    );
    upgrade(meta, mine, NOW).expect("upgraded");
    assert_eq!(tallied(meta, LogicalBytes, mine).ok(), Some(500));
    assert_eq!(tallied(meta, LogicalBytes, other).ok(), Some(0));
    assert_eq!(total(meta, LogicalBytes).ok(), Some(500));
    assert_eq!(total(meta, StoredBytes).ok(), Some(0));
    assert_eq!(row_of(meta, &single).expect("readable"), None);
}

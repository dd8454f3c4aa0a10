//! Tests the editor against a model: random trees and random edits. The checker, and a second reader that shares no code with it,
//! verify the result.

use std::collections::BTreeMap;

use proptest::prelude::{Strategy, any, prop, prop_assert_eq, proptest};

use super::{
    super::{
        Bolt, BoltError, Meta,
        edit::{self, Appended, BucketEdit, Change, Edit},
    },
    builder::{Contents, Shape, build, contents},
    naive,
};

/// Writes the edit into a copy of the file, as a restore does.
pub(super) fn apply(db: &[u8], appended: &Appended) -> Vec<u8> {
    let size = |len: u64| usize::try_from(len).expect("it fits");
    let mut db = db.to_vec();
    db.resize(size(appended.new_len), 0);
    for (offset, bytes) in appended.writes() {
        db[size(offset)..size(offset) + bytes.len()].copy_from_slice(bytes);
    }
    db
}

pub(super) fn read(db: &[u8]) -> Contents {
    let bolt = Bolt::open(db, u64::try_from(db.len()).expect("it fits")).expect("metas are right");
    let mut contents: Contents = BTreeMap::new();
    for bucket in bolt.buckets().expect("the top level is right") {
        contents.insert(bucket.name, BTreeMap::new());
    }
    bolt.check_each(&mut |entry| {
        let bucket = contents.get_mut(entry.bucket).expect("it was listed");
        bucket.insert(entry.key.to_vec(), entry.value.to_vec());
        Ok::<(), BoltError>(())
    })
    .expect("it passes the check");
    contents
}

fn edited(db: &[u8], edit: &Edit) -> Vec<u8> {
    let bolt = Bolt::open(db, u64::try_from(db.len()).expect("it fits")).expect("metas are right");
    let appended = edit::append(&bolt, edit).expect("it fits");
    assert_eq!(
        appended,
        edit::append(&bolt, edit).expect("it fits"),
        "the same edit gives the same bytes"
    );
    apply(db, &appended)
}

fn model(mut contents: Contents, edit: &Edit) -> Contents {
    for BucketEdit { name, change } in &edit.buckets {
        match change {
            Change::ReplaceAll(entries) => {
                contents.insert(name.clone(), entries.clone());
            }
            Change::Patch(changes) => {
                if changes.values().all(Option::is_none) && !contents.contains_key(name) {
                    continue;
                }
                let bucket = contents.entry(name.clone()).or_default();
                for (key, value) in changes {
                    match value {
                        Some(value) => bucket.insert(key.clone(), value.clone()),
                        None => bucket.remove(key),
                    };
                }
            }
        }
    }
    contents
}

fn keys() -> impl Strategy<Value = Vec<u8>> {
    // Few different bytes, so that edits hit existing keys and neighbours; some long, so that branches need several pages.
    let start = prop::collection::vec(prop::sample::select(vec![0, 1, b'a', b'b', 255]), 1..5);
    let rest = proptest::prop_oneof![5 => 0_usize..1, 1 => 100_usize..200];
    (start, rest).prop_map(|(mut key, rest)| {
        key.resize(key.len() + rest, b'k');
        key
    })
}

fn values() -> impl Strategy<Value = Vec<u8>> {
    (0_usize..400, any::<u8>()).prop_map(|(len, byte)| vec![byte; len])
}

fn names() -> impl Strategy<Value = Vec<u8>> {
    prop::sample::select(vec!["key", "lease", "members", "meta"])
        .prop_map(|name| name.as_bytes().to_vec())
}

fn databases() -> impl Strategy<Value = Contents> {
    let entries = prop::collection::btree_map(keys(), values(), 0..120);
    prop::collection::btree_map(names(), entries, 0..4)
}

fn shapes() -> impl Strategy<Value = Shape> {
    let page_sizes = prop::sample::select(vec![512_u32, 1024, 4096, 65536]);
    (page_sizes, 2_usize..9, any::<bool>(), any::<bool>()).prop_map(
        |(page_size, fanout, gaps, freelist)| {
            // Without a freelist a gap is also a free page.
            Shape {
                page_size,
                fanout,
                gaps,
                freelist,
            }
        },
    )
}

fn edits() -> impl Strategy<Value = Edit> {
    let replaced =
        prop::collection::btree_map(keys(), values(), 0..20).prop_map(Change::ReplaceAll);
    let patched = prop::collection::btree_map(keys(), prop::option::of(values()), 0..40)
        .prop_map(Change::Patch);
    let change = proptest::prop_oneof![replaced, patched];
    let bucket = (names(), change).prop_map(|(name, change)| BucketEdit { name, change });
    prop::collection::vec(bucket, 0..5).prop_map(|buckets| Edit { buckets })
}

proptest! {
    #[test]
    fn an_edited_database_passes_the_check_and_holds_what_it_should(
        contents in databases(),
        shape in shapes(),
        first in edits(),
        second in edits(),
    ) {
        let db = build(&contents, shape);
        prop_assert_eq!(read(&db), contents.clone());
        prop_assert_eq!(naive::read(&db), contents.clone());
        let once = edited(&db, &first);
        let expected = model(contents, &first);
        prop_assert_eq!(read(&once), expected.clone());
        prop_assert_eq!(naive::read(&once), expected.clone());
        let twice = edited(&once, &second);
        let expected = model(expected, &second);
        prop_assert_eq!(read(&twice), expected.clone());
        prop_assert_eq!(naive::read(&twice), expected.clone());
        let bolt = Bolt::open(twice.as_slice(), u64::try_from(twice.len())?).expect("metas are right");
        for (name, entries) in &expected {
            for (key, value) in entries {
                prop_assert_eq!(bolt.get(name, key).expect("it passed the check"), Some(value.clone()));
            }
            prop_assert_eq!(bolt.get(name, b"missing").expect("it passed the check"), None);
        }
    }
}

/// Trees that bbolt itself has written and rebalanced, with branch and overflow pages and free pages full of old rows.
const REAL: &[u8] = include_bytes!("../../../tests/fixtures/etcd-3.4.db");

proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(48))]
    #[test]
    fn a_real_database_is_edited_anywhere_in_its_history(
        removed in prop::collection::vec(any::<prop::sample::Index>(), 0..60),
        put in prop::collection::btree_map(any::<u32>(), values(), 0..30),
        others in edits(),
    ) {
        let real = &REAL[..REAL.len() - 32];
        let before = read(real);
        prop_assert_eq!(naive::read(real), before.clone());
        let rows: Vec<_> = before[b"key".as_slice()].keys().cloned().collect();
        let mut changes: BTreeMap<Vec<u8>, Option<Vec<u8>>> =
            removed.iter().map(|index| (index.get(&rows).clone(), None)).collect();
        for (place, value) in put {
            // Between existing rows, and after them.
            let at = u64::from(place % 250).to_be_bytes();
            changes.insert([at.as_slice(), b"_new"].concat(), Some(value));
        }
        let change = Change::Patch(changes);
        let mut edit = Edit { buckets: vec![BucketEdit { name: b"key".to_vec(), change }] };
        edit.buckets.extend(others.buckets);
        let after = edited(real, &edit);
        let expected = model(before, &edit);
        prop_assert_eq!(read(&after), expected.clone());
        prop_assert_eq!(naive::read(&after), expected);
    }
}

#[test]
fn a_row_behind_the_last_one_copies_only_the_right_edge() {
    let shape = Shape {
        page_size: 512,
        fanout: 4,
        gaps: false,
        freelist: false,
    };
    let db = build(&contents(&[("key", 64)], 60), shape);
    let bolt = Bolt::open(db.as_slice(), u64::try_from(db.len()).expect("it fits"))
        .expect("it is built right");
    let row = (1000_u64.to_be_bytes().to_vec(), Vec::new());
    let edit = Edit {
        buckets: vec![BucketEdit::upsert(b"key", [row])],
    };
    let appended = edit::append(&bolt, &edit).expect("it fits");
    // Leaf, branch, root of the bucket, top level: one page each.
    assert_eq!(appended.pages.len(), 4 * 512);
    assert_eq!(read(&apply(&db, &appended))[b"key".as_slice()].len(), 65);
}

#[test]
fn metas_are_written_last_and_supersede_both_old_ones() {
    let shape = Shape {
        page_size: 4096,
        fanout: 4,
        gaps: true,
        freelist: true,
    };
    let db = build(&contents(&[("key", 64)], 60), shape);
    let bolt = Bolt::open(db.as_slice(), u64::try_from(db.len()).expect("it fits"))
        .expect("it is built right");
    let appended = edit::append(&bolt, &Edit::default()).expect("it fits");
    assert_eq!(
        appended.writes().map(|(offset, _)| offset),
        [bolt.used_len(), 0, 4096]
    );
    let after = apply(&db, &appended);
    let second = Meta::decode(&after[4096..]).expect("it is right");
    assert_eq!(second.txid, 9, "as if it were the transaction before");
    let after = Bolt::open(after.as_slice(), appended.new_len).expect("metas are right");
    assert_eq!((after.meta().txid, after.meta().freelist), (10, None));
    assert_eq!(after.used_len(), appended.new_len);
}

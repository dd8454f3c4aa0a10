//! The fuzz target for etcd's records in a database: rows, members, marks.
//!
//! Owns: a database with any contents, built by the editor from an empty one. So it also tests the editor: the entries put into
//! it must come out in order, and the result must pass the check.
//!
//! The input is a sequence of records: kind, key length, value length (u16 LE), key, value. The kind's low nibble is the
//! bucket. Its upper bits select keys and values that etcd writes, with numbers taken from the bytes.

use std::collections::BTreeMap;

use super::{
    Input,
    database::{applied, exercise},
};
use crate::{
    bolt::{
        Bolt, BoltError,
        edit::{self, BucketEdit, Edit},
    },
    mvcc::{KeyValue, RevisionKey},
    width::u64_of,
};

/// The buckets that the library reads, and one that it does not know.
const BUCKETS: &[&[u8]] = &[
    b"key",
    b"meta",
    b"members",
    b"members_removed",
    b"cluster",
    b"auth",
    b"alarm",
    b"lease",
    b"other",
];

/// Keys with a meaning in `meta`, `cluster` and `auth`.
const MARKS: &[&[u8]] = &[
    b"consistent_index",
    b"term",
    b"confState",
    b"storageVersion",
    b"scheduledCompactRev",
    b"finishedCompactRev",
    b"clusterVersion",
    b"downgrade",
    b"authEnabled",
];

/// The key is one that etcd writes in this bucket.
const REAL_KEY: u8 = 0x80;
/// The value is a `KeyValue`, or a revision if the bucket has revisions.
const REAL_VALUE: u8 = 0x40;
/// The row is a tombstone.
const TOMBSTONE: u8 = 0x20;

type Contents = BTreeMap<Vec<u8>, BTreeMap<Vec<u8>, Vec<u8>>>;

/// Rows of any kind, decoded one by one and then read as a database.
pub(super) fn mvcc(data: &[u8]) {
    let mut contents = Contents::new();
    let mut input = Input::new(data);
    while !input.is_empty() {
        let kind = input.byte();
        let key_len = usize::from(input.byte());
        let value_len = usize::from(u16::from_le_bytes(input.array()));
        let bucket = BUCKETS.get(usize::from(kind & 0x0f)).copied();
        let bucket = bucket.unwrap_or(b"key");
        let key = key_of(kind, bucket, input.bytes(key_len));
        let value = value_of(kind, bucket, input.bytes(value_len));
        decode_row(&key, &value);
        contents
            .entry(bucket.to_vec())
            .or_default()
            .insert(key, value);
    }
    let db = database_of(&contents);
    let bolt = Bolt::open(db.as_slice(), u64_of(db.len())).expect("new metas");
    let mut found = Contents::new();
    let walk = bolt.check_each(&mut |entry| {
        let rows = found.entry(entry.bucket.to_vec()).or_default();
        rows.insert(entry.key.to_vec(), entry.value.to_vec());
        Ok::<(), BoltError>(())
    });
    walk.expect("the editor writes what passes the check");
    assert_eq!(found, contents, "what was put must come out");
    exercise(&db);
}

fn key_of(kind: u8, bucket: &[u8], bytes: &[u8]) -> Vec<u8> {
    let mut numbers = Input::new(bytes);
    let key = match (bucket, kind & REAL_KEY) {
        (b"key", REAL_KEY) => RevisionKey {
            main: i64::from(u16::from_le_bytes(numbers.array())),
            sub: i64::from(numbers.byte()),
            tombstone: kind & TOMBSTONE != 0,
        }
        .encode(),
        (_, REAL_KEY) => {
            let mark = usize::from(numbers.byte()) % MARKS.len();
            MARKS.get(mark).copied().unwrap_or_default().to_vec()
        }
        _ => bytes.to_vec(),
    };
    if key.is_empty() { vec![0] } else { key }
}

fn value_of(kind: u8, bucket: &[u8], bytes: &[u8]) -> Vec<u8> {
    let mut numbers = Input::new(bytes);
    if kind & REAL_VALUE == 0 {
        return bytes.to_vec();
    }
    if bucket != b"key" {
        let (main, sub) = (u16::from_le_bytes(numbers.array()), numbers.byte());
        let (main, sub) = (i64::from(main), i64::from(sub));
        let tombstone = kind & TOMBSTONE != 0;
        return RevisionKey {
            main,
            sub,
            tombstone,
        }
        .encode();
    }
    let key_len = usize::from(numbers.byte());
    KeyValue {
        key: numbers.bytes(key_len),
        create_revision: i64::from(u16::from_le_bytes(numbers.array())),
        mod_revision: i64::from(u16::from_le_bytes(numbers.array())),
        version: i64::from_le_bytes(numbers.array()),
        lease: i64::from_le_bytes(numbers.array()),
        value: numbers.rest,
    }
    .encode()
}

/// A single row: a decoded value must encode to the same meaning, and a decoded key to the same bytes.
fn decode_row(key: &[u8], value: &[u8]) {
    if let Ok(revision) = RevisionKey::decode(key) {
        assert_eq!(revision.encode(), key, "a row key has one spelling");
    }
    if let Ok(pair) = KeyValue::decode(value) {
        let encoded = pair.encode();
        assert_eq!(
            KeyValue::decode(&encoded).as_ref(),
            Ok(&pair),
            "own bytes decode"
        );
    }
}

/// An empty database with small pages, into which one edit puts these contents.
fn database_of(contents: &Contents) -> Vec<u8> {
    let empty = empty_database();
    let bolt = Bolt::open(empty.as_slice(), u64_of(empty.len())).expect("two metas and a leaf");
    let buckets = contents.iter().map(|(name, rows)| {
        BucketEdit::replace_all(
            name,
            rows.iter().map(|(key, value)| (key.clone(), value.clone())),
        )
    });
    let edit = Edit {
        buckets: buckets.collect(),
    };
    let appended = edit::append(&bolt, &edit).expect("names and keys are short");
    let again = edit::append(&bolt, &edit).expect("names and keys are short");
    assert_eq!(appended, again, "the same edit gives the same bytes");
    applied(&empty, &appended)
}

/// Two metas and an empty leaf: as bbolt's `init` writes them, but without its freelist page.
fn empty_database() -> Vec<u8> {
    const PAGE: usize = 512;
    const CHECKED: usize = 56;
    let mut db = Vec::new();
    for page in 0..2_u64 {
        let mut meta = Vec::new();
        meta.extend(page.to_le_bytes());
        meta.extend(4_u64.to_le_bytes());
        meta.extend(0xED0C_DAED_u32.to_le_bytes());
        meta.extend(2_u32.to_le_bytes());
        meta.extend(512_u64.to_le_bytes());
        meta.extend(2_u64.to_le_bytes());
        meta.extend(0_u64.to_le_bytes());
        meta.extend(u64::MAX.to_le_bytes());
        meta.extend(3_u64.to_le_bytes());
        meta.extend(page.to_le_bytes());
        let fields = meta.len() - CHECKED;
        let checksum = super::database::fnv1a64(meta.get(fields..).unwrap_or_default());
        meta.extend(checksum.to_le_bytes());
        meta.resize(PAGE, 0);
        db.extend(meta);
    }
    db.extend(2_u64.to_le_bytes());
    db.extend(2_u64.to_le_bytes());
    db.resize(3 * PAGE, 0);
    db
}

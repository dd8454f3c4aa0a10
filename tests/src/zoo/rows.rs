//! The history: row keys and the messages in their values, each part once.

use super::Corruption;
use super::image::{Image, Leaf};
use super::pages::leaf;

/// The specimens.
pub const CORRUPTIONS: &[Corruption] = &[
    ("row-key-too-short", |db| {
        let row = row(db);
        db.put_u32(row.key_len(), 16);
        format!(
            "{}: a row key of 16 bytes is neither 17 bytes long nor 18 with a final `t`",
            place(row)
        )
    }),
    ("row-key-too-long", |db| {
        let row = row(db);
        db.put_u32(row.key_len(), 19);
        shorter_value(db, row, 2);
        format!(
            "{}: a row key of 19 bytes is neither 17 bytes long nor 18 with a final `t`",
            place(row)
        )
    }),
    ("row-separator", |db| {
        let row = row(db);
        let at = db.key_at(row);
        db.put(at + 8, b"-");
        format!("{}: byte 8 of a row key is not `_`", place(row))
    }),
    ("row-sub-negative", |db| {
        let row = row(db);
        let at = db.key_at(row);
        db.put(at + 9, &[0x80]);
        format!("{}: a revision is negative", place(row))
    }),
    ("row-value-cut", |db| {
        let row = row(db);
        shorter_value(db, row, 1);
        format!(
            "{}: protobuf byte …: the message ends inside a field",
            value_place(row)
        )
    }),
    ("row-value-wire-type-unknown", |db| {
        first_byte(db, 0x0f, "protobuf byte 0: unknown wire type 7")
    }),
    ("row-value-field-zero", |db| {
        first_byte(db, 0x02, "protobuf byte 0: field number 0 is out of range")
    }),
    ("row-value-key-is-a-number", |db| {
        first_byte(db, 0x08, "protobuf byte 0: field 1 has the wrong wire type")
    }),
    ("row-value-revision-is-text", |db| {
        let (row, at, offset) = second_field(db);
        db.put(at, &[0x12, 0]);
        format!(
            "{}: protobuf byte {offset}: field 2 has the wrong wire type",
            value_place(row)
        )
    }),
    ("row-value-varint-too-long", |db| {
        let (row, at, _) = second_field(db);
        db.put(at + 1, &[0xff; 11]);
        format!(
            "{}: protobuf byte …: a varint has more than 64 bits",
            value_place(row)
        )
    }),
    ("row-value-length-largest-number", |db| {
        let row = row(db);
        let (at, _) = db.value_range(row);
        db.put(
            at + 1,
            &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1],
        );
        format!(
            "{}: protobuf byte …: the message ends inside a field",
            value_place(row)
        )
    }),
    ("tombstone-value-cut", |db| {
        let row = tombstone(db);
        shorter_value(db, row, 1);
        format!(
            "{}: protobuf byte …: the message ends inside a field",
            value_place(row)
        )
    }),
];

fn row(db: &Image) -> Leaf {
    let row = Leaf {
        page_at: leaf(db),
        index: 2,
    };
    assert_eq!(db.key(row).len(), 17, "a row that puts");
    row
}

fn tombstone(db: &Image) -> Leaf {
    let found = db
        .entries("key")
        .into_iter()
        .find(|row| db.key(*row).len() == 18);
    found.expect("the base has tombstones")
}

fn shorter_value(db: &mut Image, row: Leaf, by: u32) {
    let len = db.u32(row.value_len());
    db.put_u32(row.value_len(), len - by);
}

fn first_byte(db: &mut Image, byte: u8, says: &str) -> String {
    let row = row(db);
    let (at, _) = db.value_range(row);
    db.put(at, &[byte]);
    format!("{}: {says}", value_place(row))
}

/// After the key: the tag of the creation revision; its position in the file, and in the value.
fn second_field(db: &Image) -> (Leaf, usize, usize) {
    let row = row(db);
    let (at, _) = db.value_range(row);
    let offset = 2 + usize::from(db.bytes()[at + 1]);
    assert_eq!(
        db.bytes()[at + offset],
        0x10,
        "create_revision follows the key"
    );
    (row, at + offset, offset)
}

fn place(row: Leaf) -> String {
    format!("MVCC row at offset {}", row.at())
}

fn value_place(row: Leaf) -> String {
    format!("value of the MVCC row at offset {}", row.at())
}

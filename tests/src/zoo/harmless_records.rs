//! Single records that etcd does not write so, but with which it boots.

use super::harmless::Harmless;
use super::image::{Image, Leaf};
use super::pages::leaf;

/// All of them.
pub const RECORDS: &[Harmless] = &[
    (
        "meta-consistent-index-short",
        "a restore writes it anew",
        |db| {
            let row = db.entry("meta", b"consistent_index");
            db.put_u32(row.value_len(), 7);
        },
    ),
    ("meta-term-short", "a restore writes it anew", |db| {
        let row = db.entry("meta", b"term");
        db.put_u32(row.value_len(), 4);
    }),
    (
        "meta-storage-version-no-text",
        "etcd takes it for unknown",
        |db| {
            let row = db.entry("meta", b"storageVersion");
            let (at, _) = db.value_range(row);
            db.put(at, &[0xff]);
        },
    ),
    ("member-no-json", "a restore replaces the members", |db| {
        let row = member(db);
        let (at, _) = db.value_range(row);
        db.put(at, b"[");
    }),
    ("member-json-cut", "a restore replaces the members", |db| {
        let row = member(db);
        let len = db.u32(row.value_len());
        db.put_u32(row.value_len(), len - 1);
    }),
    (
        "member-id-no-number",
        "a restore replaces the members",
        |db| {
            let row = member(db);
            let at = within(db, row, b"\"id\":") + 5;
            db.put(at, b"x");
        },
    ),
    (
        "member-urls-no-list",
        "a restore replaces the members",
        |db| {
            let row = member(db);
            let at = within(db, row, b"\"peerURLs\":") + 11;
            db.put(at, b"{");
        },
    ),
    (
        "member-id-of-another",
        "a restore replaces the members",
        |db| {
            let row = member(db);
            let at = within(db, row, b"\"id\":") + 5;
            let digit = db.bytes()[at];
            db.put(at, &[if digit == b'1' { b'2' } else { b'1' }]);
        },
    ),
    (
        "member-key-of-another",
        "a restore replaces the members",
        |db| {
            let row = *db.entries("members").last().expect("the base has members");
            // The last letter of the last key: the order stays right.
            let at = db.key_at(row) + db.key(row).len() - 1;
            let digit = db.bytes()[at];
            db.put(at, &[if digit == b'f' { b'e' } else { b'f' }]);
        },
    ),
    (
        "lease-key-of-another",
        "etcd takes the id in the record",
        |db| {
            let row = db.entries("lease")[0];
            let at = db.key_at(row);
            let byte = db.bytes()[at + 7];
            db.put(at + 7, &[byte ^ 1]);
        },
    ),
    (
        "auth-enabled-neither-on-nor-off",
        "etcd takes it for off, and the warning says so",
        |db| {
            let row = db.entry("auth", b"authEnabled");
            let (at, _) = db.value_range(row);
            db.put(at, &[2]);
        },
    ),
    (
        "auth-enabled-empty",
        "etcd takes it for off, and the warning says so",
        |db| {
            let row = db.entry("auth", b"authEnabled");
            db.put_u32(row.value_len(), 0);
        },
    ),
    (
        "user-name-of-another",
        "etcd finds a user by the key",
        |db| {
            let row = db.entries("authUsers")[0];
            let (at, _) = db.value_range(row);
            db.put(at + 2, b"z");
        },
    ),
    (
        "role-name-of-another",
        "etcd finds a role by the key",
        |db| {
            let row = db.entries("authRoles")[0];
            let (at, _) = db.value_range(row);
            db.put(at + 2, b"z");
        },
    ),
    (
        "row-tombstone-mark",
        "etcd takes it for a row that puts",
        |db| {
            let row = tombstone(db);
            let at = db.key_at(row);
            db.put(at + 17, b"u");
        },
    ),
    (
        "row-value-key-missing",
        "etcd takes it for the empty key",
        |db| {
            // Field 7 is none of etcd's; readers skip it.
            let row = row(db);
            let (at, _) = db.value_range(row);
            db.put(at, &[0x3a]);
        },
    ),
];

fn member(db: &Image) -> Leaf {
    db.entries("members")[0]
}

/// The position of a text in a value.
fn within(db: &Image, row: Leaf, text: &[u8]) -> usize {
    let (at, _) = db.value_range(row);
    let value = db.value(row);
    let found = value.windows(text.len()).position(|window| window == text);
    at + found.expect("etcd writes this field")
}

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

//! Records outside the history: compactions, raft's position, members, versions, leases, users, alarms.

use super::Corruption;
use super::image::{Image, Leaf};

/// The specimens.
pub const CORRUPTIONS: &[Corruption] = &[
    ("meta-consistent-index-short", |db| {
        let row = db.entry("meta", b"consistent_index");
        db.put_u32(row.value_len(), 7);
        shape(row, "meta/consistent_index", 7, "a number of 8 bytes")
    }),
    ("meta-term-short", |db| {
        let row = db.entry("meta", b"term");
        db.put_u32(row.value_len(), 4);
        shape(row, "meta/term", 4, "a number of 8 bytes")
    }),
    ("meta-finished-compaction-short", |db| {
        let row = db.entry("meta", b"finishedCompactRev");
        db.put_u32(row.value_len(), 16);
        format!(
            "MVCC row at offset {}: a row key of 16 bytes is neither",
            row.at()
        )
    }),
    ("meta-finished-compaction-separator", |db| {
        let row = db.entry("meta", b"finishedCompactRev");
        let (at, _) = db.value_range(row);
        db.put(at + 8, b" ");
        format!("offset {}: byte 8 of a row key is not `_`", row.at())
    }),
    ("meta-finished-compaction-negative", |db| {
        let row = db.entry("meta", b"finishedCompactRev");
        let (at, _) = db.value_range(row);
        db.put(at, &[0xff]);
        format!("offset {}: a revision is negative", row.at())
    }),
    ("meta-scheduled-compaction-empty", |db| {
        let row = db.entry("meta", b"scheduledCompactRev");
        db.put_u32(row.value_len(), 0);
        format!("offset {}: a row key of 0 bytes is neither", row.at())
    }),
    ("meta-storage-version-no-text", |db| {
        let row = db.entry("meta", b"storageVersion");
        let (at, _) = db.value_range(row);
        db.put(at, &[0xff]);
        shape(
            row,
            "meta/storageVersion",
            5,
            "a version of at most 64 bytes",
        )
    }),
    ("cluster-version-no-text", |db| {
        let row = db.entry("cluster", b"clusterVersion");
        let (at, _) = db.value_range(row);
        db.put(at, &[0xc0]);
        shape(
            row,
            "cluster/clusterVersion",
            5,
            "a version of at most 64 bytes",
        )
    }),
    ("cluster-version-no-version", |db| {
        let row = db.entry("cluster", b"clusterVersion");
        db.put_u32(row.value_len(), 3);
        shape(row, "cluster/clusterVersion", 3, "a version like 3.5.0")
    }),
    ("cluster-downgrade-no-json", |db| {
        // The first letters of the other key, so that its rest becomes the value.
        let row = db.entry("cluster", b"clusterVersion");
        let at = db.key_at(row);
        db.put(at, b"downgrade");
        db.put_u32(row.key_len(), 9);
        db.put_u32(row.value_len(), 10);
        no_json(row, "cluster/downgrade")
    }),
    ("member-no-json", |db| {
        let row = member(db);
        let (at, _) = db.value_range(row);
        db.put(at, b"[");
        no_json(row, "the member")
    }),
    ("member-json-cut", |db| {
        let row = member(db);
        let len = db.u32(row.value_len());
        db.put_u32(row.value_len(), len - 1);
        no_json(row, "the member")
    }),
    ("member-id-no-number", |db| {
        let row = member(db);
        let at = within(db, row, b"\"id\":") + 5;
        db.put(at, b"x");
        no_json(row, "the member")
    }),
    ("member-urls-no-list", |db| {
        let row = member(db);
        let at = within(db, row, b"\"peerURLs\":") + 11;
        db.put(at, b"{");
        no_json(row, "the member")
    }),
    ("member-id-of-another", |db| {
        let row = member(db);
        let at = within(db, row, b"\"id\":") + 5;
        let digit = db.bytes()[at];
        db.put(at, &[if digit == b'1' { b'2' } else { b'1' }]);
        another_member(row)
    }),
    ("member-key-of-another", |db| {
        let row = *db.entries("members").last().expect("the base has members");
        // The last letter of the last key: the order stays right.
        let at = db.key_at(row) + db.key(row).len() - 1;
        let digit = db.bytes()[at];
        db.put(at, &[if digit == b'f' { b'e' } else { b'f' }]);
        another_member(row)
    }),
    ("lease-value-cut", |db| {
        let row = db.entries("lease")[0];
        let len = db.u32(row.value_len());
        db.put_u32(row.value_len(), len - 1);
        message(row, "the lease", "the message ends inside a field")
    }),
    ("lease-id-wire-type", |db| {
        let row = db.entries("lease")[0];
        let (at, _) = db.value_range(row);
        db.put(at, &[0x0b]);
        message(row, "the lease", "unknown wire type 3")
    }),
    ("lease-key-of-another", |db| {
        let row = db.entries("lease")[0];
        let at = db.key_at(row);
        let byte = db.bytes()[at + 7];
        db.put(at + 7, &[byte ^ 1]);
        another_key(row, "the lease")
    }),
    ("auth-enabled-neither-on-nor-off", |db| {
        let row = db.entry("auth", b"authEnabled");
        let (at, _) = db.value_range(row);
        db.put(at, &[2]);
        shape(row, "auth/authEnabled", 1, "one byte, 0 or 1")
    }),
    ("auth-enabled-empty", |db| {
        let row = db.entry("auth", b"authEnabled");
        db.put_u32(row.value_len(), 0);
        shape(row, "auth/authEnabled", 0, "one byte, 0 or 1")
    }),
    ("auth-revision-short", |db| {
        let row = db.entry("auth", b"authRevision");
        db.put_u32(row.value_len(), 7);
        shape(row, "auth/authRevision", 7, "a number of 8 bytes")
    }),
    ("user-cut", |db| {
        let row = db.entries("authUsers")[0];
        let len = db.u32(row.value_len());
        db.put_u32(row.value_len(), len - 1);
        message(row, "the user", "the message ends inside a field")
    }),
    ("user-name-of-another", |db| {
        let row = db.entries("authUsers")[0];
        let (at, _) = db.value_range(row);
        db.put(at + 2, b"z");
        another_key(row, "the user")
    }),
    ("user-password-is-a-number", |db| {
        let row = db.entries("authUsers")[0];
        let (at, _) = db.value_range(row);
        let password = at + 2 + usize::from(db.bytes()[at + 1]);
        db.put(password, &[0x10]);
        message(row, "the user", "field 2 has the wrong wire type")
    }),
    ("role-wire-type", |db| {
        let row = db.entries("authRoles")[0];
        let (at, _) = db.value_range(row);
        db.put(at, &[0x0e]);
        message(row, "the role", "unknown wire type 6")
    }),
    ("role-name-of-another", |db| {
        let row = db.entries("authRoles")[0];
        let (at, _) = db.value_range(row);
        db.put(at + 2, b"z");
        another_key(row, "the role")
    }),
    ("alarm-cut", |db| {
        let row = db.entries("alarm")[0];
        let len = db.u32(row.key_len());
        db.put_u32(row.key_len(), len - 1);
        message(row, "the alarm", "the message ends inside a field")
    }),
    ("alarm-member-is-text", |db| {
        let row = db.entries("alarm")[0];
        let at = db.key_at(row);
        db.put(at, &[0x0a, 1]);
        message(row, "the alarm", "")
    }),
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

fn shape(row: Leaf, what: &str, len: usize, expected: &str) -> String {
    format!(
        "{what} at offset {} has {len} bytes, which is not {expected}",
        row.at()
    )
}

fn no_json(row: Leaf, what: &str) -> String {
    format!(
        "{what} at offset {} is not the JSON that etcd writes: ",
        row.at()
    )
}

fn message(row: Leaf, what: &str, defect: &str) -> String {
    format!("{what} at offset {}: protobuf byte …: {defect}", row.at())
}

fn another_member(row: Leaf) -> String {
    format!(
        "the member at offset {} says its id is …, but is stored under another one",
        row.at()
    )
}

fn another_key(row: Leaf, what: &str) -> String {
    format!(
        "{what} at offset {} is stored under another key than its own",
        row.at()
    )
}

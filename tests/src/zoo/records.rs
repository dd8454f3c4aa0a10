//! Records outside the history: compactions, raft's position, members, versions, leases, users, alarms.

use super::Corruption;
use super::image::Leaf;

/// The specimens.
pub const CORRUPTIONS: &[Corruption] = &[
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

//! The changes of a restore to the database, key by key: exact lists of removed, added and unchanged keys.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use sha2::{Digest as _, Sha256};
use strongroom_etcd_format::bolt::{
    Bolt, BoltError,
    edit::{self, BucketEdit, Edit},
};

use crate::{
    sample::sample,
    tool::{run, text},
};

type Outcome = Result<(), Box<dyn std::error::Error>>;

/// Bucket -> key -> value.
type Contents = BTreeMap<String, BTreeMap<Vec<u8>, Vec<u8>>>;

/// Every bucket of etcd 3.4 to 3.7, and an unknown one, each with keys that are not in the sample.
const PLANTED: [(&str, &[(&str, &str)]); 11] = [
    ("alarm", &[("\u{8}\u{1}\u{10}\u{1}", "")]),
    (
        "auth",
        &[
            ("authEnabled", "\u{0}"),
            ("authRevision", "\0\0\0\0\0\0\0\u{1}"),
        ],
    ),
    ("authRoles", &[("root", "\n\u{4}root")]),
    ("authUsers", &[("root", "\n\u{4}root")]),
    (
        "cluster",
        &[
            ("clusterVersion", "3.5.0"),
            (
                "downgrade",
                "{\"target-version\":\"3.4.0\",\"enabled\":true}",
            ),
            ("unknown", "stays"),
        ],
    ),
    ("key", &[]),
    ("lease", &[]),
    (
        "members",
        &[("1111111111111111", "{\"id\":1229782938247303441}")],
    ),
    ("members_removed", &[("2222222222222222", "removed")]),
    (
        "meta",
        &[
            ("confState", "{\"voters\":[1]}"),
            ("storageVersion", "3.6.0"),
            ("unknown", "stays"),
        ],
    ),
    ("strange", &[("unknown", "stays")]),
];

/// Keys of `meta` that every restore rewrites.
const REWRITTEN: [&str; 2] = ["consistent_index", "term"];

fn contents(file: &[u8], db_len: u64) -> Result<Contents, BoltError> {
    let bolt = Bolt::open(file, db_len)?;
    let mut all = Contents::new();
    for bucket in bolt.buckets()? {
        let mut rows = BTreeMap::new();
        bolt.for_each(&bucket.name, &mut |key, value, _| {
            rows.insert(key.to_vec(), value.to_vec());
            Ok::<(), BoltError>(())
        })?;
        all.insert(String::from_utf8_lossy(&bucket.name).into_owned(), rows);
    }
    Ok(all)
}

/// The sample with the planted keys and a correct trailer.
fn planted() -> Result<Vec<u8>, BoltError> {
    let bytes = &sample().bytes;
    let mut db = bytes.split_at(bytes.len() - 32).0.to_vec();
    let len = u64::try_from(db.len()).expect("small");
    let edit = Edit {
        buckets: PLANTED
            .iter()
            .map(|(bucket, rows)| {
                let rows = rows
                    .iter()
                    .map(|(key, value)| (key.as_bytes().to_vec(), value.as_bytes().to_vec()));
                BucketEdit::upsert(bucket.as_bytes(), rows)
            })
            .collect(),
    };
    let appended = edit::append(&Bolt::open(db.as_slice(), len)?, &edit)?;
    db.resize(usize::try_from(appended.new_len).expect("small"), 0);
    for (offset, bytes) in appended.writes() {
        let at = usize::try_from(offset).expect("small");
        db[at..at + bytes.len()].copy_from_slice(bytes);
    }
    let trailer = Sha256::digest(&db);
    db.extend(trailer);
    Ok(db)
}

/// The contents before and after a restore with these flags.
fn restored(
    dir: &Path,
    flags: &[&str],
) -> Result<(Contents, Contents), Box<dyn std::error::Error>> {
    let (file, data_dir) = (dir.join("snapshot.db"), dir.join("etcd"));
    let snapshot = planted()?;
    fs::write(&file, &snapshot)?;
    let line = ["--snapshot", text(&file), "-d", text(&data_dir)];
    run(&[&line[..], flags].concat()).expect_code(0);
    let db = fs::read(data_dir.join("member/snap/db"))?;
    let before = contents(&snapshot, u64::try_from(snapshot.len())? - 32)?;
    Ok((before, contents(&db, u64::try_from(db.len())?)?))
}

/// `bucket/key` of each row that is in `one` and not in `other`, regardless of its value.
fn missing_in(one: &Contents, other: &Contents) -> BTreeSet<String> {
    let mut missing = BTreeSet::new();
    for (bucket, rows) in one {
        let kept = other.get(bucket);
        let gone = rows
            .keys()
            .filter(|key| !kept.is_some_and(|kept| kept.contains_key(*key)));
        missing.extend(gone.map(|key| format!("{bucket}/{}", key.escape_ascii())));
    }
    missing
}

fn names(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// Everything is identical to the snapshot, except the membership and the two keys of the log position.
fn assert_else_unchanged(before: &Contents, after: &Contents) {
    for (bucket, rows) in before.iter().filter(|(bucket, _)| *bucket != "members") {
        for (key, value) in rows {
            let rewritten = bucket == "meta" && REWRITTEN.iter().any(|name| name.as_bytes() == key);
            let now = after.get(bucket).and_then(|rows| rows.get(key));
            assert!(
                rewritten || now.is_none_or(|now| now == value),
                "{bucket}/{} is another one",
                key.escape_ascii()
            );
        }
    }
    let position = |key: &str| after["meta"][key.as_bytes()].as_slice();
    assert_eq!(position("consistent_index"), 1_u64.to_be_bytes());
    assert_eq!(position("term"), 1_u64.to_be_bytes());
}

/// The row of the member from the default flags.
fn new_member(after: &Contents) -> String {
    let members: Vec<_> = after["members"].keys().collect();
    assert_eq!(members.len(), 1, "{members:?}");
    format!("members/{}", members[0].escape_ascii())
}

/// All members in the snapshot.
fn old_members(before: &Contents) -> Vec<String> {
    let ids = before["members"].keys();
    ids.map(|id| format!("members/{}", id.escape_ascii()))
        .collect()
}

#[test]
fn a_restore_takes_the_old_membership_and_nothing_else() -> Outcome {
    let dir = tempfile::tempdir()?;
    let (before, after) = restored(dir.path(), &[])?;
    let mut gone = names(&["members_removed/2222222222222222"]);
    gone.extend(old_members(&before));
    assert_eq!(missing_in(&before, &after), gone);
    let mut came = BTreeSet::from([new_member(&after)]);
    came.extend(missing_terms(&before));
    assert_eq!(missing_in(&after, &before), came);
    assert_else_unchanged(&before, &after);
    Ok(())
}

/// etcd 3.4 does not store a term in its database.
fn missing_terms(before: &Contents) -> Option<String> {
    (!before["meta"].contains_key(b"term".as_slice())).then(|| "meta/term".to_owned())
}

/// Keys that prevent an older etcd from booting are removed too: versions, and a pending downgrade.
#[test]
fn cleared_of_its_versions_it_loses_those_three_and_nothing_else() -> Outcome {
    let dir = tempfile::tempdir()?;
    let (before, after) = restored(dir.path(), &["--clear-storage-version"])?;
    let mut gone = names(&[
        "members_removed/2222222222222222",
        "cluster/clusterVersion",
        "cluster/downgrade",
        "meta/storageVersion",
    ]);
    gone.extend(old_members(&before));
    assert_eq!(missing_in(&before, &after), gone);
    assert_else_unchanged(&before, &after);
    Ok(())
}

/// A raised revision adds one row, and the compaction up to it.
#[test]
fn a_raised_revision_brings_its_row_and_its_compaction_and_nothing_else() -> Outcome {
    let dir = tempfile::tempdir()?;
    let (before, after) = restored(dir.path(), &["--bump-revision=5", "--mark-compacted"])?;
    let mut gone = names(&["members_removed/2222222222222222"]);
    gone.extend(old_members(&before));
    assert_eq!(missing_in(&before, &after), gone);
    let raised = sample().revision + 5;
    let mut row = raised.to_be_bytes().to_vec();
    row.extend(*b"_\0\0\0\0\0\0\0\0");
    let mut came = BTreeSet::from([new_member(&after), format!("key/{}", row.escape_ascii())]);
    came.extend(missing_terms(&before));
    assert_eq!(missing_in(&after, &before), came);
    assert_eq!(after["key"][&row], b"");
    assert_eq!(after["meta"][b"scheduledCompactRev".as_slice()], row);
    Ok(())
}

//! The changes of a restore to the database.
//!
//! Owns: the list of changes, the same for every etcd from 3.4 to 3.7. Must not know how they are written. Source: etcd
//! `etcdutl/snapshot/v3_snapshot.go` (`updateCIndex`, `saveDB`) and `membership/storev2.go`.
//!
//! | bucket | change |
//! |---|---|
//! | `members` | replaced: one row per new member |
//! | `members_removed` | emptied |
//! | `meta` | `consistent_index` = number of members, `term` = 1 |
//! | `meta`, `cluster` | on request: `storageVersion`, `clusterVersion` and `downgrade` removed |
//!
//! ```
//! use strongroom_etcd_format::{membership::{InitialCluster, Membership, Token}, restore::{self, RestoreOptions}};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let cluster = InitialCluster::parse("a=http://10.0.0.1:2380,b=http://10.0.0.2:2380")?;
//! let members = Membership::new(&cluster, &Token::new("restore-7"))?;
//! let edit = restore::edit_for(&members, &RestoreOptions { clear_storage_version: false });
//! let names: Vec<_> = edit.buckets.iter().map(|bucket| bucket.name.as_slice()).collect();
//! assert_eq!(names, [b"members".as_slice(), b"members_removed", b"meta"]);
//! # Ok(())
//! # }
//! ```

use crate::{
    bolt::edit::{BucketEdit, Edit},
    membership::Membership,
    mvcc::RevisionKey,
    width::u64_of,
};

/// The raft term of a restored log.
pub const RESTORE_TERM: u64 = 1;

/// Options of a restore.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RestoreOptions {
    /// Remove the storage version, the cluster version and a pending downgrade, so that an older etcd boots the data.
    pub clear_storage_version: bool,
}

/// The changes that give a database a new membership.
pub fn edit_for(membership: &Membership, options: &RestoreOptions) -> Edit {
    // The log of a restored member holds one entry per member. A larger index makes etcd skip writes, a smaller one panic.
    let consistent_index = u64_of(membership.members.len());
    let members = membership.members.iter().map(|member| {
        (
            member.id.to_string().into_bytes(),
            member.to_json().into_bytes(),
        )
    });
    let mut buckets = vec![
        BucketEdit::replace_all(b"members", members),
        BucketEdit::replace_all(b"members_removed", []),
        BucketEdit::upsert(
            b"meta",
            [
                (
                    b"consistent_index".to_vec(),
                    consistent_index.to_be_bytes().to_vec(),
                ),
                (b"term".to_vec(), RESTORE_TERM.to_be_bytes().to_vec()),
            ],
        ),
    ];
    if options.clear_storage_version {
        buckets.push(BucketEdit::remove(b"meta", [b"storageVersion".to_vec()]));
        buckets.push(BucketEdit::remove(
            b"cluster",
            [b"clusterVersion".to_vec(), b"downgrade".to_vec()],
        ));
    }
    Edit { buckets }
}

/// Raises the revision to `revision` and schedules a compaction there, so that every watch and read at an older revision fails
/// and clients list again: `--bump-revision` with `--mark-compacted`. Source: `etcdutl/snapshot/v3_snapshot.go`
/// (`modifyLatestRevision`).
///
/// The new row has no value: etcd decodes it as an empty key, which no range returns.
pub fn raise_revision(edit: &mut Edit, revision: i64) {
    let row = RevisionKey {
        main: revision,
        sub: 0,
        tombstone: false,
    }
    .encode();
    edit.buckets.extend([
        BucketEdit::upsert(b"key", [(row.clone(), Vec::new())]),
        BucketEdit::upsert(b"meta", [(b"scheduledCompactRev".to_vec(), row)]),
    ]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        bolt::edit::Change,
        membership::{InitialCluster, Token},
    };

    fn edit(clear_storage_version: bool) -> (Membership, Edit) {
        let cluster = InitialCluster::parse("a=http://10.0.0.1:2380,b=http://10.0.0.2:2380");
        let cluster = cluster.expect("it is right");
        let members = Membership::new(&cluster, &Token::new("t")).expect("ids differ");
        let options = RestoreOptions {
            clear_storage_version,
        };
        let edit = edit_for(&members, &options);
        (members, edit)
    }

    /// Bucket, key, and whether the key is written (and not removed); a bucket that is replaced has "replaced" first.
    fn listed(edit: &Edit) -> Vec<String> {
        let of_bucket = |bucket: &BucketEdit| {
            let name = String::from_utf8_lossy(&bucket.name).into_owned();
            match &bucket.change {
                Change::ReplaceAll(entries) => vec![format!("{name}: {} new", entries.len())],
                Change::Patch(changes) => changes
                    .iter()
                    .map(|(key, value)| {
                        let done = if value.is_some() { "set" } else { "removed" };
                        format!("{name}/{}: {done}", key.escape_ascii())
                    })
                    .collect(),
            }
        };
        edit.buckets.iter().flat_map(of_bucket).collect()
    }

    /// What is not in these lists stays: keys, leases, users, roles, alarms.
    #[test]
    fn a_restore_changes_these_keys_and_no_others() {
        let always = [
            "members: 2 new",
            "members_removed: 0 new",
            "meta/consistent_index: set",
            "meta/term: set",
        ];
        assert_eq!(listed(&edit(false).1), always);
        let cleared = [
            "meta/storageVersion: removed",
            "cluster/clusterVersion: removed",
            "cluster/downgrade: removed",
        ];
        assert_eq!(listed(&edit(true).1), [&always[..], &cleared].concat());
    }

    /// etcd panics at an index below that of its log, and skips writes up to one above it.
    #[test]
    fn index_and_term_are_those_of_the_new_log() {
        let (members, edit) = edit(false);
        let value = |bucket: usize, key: &[u8]| match &edit.buckets[bucket].change {
            Change::ReplaceAll(entries) => entries.get(key).cloned(),
            Change::Patch(changes) => changes.get(key).cloned().flatten(),
        };
        assert_eq!(
            value(2, b"consistent_index"),
            Some(vec![0, 0, 0, 0, 0, 0, 0, 2])
        );
        assert_eq!(value(2, b"term"), Some(vec![0, 0, 0, 0, 0, 0, 0, 1]));
        for member in &members.members {
            let stored = value(0, member.id.to_string().as_bytes());
            assert_eq!(stored, Some(member.to_json().into_bytes()));
        }
    }

    #[test]
    fn a_raised_revision_is_a_row_without_a_value_and_a_compaction_there() {
        let (_, mut edit) = edit(false);
        let before = edit.buckets.len();
        raise_revision(&mut edit, 0x0102);
        let row = b"\0\0\0\0\0\0\x01\x02_\0\0\0\0\0\0\0\0".to_vec();
        let added = [
            BucketEdit::upsert(b"key", [(row.clone(), Vec::new())]),
            BucketEdit::upsert(b"meta", [(b"scheduledCompactRev".to_vec(), row)]),
        ];
        assert_eq!(edit.buckets[before..], added);
    }
}

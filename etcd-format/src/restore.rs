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

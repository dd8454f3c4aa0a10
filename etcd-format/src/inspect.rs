//! The contents of a snapshot, in etcd's terms.
//!
//! Owns: the meaning of etcd's buckets, read in the same single walk that checks the database. Must not know the layout of
//! pages. Every MVCC row is decoded, and an error gives the file offset of its row. A record with which an etcd boots, although
//! none writes it so, is an [`Oddity`], not an error. Source: etcd
//! `server/storage/schema`, `server/etcdserver/api/membership/storev2.go`, `server/lease/leasepb`, `server/auth`.
//!
//! | bucket | key | value | since |
//! |---|---|---|---|
//! | `key` | row key, see [`mvcc`] | [`KeyValue`] | |
//! | `meta` | `consistent_index` | u64 BE: raft index of the last entry applied | |
//! | `meta` | `term` | u64 BE: its raft term | 3.5 |
//! | `meta` | `confState` | JSON of raft's ConfState; not read at boot | 3.5 |
//! | `meta` | `scheduledCompactRev`, `finishedCompactRev` | row key of 17 bytes; absent before the first compaction | |
//! | `meta` | `storageVersion` | text, `3.6.0` | 3.6 |
//! | `cluster` | `clusterVersion` | text, `3.5.0` | |
//! | `cluster` | `downgrade` | JSON `{"target-version":"3.5.0","enabled":true}` | 3.5 |
//! | `members` | member id: hex without leading zeros | JSON, see [`StoredMember`] | |
//! | `members_removed` | member id | `removed` | |
//! | `lease` | u64 BE: lease id | protobuf `{1 id, 2 TTL in seconds, 3 remaining TTL}` | |
//! | `alarm` | protobuf `{1 member id, 2 kind: 1 NOSPACE, 2 CORRUPT}` | empty | |
//! | `auth` | `authEnabled` | one byte, 0 or 1 | |
//! | `auth` | `authRevision` | u64 BE | |
//! | `authUsers`, `authRoles` | name | protobuf, field 1 the name; users have password hashes, which are not kept | |
//!
//! ```
//! use strongroom_etcd_format::{bolt::Bolt, inspect, snapshot};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let file: &[u8] = include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/etcd-3.4.db"));
//! let bolt = Bolt::open(file, snapshot::db_len(u64::try_from(file.len())?)?)?;
//! let found = inspect::inspect(&bolt)?;
//! assert_eq!((found.revision, found.compact_revision, found.live_keys.number()), (186, Some(150), 103));
//! assert_eq!(found.members[0].name, "n1");
//! # Ok(())
//! # }
//! ```

mod compare;
mod founding;
mod inspector;
mod live_count;
mod live_rows;
mod oddity;
mod records;
mod values;

pub use compare::{COMPARED_KEYS_MAX, Change, CompareError, Side, compare};
pub use founding::UnknownClusterId;
pub(crate) use inspector::Inspector;
pub use live_count::KeyCount;
pub use live_rows::LiveRows;
pub use oddity::{Boots, Effect, ODDITIES_MAX, Oddities, Oddity};

use serde::Deserialize;

use crate::{
    bolt::{Bolt, BoltError, BucketRef, CheckReport, Entry, PageSource},
    membership::MemberId,
    mvcc::{KeyValue, RowKeyError},
    proto::ProtoError,
};

/// Prefix of all Kubernetes keys.
const KUBERNETES_PREFIX: &[u8] = b"/registry/";

/// Most members and most alarms that are kept. Clusters have at most about seven members; etcd never writes more records.
const RECORDS_MAX: usize = 10_000;

/// Keys in bucket `meta` that have a row key as value.
pub(crate) const FINISHED_COMPACTION: &[u8] = b"finishedCompactRev";
pub(crate) const SCHEDULED_COMPACTION: &[u8] = b"scheduledCompactRev";

/// The contents of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspection {
    /// The revision of the last row, 0 without rows, as in `snapshot status`.
    pub revision: i64,
    /// The finished compaction, if there ever was one.
    pub compact_revision: Option<i64>,
    /// The last started compaction; greater than the finished one while it runs.
    pub scheduled_compact_revision: Option<i64>,
    /// Rows of the history.
    pub row_count: u64,
    /// Distinct user keys that are live at the last revision. Up to a million they are counted by a 64-bit hash with a random
    /// seed: the probability of a collision is three in a hundred million, and collisions cannot be crafted. More of them are
    /// counted by the history, in the same memory.
    pub live_keys: KeyCount,
    /// The members of the cluster that wrote it, as stored.
    pub members: Vec<StoredMember>,
    /// Members whose record cannot be read.
    pub unreadable_members: u64,
    /// The cluster version, since etcd 3.5.
    pub cluster_version: Option<String>,
    /// The storage version, since etcd 3.6.
    pub storage_version: Option<String>,
    /// Whether a downgrade was in progress.
    pub downgrade_enabled: bool,
    /// Alarms. They survive a restore.
    pub alarms: Vec<Alarm>,
    /// Number of leases. After a restore they start again with their full time to live.
    pub leases: u64,
    /// Whether users must authenticate.
    pub auth_enabled: bool,
    /// Whether the keys look like those of Kubernetes.
    pub looks_like_kubernetes: bool,
    /// The raft index of the last entry applied.
    pub consistent_index: Option<u64>,
    /// The raft term of that entry, since etcd 3.5.
    pub term: Option<u64>,
    /// Records that are not as etcd writes them.
    pub oddities: Oddities,
}

impl Inspection {
    /// The revision that etcd reports for this database: the newest rows may have been removed by compaction.
    pub fn current_revision(&self) -> i64 {
        let compacted = self
            .compact_revision
            .max(self.scheduled_compact_revision)
            .unwrap_or(0);
        self.revision.max(compacted).max(1)
    }
}

/// A member as stored in bucket `members`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct StoredMember {
    /// Its id.
    pub id: MemberId,
    /// Its name; empty before its first start.
    #[serde(default, deserialize_with = "values::null_as_default")]
    pub name: String,
    /// URLs for other members.
    #[serde(
        default,
        rename = "peerURLs",
        deserialize_with = "values::null_as_default"
    )]
    pub peer_urls: Vec<String>,
    /// URLs for clients.
    #[serde(
        default,
        rename = "clientURLs",
        deserialize_with = "values::null_as_default"
    )]
    pub client_urls: Vec<String>,
    /// Whether it is a learner, without a vote.
    #[serde(
        default,
        rename = "isLearner",
        deserialize_with = "values::null_as_default"
    )]
    pub is_learner: bool,
}

/// An active alarm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Alarm {
    /// The member that raised it.
    pub member: MemberId,
    /// Its kind.
    pub kind: AlarmKind,
}

/// The kind of an alarm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AlarmKind {
    /// The quota is exhausted: writes are refused.
    NoSpace,
    /// Members disagree about the data.
    Corrupt,
    /// One that this crate does not know.
    Other(u64),
}

/// The database is damaged, or has contents with which the etcd that wrote it does not boot.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InspectError {
    /// The database itself is damaged.
    #[error(transparent)]
    Bolt(#[from] BoltError),
    /// A row's key is not valid.
    #[error("MVCC row at offset {offset}")]
    RowKey {
        /// The file offset of the row's element.
        offset: u64,
        /// The defect.
        #[source]
        source: RowKeyError,
    },
    /// A protobuf message is not valid.
    #[error("{what} at offset {offset}")]
    Message {
        /// The record.
        what: &'static str,
        /// The file offset of its element.
        offset: u64,
        /// The defect.
        #[source]
        source: ProtoError,
    },
    /// A JSON document is not valid.
    #[error("{what} at offset {offset} is not the JSON that etcd writes")]
    Json {
        /// The record.
        what: &'static str,
        /// The file offset of its element.
        offset: u64,
        /// The defect.
        #[source]
        source: serde_json::Error,
    },
    /// A value has a different form than etcd writes.
    #[error("{what} at offset {offset} has {len} bytes, which is not {expected}")]
    Shape {
        /// The record.
        what: &'static str,
        /// The file offset of its element.
        offset: u64,
        /// The found length.
        len: usize,
        /// The expected form.
        expected: &'static str,
    },
    /// More records of one kind than etcd ever has.
    #[error("more than {RECORDS_MAX} records of {what}, the next one at offset {offset}")]
    TooMany {
        /// Which records.
        what: &'static str,
        /// The file offset of the first one above the limit.
        offset: u64,
    },
    /// A bucket is missing that every etcd creates at its first start.
    #[error("the top-level bucket `{name}` is missing: no etcd writes such a database")]
    NoBucket {
        /// Its name.
        name: &'static str,
    },
    /// A row has a value but no key.
    #[error("the MVCC row at offset {offset} has a value without a key")]
    NoKey {
        /// The file offset of the row's element.
        offset: u64,
    },
    /// A record contains another key than the one it is stored under.
    #[error("{what} at offset {offset} is stored under another key than its own")]
    RecordKey {
        /// The record.
        what: &'static str,
        /// The file offset of its element.
        offset: u64,
    },
    /// The database is changed by another program while it is read.
    #[error(
        "the database changes while it is read: {what} at offset {offset} was not there before"
    )]
    Changing {
        /// What appeared.
        what: &'static str,
        /// Its offset, or that of the first record in it.
        offset: u64,
    },
    /// A member is stored under another member's id.
    #[error("the member at offset {offset} says its id is {id}, but is stored under another one")]
    MemberKey {
        /// The file offset of its element.
        offset: u64,
        /// The id in the record.
        id: MemberId,
    },
}

/// Inspects a snapshot and checks it.
///
/// # Errors
/// The database is damaged or not written by etcd.
pub fn inspect<S: PageSource>(bolt: &Bolt<S>) -> Result<Inspection, InspectError> {
    check_and_inspect(bolt).map(|(_, inspection)| inspection)
}

/// Checks and inspects in one walk: each page is read once.
///
/// # Errors
/// The database is damaged or not written by etcd.
pub fn check_and_inspect<S: PageSource>(
    bolt: &Bolt<S>,
) -> Result<(CheckReport, Inspection), InspectError> {
    require_buckets(&bolt.buckets()?)?;
    let mut inspector = Inspector::new(bolt);
    let report = bolt.check_each(&mut |entry| inspector.entry(entry))?;
    Ok((report, inspector.finish()?))
}

/// Every etcd since 3.0 creates these buckets before it serves, so etcd never wrote a database without them.
pub(crate) fn require_buckets(found: &[BucketRef]) -> Result<(), InspectError> {
    for name in ["key", "meta"] {
        if !found.iter().any(|bucket| bucket.name == name.as_bytes()) {
            return Err(InspectError::NoBucket { name });
        }
    }
    Ok(())
}

/// The value of an MVCC row with its element at `offset`.
pub(crate) fn row_value(bytes: &[u8], offset: u64) -> Result<KeyValue<'_>, InspectError> {
    KeyValue::decode(bytes).map_err(|source| InspectError::Message {
        what: "value of the MVCC row",
        offset,
        source,
    })
}

/// The revision of a compaction, read without a walk over the whole database.
pub(crate) fn revision_in_meta<S: PageSource>(
    bolt: &Bolt<S>,
    name: &[u8],
) -> Result<Option<i64>, InspectError> {
    let mut found = None;
    bolt.for_each(b"meta", &mut |key, value, offset| {
        if key == name {
            let bucket = b"meta";
            let (revision, _) = values::revision(Entry {
                bucket,
                key,
                value,
                offset,
            })?;
            found = Some(revision);
        }
        Ok::<(), InspectError>(())
    })?;
    Ok(found)
}

#[cfg(test)]
mod tests;

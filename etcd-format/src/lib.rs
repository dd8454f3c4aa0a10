//! Reads and writes etcd's on-disk formats, without a Go program and without doing any I/O.
//!
//! Owns: the snapshot file with its trailer ([`snapshot`]), the bolt database in it ([`bolt`]: reader, full checker and
//! append-only editor), etcd's records in it ([`mvcc`], [`inspect`]), the hashes that compare files and members ([`status`],
//! [`hashkv`]), the membership ([`membership`]), the two other files of a data directory ([`wal`], [`raft_snap`]), the changes
//! of a restore ([`restore`]) and the names of backups ([`name`]). Must not know: the source or destination of the bytes, HTTP,
//! clocks, files.
//!
//! All input may be hostile. Bad bytes give an error with the offset. They never cause a panic, an endless loop or memory use
//! beyond a named limit.
//!
//! # The formats and their descriptions, byte by byte
//!
//! Each structure has a table in the module that owns it. `cargo doc --document-private-items` shows the tables of private
//! modules.
//!
//! | structure | module | public source |
//! |---|---|---|
//! | snapshot file, SHA-256 trailer | [`snapshot`] | etcd `etcdutl/snapshot/v3_snapshot.go` |
//! | page header, branch and leaf element, inline bucket | `bolt::page` | bbolt `internal/common/page.go`, `inode.go`, `bucket.go` |
//! | meta page | `bolt::meta` | bbolt `internal/common/meta.go` |
//! | freelist page | `bolt::check` | bbolt `internal/freelist` |
//! | bucket header | `bolt::read` | bbolt `internal/common/bucket.go` |
//! | MVCC row: key and value | [`mvcc`] | etcd `server/storage/mvcc/revision.go`, `api/mvccpb/kv.proto` |
//! | rows of meta, cluster, members, alarm, lease, auth | [`inspect`] | etcd `server/storage/schema` |
//! | status hash, key counts | [`status`] | etcd `etcdutl/snapshot/v3_snapshot.go` |
//! | HashKV | [`hashkv`] | etcd `server/storage/mvcc/hash.go` |
//! | member and cluster ids, member JSON | [`membership`] | etcd `server/etcdserver/api/membership` |
//! | log segment: frame, record, entry | [`wal`] | etcd `server/storage/wal`, raft `raftpb/raft.proto` |
//! | raft snapshot file, v2 store | [`raft_snap`] | etcd `server/etcdserver/api/snap`, `api/v2store` |
//! | backup names | [`name`] | etcd-backup-restore `pkg/types/snapstore.go` |
//!
//! # Example
//!
//! Check a snapshot in memory, then plan the edit that gives it a new membership:
//!
//! ```
//! use strongroom_etcd_format::{bolt, inspect, membership, restore, snapshot};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let file: &[u8] = include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/etcd-3.4.db"));
//! let mut digest = snapshot::StreamDigest::new();
//! digest.update(file);
//! let summary = digest.finish()?;
//!
//! let bolt = bolt::Bolt::open(file, summary.db_len)?;
//! let (report, inspection) = inspect::check_and_inspect(&bolt)?;
//! assert_eq!((report.pages_reachable, inspection.revision), (20, 186));
//!
//! let cluster = membership::InitialCluster::parse("m1=http://10.0.0.1:2380")?;
//! let members = membership::Membership::new(&cluster, &membership::Token::new("restore-2024-05-01"))?;
//! let edit = restore::edit_for(&members, &restore::RestoreOptions { clear_storage_version: false });
//! let appended = bolt::edit::append(&bolt, &edit)?;
//! assert_eq!(appended.offset, bolt.used_len());
//! # Ok(())
//! # }
//! ```

pub mod bolt;
pub mod hashkv;
pub mod inspect;
pub mod membership;
pub mod mvcc;
pub mod name;
pub mod raft_snap;
pub mod restore;
pub mod snapshot;
pub mod status;
pub mod wal;

#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;

mod crc32c;
mod gojson;
mod live;
mod proto;
mod version;
mod width;

pub use proto::{ProtoDefect, ProtoError};

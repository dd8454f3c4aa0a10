//! etcd's on-disk formats, read and written without a Go program and without any I/O of its own.
//!
//! Owns: the snapshot file with its trailer ([`snapshot`]), the bolt database in it ([`bolt`]: reader, full checker and
//! append-only editor), what etcd keeps in it ([`mvcc`], [`inspect`]), who the members are ([`membership`]), the two other
//! files of a data directory ([`wal`], [`raft_snap`]), what a restore changes ([`restore`]) and how backups are named
//! ([`name`]). Must not know: object stores, HTTP, clocks, files.
//!
//! Every byte given to this crate may be hostile. Bad bytes give an error that carries the offset, never a panic, a loop
//! without end or memory beyond a named limit.
//!
//! # Example
//!
//! Check a snapshot held in memory, then plan the edit that gives it a new membership:
//!
//! ```no_run
//! use strongroom_etcd_format::{bolt, inspect, membership, restore, snapshot};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let file: Vec<u8> = std::fs::read("backup.db")?;
//! let mut digest = snapshot::StreamDigest::new();
//! digest.update(&file);
//! let summary = digest.finish()?;
//!
//! let bolt = bolt::Bolt::open(file.as_slice(), summary.db_len)?;
//! let (report, inspection) = inspect::check_and_inspect(&bolt)?;
//! println!("{} pages, revision {}", report.pages_reachable, inspection.revision);
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

mod crc32c;
mod gojson;
mod live;
mod proto;
mod width;

pub use proto::{ProtoDefect, ProtoError};

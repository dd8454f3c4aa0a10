//! The write-ahead log of raft.
//!
//! Owns: the log of a restored member, and reading any log segment. Must not know file I/O: etcd preallocates segments, but does
//! not require it. Source: etcd `server/storage/wal` and `raft/raftpb`.
//!
//! A segment is a sequence of frames, ended by a zero length field or the end of the file:
//!
//! | offset in the frame | type | field |
//! |---|---|---|
//! | 0 | u64 LE | low 56 bits: n, bytes of the record; top byte: `0x80 \| padding` if there is padding, else 0 |
//! | 8 | n bytes | the record |
//! | 8 + n | 0 to 7 zero bytes | padding up to a multiple of 8 |
//!
//! Record, protobuf `walpb.Record`:
//!
//! | field | type | content |
//! |---|---|---|
//! | 1 | varint | type: 1 metadata, 2 entry, 3 state, 4 crc, 5 snapshot |
//! | 2 | varint | CRC-32C over the data of all records so far, this one's included |
//! | 3 | bytes | data; absent in type 4, which starts each segment with the CRC so far |
//!
//! Data by type, all protobuf:
//!
//! | type | fields |
//! |---|---|
//! | 1 metadata | 1 member id, 2 cluster id |
//! | 2 entry | 1 kind (0 normal, 1 change of membership), 2 term, 3 index, 4 data (a change: 2 kind, 3 member id, 4 the member's JSON) |
//! | 3 state | 1 term, 2 vote, 3 commit |
//! | 5 snapshot | 1 index, 2 term, 3 conf_state (1 voter each; since etcd 3.5) |
//!
//! ```
//! use strongroom_etcd_format::{membership::{InitialCluster, Membership, Token}, wal};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let cluster = InitialCluster::parse("m1=http://10.0.0.1:2380")?;
//! let members = Membership::new(&cluster, &Token::default())?;
//! let local = members.members[0].id;
//! let segment = wal::restore_wal(&members, local);
//! let log = wal::decode(&segment)?;
//! assert_eq!(log.metadata, Some((local, members.cluster_id)));
//! assert_eq!(log.entries[0].conf_change()?.member, local);
//! # Ok(())
//! # }
//! ```

mod decode;
mod encode;

pub use decode::{ConfChange, Entry, HardState, SnapshotMark, Wal, WalDefect, WalError, decode};
pub use encode::restore_wal;
pub(crate) use {decode::voters, encode::conf_state};

/// The name of a member's first segment: sequence and first raft index, both 0.
pub const FILE_NAME: &str = "0000000000000000-0000000000000000.wal";

/// Size that etcd preallocates for a segment; a shorter file works too.
pub const SEGMENT_BYTES: u64 = 64_000_000;

const METADATA: u64 = 1;
const ENTRY: u64 = 2;
const STATE: u64 = 3;
const CRC: u64 = 4;
const SNAPSHOT: u64 = 5;

/// Set in the top byte of a length field when its low bits give the padding.
const PADDED: u64 = 0x80;
const FRAME_ALIGN: usize = 8;
const LENGTH_BITS: u32 = 56;

#[cfg(test)]
mod tests;

//! The write-ahead log of raft.
//!
//! Owns: the log that a restored member starts with, and reading any log segment. Must not know files: etcd preallocates
//! segments, which is not needed. Source: etcd `server/storage/wal` and `raft/raftpb`.
//!
//! A segment is a row of frames: `u64 LE` length field, record, zero bytes up to a multiple of 8. The field's low 56 bits are
//! the record's length; with padding, the top byte is `0x80 | padding`. A zero field ends the log. A record is protobuf
//! `{1 type, 2 crc, 3 data}`; the CRC-32C runs over the data of all records so far.

mod decode;
mod encode;

pub use decode::{ConfChange, Entry, HardState, SnapshotMark, Wal, WalDefect, WalError, decode};
pub use encode::restore_wal;
pub(crate) use {decode::voters, encode::conf_state};

/// The name of a member's first segment: sequence and first raft index, both 0.
pub const FILE_NAME: &str = "0000000000000000-0000000000000000.wal";

/// What etcd preallocates for a segment; a shorter file is as good.
pub const SEGMENT_BYTES: u64 = 64 * 1000 * 1000;

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

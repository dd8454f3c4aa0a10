//! Raft's snapshot file (`.snap`): the membership that etcd 3.4 to 3.6 read at boot.
//!
//! Owns: the file of a restored member, identical byte for byte to that of etcdutl 3.5, and reading any such file. Must not know
//! file I/O. Source: etcd `server/etcdserver/api/snap`, `raft/raftpb`, `server/etcdserver/api/v2store`.
//!
//! A file is protobuf `snappb.Snapshot`, and its data raft's `Snapshot`:
//!
//! | field | type | content |
//! |---|---|---|
//! | 1 | varint | CRC-32C of the data |
//! | 2 | bytes | data |
//! | 2.1 | bytes | the v2 store as JSON: members below `/0/members/<id>`, nothing else |
//! | 2.2 | message | metadata |
//! | 2.2.1 | message | conf_state: 1 voter each, 5 auto_leave |
//! | 2.2.2 | varint | raft index |
//! | 2.2.3 | varint | raft term |
//!
//! The file name is term and index, 16 hex digits each.
//!
//! ```
//! use strongroom_etcd_format::{membership::{InitialCluster, Membership, Token}, raft_snap};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let cluster = InitialCluster::parse("m1=http://10.0.0.1:2380")?;
//! let members = Membership::new(&cluster, &Token::default())?;
//! let found = raft_snap::decode(&raft_snap::restore_snap(&members))?;
//! assert_eq!((found.index, found.term, found.voters), (1, 1, vec![members.members[0].id]));
//! assert_eq!(raft_snap::file_name(&members), "0000000000000001-0000000000000001.snap");
//! # Ok(())
//! # }
//! ```

mod store;

use std::fmt::Write as _;

use crate::{
    crc32c,
    membership::{MemberId, Membership},
    proto::{Fields, ProtoError, put_bytes_field, put_varint_field},
    restore::RESTORE_TERM,
    wal,
    width::u64_of,
};

pub use store::V2Member;

/// The file that belongs to [`crate::wal::restore_wal`].
pub fn restore_snap(membership: &Membership) -> Vec<u8> {
    let mut metadata = Vec::new();
    put_bytes_field(&mut metadata, 1, &wal::conf_state(membership));
    put_varint_field(&mut metadata, 2, u64_of(membership.members.len()));
    put_varint_field(&mut metadata, 3, RESTORE_TERM);
    let mut data = Vec::new();
    put_bytes_field(&mut data, 1, store::restore_json(membership).as_bytes());
    put_bytes_field(&mut data, 2, &metadata);
    let mut file = Vec::new();
    put_varint_field(&mut file, 1, u64::from(crc32c::of(&data)));
    put_bytes_field(&mut file, 2, &data);
    file
}

/// Its name: term and index, 16 hex digits each.
pub fn file_name(membership: &Membership) -> String {
    let mut name = String::new();
    write!(
        name,
        "{RESTORE_TERM:016x}-{:016x}.snap",
        membership.members.len()
    )
    .expect("a String takes any text");
    name
}

/// The contents of a `.snap` file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RaftSnapshot {
    /// Its raft index.
    pub index: u64,
    /// Its raft term.
    pub term: u64,
    /// The voters, in the order of the file.
    pub voters: Vec<MemberId>,
    /// The members in the v2 store, by the text of their ids.
    pub members: Vec<V2Member>,
    /// Whether the v2 store contains more than the membership: then etcd 3.6 refuses to boot from it.
    pub has_v2_content: bool,
}

/// The bytes are not a `.snap` file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RaftSnapError {
    /// The frame is not a protobuf message.
    #[error("raft snapshot file")]
    Frame(#[source] ProtoError),
    /// etcd treats a file without data or CRC as broken.
    #[error("raft snapshot file has no data or no CRC")]
    Empty,
    /// The CRC does not match the data.
    #[error("raft snapshot file: its CRC is {stored:#010x}, its data has {computed:#010x}")]
    Crc {
        /// The stored CRC.
        stored: u32,
        /// The CRC of the data.
        computed: u32,
    },
    /// The data is not a raft snapshot.
    #[error("raft snapshot at offset {offset}")]
    Snapshot {
        /// The file offset of the data.
        offset: u64,
        /// The defect.
        #[source]
        source: ProtoError,
    },
    /// The v2 store is not JSON as written by etcd.
    #[error("v2 store at offset {offset}")]
    Store {
        /// The file offset of the JSON.
        offset: u64,
        /// The defect.
        #[source]
        source: serde_json::Error,
    },
    /// The v2 store has a member whose id is not a hex number.
    #[error("v2 store at offset {offset}: `{id}` is no member id")]
    MemberId {
        /// The file offset of the JSON.
        offset: u64,
        /// The text in place of the id.
        id: String,
    },
}

/// Reads a file.
///
/// # Errors
/// It is damaged or not such a file.
pub fn decode(bytes: &[u8]) -> Result<RaftSnapshot, RaftSnapError> {
    let (stored, data) = frame(bytes).map_err(RaftSnapError::Frame)?;
    if stored == 0 || data.is_empty() {
        return Err(RaftSnapError::Empty);
    }
    let computed = crc32c::of(data);
    if stored != computed {
        return Err(RaftSnapError::Crc { stored, computed });
    }
    let offset = u64_of(bytes.len() - data.len());
    let parts = Parts::decode(data).map_err(|source| RaftSnapError::Snapshot { offset, source })?;
    let (members, has_v2_content) = store::decode(parts.store, offset)?;
    let Parts {
        index,
        term,
        voters,
        ..
    } = parts;
    Ok(RaftSnapshot {
        index,
        term,
        voters,
        members,
        has_v2_content,
    })
}

fn frame(bytes: &[u8]) -> Result<(u32, &[u8]), ProtoError> {
    let (mut crc, mut data) = (0, [].as_slice());
    let mut fields = Fields::new(bytes);
    while let Some(field) = fields.next_field()? {
        match field.number {
            1 => crc = field.uint32()?,
            2 => data = field.bytes()?,
            _ => {}
        }
    }
    Ok((crc, data))
}

#[derive(Default)]
struct Parts<'a> {
    store: &'a [u8],
    voters: Vec<MemberId>,
    index: u64,
    term: u64,
}

impl<'a> Parts<'a> {
    fn decode(data: &'a [u8]) -> Result<Self, ProtoError> {
        let mut parts = Self::default();
        let mut fields = Fields::new(data);
        while let Some(field) = fields.next_field()? {
            match field.number {
                1 => parts.store = field.bytes()?,
                2 => parts.metadata(field.bytes()?)?,
                _ => {}
            }
        }
        Ok(parts)
    }

    fn metadata(&mut self, bytes: &[u8]) -> Result<(), ProtoError> {
        let mut fields = Fields::new(bytes);
        while let Some(field) = fields.next_field()? {
            match field.number {
                1 => self.voters = wal::voters(field.bytes()?)?,
                2 => self.index = field.varint()?,
                3 => self.term = field.varint()?,
                _ => {}
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;

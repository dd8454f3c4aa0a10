//! Reading a log segment.
//!
//! Owns: frames, the CRC chain and the meaning of records. It borrows from the segment, so memory is proportional to it: at most
//! one small struct per 24 bytes. Only zeros or nothing may follow the end of the log.

use super::{CRC, ENTRY, FRAME_ALIGN, LENGTH_BITS, METADATA, PADDED, SNAPSHOT, STATE};
use crate::{
    crc32c,
    membership::{ClusterId, MemberId},
    proto::{Fields, ProtoError},
    width::{le_u64, u64_of, usize_of},
};

/// A log segment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wal<'a> {
    /// The member and cluster of the log.
    pub metadata: Option<(MemberId, ClusterId)>,
    /// Raft entries in the order of the log.
    pub entries: Vec<Entry<'a>>,
    /// The last state.
    pub hard_state: Option<HardState>,
    /// Marks of snapshots.
    pub snapshots: Vec<SnapshotMark>,
    /// The stored CRC of every record, in the order of the log.
    pub crcs: Vec<u32>,
    /// The end of the log.
    pub end: u64,
}

/// A raft entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry<'a> {
    /// Its type: 0 normal, 1 and 2 changes of membership.
    pub kind: u64,
    /// Its term.
    pub term: u64,
    /// Its index.
    pub index: u64,
    /// The proposed data.
    pub data: &'a [u8],
}

/// A change of membership.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ConfChange<'a> {
    /// 0 adds a voter, 1 removes a member, 2 updates one, 3 adds a learner.
    pub kind: u64,
    /// The member.
    pub member: MemberId,
    /// The member's JSON.
    pub context: &'a [u8],
}

/// Raft's persistent state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HardState {
    /// The term.
    pub term: u64,
    /// The candidate that this member voted for.
    pub vote: u64,
    /// The last index known to be committed.
    pub commit: u64,
}

/// A snapshot that the log starts from, or that was taken later.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SnapshotMark {
    /// Its index.
    pub index: u64,
    /// Its term.
    pub term: u64,
    /// The voters at that point; etcd 3.4 does not write them.
    pub voters: Vec<MemberId>,
}

/// The bytes are not a log segment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("write-ahead log, record at offset {offset}: {defect}")]
pub struct WalError {
    /// The file offset of the record's frame.
    pub offset: u64,
    /// The defect.
    pub defect: WalDefect,
}

/// A defect of a record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WalDefect {
    /// The file ends inside the frame.
    #[error("its {len} bytes run beyond the end of the file")]
    Truncated {
        /// Record bytes with padding.
        len: u64,
    },
    /// The length field is not valid.
    #[error("its length field is {field:#018x}")]
    Length {
        /// The found field.
        field: u64,
    },
    /// The CRC does not match the data.
    #[error("its CRC is {stored:#010x}, the log so far gives {computed:#010x}")]
    Crc {
        /// The stored CRC.
        stored: u32,
        /// The CRC of the data.
        computed: u32,
    },
    /// A record of unknown type.
    #[error("its type is {found}")]
    Type {
        /// The found type.
        found: u64,
    },
    /// Something follows the end of the log.
    #[error("it is not zero although the log has ended")]
    AfterEnd,
    /// A message is not valid.
    #[error("it cannot be decoded: {0}")]
    Message(#[from] ProtoError),
}

/// Reads a segment to its end.
///
/// # Errors
/// The first record that is damaged or cut off.
pub fn decode(bytes: &[u8]) -> Result<Wal<'_>, WalError> {
    let mut wal = Wal::default();
    let mut crc = crc32c::running();
    let mut at = 0;
    while let Some((record, next)) = frame(bytes, at)? {
        let fault = |defect| WalError {
            offset: u64_of(at),
            defect,
        };
        let record = Record::decode(record).map_err(|error| fault(error.into()))?;
        wal.crcs.push(record.crc);
        if record.kind == CRC {
            // The first record of a segment continues the previous segment; later ones repeat the current value.
            let computed = crc32c::value(&crc);
            if at > 0 && computed != record.crc {
                return Err(fault(WalDefect::Crc {
                    stored: record.crc,
                    computed,
                }));
            }
            crc = crc32c::resumed(record.crc);
        } else {
            crc.update(record.data);
            let computed = crc32c::value(&crc);
            if computed != record.crc {
                return Err(fault(WalDefect::Crc {
                    stored: record.crc,
                    computed,
                }));
            }
            wal.take(&record).map_err(fault)?;
        }
        at = next;
    }
    wal.end = u64_of(at);
    match bytes
        .get(at..)
        .unwrap_or_default()
        .iter()
        .position(|byte| *byte != 0)
    {
        Some(position) => Err(WalError {
            offset: u64_of(at + position),
            defect: WalDefect::AfterEnd,
        }),
        None => Ok(wal),
    }
}

impl<'a> Wal<'a> {
    fn take(&mut self, record: &Record<'a>) -> Result<(), WalDefect> {
        match record.kind {
            METADATA => self.metadata = Some(metadata(record.data)?),
            ENTRY => self.entries.push(Entry::decode(record.data)?),
            STATE => self.hard_state = Some(HardState::decode(record.data)?),
            SNAPSHOT => self.snapshots.push(SnapshotMark::decode(record.data)?),
            found => return Err(WalDefect::Type { found }),
        }
        Ok(())
    }
}

/// The record at `at` and the start of the next frame, or `None` at the end of the log.
fn frame(bytes: &[u8], at: usize) -> Result<Option<(&[u8], usize)>, WalError> {
    let fault = |defect| WalError {
        offset: u64_of(at),
        defect,
    };
    if at >= bytes.len() {
        return Ok(None);
    }
    let Some(field) = le_u64(bytes, at) else {
        // Fewer than 8 zero bytes are the rest of a preallocated file.
        let zeros = bytes
            .get(at..)
            .unwrap_or_default()
            .iter()
            .all(|byte| *byte == 0);
        return if zeros {
            Ok(None)
        } else {
            Err(fault(WalDefect::Truncated { len: 8 }))
        };
    };
    if field == 0 {
        return Ok(None);
    }
    let length = field & ((1 << LENGTH_BITS) - 1);
    let mark = field >> LENGTH_BITS;
    let padding = if mark == 0 { 0 } else { mark & !PADDED };
    let align = u64_of(FRAME_ALIGN);
    let well_formed = mark == 0 || (mark & PADDED != 0 && (1..align).contains(&padding));
    if length == 0 || !well_formed || !(length + padding).is_multiple_of(align) {
        return Err(fault(WalDefect::Length { field }));
    }
    let start = at + FRAME_ALIGN;
    let record = usize_of(length).and_then(|length| bytes.get(start..start.checked_add(length)?));
    let next = usize_of(length + padding).and_then(|length| start.checked_add(length));
    match (record, next.filter(|next| *next <= bytes.len())) {
        (Some(record), Some(next)) => Ok(Some((record, next))),
        _ => Err(fault(WalDefect::Truncated {
            len: length + padding,
        })),
    }
}

/// The fields of one record: type, CRC and data.
struct Record<'a> {
    kind: u64,
    crc: u32,
    data: &'a [u8],
}

impl<'a> Record<'a> {
    fn decode(bytes: &'a [u8]) -> Result<Self, ProtoError> {
        let mut record = Self {
            kind: 0,
            crc: 0,
            data: &[],
        };
        let mut fields = Fields::new(bytes);
        while let Some(field) = fields.next_field()? {
            match field.number {
                1 => record.kind = field.varint()?,
                2 => record.crc = field.uint32()?,
                3 => record.data = field.bytes()?,
                _ => {}
            }
        }
        Ok(record)
    }
}

fn metadata(bytes: &[u8]) -> Result<(MemberId, ClusterId), ProtoError> {
    let (mut member, mut cluster) = (MemberId(0), ClusterId(0));
    let mut fields = Fields::new(bytes);
    while let Some(field) = fields.next_field()? {
        match field.number {
            1 => member = MemberId(field.varint()?),
            2 => cluster = ClusterId(field.varint()?),
            _ => {}
        }
    }
    Ok((member, cluster))
}

impl<'a> Entry<'a> {
    fn decode(bytes: &'a [u8]) -> Result<Self, ProtoError> {
        let mut entry = Self {
            kind: 0,
            term: 0,
            index: 0,
            data: &[],
        };
        let mut fields = Fields::new(bytes);
        while let Some(field) = fields.next_field()? {
            match field.number {
                1 => entry.kind = field.varint()?,
                2 => entry.term = field.varint()?,
                3 => entry.index = field.varint()?,
                4 => entry.data = field.bytes()?,
                _ => {}
            }
        }
        Ok(entry)
    }

    /// The change of membership in an entry of type 1.
    ///
    /// # Errors
    /// Its data is not that message.
    pub fn conf_change(&self) -> Result<ConfChange<'a>, ProtoError> {
        let mut change = ConfChange::default();
        let mut fields = Fields::new(self.data);
        while let Some(field) = fields.next_field()? {
            match field.number {
                2 => change.kind = field.varint()?,
                3 => change.member = MemberId(field.varint()?),
                4 => change.context = field.bytes()?,
                _ => {}
            }
        }
        Ok(change)
    }
}

impl HardState {
    fn decode(bytes: &[u8]) -> Result<Self, ProtoError> {
        let mut state = Self::default();
        let mut fields = Fields::new(bytes);
        while let Some(field) = fields.next_field()? {
            match field.number {
                1 => state.term = field.varint()?,
                2 => state.vote = field.varint()?,
                3 => state.commit = field.varint()?,
                _ => {}
            }
        }
        Ok(state)
    }
}

impl SnapshotMark {
    fn decode(bytes: &[u8]) -> Result<Self, ProtoError> {
        let mut mark = Self::default();
        let mut fields = Fields::new(bytes);
        while let Some(field) = fields.next_field()? {
            match field.number {
                1 => mark.index = field.varint()?,
                2 => mark.term = field.varint()?,
                3 => mark.voters = voters(field.bytes()?)?,
                _ => {}
            }
        }
        Ok(mark)
    }
}

/// The voters of raft's `ConfState`, one field each.
pub(crate) fn voters(conf_state: &[u8]) -> Result<Vec<MemberId>, ProtoError> {
    let mut voters = Vec::new();
    let mut fields = Fields::new(conf_state);
    while let Some(field) = fields.next_field()? {
        if field.number == 1 {
            voters.push(MemberId(field.varint()?));
        }
    }
    Ok(voters)
}

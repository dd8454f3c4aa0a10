//! Writing the log of a restored member.
//!
//! Owns: the records of a restore, in order, identical byte for byte to those of etcdutl 3.5. Only the metadata record, and so
//! every CRC after it, differs between the members of one cluster.

use super::{CRC, ENTRY, FRAME_ALIGN, LENGTH_BITS, METADATA, PADDED, SNAPSHOT, STATE};
use crate::{
    crc32c,
    membership::{MemberId, Membership},
    proto::{put_bytes_field, put_varint_field},
    restore::RESTORE_TERM,
    width::u64_of,
};

/// The complete log of member `local`.
pub fn restore_wal(membership: &Membership, local: MemberId) -> Vec<u8> {
    let mut log = Log::new();
    let count = u64_of(membership.members.len());
    log.record(CRC, None);
    log.record(
        METADATA,
        Some(&message(&[(1, local.0), (2, membership.cluster_id.0)])),
    );
    log.record(SNAPSHOT, Some(&message(&[(1, 0), (2, 0)])));
    for (index, member) in (1..).zip(&membership.members) {
        let mut change = message(&[(1, 0), (2, 0), (3, member.id.0)]);
        put_bytes_field(&mut change, 4, member.to_json().as_bytes());
        // Entry type 1 is a change of membership, and change type 0 adds a voter.
        let mut entry = message(&[(1, 1), (2, RESTORE_TERM), (3, index)]);
        put_bytes_field(&mut entry, 4, &change);
        log.record(ENTRY, Some(&entry));
    }
    // Members are sorted by id; the one with the smallest id has the vote.
    let vote = membership.members.first().map_or(0, |member| member.id.0);
    log.record(
        STATE,
        Some(&message(&[(1, RESTORE_TERM), (2, vote), (3, count)])),
    );
    let mut snapshot = message(&[(1, count), (2, RESTORE_TERM)]);
    put_bytes_field(&mut snapshot, 3, &conf_state(membership));
    log.record(SNAPSHOT, Some(&snapshot));
    log.bytes
}

/// raft's `ConfState {1 voters, 5 auto_leave}`.
pub(crate) fn conf_state(membership: &Membership) -> Vec<u8> {
    let mut out = Vec::new();
    for member in &membership.members {
        put_varint_field(&mut out, 1, member.id.0);
    }
    put_varint_field(&mut out, 5, 0);
    out
}

fn message(fields: &[(u32, u64)]) -> Vec<u8> {
    let mut out = Vec::new();
    for (number, value) in fields {
        put_varint_field(&mut out, *number, *value);
    }
    out
}

struct Log {
    bytes: Vec<u8>,
    crc: crc_fast::Digest,
}

impl Log {
    fn new() -> Self {
        Self {
            bytes: Vec::new(),
            crc: crc32c::running(),
        }
    }

    fn record(&mut self, kind: u64, data: Option<&[u8]>) {
        self.crc.update(data.unwrap_or_default());
        let mut record = message(&[(1, kind), (2, u64::from(crc32c::value(&self.crc)))]);
        if let Some(data) = data {
            put_bytes_field(&mut record, 3, data);
        }
        let padding = record.len().next_multiple_of(FRAME_ALIGN) - record.len();
        let mark = if padding == 0 {
            0
        } else {
            (PADDED | u64_of(padding)) << LENGTH_BITS
        };
        self.bytes
            .extend((u64_of(record.len()) | mark).to_le_bytes());
        self.bytes.extend(&record);
        self.bytes.resize(self.bytes.len() + padding, 0);
    }
}

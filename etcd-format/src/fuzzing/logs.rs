//! Fuzz targets for the two other files of a data directory: write-ahead log and raft snapshot.
//!
//! Owns: the second run, with correct checksums: the frames of a log are rewritten with a matching chain of CRCs, and a raft
//! snapshot gets the CRC of its data.

use crate::{
    crc32c,
    proto::{Fields, put_bytes_field, put_varint_field},
    raft_snap, wal,
    width::{le_u64, u64_of, usize_of},
};

const WAL_CRC: u64 = 4;

/// A log segment unchanged, and again with correct CRCs.
pub(super) fn wal(data: &[u8]) {
    let _ = read_log(data);
    let resealed = resealed(data);
    if let Err(error) = read_log(&resealed) {
        let framing = matches!(
            error.defect,
            wal::WalDefect::Crc { .. }
                | wal::WalDefect::Length { .. }
                | wal::WalDefect::Truncated { .. }
        );
        assert!(!framing, "frames and CRCs were made right: {error}");
    }
}

fn read_log(bytes: &[u8]) -> Result<(), wal::WalError> {
    let log = wal::decode(bytes)?;
    assert!(
        log.end <= u64_of(bytes.len()),
        "the log ends within its file"
    );
    assert!(
        log.entries.len() + log.snapshots.len() <= log.crcs.len(),
        "a record each"
    );
    for entry in &log.entries {
        let _ = entry.conf_change();
    }
    Ok(())
}

/// The records of every frame that can be parsed, in new frames.
fn resealed(data: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut crc = crc32c::running();
    let mut at = 0;
    while let Some(field) = le_u64(data, at).filter(|field| *field != 0) {
        // 16 bits are enough for the length of such inputs.
        let length = usize_of(field & 0xffff).unwrap_or(0);
        let record = data.get(at + 8..).unwrap_or_default();
        let record = record.get(..length).unwrap_or(record);
        at += 8 + record.len().next_multiple_of(8);
        let (kind, body) = parts(record);
        if kind != WAL_CRC {
            crc.update(body);
        }
        let mut sealed = Vec::new();
        put_varint_field(&mut sealed, 1, kind);
        put_varint_field(&mut sealed, 2, u64::from(crc32c::value(&crc)));
        put_bytes_field(&mut sealed, 3, body);
        let padding = sealed.len().next_multiple_of(8) - sealed.len();
        let mark = if padding == 0 {
            0
        } else {
            (0x80 | u64_of(padding)) << 56
        };
        out.extend((u64_of(sealed.len()) | mark).to_le_bytes());
        out.extend(sealed);
        out.resize(out.len() + padding, 0);
    }
    out
}

/// Type and data of a record, as far as it can be read. Unreadable ones become entries.
fn parts(record: &[u8]) -> (u64, &[u8]) {
    let (mut kind, mut body) = (2, record);
    let mut fields = Fields::new(record);
    while let Ok(Some(field)) = fields.next_field() {
        match field.number {
            1 => kind = field.varint().unwrap_or(kind),
            3 => body = field.bytes().unwrap_or(body),
            _ => {}
        }
    }
    (kind, body)
}

/// A raft snapshot file unchanged, and one with the whole input as its data and the correct CRC.
pub(super) fn raft_snap(data: &[u8]) {
    let _ = raft_snap::decode(data);
    let inner = stored_data(data).unwrap_or(data);
    let mut sealed = Vec::new();
    put_varint_field(&mut sealed, 1, u64::from(crc32c::of(inner)));
    put_bytes_field(&mut sealed, 2, inner);
    match raft_snap::decode(&sealed) {
        Ok(found) => assert!(found.voters.len() <= inner.len(), "each voter takes bytes"),
        Err(error) => assert!(
            !matches!(
                error,
                raft_snap::RaftSnapError::Crc { .. } | raft_snap::RaftSnapError::Frame(_)
            ),
            "the frame was made right: {error}"
        ),
    }
}

fn stored_data(file: &[u8]) -> Option<&[u8]> {
    let mut fields = Fields::new(file);
    let mut data = None;
    while let Ok(Some(field)) = fields.next_field() {
        if field.number == 2 {
            data = field.bytes().ok();
        }
    }
    data
}

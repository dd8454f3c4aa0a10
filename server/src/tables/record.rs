//! A row's value in bytes: the version of its record (u16 LE), then the record in
//! [postcard](https://postcard.jamesmunns.com/wire-format).
//!
//! Each record has a version of its own. The newest is always written, and every older one stays readable; golden bytes
//! in `golden.rs` pin both. A version above the newest was written by a newer program and is reported as such, not as
//! damage.

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::store::{FormatVersion, StoreError};

/// Why bytes are not a valid record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unreadable(pub &'static str);

/// A table's value.
pub trait Record: Serialize + DeserializeOwned {
    /// The newest version, which is the one written.
    const VERSION: u16 = 1;

    /// Reads a record of an older version and converts it to the newest.
    ///
    /// # Errors
    /// When the bytes are not a record of that version.
    fn read_older(version: u16, body: &[u8]) -> Result<Self, Unreadable> {
        let (_, _) = (version, body);
        Err(Unreadable("a record version that no program wrote"))
    }
}

/// A record's stored bytes.
pub fn encode<R: Record>(record: &R) -> Bytes {
    let out = R::VERSION.to_le_bytes().to_vec();
    let out =
        postcard::to_extend(record, out).expect("postcard writes every type that records use");
    Bytes::from(out)
}

/// Reads stored bytes; `key` and `what` name the row in errors.
///
/// # Errors
/// [`StoreError::NewerFormat`], or [`StoreError::DamagedRow`] for anything except exactly one record.
pub fn decode<R: Record>(what: &'static str, key: &[u8], value: &[u8]) -> Result<R, StoreError> {
    let damaged = |what| StoreError::DamagedRow {
        key: key.to_vec(),
        what,
    };
    let (version, body) = value
        .split_first_chunk()
        .ok_or_else(|| damaged("record version"))?;
    let version = u16::from_le_bytes(*version);
    let read = match version {
        newer if newer > R::VERSION => {
            return Err(StoreError::NewerFormat {
                what,
                found: FormatVersion(newer),
                newest: FormatVersion(R::VERSION),
            });
        }
        newest if newest == R::VERSION => exactly(body),
        older => R::read_older(older, body),
    };
    read.map_err(|Unreadable(what)| damaged(what))
}

/// One postcard value without further bytes.
///
/// # Errors
/// When the bytes are something else.
pub fn exactly<T: DeserializeOwned>(body: &[u8]) -> Result<T, Unreadable> {
    match postcard::take_from_bytes(body) {
        Ok((value, [])) => Ok(value),
        Ok(_) => Err(Unreadable("bytes after the record")),
        Err(_) => Err(Unreadable("record")),
    }
}

//! Rows of etcd's multi-version history.
//!
//! Owns: encoding and decoding of keys and values in bucket `key`. Must not know bolt. Source: etcd
//! `server/storage/mvcc/revision.go` and `api/mvccpb/kv.proto`.
//!
//! Row key, 17 or 18 bytes:
//!
//! | offset | type | field |
//! |---|---|---|
//! | 0 | u64 BE | main: the transaction's revision, from 2 on |
//! | 8 | u8 | `_` |
//! | 9 | u64 BE | sub: the operation in the transaction, from 0 on |
//! | 17 | u8 | `t`, tombstones only: the row deletes its key |
//!
//! Row value, protobuf `mvccpb.KeyValue` with zero fields left out; a tombstone has only field 1:
//!
//! | field | type | content |
//! |---|---|---|
//! | 1 | bytes | the user's key |
//! | 2 | varint | create_revision: the main revision that created this incarnation of the key |
//! | 3 | varint | mod_revision: this row's main revision |
//! | 4 | varint | version: number of writes in this incarnation of the key |
//! | 5 | bytes | the user's value |
//! | 6 | varint | lease, or absent |
//!
//! ```
//! use strongroom_etcd_format::mvcc::{KeyValue, RevisionKey};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let row = RevisionKey::decode(b"\0\0\0\0\0\0\0\x39_\0\0\0\0\0\0\0\x02t")?;
//! assert_eq!((row.main, row.sub, row.tombstone), (57, 2, true));
//! assert_eq!(KeyValue::decode(b"\x0a\x05key12")?.key, b"key12");
//! # Ok(())
//! # }
//! ```

use crate::proto::{Fields, ProtoError, put_bytes_field, put_varint_field};

/// The bucket of the history.
pub const BUCKET: &[u8] = b"key";

const SEPARATOR: u8 = b'_';
const TOMBSTONE: u8 = b't';
const KEY_LEN: usize = 17;
const SUB_AT: usize = 9;

/// A decoded row key: when the row was written, and whether it deletes its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct RevisionKey {
    /// The transaction.
    pub main: i64,
    /// The operation in it.
    pub sub: i64,
    /// Whether the row deletes its key.
    pub tombstone: bool,
}

impl RevisionKey {
    /// Reads a row key of 17 or 18 bytes.
    ///
    /// # Errors
    /// It is not a row key.
    pub fn decode(bytes: &[u8]) -> Result<Self, RowKeyError> {
        let tombstone = match bytes.get(KEY_LEN..) {
            Some([]) => false,
            Some([TOMBSTONE]) => true,
            _ => return Err(RowKeyError::Shape { len: bytes.len() }),
        };
        if bytes.get(SUB_AT - 1) != Some(&SEPARATOR) {
            return Err(RowKeyError::Separator);
        }
        let number = |at: usize| {
            let word = bytes
                .get(at..)
                .and_then(|rest| rest.first_chunk())
                .copied()
                .map(u64::from_be_bytes);
            word.and_then(|word| i64::try_from(word).ok())
                .ok_or(RowKeyError::Range)
        };
        Ok(Self {
            main: number(0)?,
            sub: number(SUB_AT)?,
            tombstone,
        })
    }

    /// The 17 or 18 bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(KEY_LEN + 1);
        out.extend(self.main.to_be_bytes());
        out.push(SEPARATOR);
        out.extend(self.sub.to_be_bytes());
        if self.tombstone {
            out.push(TOMBSTONE);
        }
        out
    }
}

/// The bytes are not a row key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RowKeyError {
    /// Neither 17 bytes, nor 18 with a `t`.
    #[error("a row key of {len} bytes is neither 17 bytes long nor 18 with a final `t`")]
    Shape {
        /// Its length.
        len: usize,
    },
    /// The byte between the numbers is not `_`.
    #[error("byte 8 of a row key is not `_`")]
    Separator,
    /// A revision does not fit 63 bits.
    #[error("a revision is negative")]
    Range,
}

/// The value of a row, borrowed from it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct KeyValue<'a> {
    /// The user's key; empty only in the row added by a revision bump.
    pub key: &'a [u8],
    /// The revision that created this incarnation of the key.
    pub create_revision: i64,
    /// The revision that wrote this row.
    pub mod_revision: i64,
    /// Number of writes in this incarnation of the key.
    pub version: i64,
    /// The user's value.
    pub value: &'a [u8],
    /// The lease, or 0.
    pub lease: i64,
}

impl<'a> KeyValue<'a> {
    /// Reads a row's value without copying.
    ///
    /// # Errors
    /// It is not this message.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, ProtoError> {
        let mut out = Self::default();
        let mut fields = Fields::new(bytes);
        while let Some(field) = fields.next_field()? {
            match field.number {
                1 => out.key = field.bytes()?,
                2 => out.create_revision = field.int64()?,
                3 => out.mod_revision = field.int64()?,
                4 => out.version = field.int64()?,
                5 => out.value = field.bytes()?,
                6 => out.lease = field.int64()?,
                _ => {}
            }
        }
        Ok(out)
    }

    /// The bytes as etcd writes them.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let bytes = |out: &mut Vec<u8>, number, bytes: &[u8]| {
            if !bytes.is_empty() {
                put_bytes_field(out, number, bytes);
            }
        };
        let varint = |out: &mut Vec<u8>, number, value: i64| {
            if value != 0 {
                put_varint_field(out, number, value.cast_unsigned());
            }
        };
        bytes(&mut out, 1, self.key);
        varint(&mut out, 2, self.create_revision);
        varint(&mut out, 3, self.mod_revision);
        varint(&mut out, 4, self.version);
        bytes(&mut out, 5, self.value);
        varint(&mut out, 6, self.lease);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unhex(text: &str) -> Vec<u8> {
        hex::decode(text.replace(' ', "")).expect("the constant is hex")
    }

    #[test]
    fn real_row_keys_decode_and_encode() {
        let rows = [
            (
                "0000000000000039 5f 0000000000000000",
                RevisionKey {
                    main: 57,
                    sub: 0,
                    tombstone: false,
                },
            ),
            (
                "0000000000000039 5f 0000000000000002 74",
                RevisionKey {
                    main: 57,
                    sub: 2,
                    tombstone: true,
                },
            ),
        ];
        for (text, expected) in rows {
            let bytes = unhex(text);
            assert_eq!(RevisionKey::decode(&bytes), Ok(expected));
            assert_eq!(expected.encode(), bytes);
        }
    }

    #[test]
    fn real_row_values_decode_and_encode() {
        let lease = 0x0dcd_a201_9c9b_a83d;
        let plain = KeyValue {
            create_revision: 57,
            mod_revision: 57,
            version: 1,
            ..KeyValue::default()
        };
        let rows = [
            (
                "0a03747861 1039 1839 2001 2a0131",
                KeyValue {
                    key: b"txa",
                    value: b"1",
                    ..plain
                },
            ),
            (
                "0a056b65793132",
                KeyValue {
                    key: b"key12",
                    ..KeyValue::default()
                },
            ),
            (
                "0a066c6561736564 103a 183a 2001 2a0178 30bdd0eee499c0e8e60d",
                KeyValue {
                    key: b"leased",
                    create_revision: 58,
                    mod_revision: 58,
                    version: 1,
                    value: b"x",
                    lease,
                },
            ),
        ];
        for (text, expected) in rows {
            let bytes = unhex(text);
            assert_eq!(KeyValue::decode(&bytes), Ok(expected));
            assert_eq!(expected.encode(), bytes);
        }
    }

    #[test]
    fn other_bytes_are_no_row_key() {
        let good = RevisionKey {
            main: 5,
            sub: 1,
            tombstone: false,
        }
        .encode();
        let mut marked = good.clone();
        marked.push(b'x');
        assert_eq!(
            RevisionKey::decode(&marked),
            Err(RowKeyError::Shape { len: 18 })
        );
        assert_eq!(
            RevisionKey::decode(&good[..16]),
            Err(RowKeyError::Shape { len: 16 })
        );
        let mut split = good.clone();
        split[8] = b'-';
        assert_eq!(RevisionKey::decode(&split), Err(RowKeyError::Separator));
        let mut negative = good;
        negative[0] = 0x80;
        assert_eq!(RevisionKey::decode(&negative), Err(RowKeyError::Range));
    }
}

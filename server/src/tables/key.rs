//! Keys in bytes: the fields and the order-preserving escape that all tables use.
//!
//! A key is one keyspace byte and fields of fixed width in big-endian. Object keys and bucket names are escaped
//! instead: `00` becomes `00 FF`, and `00 01` ends the field. So rows sort like the bytes of their object keys, and one
//! key's rows are never among another's. Keys are built and split nowhere else.

use bytes::{BufMut, Bytes, BytesMut};

use crate::model::{BucketId, ObjectKey, UploadId};
use crate::store::meta::Key;
use crate::store::{ManifestId, PackId, StoreError};
use crate::tables::keyspace::Keyspace;

/// Writes a key: one keyspace byte, then its fields.
#[derive(Debug)]
pub struct KeyWriter {
    out: BytesMut,
}

impl KeyWriter {
    pub(super) fn new(keyspace: Keyspace) -> KeyWriter {
        let mut out = BytesMut::with_capacity(64);
        out.put_u8(keyspace.number());
        KeyWriter { out }
    }

    pub(super) fn fixed(&mut self, bytes: &[u8]) -> &mut KeyWriter {
        self.out.put_slice(bytes);
        self
    }

    pub(super) fn bucket(&mut self, bucket: BucketId) -> &mut KeyWriter {
        self.fixed(&bucket.0.to_be_bytes())
    }

    pub(super) fn key(&mut self, key: &ObjectKey) -> &mut KeyWriter {
        self.escaped(key.as_str().as_bytes())
    }

    pub(super) fn escaped(&mut self, field: &[u8]) -> &mut KeyWriter {
        self.unended(field).fixed(&[0x00, 0x01])
    }

    pub(super) fn unended(&mut self, field: &[u8]) -> &mut KeyWriter {
        for byte in field {
            self.out.put_u8(*byte);
            if *byte == 0 {
                self.out.put_u8(0xff);
            }
        }
        self
    }

    pub(super) fn done(&mut self) -> Bytes {
        self.out.split().freeze()
    }
}

/// Reads a key's fields in the order in which [`KeyWriter`] wrote them.
#[derive(Debug)]
pub struct KeyReader<'a> {
    key: &'a Key,
    rest: &'a [u8],
}

impl<'a> KeyReader<'a> {
    pub(super) fn new(key: &'a Key, keyspace: Keyspace) -> Result<KeyReader<'a>, StoreError> {
        match key.split_first() {
            Some((first, rest)) if *first == keyspace.number() => Ok(KeyReader { key, rest }),
            _ => Err(StoreError::DamagedRow {
                key: key.to_vec(),
                what: "keyspace",
            }),
        }
    }

    /// The error that names the key.
    pub(super) fn damaged(&self, what: &'static str) -> StoreError {
        StoreError::DamagedRow {
            key: self.key.to_vec(),
            what,
        }
    }

    /// Checks that nothing follows the last field.
    pub(super) fn end(&self) -> Result<(), StoreError> {
        match self.rest {
            [] => Ok(()),
            _ => Err(self.damaged("bytes behind the key")),
        }
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], StoreError> {
        let (field, rest) = self
            .rest
            .split_first_chunk()
            .ok_or_else(|| self.damaged("key field"))?;
        self.rest = rest;
        Ok(*field)
    }

    pub(super) fn bucket(&mut self) -> Result<BucketId, StoreError> {
        Ok(BucketId(u64::from_be_bytes(self.array()?)))
    }

    pub(super) fn manifest(&mut self) -> Result<ManifestId, StoreError> {
        Ok(ManifestId::from_bytes(self.array()?))
    }

    pub(super) fn pack(&mut self) -> Result<PackId, StoreError> {
        Ok(PackId::from_bytes(self.array()?))
    }

    pub(super) fn upload(&mut self) -> Result<UploadId, StoreError> {
        Ok(UploadId(self.array()?))
    }

    pub(super) fn object_key(&mut self) -> Result<ObjectKey, StoreError> {
        let text = self.text()?;
        ObjectKey::parse(&text).map_err(|_| self.damaged("object key"))
    }

    pub(super) fn text(&mut self) -> Result<String, StoreError> {
        let mut out = Vec::new();
        loop {
            match self.rest {
                [0x00, 0x01, rest @ ..] => {
                    self.rest = rest;
                    return String::from_utf8(out).map_err(|_| self.damaged("escaped text"));
                }
                [0x00, 0xff, rest @ ..] => {
                    self.rest = rest;
                    out.push(0);
                }
                [0x00, ..] | [] => return Err(self.damaged("escape")),
                [byte, rest @ ..] => {
                    self.rest = rest;
                    out.push(*byte);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;

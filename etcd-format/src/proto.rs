//! The part of protobuf's wire format that etcd's records use.
//!
//! Owns: encoding and decoding of varints, field tags and length-delimited fields. Must not know any message. A decoder borrows
//! from its input and never allocates, so hostile lengths cost nothing. Written by hand because generated code omits the zero
//! fields that etcd's proto2 messages always contain.

use crate::width::{u64_of, usize_of};

/// A varint of 64 bits takes at most this many bytes (ceil(64 / 7)).
const VARINT_BYTES_MAX: usize = 10;

/// The bytes are not a protobuf message, or not the expected one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("protobuf byte {offset}: {defect}")]
pub struct ProtoError {
    /// The offset of the defect in the message.
    pub offset: u64,
    /// The defect.
    pub defect: ProtoDefect,
}

/// A defect of a protobuf message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProtoDefect {
    /// The message ends inside a field.
    #[error("the message ends inside a field")]
    Truncated,
    /// A varint has more than 64 bits.
    #[error("a varint has more than 64 bits")]
    VarintTooLong,
    /// A wire type that etcd's messages never use.
    #[error("unknown wire type {0}")]
    WireType(u8),
    /// Field numbers are 1 to 2^29-1.
    #[error("field number {0} is out of range")]
    FieldNumber(u64),
    /// A known field has the wrong wire type.
    #[error("field {0} has the wrong wire type")]
    WrongType(u32),
    /// A known field has a value outside its range.
    #[error("field {0} holds a value out of range")]
    Range(u32),
}

/// One field of a message.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Field<'a> {
    pub(crate) number: u32,
    pub(crate) offset: u64,
    value: Value<'a>,
}

#[derive(Debug, Clone, Copy)]
enum Value<'a> {
    Varint(u64),
    Bytes(&'a [u8]),
    Fixed,
}

impl<'a> Field<'a> {
    pub(crate) fn varint(&self) -> Result<u64, ProtoError> {
        match self.value {
            Value::Varint(value) => Ok(value),
            Value::Bytes(_) | Value::Fixed => Err(self.fault(ProtoDefect::WrongType(self.number))),
        }
    }

    pub(crate) fn int64(&self) -> Result<i64, ProtoError> {
        Ok(self.varint()?.cast_signed())
    }

    pub(crate) fn uint32(&self) -> Result<u32, ProtoError> {
        u32::try_from(self.varint()?).map_err(|_| self.fault(ProtoDefect::Range(self.number)))
    }

    pub(crate) fn bytes(&self) -> Result<&'a [u8], ProtoError> {
        match self.value {
            Value::Bytes(bytes) => Ok(bytes),
            Value::Varint(_) | Value::Fixed => Err(self.fault(ProtoDefect::WrongType(self.number))),
        }
    }

    pub(crate) fn fault(&self, defect: ProtoDefect) -> ProtoError {
        ProtoError {
            offset: self.offset,
            defect,
        }
    }
}

/// Reads the fields of one message in wire order.
#[derive(Debug)]
pub(crate) struct Fields<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Fields<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// The next field, or `None` at the end. Unknown fields are returned too: the caller skips them.
    pub(crate) fn next_field(&mut self) -> Result<Option<Field<'a>>, ProtoError> {
        if self.at >= self.bytes.len() {
            return Ok(None);
        }
        let offset = u64_of(self.at);
        let fault = |defect| ProtoError { offset, defect };
        let tag = self.varint()?;
        let number = u32::try_from(tag >> 3)
            .ok()
            .filter(|number| (1..1 << 29).contains(number))
            .ok_or_else(|| fault(ProtoDefect::FieldNumber(tag >> 3)))?;
        let value = match tag & 7 {
            0 => Value::Varint(self.varint()?),
            1 => self.take(8).map(|_| Value::Fixed)?,
            2 => {
                let length = self.varint()?;
                let length = usize_of(length).ok_or_else(|| fault(ProtoDefect::Truncated))?;
                Value::Bytes(self.take(length)?)
            }
            5 => self.take(4).map(|_| Value::Fixed)?,
            other => {
                return Err(fault(ProtoDefect::WireType(
                    u8::try_from(other).unwrap_or(u8::MAX),
                )));
            }
        };
        Ok(Some(Field {
            number,
            offset,
            value,
        }))
    }

    fn varint(&mut self) -> Result<u64, ProtoError> {
        let start = self.at;
        let mut value = 0_u64;
        for shift in 0..VARINT_BYTES_MAX {
            let byte = *self
                .bytes
                .get(self.at)
                .ok_or_else(|| self.fault(ProtoDefect::Truncated))?;
            self.at += 1;
            let low = u64::from(byte & 0x7f);
            // The tenth byte can hold only one bit.
            if shift == VARINT_BYTES_MAX - 1 && low > 1 {
                break;
            }
            value |= low << (7 * shift);
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(ProtoError {
            offset: u64_of(start),
            defect: ProtoDefect::VarintTooLong,
        })
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], ProtoError> {
        let taken = self
            .at
            .checked_add(length)
            .and_then(|end| self.bytes.get(self.at..end))
            .ok_or_else(|| self.fault(ProtoDefect::Truncated))?;
        self.at += length;
        Ok(taken)
    }

    fn fault(&self, defect: ProtoDefect) -> ProtoError {
        ProtoError {
            offset: u64_of(self.at),
            defect,
        }
    }
}

/// Appends a varint.
pub(crate) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    loop {
        let low = u8::try_from(value & 0x7f).expect("seven bits fit a byte");
        value >>= 7;
        if value == 0 {
            out.push(low);
            return;
        }
        out.push(low | 0x80);
    }
}

/// Appends a varint field, zero or not.
pub(crate) fn put_varint_field(out: &mut Vec<u8>, number: u32, value: u64) {
    put_varint(out, u64::from(number) << 3);
    put_varint(out, value);
}

/// Appends a length-delimited field, empty or not.
pub(crate) fn put_bytes_field(out: &mut Vec<u8>, number: u32, bytes: &[u8]) {
    put_varint(out, u64::from(number) << 3 | 2);
    put_varint(out, u64_of(bytes.len()));
    out.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_varint_survives_the_round_trip_at_every_width() {
        for shift in 0..64 {
            for value in [1_u64 << shift, (1_u64 << shift) - 1, u64::MAX >> shift] {
                let mut bytes = Vec::new();
                put_varint_field(&mut bytes, 3, value);
                let mut fields = Fields::new(&bytes);
                let field = fields
                    .next_field()
                    .expect("own bytes decode")
                    .expect("one field is there");
                assert_eq!((field.number, field.varint()), (3, Ok(value)));
                assert!(fields.next_field().expect("own bytes decode").is_none());
            }
        }
    }

    #[test]
    fn a_varint_of_65_bits_is_refused() {
        let mut bytes = vec![0x08];
        bytes.extend([0xff; 9]);
        bytes.push(0x02);
        let error = Fields::new(&bytes)
            .next_field()
            .expect_err("65 bits do not fit");
        assert_eq!(
            error,
            ProtoError {
                offset: 1,
                defect: ProtoDefect::VarintTooLong
            }
        );
    }

    #[test]
    fn a_length_beyond_the_message_is_refused() {
        let mut bytes = Vec::new();
        put_varint(&mut bytes, 1 << 3 | 2);
        put_varint(&mut bytes, u64::MAX);
        let error = Fields::new(&bytes)
            .next_field()
            .expect_err("nothing follows the length");
        assert_eq!(error.defect, ProtoDefect::Truncated);
    }
}

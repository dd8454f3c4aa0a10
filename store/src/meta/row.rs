//! A row's bytes in an engine: its version (`u64`, big-endian), then its value. A counter's value is a big-endian
//! `i64`. Pure: bytes in, bytes out.

use bytes::{BufMut, Bytes, BytesMut};

use super::{Row, Version};
use crate::StoreError;

/// Bytes of the version in front of each value.
pub const VERSION_BYTES: usize = 8;

/// The bytes an engine keeps for a row.
pub fn encode(version: Version, value: &[u8]) -> Bytes {
    let mut out = BytesMut::with_capacity(VERSION_BYTES + value.len());
    out.put_u64(version.0);
    out.put_slice(value);
    out.freeze()
}

/// The row in an engine's bytes; the value shares those bytes.
///
/// # Errors
/// [`StoreError::DamagedRow`] when they are too short for a version.
pub fn decode(key: &[u8], stored: &Bytes) -> Result<Row, StoreError> {
    let Some((version, _)) = stored.split_first_chunk::<VERSION_BYTES>() else {
        return Err(StoreError::DamagedRow {
            key: key.to_vec(),
            what: "shorter than its version",
        });
    };
    Ok(Row {
        version: Version(u64::from_be_bytes(*version)),
        value: stored.slice(VERSION_BYTES..),
    })
}

/// A counter's value in bytes.
pub fn encode_counter(count: i64) -> Bytes {
    Bytes::copy_from_slice(&count.to_be_bytes())
}

/// The inverse of [`encode_counter`].
///
/// # Errors
/// [`StoreError::DamagedRow`] when the value is not eight bytes.
pub fn decode_counter(key: &[u8], value: &[u8]) -> Result<i64, StoreError> {
    match value.first_chunk::<8>() {
        Some(bytes) if value.len() == 8 => Ok(i64::from_be_bytes(*bytes)),
        _ => Err(StoreError::DamagedRow {
            key: key.to_vec(),
            what: "a counter that is not eight bytes",
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_have_these_bytes() {
        let stored = encode(Version(0x0102), b"value");
        assert_eq!(&stored[..], b"\x00\x00\x00\x00\x00\x00\x01\x02value");
        let row = decode(b"k", &stored).expect("a row");
        assert_eq!(
            (row.version, &row.value[..]),
            (Version(0x0102), &b"value"[..])
        );
        assert_eq!(&encode_counter(-2)[..], b"\xff\xff\xff\xff\xff\xff\xff\xfe");
        assert_eq!(
            decode_counter(b"k", &encode_counter(-2)).expect("a counter"),
            -2
        );
    }

    #[test]
    fn short_rows_and_odd_counters_are_damage_by_name() {
        for len in 0..VERSION_BYTES {
            let stored = Bytes::from(vec![0; len]);
            assert!(
                matches!(decode(b"k", &stored), Err(StoreError::DamagedRow { key, .. }) if key == b"k")
            );
        }
        for len in [0, 7, 9] {
            assert!(matches!(
                decode_counter(b"k", &vec![0; len]),
                Err(StoreError::DamagedRow { .. })
            ));
        }
    }
}

//! Lossless conversions between integer widths.
//!
//! Owns: the conversions that the standard library does not offer as `From`, and reading little-endian integers from a slice.
//! Must not know any format.

/// A length in memory as a file length or offset.
pub(crate) fn u64_of(length: usize) -> u64 {
    u64::try_from(length).expect("no supported machine has a usize wider than 64 bits")
}

/// A file length or offset as a length in memory, if it fits.
pub(crate) fn usize_of(length: u64) -> Option<usize> {
    usize::try_from(length).ok()
}

/// The little-endian u16 at `at`, if the bytes are long enough.
pub(crate) fn le_u16(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// The little-endian u32 at `at`, if the bytes are long enough.
pub(crate) fn le_u32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// The little-endian u64 at `at`, if the bytes are long enough.
pub(crate) fn le_u64(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

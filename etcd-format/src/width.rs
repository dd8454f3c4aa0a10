//! Lossless steps between integer widths.
//!
//! Owns: the conversions which the standard library does not offer as `From`, and little-endian words out of a slice.
//! Must not know any format.

/// A length in memory as a file quantity.
pub(crate) fn u64_of(length: usize) -> u64 {
    u64::try_from(length).expect("no supported machine has a usize wider than 64 bits")
}

/// A file quantity as a length in memory, where this machine can hold it.
pub(crate) fn usize_of(length: u64) -> Option<usize> {
    usize::try_from(length).ok()
}

/// The little-endian u16 at `at`, where the bytes reach that far.
pub(crate) fn le_u16(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// The little-endian u32 at `at`, where the bytes reach that far.
pub(crate) fn le_u32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// The little-endian u64 at `at`, where the bytes reach that far.
pub(crate) fn le_u64(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

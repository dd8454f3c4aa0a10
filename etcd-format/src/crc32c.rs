//! CRC-32C (Castagnoli): the checksum of etcd's logs, raft snapshots and database hashes.
//!
//! Owns: the incremental form: each step continues from the previous one. Must not know the data.

use crc_fast::{CrcAlgorithm, Digest};

/// A new incremental CRC-32C.
pub(crate) fn running() -> Digest {
    Digest::new(CrcAlgorithm::Crc32Iscsi)
}

/// An incremental CRC-32C that continues from a stored value.
pub(crate) fn resumed(value: u32) -> Digest {
    Digest::new_with_init_state(CrcAlgorithm::Crc32Iscsi, u64::from(!value))
}

/// The current value of an incremental CRC-32C.
pub(crate) fn value(digest: &Digest) -> u32 {
    u32::try_from(digest.finalize()).expect("a CRC-32 has 32 bits")
}

/// The CRC-32C of these bytes.
pub(crate) fn of(bytes: &[u8]) -> u32 {
    let mut digest = running();
    digest.update(bytes);
    value(&digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_published_one_and_can_be_resumed() {
        assert_eq!(of(b"123456789"), 0xE306_9283);
        let mut digest = resumed(of(b"1234"));
        digest.update(b"56789");
        assert_eq!(value(&digest), 0xE306_9283);
    }
}

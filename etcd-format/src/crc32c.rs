//! CRC-32C (Castagnoli): the one checksum of etcd's logs, raft snapshots and database hashes.
//!
//! Owns: the running form, in which each step goes on where the last one stopped. Must not know what is summed.

use crc_fast::{CrcAlgorithm, Digest};

/// A running CRC-32C that has seen nothing.
pub(crate) fn running() -> Digest {
    Digest::new(CrcAlgorithm::Crc32Iscsi)
}

/// A running CRC-32C that goes on from a stored value.
pub(crate) fn resumed(value: u32) -> Digest {
    Digest::new_with_init_state(CrcAlgorithm::Crc32Iscsi, u64::from(!value))
}

/// What a running CRC-32C stands at.
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

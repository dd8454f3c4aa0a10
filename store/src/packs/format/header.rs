//! The first 64 bytes of a pack, which identify it. Pure: bytes in, bytes out.
//!
//! ```text
//!  0  8 bytes  "SRPACK01"
//!  8  u16 LE   pack format
//! 10  6 bytes  zero
//! 16  16 bytes store id
//! 32  8 bytes  pack id: epoch u32 BE, serial u32 BE
//! 40  u64 LE   creation time, Unix milliseconds
//! 48  8 bytes  zero
//! 56  u64 LE   XXH3-64 of bytes 0..56
//! ```
//!
//! Invariant: magic, pack format, both ids and the checksum stay in place in every later format, so that an old build
//! can tell a newer pack from a damaged one.

use bytes::{Buf, BufMut, Bytes};
use xxhash_rust::xxh3::xxh3_64;

use crate::clock::UnixMillis;
use crate::{FormatVersion, PackId, StoreError, StoreId};

const MAGIC: [u8; 8] = *b"SRPACK01";

/// The format of packs that this build writes, and the newest it reads. It increases with changes of headers, frames
/// and segments.
pub const PACK_FORMAT: FormatVersion = FormatVersion(1);

/// Bytes of a pack's header; its first frame starts here.
pub const PACK_HEADER_BYTES: u64 = 64;

const HEADER_BYTES: usize = HASHED_BYTES + 8;
const HASHED_BYTES: usize = 56;

const _: () = assert!(
    crate::packs::len64(HEADER_BYTES) == PACK_HEADER_BYTES,
    "docs/format.md"
);

/// A pack's header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PackHeader {
    /// The store it belongs to.
    pub store: StoreId,
    /// Its name.
    pub pack: PackId,
    /// Creation time, only for people.
    pub created: UnixMillis,
}

impl PackHeader {
    /// The header in bytes, of format [`PACK_FORMAT`].
    pub fn encode(&self) -> Bytes {
        let mut out = Vec::with_capacity(HEADER_BYTES);
        out.put_slice(&MAGIC);
        out.put_u16_le(PACK_FORMAT.0);
        out.put_bytes(0, 6);
        out.put_slice(&self.store.0);
        out.put_slice(&self.pack.to_bytes());
        out.put_u64_le(self.created.0);
        out.put_bytes(0, 8);
        let sum = xxh3_64(&out);
        out.put_u64_le(sum);
        assert_eq!(out.len(), HEADER_BYTES, "docs/format.md");
        Bytes::from(out)
    }

    /// Reads the header of the file that is named `pack` in `store`.
    ///
    /// # Errors
    /// [`StoreError::PackShort`], [`StoreError::DamagedFrame`] at offset 0, [`StoreError::NewerPack`] or
    /// [`StoreError::ForeignPack`].
    pub fn decode(store: StoreId, pack: PackId, bytes: &[u8]) -> Result<PackHeader, StoreError> {
        let damaged = |what| StoreError::DamagedFrame {
            pack,
            offset: 0,
            what,
        };
        let Some(header) = bytes.first_chunk::<HEADER_BYTES>() else {
            return Err(StoreError::PackShort {
                pack,
                len: crate::packs::len64(bytes.len()),
                need: PACK_HEADER_BYTES,
            });
        };
        let (hashed, mut sum) = header.split_at(HASHED_BYTES);
        let mut rest = hashed;
        let mut magic = [0; 8];
        rest.copy_to_slice(&mut magic);
        if magic != MAGIC {
            return Err(damaged("not a pack"));
        }
        if sum.get_u64_le() != xxh3_64(hashed) {
            return Err(damaged("checksum of the pack's header"));
        }
        let version = FormatVersion(rest.get_u16_le());
        if version > PACK_FORMAT {
            return Err(StoreError::NewerPack {
                pack,
                found: version,
                newest: PACK_FORMAT,
            });
        }
        rest.advance(6);
        let mut found = StoreId([0; 16]);
        rest.copy_to_slice(&mut found.0);
        if found != store {
            return Err(StoreError::ForeignPack {
                pack,
                found,
                expected: store,
            });
        }
        let mut name = [0; 8];
        rest.copy_to_slice(&mut name);
        if PackId::from_bytes(name) != pack {
            return Err(damaged("the header names another pack"));
        }
        Ok(PackHeader {
            store,
            pack,
            created: UnixMillis(rest.get_u64_le()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Epoch;

    const STORE: StoreId = StoreId(*b"0123456789abcdef");
    const PACK: PackId = PackId {
        epoch: Epoch(3),
        serial: 0x0102_0304,
    };
    const HEADER: PackHeader = PackHeader {
        store: STORE,
        pack: PACK,
        created: UnixMillis(1_700_000_000_000),
    };

    #[test]
    fn a_header_has_these_bytes() {
        let golden = concat!(
            "53525041434b3031",
            "0100",
            "000000000000",
            "30313233343536373839616263646566",
            "0000000301020304",
            "0068e5cf8b010000",
            "0000000000000000",
            "a5b1e78d31117d57"
        );
        assert_eq!(hex::encode(HEADER.encode()), golden);
        assert_eq!(
            PackHeader::decode(STORE, PACK, &HEADER.encode()).expect("a header"),
            HEADER
        );
    }

    #[test]
    fn a_change_of_any_bit_is_refused() {
        let good = HEADER.encode();
        for (byte, bit) in (0..good.len()).flat_map(|byte| (0..8).map(move |bit| (byte, bit))) {
            let mut bad = good.to_vec();
            bad[byte] ^= 1 << bit;
            let refused = PackHeader::decode(STORE, PACK, &bad);
            assert!(
                matches!(
                    refused,
                    Err(StoreError::DamagedFrame {
                        pack: PACK,
                        offset: 0,
                        ..
                    })
                ),
                "{byte}.{bit}"
            );
        }
        for len in 0..good.len() {
            let refused = PackHeader::decode(STORE, PACK, &good[..len]);
            assert!(
                matches!(refused, Err(StoreError::PackShort { pack: PACK, .. })),
                "{len}"
            );
        }
    }

    #[test]
    fn packs_of_other_stores_names_and_builds_are_refused_by_name() {
        let other = StoreId(*b"ffffffffffffffff");
        let refused = PackHeader::decode(other, PACK, &HEADER.encode());
        assert!(
            matches!(refused, Err(StoreError::ForeignPack { pack: PACK, found: STORE, expected }) if expected == other)
        );
        let renamed = PackId { serial: 7, ..PACK };
        assert!(PackHeader::decode(STORE, renamed, &HEADER.encode()).is_err());
        let mut newer = HEADER.encode().to_vec();
        newer[8] = 2;
        let sum = xxh3_64(&newer[..HASHED_BYTES]).to_le_bytes();
        newer[HASHED_BYTES..].copy_from_slice(&sum);
        let refused = PackHeader::decode(STORE, PACK, &newer);
        assert!(matches!(
            refused,
            Err(StoreError::NewerPack {
                pack: PACK,
                found: FormatVersion(2),
                ..
            })
        ));
    }
}

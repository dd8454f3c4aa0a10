//! Meta pages: the two roots of a database. The newest valid one is used.
//!
//! Owns: their layout, checksum and validity. Must not know trees.
//!
//! | page offset | type | field |
//! |---|---|---|
//! | 16 | u32 | magic 0xED0CDAED |
//! | 20 | u32 | version 2 |
//! | 24 | u32 | page size |
//! | 28 | u32 | flags 0 |
//! | 32 | u64 | root page |
//! | 40 | u64 | root sequence |
//! | 48 | u64 | freelist page, or all ones |
//! | 56 | u64 | high water: first page number not in use |
//! | 64 | u64 | transaction id |
//! | 72 | u64 | FNV-1a 64 over bytes 16 to 72 |

use super::page::{FLAG_META, PAGE_HEADER_BYTES, PageHeader};
use crate::width::{le_u32, le_u64};

const MAGIC: u32 = 0xED0C_DAED;
const VERSION: u32 = 2;
/// The value of the freelist field if free pages are not stored: etcd on Linux never stores them.
pub(super) const FREELIST_NONE: u64 = u64::MAX;

const MAGIC_AT: usize = PAGE_HEADER_BYTES;
const VERSION_AT: usize = MAGIC_AT + 4;
const PAGE_SIZE_AT: usize = VERSION_AT + 4;
const FLAGS_AT: usize = PAGE_SIZE_AT + 4;
pub(super) const ROOT_AT: usize = FLAGS_AT + 4;
const SEQUENCE_AT: usize = ROOT_AT + 8;
pub(super) const FREELIST_AT: usize = SEQUENCE_AT + 8;
const HIGH_WATER_AT: usize = FREELIST_AT + 8;
const TXID_AT: usize = HIGH_WATER_AT + 8;
const CHECKSUM_AT: usize = TXID_AT + 8;
/// Bytes of a meta page that have a meaning.
pub(super) const META_BYTES: usize = CHECKSUM_AT + 8;
const _: () = assert!(
    META_BYTES == 80,
    "bbolt's meta page has 80 bytes, header included"
);

pub(super) const PAGE_SIZE_MIN: u32 = 512;
/// bbolt uses the machine's page size; the largest one in use is 64 KiB, the rest is margin.
pub(super) const PAGE_SIZE_MAX: u32 = 16 << 20;

/// One valid meta page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meta {
    /// Bytes per page.
    pub page_size: u32,
    /// The root page of the top-level tree.
    pub root: u64,
    /// The top-level bucket's sequence, 0 in etcd.
    pub sequence: u64,
    /// The page that lists the free pages, or `None` if they are not stored.
    pub freelist: Option<u64>,
    /// The first page number that is not in use.
    pub high_water: u64,
    /// The transaction that wrote it.
    pub txid: u64,
}

impl Meta {
    /// Decodes a page's first 80 bytes and ignores the page header.
    pub(super) fn decode(bytes: &[u8]) -> Result<Self, MetaDefect> {
        let word = |at| le_u32(bytes, at).ok_or(MetaDefect::Short);
        let long = |at| le_u64(bytes, at).ok_or(MetaDefect::Short);
        let checksum = long(CHECKSUM_AT)?;
        let magic = word(MAGIC_AT)?;
        if magic != MAGIC {
            return Err(MetaDefect::Magic { found: magic });
        }
        let version = word(VERSION_AT)?;
        if version != VERSION {
            return Err(MetaDefect::Version { found: version });
        }
        let computed = fnv1a64(bytes.get(MAGIC_AT..CHECKSUM_AT).ok_or(MetaDefect::Short)?);
        if checksum != computed {
            return Err(MetaDefect::Checksum {
                stored: checksum,
                computed,
            });
        }
        let page_size = word(PAGE_SIZE_AT)?;
        if !page_size.is_power_of_two() || !(PAGE_SIZE_MIN..=PAGE_SIZE_MAX).contains(&page_size) {
            return Err(MetaDefect::PageSize { found: page_size });
        }
        let freelist = long(FREELIST_AT)?;
        Ok(Self {
            page_size,
            root: long(ROOT_AT)?,
            sequence: long(SEQUENCE_AT)?,
            freelist: (freelist != FREELIST_NONE).then_some(freelist),
            high_water: long(HIGH_WATER_AT)?,
            txid: long(TXID_AT)?,
        })
    }

    /// The complete page: header, fields, checksum, zeros up to the page size.
    pub(super) fn encode(&self, page: u64) -> Vec<u8> {
        let mut out = Vec::new();
        PageHeader {
            id: page,
            flags: FLAG_META,
            count: 0,
            overflow: 0,
        }
        .encode(&mut out);
        out.extend(MAGIC.to_le_bytes());
        out.extend(VERSION.to_le_bytes());
        out.extend(self.page_size.to_le_bytes());
        out.extend(0_u32.to_le_bytes());
        out.extend(self.root.to_le_bytes());
        out.extend(self.sequence.to_le_bytes());
        out.extend(self.freelist.unwrap_or(FREELIST_NONE).to_le_bytes());
        out.extend(self.high_water.to_le_bytes());
        out.extend(self.txid.to_le_bytes());
        let checksum = fnv1a64(out.get(MAGIC_AT..).expect("the header was written"));
        out.extend(checksum.to_le_bytes());
        assert_eq!(out.len(), META_BYTES, "a meta page has a fixed size");
        out.resize(
            usize::try_from(self.page_size).expect("page sizes are at most 16 MiB"),
            0,
        );
        out
    }
}

/// Why a page is not a usable meta page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MetaDefect {
    /// The file ends before the page.
    #[error("the file ends before it")]
    Short,
    /// Another magic number.
    #[error("magic {found:#010x}, expected 0xed0cdaed")]
    Magic {
        /// The found value.
        found: u32,
    },
    /// Another version of the format.
    #[error("format version {found}, expected 2")]
    Version {
        /// The found value.
        found: u32,
    },
    /// The checksum does not match.
    #[error("checksum {stored:#018x}, computed {computed:#018x}")]
    Checksum {
        /// The found value.
        stored: u64,
        /// The checksum of the fields.
        computed: u64,
    },
    /// Not a page size that bbolt could have written here.
    #[error("page size {found}")]
    PageSize {
        /// The found value.
        found: u32,
    },
}

fn fnv1a64(bytes: &[u8]) -> u64 {
    const BASIS: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0000_0100_0000_01b3;
    bytes.iter().fold(BASIS, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(PRIME)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Page 0 of a snapshot that etcd 3.5.30 wrote.
    const REAL: &str = "00000000000000000400000000000000edda0ced0200000000100000000000000400000000000000\
                        0000000000000000ffffffffffffffff0f000000000000002400000000000000ec07b583d9a7a49c";

    #[test]
    fn fnv_matches_its_published_vector() {
        assert_eq!(fnv1a64(b"foobar"), 0x8594_4171_f739_67e8);
    }

    #[test]
    fn a_real_meta_page_decodes_and_encodes_to_the_same_bytes() {
        let bytes = hex::decode(REAL).expect("the constant is hex");
        let meta = Meta::decode(&bytes).expect("etcd wrote it");
        let expected = Meta {
            page_size: 4096,
            root: 4,
            sequence: 0,
            freelist: None,
            high_water: 15,
            txid: 36,
        };
        assert_eq!(meta, expected);
        let encoded = meta.encode(0);
        assert_eq!((encoded.len(), &encoded[..80]), (4096, bytes.as_slice()));
        let second = Meta { txid: 35, ..meta }.encode(1);
        assert_eq!(le_u64(&second, CHECKSUM_AT), Some(0x7da9_e0d0_78c5_bdcb));
    }
}

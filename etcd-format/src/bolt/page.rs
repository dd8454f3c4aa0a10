//! Pages: reads and writes headers, branch elements and leaf elements.
//!
//! Owns: the layout within a page. Must not know trees or the position of a page in the file, except for errors.
//!
//! Page header, at `id * page size`:
//!
//! | offset | type | field |
//! |---|---|---|
//! | 0 | u64 | id: the page's own number; 0 in the leaf of an inline bucket |
//! | 8 | u16 | flags: exactly one of 0x01 branch, 0x02 leaf, 0x04 meta, 0x10 freelist |
//! | 10 | u16 | count of elements |
//! | 12 | u32 | overflow: number of following pages that belong to this one |
//!
//! Branch element, `count` of them from offset 16 on; keys ascend, each a lower bound of its child's keys:
//!
//! | offset in the element | type | field |
//! |---|---|---|
//! | 0 | u32 | pos: start of the key, relative to the element itself |
//! | 4 | u32 | ksize: bytes of the key |
//! | 8 | u64 | the child's page |
//!
//! Leaf element, `count` of them from offset 16 on; keys are unique and ascend, a value follows its key:
//!
//! | offset in the element | type | field |
//! |---|---|---|
//! | 0 | u32 | flags: 1 if the value is a bucket, else 0 |
//! | 4 | u32 | pos: start of the key, relative to the element itself |
//! | 8 | u32 | ksize: bytes of the key, 1 to 32768 |
//! | 12 | u32 | vsize: bytes of the value |
//!
//! Keys (and values) follow the elements, in the same order; bytes after the last one have no meaning.

use super::{
    KEY_BYTES_MAX,
    error::{BoltError, ElementDefect},
};
use crate::width::{le_u16, le_u32, le_u64, u64_of, usize_of};

pub(super) const FLAG_BRANCH: u16 = 0x01;
pub(super) const FLAG_LEAF: u16 = 0x02;
pub(super) const FLAG_META: u16 = 0x04;
pub(super) const FLAG_FREELIST: u16 = 0x10;

pub(super) const PAGE_HEADER_BYTES: usize = 16;
pub(super) const ELEMENT_BYTES: usize = 16;
/// Marks a leaf element whose value is a bucket.
pub(super) const ELEMENT_BUCKET: u32 = 1;
/// The value of `count` that means "see the first word": no page has that many elements.
pub(super) const COUNT_RESERVED: u16 = 0xFFFF;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PageHeader {
    pub(super) id: u64,
    pub(super) flags: u16,
    pub(super) count: u16,
    pub(super) overflow: u32,
}

impl PageHeader {
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        Some(Self {
            id: le_u64(bytes, 0)?,
            flags: le_u16(bytes, 8)?,
            count: le_u16(bytes, 10)?,
            overflow: le_u32(bytes, 12)?,
        })
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.extend(self.id.to_le_bytes());
        out.extend(self.flags.to_le_bytes());
        out.extend(self.count.to_le_bytes());
        out.extend(self.overflow.to_le_bytes());
    }
}

/// A leaf or branch page whose count is known to fit its bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Page<'a> {
    /// The page number in the reference to it (for an inline bucket: the page that contains its bytes).
    pub(super) number: u64,
    /// The file offset of its header.
    pub(super) offset: u64,
    pub(super) count: usize,
    pub(super) bytes: &'a [u8],
}

#[derive(Debug, Clone, Copy)]
pub(super) struct LeafElement<'a> {
    pub(super) is_bucket: bool,
    pub(super) key: &'a [u8],
    pub(super) value: &'a [u8],
    /// The file offset of the element.
    pub(super) offset: u64,
    /// The file offset of the value.
    pub(super) value_offset: u64,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct BranchElement<'a> {
    pub(super) key: &'a [u8],
    pub(super) child: u64,
    /// The file offset of the element.
    pub(super) offset: u64,
}

impl<'a> Page<'a> {
    /// Whether `count` elements fit into `bytes`.
    pub(super) fn count_fits(count: u16, bytes: u64) -> bool {
        let table = u64::from(count) * u64_of(ELEMENT_BYTES) + u64_of(PAGE_HEADER_BYTES);
        count != COUNT_RESERVED && table <= bytes
    }

    pub(super) fn leaf(&self, index: usize) -> Result<LeafElement<'a>, BoltError> {
        let at = PAGE_HEADER_BYTES + index * ELEMENT_BYTES;
        let table = self
            .bytes
            .get(at..)
            .and_then(|rest| rest.first_chunk::<ELEMENT_BYTES>());
        let Some(
            [
                f0,
                f1,
                f2,
                f3,
                p0,
                p1,
                p2,
                p3,
                k0,
                k1,
                k2,
                k3,
                v0,
                v1,
                v2,
                v3,
            ],
        ) = table.copied()
        else {
            return Err(self.bounds(index, u64_of(at), u64_of(at + ELEMENT_BYTES)));
        };
        let flags = u32::from_le_bytes([f0, f1, f2, f3]);
        let pos = u32::from_le_bytes([p0, p1, p2, p3]);
        let key_len = u32::from_le_bytes([k0, k1, k2, k3]);
        let value_len = u32::from_le_bytes([v0, v1, v2, v3]);
        if flags & !ELEMENT_BUCKET != 0 {
            return Err(self.element(index, ElementDefect::Flags { found: flags }));
        }
        let (key, rest_at) = self.data(index, at, pos, key_len)?;
        let (value, _) = self.slice(index, rest_at, value_len)?;
        Ok(LeafElement {
            is_bucket: flags == ELEMENT_BUCKET,
            key,
            value,
            offset: self.offset + u64_of(at),
            value_offset: self.offset + rest_at,
        })
    }

    pub(super) fn branch(&self, index: usize) -> Result<BranchElement<'a>, BoltError> {
        let at = PAGE_HEADER_BYTES + index * ELEMENT_BYTES;
        let words = (
            le_u32(self.bytes, at),
            le_u32(self.bytes, at + 4),
            le_u64(self.bytes, at + 8),
        );
        let (Some(pos), Some(key_len), Some(child)) = words else {
            return Err(self.bounds(index, u64_of(at), u64_of(at + ELEMENT_BYTES)));
        };
        let (key, _) = self.data(index, at, pos, key_len)?;
        Ok(BranchElement {
            key,
            child,
            offset: self.offset + u64_of(at),
        })
    }

    /// All leaf elements, in order. Their total size must not exceed the page: otherwise, elements that share bytes could make
    /// a small page as expensive as a large database.
    pub(super) fn leaves(
        &self,
    ) -> impl Iterator<Item = Result<(usize, LeafElement<'a>), BoltError>> + use<'a> {
        let page = *self;
        let mut used = 0_usize;
        (0..page.count).map(move |index| {
            let element = page.leaf(index)?;
            used = used
                .saturating_add(element.key.len())
                .saturating_add(element.value.len());
            page.fits(index, used)?;
            Ok((index, element))
        })
    }

    /// All branch elements, under the same rule as [`Page::leaves`].
    pub(super) fn branches(
        &self,
    ) -> impl Iterator<Item = Result<(usize, BranchElement<'a>), BoltError>> + use<'a> {
        let page = *self;
        let mut used = 0_usize;
        (0..page.count).map(move |index| {
            let element = page.branch(index)?;
            used = used.saturating_add(element.key.len());
            page.fits(index, used)?;
            Ok((index, element))
        })
    }

    fn fits(&self, index: usize, used: usize) -> Result<(), BoltError> {
        let table = PAGE_HEADER_BYTES + self.count * ELEMENT_BYTES;
        if used > self.bytes.len().saturating_sub(table) {
            return Err(self.element(index, ElementDefect::Overlap));
        }
        Ok(())
    }

    /// The end of the key of a branch element, relative to the start of the page. Keys are inside the page's bytes.
    pub(super) fn branch_end(&self, index: usize) -> Result<usize, BoltError> {
        let element = self.branch(index)?;
        let at = PAGE_HEADER_BYTES + index * ELEMENT_BYTES;
        let pos = le_u32(self.bytes, at)
            .and_then(|pos| usize::try_from(pos).ok())
            .unwrap_or(0);
        Ok(at + pos + element.key.len())
    }

    /// An error about an element of this page.
    pub(super) fn element(&self, index: usize, defect: ElementDefect) -> BoltError {
        let offset = self.offset + u64_of(PAGE_HEADER_BYTES + index * ELEMENT_BYTES);
        BoltError::Element {
            page: self.number,
            index,
            offset,
            defect,
        }
    }

    /// The key of the element at `at`, and the start of its value.
    fn data(
        &self,
        index: usize,
        at: usize,
        pos: u32,
        key_len: u32,
    ) -> Result<(&'a [u8], u64), BoltError> {
        let start = u64_of(at) + u64::from(pos);
        let table_end = u64_of(PAGE_HEADER_BYTES + self.count * ELEMENT_BYTES);
        if start < table_end {
            return Err(self.bounds(index, start, start + u64::from(key_len)));
        }
        let (key, end) = self.slice(index, start, key_len)?;
        if key.is_empty() || key.len() > KEY_BYTES_MAX {
            return Err(self.element(index, ElementDefect::KeyLength { len: key.len() }));
        }
        Ok((key, end))
    }

    fn slice(&self, index: usize, start: u64, len: u32) -> Result<(&'a [u8], u64), BoltError> {
        // Both are at most a page's size plus 2^32: no overflow.
        let end = start + u64::from(len);
        usize_of(start)
            .zip(usize_of(end))
            .and_then(|(start, end)| self.bytes.get(start..end))
            .map(|bytes| (bytes, end))
            .ok_or_else(|| self.bounds(index, start, end))
    }

    fn bounds(&self, index: usize, start: u64, end: u64) -> BoltError {
        self.element(
            index,
            ElementDefect::Bounds {
                start,
                end,
                limit: u64_of(self.bytes.len()),
            },
        )
    }
}

/// Bytes of a leaf page with these keys and values, page header included.
pub(super) fn leaf_bytes<'e>(entries: impl Iterator<Item = (&'e [u8], &'e [u8])>) -> u64 {
    let elements: u64 = entries
        .map(|(key, value)| u64_of(ELEMENT_BYTES + key.len() + value.len()))
        .sum();
    elements + u64_of(PAGE_HEADER_BYTES)
}

/// Bytes of a branch page with these children, page header included.
pub(super) fn branch_bytes(children: &[(&[u8], u64)]) -> u64 {
    let elements: u64 = children
        .iter()
        .map(|(key, _)| u64_of(ELEMENT_BYTES + key.len()))
        .sum();
    elements + u64_of(PAGE_HEADER_BYTES)
}

/// Writes a leaf page, without padding. Every element gets `element_flags`: all are buckets, or none is.
///
/// The caller has checked count and size.
pub(super) fn encode_leaf(
    header: PageHeader,
    element_flags: u32,
    entries: &[(&[u8], &[u8])],
) -> Vec<u8> {
    assert_eq!(
        usize::from(header.count),
        entries.len(),
        "the header counts the elements"
    );
    let mut out = Vec::new();
    header.encode(&mut out);
    let mut data_at = PAGE_HEADER_BYTES + entries.len() * ELEMENT_BYTES;
    for (index, (key, value)) in entries.iter().enumerate() {
        let at = PAGE_HEADER_BYTES + index * ELEMENT_BYTES;
        out.extend(element_flags.to_le_bytes());
        out.extend(small(data_at - at).to_le_bytes());
        out.extend(small(key.len()).to_le_bytes());
        out.extend(small(value.len()).to_le_bytes());
        data_at += key.len() + value.len();
    }
    for (key, value) in entries {
        out.extend_from_slice(key);
        out.extend_from_slice(value);
    }
    out
}

/// Writes a branch page, without padding. The caller has checked count and size.
pub(super) fn encode_branch(header: PageHeader, children: &[(&[u8], u64)]) -> Vec<u8> {
    assert_eq!(
        usize::from(header.count),
        children.len(),
        "the header counts the elements"
    );
    let mut out = Vec::new();
    header.encode(&mut out);
    let mut data_at = PAGE_HEADER_BYTES + children.len() * ELEMENT_BYTES;
    for (index, (key, child)) in children.iter().enumerate() {
        let at = PAGE_HEADER_BYTES + index * ELEMENT_BYTES;
        out.extend(small(data_at - at).to_le_bytes());
        out.extend(small(key.len()).to_le_bytes());
        out.extend(child.to_le_bytes());
        data_at += key.len();
    }
    for (key, _) in children {
        out.extend_from_slice(key);
    }
    out
}

fn small(len: usize) -> u32 {
    u32::try_from(len).expect("pages are at most 128 MiB")
}

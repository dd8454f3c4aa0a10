//! Builds databases of any shape for tests: many levels, gaps, freelists, inline buckets, any page size.
//!
//! It does not use the editor: it limits the elements per page, so that small contents make deep trees.

use std::{collections::BTreeMap, io};

use super::super::{
    Meta, PageSource,
    page::{
        ELEMENT_BUCKET, FLAG_BRANCH, FLAG_FREELIST, FLAG_LEAF, PageHeader, branch_bytes,
        encode_branch, encode_leaf, leaf_bytes,
    },
};

pub(super) type Entries = BTreeMap<Vec<u8>, Vec<u8>>;
pub(super) type Contents = BTreeMap<Vec<u8>, Entries>;

#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    pub(super) page_size: u32,
    /// Most elements per page.
    pub(super) fanout: usize,
    /// Leave a page of garbage after every page.
    pub(super) gaps: bool,
    /// Store the free pages.
    pub(super) freelist: bool,
}

pub(super) const PLAIN: Shape = Shape {
    page_size: 4096,
    fanout: 8,
    gaps: false,
    freelist: false,
};

/// A database with these contents that ends with the last page in use.
pub(super) fn build(contents: &Contents, shape: Shape) -> Vec<u8> {
    let mut builder = Builder {
        shape,
        pages: Vec::new(),
        next: 2,
        free: Vec::new(),
    };
    let mut top: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
    for (name, entries) in contents {
        let entries: Vec<(&[u8], &[u8])> = entries
            .iter()
            .map(|(key, value)| (key.as_slice(), value.as_slice()))
            .collect();
        let inline = leaf_bytes(entries.iter().copied()) <= u64::from(shape.page_size) / 4;
        let value = if inline {
            let header = PageHeader {
                id: 0,
                flags: FLAG_LEAF,
                count: small(entries.len()),
                overflow: 0,
            };
            [vec![0; 16], encode_leaf(header, 0, &entries)].concat()
        } else {
            [builder.tree(&entries, 0).to_le_bytes(), 7_u64.to_le_bytes()].concat()
        };
        top.push((name.clone(), value));
    }
    let top: Vec<(&[u8], &[u8])> = top
        .iter()
        .map(|(name, value)| (name.as_slice(), value.as_slice()))
        .collect();
    let root = builder.tree(&top, ELEMENT_BUCKET);
    let freelist = shape.freelist.then(|| builder.freelist());
    let high_water = builder.next;
    let meta = Meta {
        page_size: shape.page_size,
        root,
        sequence: 0,
        freelist,
        high_water,
        txid: 9,
    };
    let metas = [meta.encode(0), Meta { txid: 8, ..meta }.encode(1)].concat();
    [metas, builder.pages].concat()
}

/// Buckets for a given list of (name, number of rows): rows of 8-byte keys and `value_len` bytes.
pub(super) fn contents(buckets: &[(&str, u64)], value_len: usize) -> Contents {
    let rows = |count| {
        (0..count)
            .map(|n: u64| (n.to_be_bytes().to_vec(), vec![b'v'; value_len]))
            .collect()
    };
    buckets
        .iter()
        .map(|(name, count)| (name.as_bytes().to_vec(), rows(*count)))
        .collect()
}

struct Builder {
    shape: Shape,
    pages: Vec<u8>,
    next: u64,
    free: Vec<u64>,
}

impl Builder {
    fn tree(&mut self, entries: &[(&[u8], &[u8])], element_flags: u32) -> u64 {
        let mut level: Vec<(Vec<u8>, u64)> = Vec::new();
        let empty: [&[(&[u8], &[u8])]; 1] = [&[]];
        let chunks: Vec<_> = if entries.is_empty() {
            empty.to_vec()
        } else {
            entries.chunks(self.shape.fanout).collect()
        };
        for chunk in chunks {
            let header = self.header(FLAG_LEAF, chunk.len(), leaf_bytes(chunk.iter().copied()));
            self.push(header, &encode_leaf(header, element_flags, chunk));
            level.push((
                chunk.first().map_or(Vec::new(), |(key, _)| key.to_vec()),
                header.id,
            ));
        }
        while level.len() > 1 {
            let mut above = Vec::new();
            for chunk in level.chunks(self.shape.fanout) {
                let children: Vec<(&[u8], u64)> = chunk
                    .iter()
                    .map(|(key, page)| (key.as_slice(), *page))
                    .collect();
                let header = self.header(FLAG_BRANCH, children.len(), branch_bytes(&children));
                self.push(header, &encode_branch(header, &children));
                above.push((chunk[0].0.clone(), header.id));
            }
            level = above;
        }
        level[0].1
    }

    fn freelist(&mut self) -> u64 {
        let free = self.free.clone();
        let bytes = 16 + 8 * free.len();
        let header = self.header(
            FLAG_FREELIST,
            free.len(),
            u64::try_from(bytes).expect("it is small"),
        );
        let mut page = Vec::new();
        header.encode(&mut page);
        page.extend(free.iter().flat_map(|id| id.to_le_bytes()));
        self.shape.gaps = false;
        self.push(header, &page);
        header.id
    }

    fn header(&self, flags: u16, count: usize, bytes: u64) -> PageHeader {
        let pages = bytes.div_ceil(u64::from(self.shape.page_size));
        let overflow = u32::try_from(pages - 1).expect("test pages are small");
        PageHeader {
            id: self.next,
            flags,
            count: small(count),
            overflow,
        }
    }

    fn push(&mut self, header: PageHeader, bytes: &[u8]) {
        let page_size = usize::try_from(self.shape.page_size).expect("page sizes fit");
        self.pages.extend(bytes);
        self.pages
            .resize(self.pages.len().next_multiple_of(page_size), 0);
        self.next += u64::from(header.overflow) + 1;
        if self.shape.gaps {
            self.free.push(self.next);
            self.next += 1;
            self.pages.resize(self.pages.len() + page_size, 0xA5);
        }
    }
}

fn small(count: usize) -> u16 {
    u16::try_from(count).expect("test pages have few elements")
}

/// A large file that is zero except at a few positions.
#[derive(Debug)]
pub(super) struct Sparse {
    pub(super) len: u64,
    pub(super) parts: Vec<(u64, Vec<u8>)>,
}

impl PageSource for Sparse {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        let end = offset + u64::try_from(buf.len()).expect("it fits");
        if end > self.len {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        buf.fill(0);
        for (start, bytes) in &self.parts {
            let part_end = start + u64::try_from(bytes.len()).expect("it fits");
            let (from, to) = (offset.max(*start), end.min(part_end));
            if from < to {
                let at = |place: u64, base: u64| usize::try_from(place - base).expect("it fits");
                let (target, source) = (
                    at(from, offset)..at(to, offset),
                    at(from, *start)..at(to, *start),
                );
                buf[target].copy_from_slice(&bytes[source]);
            }
        }
        Ok(())
    }
}

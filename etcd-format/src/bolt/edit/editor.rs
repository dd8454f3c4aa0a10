//! Rebuilds trees and lays out the new pages.
//!
//! Owns: path copying (only a changed leaf and the branches above it) and the pages after the high water mark. Must not know how
//! changes are described.

use std::collections::BTreeMap;

use super::{Appended, Change, TopValue};
use crate::{
    bolt::{
        DEPTH_MAX, KEY_BYTES_MAX, LOGICAL_PAGE_BYTES_MAX,
        error::{BoltError, EditDefect, PageDefect},
        meta::Meta,
        page::{
            COUNT_RESERVED, FLAG_BRANCH, FLAG_LEAF, PAGE_HEADER_BYTES, Page, PageHeader,
            branch_bytes, encode_branch, encode_leaf, leaf_bytes,
        },
        read::{Bolt, BucketRoot},
        source::PageSource,
        walk::inline_leaf,
    },
    width::{le_u64, u64_of, usize_of},
};

/// bbolt keeps a bucket inline while its leaf takes at most one page divided by this number.
const INLINE_FRACTION: u64 = 4;

type Entries = Vec<(Vec<u8>, Vec<u8>)>;
type Changes<'c> = [(&'c [u8], Option<&'c [u8]>)];

/// A changed tree page, not yet written.
enum Rebuilt {
    Leaf(Entries),
    Branch(Vec<(Vec<u8>, u64)>),
}

pub(super) struct Editor<'b, S> {
    bolt: &'b Bolt<S>,
    /// Pages to be appended at the high water mark.
    tail: Vec<u8>,
    next_page: u64,
    /// The current bucket, for errors.
    bucket: Vec<u8>,
}

impl<'b, S: PageSource> Editor<'b, S> {
    pub(super) fn new(bolt: &'b Bolt<S>) -> Self {
        Self {
            bolt,
            tail: Vec::new(),
            next_page: bolt.high_water(),
            bucket: Vec::new(),
        }
    }

    /// Starts with a bucket; errors contain its name from now on.
    pub(super) fn begin(&mut self, bucket: &[u8]) -> Result<(), BoltError> {
        self.bucket = bucket.to_vec();
        self.check_key(bucket)
    }

    /// The bucket's new value, or `None` if it does not exist and is not created.
    pub(super) fn changed_bucket(
        &mut self,
        old: Option<&TopValue>,
        change: &Change,
    ) -> Result<Option<Vec<u8>>, BoltError> {
        let sequence = old.and_then(|old| le_u64(&old.bytes, 8)).unwrap_or(0);
        let rebuilt = match (change, old) {
            (Change::ReplaceAll(entries), _) => {
                for key in entries.keys() {
                    self.check_key(key)?;
                }
                Rebuilt::Leaf(
                    entries
                        .iter()
                        .map(|(key, value)| (key.clone(), value.clone()))
                        .collect(),
                )
            }
            (Change::Patch(changes), old) => {
                let changes: Vec<_> = changes
                    .iter()
                    .map(|(key, value)| (key.as_slice(), value.as_deref()))
                    .collect();
                for (key, _) in &changes {
                    self.check_key(key)?;
                }
                match old {
                    None if changes.iter().all(|(_, value)| value.is_none()) => return Ok(None),
                    None => Rebuilt::Leaf(merged(Vec::new(), &changes)),
                    Some(old) => self.patched_bucket(old, &changes)?,
                }
            }
        };
        match rebuilt {
            Rebuilt::Leaf(entries) => self.leaf_bucket(&entries, sequence).map(Some),
            Rebuilt::Branch(children) => {
                let root = self.append_branch(&children)?;
                Ok(Some(bucket_header(root, sequence)))
            }
        }
    }

    fn patched_bucket(
        &mut self,
        old: &TopValue,
        changes: &Changes<'_>,
    ) -> Result<Rebuilt, BoltError> {
        match old.root {
            BucketRoot::Page(root) => self.patched_page(root, old.offset, changes, DEPTH_MAX),
            BucketRoot::Inline { offset, .. } => {
                let image = old.bytes.get(PAGE_HEADER_BYTES..).unwrap_or_default();
                let page = inline_leaf(image, offset)?;
                Ok(Rebuilt::Leaf(merged(owned(&page)?, changes)))
            }
        }
    }

    /// Rebuilds the page and every page below it on the path to a change; pages without changes stay where they are.
    fn patched_page(
        &mut self,
        number: u64,
        referrer: u64,
        changes: &Changes<'_>,
        depth: usize,
    ) -> Result<Rebuilt, BoltError> {
        if depth == 0 {
            return Err(self.bolt.page_defect(number, PageDefect::TooDeep));
        }
        let mut buf = Vec::new();
        let (header, page) = self.bolt.read_page(number, referrer, &mut buf)?;
        if header.flags == FLAG_LEAF {
            return Ok(Rebuilt::Leaf(merged(owned(&page)?, changes)));
        }
        let mut children: Vec<(Vec<u8>, u64)> = Vec::with_capacity(page.count);
        let mut rest = changes;
        for element in page.branches() {
            let (index, child) = element?;
            let mine = if index + 1 < page.count {
                let next = page.branch(index + 1)?.key;
                rest.partition_point(|(key, _)| *key < next)
            } else {
                rest.len()
            };
            let (mine, others) = rest.split_at(mine);
            rest = others;
            if mine.is_empty() {
                children.push((child.key.to_vec(), child.child));
                continue;
            }
            let rebuilt = self.patched_page(child.child, child.offset, mine, depth - 1)?;
            if let Some((first_key, page)) = self.append_rebuilt(&rebuilt)? {
                // A separator may be lower than the first key, never higher.
                children.push((first_key.min(child.key.to_vec()), page));
            }
        }
        if children.is_empty() {
            return Ok(Rebuilt::Leaf(Vec::new()));
        }
        Ok(Rebuilt::Branch(children))
    }

    /// Appends a rebuilt page. Returns its first key and its number, or `None` if it is empty.
    fn append_rebuilt(&mut self, rebuilt: &Rebuilt) -> Result<Option<(Vec<u8>, u64)>, BoltError> {
        match rebuilt {
            Rebuilt::Leaf(entries) => {
                let Some((first, _)) = entries.first() else {
                    return Ok(None);
                };
                let page = self.append_leaf(&borrowed(entries), 0)?;
                Ok(Some((first.clone(), page)))
            }
            Rebuilt::Branch(children) => {
                let Some((first, _)) = children.first() else {
                    return Ok(None);
                };
                let page = self.append_branch(children)?;
                Ok(Some((first.clone(), page)))
            }
        }
    }

    /// A bucket with one leaf: inline if bbolt would keep it inline, otherwise on a page.
    fn leaf_bucket(&mut self, entries: &Entries, sequence: u64) -> Result<Vec<u8>, BoltError> {
        let entries = borrowed(entries);
        let bytes = leaf_bytes(entries.iter().copied());
        if bytes > u64::from(self.bolt.page_size()) / INLINE_FRACTION {
            let root = self.append_leaf(&entries, 0)?;
            return Ok(bucket_header(root, sequence));
        }
        let header = self.header(0, FLAG_LEAF, entries.len(), bytes)?;
        let mut value = bucket_header(0, sequence);
        value.extend(encode_leaf(header, 0, &entries));
        Ok(value)
    }

    pub(super) fn append_leaf(
        &mut self,
        entries: &[(&[u8], &[u8])],
        element_flags: u32,
    ) -> Result<u64, BoltError> {
        let bytes = leaf_bytes(entries.iter().copied());
        let header = self.header(self.next_page, FLAG_LEAF, entries.len(), bytes)?;
        self.append_page(header, &encode_leaf(header, element_flags, entries))
    }

    fn append_branch(&mut self, children: &[(Vec<u8>, u64)]) -> Result<u64, BoltError> {
        let children: Vec<_> = children
            .iter()
            .map(|(key, child)| (key.as_slice(), *child))
            .collect();
        let header = self.header(
            self.next_page,
            FLAG_BRANCH,
            children.len(),
            branch_bytes(&children),
        )?;
        self.append_page(header, &encode_branch(header, &children))
    }

    /// The header of a page of that many bytes, if the format and this reader allow it.
    fn header(
        &self,
        id: u64,
        flags: u16,
        count: usize,
        bytes: u64,
    ) -> Result<PageHeader, BoltError> {
        let page_size = u64::from(self.bolt.page_size());
        if bytes.next_multiple_of(page_size) > LOGICAL_PAGE_BYTES_MAX {
            return Err(self.fault(EditDefect::PageTooLarge { bytes }));
        }
        let fitting = u16::try_from(count)
            .ok()
            .filter(|count| *count < COUNT_RESERVED);
        let count = fitting.ok_or_else(|| self.fault(EditDefect::TooManyElements { count }))?;
        let pages = bytes.div_ceil(page_size);
        let overflow =
            u32::try_from(pages.saturating_sub(1)).expect("128 MiB are fewer than 2^32 pages");
        Ok(PageHeader {
            id,
            flags,
            count,
            overflow: if id == 0 { 0 } else { overflow },
        })
    }

    fn append_page(&mut self, header: PageHeader, bytes: &[u8]) -> Result<u64, BoltError> {
        let pages = u64::from(header.overflow) + 1;
        let next = self.next_page.checked_add(pages);
        self.next_page = next.ok_or_else(|| {
            self.fault(EditDefect::Exhausted {
                field: "page number",
            })
        })?;
        let page_size =
            usize_of(u64::from(self.bolt.page_size())).expect("page sizes are at most 16 MiB");
        self.tail.extend_from_slice(bytes);
        self.tail
            .resize(self.tail.len().next_multiple_of(page_size), 0);
        Ok(header.id)
    }

    pub(super) fn finish(self, root: u64) -> Result<Appended, BoltError> {
        let old = self.bolt.meta();
        let new_len = self.next_page.checked_mul(u64::from(old.page_size));
        let new_len =
            new_len.ok_or_else(|| self.fault(EditDefect::Exhausted { field: "length" }))?;
        // Even, so that page 0 is the newest one by parity too; page 1 has the previous transaction, as in etcd's snapshots.
        let txid = old.txid.checked_add(2).map(|next| next & !1);
        let txid = txid.ok_or_else(|| {
            self.fault(EditDefect::Exhausted {
                field: "transaction id",
            })
        })?;
        let meta = Meta {
            root,
            freelist: None,
            high_water: self.next_page,
            txid,
            ..*old
        };
        let metas = [
            meta.encode(0),
            Meta {
                txid: txid - 1,
                ..meta
            }
            .encode(1),
        ];
        let offset = self.bolt.used_len();
        assert_eq!(
            offset + u64_of(self.tail.len()),
            new_len,
            "the appended pages end at the new high water mark"
        );
        Ok(Appended {
            offset,
            pages: self.tail,
            metas,
            new_len,
        })
    }

    fn check_key(&self, key: &[u8]) -> Result<(), BoltError> {
        if key.is_empty() || key.len() > KEY_BYTES_MAX {
            return Err(self.fault(EditDefect::KeyLength { len: key.len() }));
        }
        Ok(())
    }

    pub(super) fn fault(&self, defect: EditDefect) -> BoltError {
        BoltError::Edit {
            bucket: self.bucket.clone(),
            defect,
        }
    }
}

/// Applies sorted changes to sorted entries.
fn merged(entries: Entries, changes: &Changes<'_>) -> Entries {
    let mut out: BTreeMap<Vec<u8>, Vec<u8>> = entries.into_iter().collect();
    for (key, value) in changes {
        match value {
            Some(value) => out.insert(key.to_vec(), value.to_vec()),
            None => out.remove(*key),
        };
    }
    out.into_iter().collect()
}

fn owned(page: &Page<'_>) -> Result<Entries, BoltError> {
    let mut entries = Vec::with_capacity(page.count);
    for element in page.leaves() {
        let (_, element) = element?;
        entries.push((element.key.to_vec(), element.value.to_vec()));
    }
    Ok(entries)
}

fn borrowed(entries: &Entries) -> Vec<(&[u8], &[u8])> {
    entries
        .iter()
        .map(|(key, value)| (key.as_slice(), value.as_slice()))
        .collect()
}

fn bucket_header(root: u64, sequence: u64) -> Vec<u8> {
    [root.to_le_bytes(), sequence.to_le_bytes()].concat()
}

//! Changing a database by appending to it.
//!
//! Owns: the copy-on-write editor. It never touches a page in use but the two metas: changed leaves, the branches above
//! them and a new top-level leaf are appended at the high water mark, then both metas point there. Pages that nobody
//! references any more become free when bbolt next opens the file, since the new metas store no freelist.
//!
//! It never splits: a leaf that grows beyond a page gets overflow pages, which is legal; bbolt splits it at its next write.
//! The same database and edit always give the same bytes.

use std::collections::BTreeMap;

use super::{
    BUCKETS_MAX, DEPTH_MAX, KEY_BYTES_MAX, LOGICAL_PAGE_BYTES_MAX, TOP_LEVEL_BYTES_MAX,
    error::{BoltError, EditDefect, PageDefect},
    meta::Meta,
    page::{
        COUNT_RESERVED, ELEMENT_BUCKET, FLAG_BRANCH, FLAG_LEAF, PAGE_HEADER_BYTES, Page,
        PageHeader, branch_bytes, encode_branch, encode_leaf, leaf_bytes,
    },
    read::{Bolt, BucketRoot, bucket_ref},
    source::PageSource,
    walk::{Level, Walker, inline_leaf},
};
use crate::width::{le_u64, u64_of, usize_of};

/// bbolt keeps a bucket inside its own value while the leaf takes at most this part of a page.
const INLINE_FRACTION: u64 = 4;

/// Changes to top-level buckets, made in this order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Edit {
    /// One per bucket, usually.
    pub buckets: Vec<BucketEdit>,
}

/// The change to one bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BucketEdit {
    /// The bucket's name.
    pub name: Vec<u8>,
    /// What happens to it.
    pub change: Change,
}

/// What happens to a bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// The bucket holds exactly these entries afterwards. It is created where it does not exist.
    ReplaceAll(BTreeMap<Vec<u8>, Vec<u8>>),
    /// Keys with a value are put, keys without one are removed. Removing alone does not create a bucket.
    Patch(BTreeMap<Vec<u8>, Option<Vec<u8>>>),
}

impl BucketEdit {
    /// Makes the bucket hold exactly these entries.
    pub fn replace_all(name: &[u8], entries: impl IntoIterator<Item = (Vec<u8>, Vec<u8>)>) -> Self {
        Self {
            name: name.to_vec(),
            change: Change::ReplaceAll(entries.into_iter().collect()),
        }
    }

    /// Puts these entries and leaves the others.
    pub fn upsert(name: &[u8], entries: impl IntoIterator<Item = (Vec<u8>, Vec<u8>)>) -> Self {
        let changes = entries
            .into_iter()
            .map(|(key, value)| (key, Some(value)))
            .collect();
        Self {
            name: name.to_vec(),
            change: Change::Patch(changes),
        }
    }

    /// Removes these keys, there or not.
    pub fn remove(name: &[u8], keys: impl IntoIterator<Item = Vec<u8>>) -> Self {
        let changes = keys.into_iter().map(|key| (key, None)).collect();
        Self {
            name: name.to_vec(),
            change: Change::Patch(changes),
        }
    }
}

/// What must be written to the file to make the edit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Appended {
    /// Where the new pages begin: the length of the database before.
    pub offset: u64,
    /// The new pages.
    pub pages: Vec<u8>,
    /// The whole of pages 0 and 1.
    pub metas: [Vec<u8>; 2],
    /// The length of the database afterwards; the file is cut or grown to it.
    pub new_len: u64,
}

impl Appended {
    /// The three writes, each with its offset, new pages first.
    pub fn writes(&self) -> [(u64, &[u8]); 3] {
        let [first, second] = &self.metas;
        [
            (self.offset, &self.pages),
            (0, first),
            (u64_of(first.len()), second),
        ]
    }
}

/// Works out the bytes of an edit. Reads only what the edit touches; run [`Bolt::check`] first.
///
/// # Errors
/// A page on the way is damaged, or the result does not fit the format.
pub fn append<S: PageSource>(bolt: &Bolt<S>, edit: &Edit) -> Result<Appended, BoltError> {
    let mut editor = Editor {
        bolt,
        tail: Vec::new(),
        next_page: bolt.high_water(),
        bucket: Vec::new(),
    };
    let mut top = top_level(bolt)?;
    for (name, change) in combined(edit) {
        editor.bucket.clone_from(&name);
        editor.check_key(&name)?;
        if let Some(value) = editor.changed_bucket(top.get(&name), &change)? {
            top.insert(name, value.into());
        }
    }
    editor.bucket.clear();
    let entries: Vec<(&[u8], &[u8])> = top
        .iter()
        .map(|(name, value)| (name.as_slice(), value.bytes.as_slice()))
        .collect();
    if entries.len() > BUCKETS_MAX {
        return Err(editor.fault(EditDefect::TooManyElements {
            count: entries.len(),
        }));
    }
    let root = editor.append_leaf(&entries, ELEMENT_BUCKET)?;
    editor.finish(root)
}

/// One change per bucket: a tree is rebuilt from the pages of the file, never from pages of this edit.
fn combined(edit: &Edit) -> BTreeMap<Vec<u8>, Change> {
    let mut changes: BTreeMap<Vec<u8>, Change> = BTreeMap::new();
    for BucketEdit { name, change } in &edit.buckets {
        let Some(earlier) = changes.get_mut(name) else {
            changes.insert(name.clone(), change.clone());
            continue;
        };
        match (earlier, change) {
            (earlier, Change::ReplaceAll(_)) => *earlier = change.clone(),
            (Change::ReplaceAll(entries), Change::Patch(patch)) => {
                for (key, value) in patch {
                    match value {
                        Some(value) => entries.insert(key.clone(), value.clone()),
                        None => entries.remove(key),
                    };
                }
            }
            (Change::Patch(earlier), Change::Patch(patch)) => {
                earlier.extend(
                    patch
                        .iter()
                        .map(|(key, value)| (key.clone(), value.clone())),
                );
            }
        }
    }
    changes
}

/// The value of a top-level element: bucket header, and the leaf of an inline bucket.
#[derive(Debug)]
struct TopValue {
    bytes: Vec<u8>,
    /// Where it stands in the file, for errors; new ones stand nowhere yet.
    offset: u64,
    root: BucketRoot,
}

impl From<Vec<u8>> for TopValue {
    fn from(bytes: Vec<u8>) -> Self {
        let root = match le_u64(&bytes, 0) {
            Some(page) if page != 0 => BucketRoot::Page(page),
            _ => BucketRoot::Inline {
                offset: 0,
                len: bytes.len().saturating_sub(PAGE_HEADER_BYTES),
            },
        };
        Self {
            bytes,
            offset: 0,
            root,
        }
    }
}

fn top_level<S: PageSource>(bolt: &Bolt<S>) -> Result<BTreeMap<Vec<u8>, TopValue>, BoltError> {
    let mut top = BTreeMap::new();
    let mut total = 0_usize;
    Walker::new(bolt).tree(
        bolt.meta().root,
        bolt.root_offset(),
        Level::Top,
        &mut |page, element| {
            total += element.key.len() + element.value.len();
            if top.len() >= BUCKETS_MAX {
                return Err(BoltError::TooManyBuckets {
                    offset: element.offset,
                });
            }
            if total > TOP_LEVEL_BYTES_MAX {
                return Err(BoltError::TopLevelTooLarge {
                    offset: element.offset,
                });
            }
            let bucket = bucket_ref(page, element)?;
            let value = TopValue {
                bytes: element.value.to_vec(),
                offset: element.offset,
                root: bucket.root,
            };
            top.insert(bucket.name, value);
            Ok(())
        },
    )?;
    Ok(top)
}

type Entries = Vec<(Vec<u8>, Vec<u8>)>;
type Changes<'c> = [(&'c [u8], Option<&'c [u8]>)];

/// A tree page with its changes made, not yet written.
enum Rebuilt {
    Leaf(Entries),
    Branch(Vec<(Vec<u8>, u64)>),
}

struct Editor<'b, S> {
    bolt: &'b Bolt<S>,
    /// Pages to be appended at the high water mark.
    tail: Vec<u8>,
    next_page: u64,
    /// The bucket at work, for errors.
    bucket: Vec<u8>,
}

impl<S: PageSource> Editor<'_, S> {
    /// The bucket's new value, or `None` when it does not exist and need not.
    fn changed_bucket(
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

    /// Rebuilds the page and, below it, every page that a change leads to; pages without changes stay where they are.
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

    /// Writes a rebuilt page behind the others; its first key and its number, or `None` when nothing is left of it.
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

    /// A bucket that is one leaf: inside its own value where bbolt would keep it there, else on a page.
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

    fn append_leaf(
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

    /// The header of a page of that many bytes, where the format and our own reader allow it.
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

    fn finish(self, root: u64) -> Result<Appended, BoltError> {
        let old = self.bolt.meta();
        let new_len = self.next_page.checked_mul(u64::from(old.page_size));
        let new_len =
            new_len.ok_or_else(|| self.fault(EditDefect::Exhausted { field: "length" }))?;
        // Even, so that page 0 is the newest one by parity, too; page 1 carries the transaction before, like etcd's snapshots.
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

    fn fault(&self, defect: EditDefect) -> BoltError {
        BoltError::Edit {
            bucket: self.bucket.clone(),
            defect,
        }
    }
}

/// Sorted entries with sorted changes made.
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

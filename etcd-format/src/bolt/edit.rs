//! Changing a database by appending to it.
//!
//! Owns: the copy-on-write editor. Of the pages in use, it changes only the two metas. It appends changed leaves, the branches
//! above them and a new top-level leaf at the high water mark; then both metas point there. Pages without references become
//! free when bbolt next opens the file, because the new metas store no freelist.
//!
//! It never splits a page: a leaf that grows beyond a page gets overflow pages, which is legal. bbolt splits it at the next
//! write. The same database and edit always give the same bytes.

use std::collections::BTreeMap;

use editor::Editor;

use super::{
    BUCKETS_MAX, TOP_LEVEL_BYTES_MAX,
    error::{BoltError, EditDefect},
    page::{ELEMENT_BUCKET, PAGE_HEADER_BYTES},
    read::{Bolt, BucketRoot, bucket_ref},
    source::PageSource,
    walk::{Level, Walker},
};
use crate::width::{le_u64, u64_of};

mod editor;

/// Changes to top-level buckets, applied in this order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Edit {
    /// Usually one per bucket.
    pub buckets: Vec<BucketEdit>,
}

/// The change to one bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BucketEdit {
    /// The bucket's name.
    pub name: Vec<u8>,
    /// The change.
    pub change: Change,
}

/// A change to a bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Afterwards the bucket holds exactly these entries. It is created if it does not exist.
    ReplaceAll(BTreeMap<Vec<u8>, Vec<u8>>),
    /// Keys with a value are put, keys without one are removed. A removal does not create a bucket.
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

    /// Puts these entries and keeps the others.
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

    /// Removes these keys, if they exist.
    pub fn remove(name: &[u8], keys: impl IntoIterator<Item = Vec<u8>>) -> Self {
        let changes = keys.into_iter().map(|key| (key, None)).collect();
        Self {
            name: name.to_vec(),
            change: Change::Patch(changes),
        }
    }
}

/// The bytes that must be written to the file for the edit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Appended {
    /// The offset of the new pages: the previous length of the database.
    pub offset: u64,
    /// The new pages.
    pub pages: Vec<u8>,
    /// The complete pages 0 and 1.
    pub metas: [Vec<u8>; 2],
    /// The new length of the database; the file must be truncated or extended to it.
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

/// Computes the bytes of an edit. Reads only the pages that the edit needs; run [`Bolt::check`] first.
///
/// # Errors
/// A page on the path is damaged, or the result does not fit the format.
pub fn append<S: PageSource>(bolt: &Bolt<S>, edit: &Edit) -> Result<Appended, BoltError> {
    let mut editor = Editor::new(bolt);
    let mut top = top_level(bolt)?;
    for (name, change) in combined(edit) {
        editor.begin(&name)?;
        if let Some(value) = editor.changed_bucket(top.get(&name), &change)? {
            top.insert(name, value.into());
        }
    }
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

/// Combines the edit to one change per bucket: a tree is rebuilt from pages of the file, never from pages of this edit.
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

/// The value of a top-level element: bucket header, and for an inline bucket its leaf.
#[derive(Debug)]
struct TopValue {
    bytes: Vec<u8>,
    /// Its offset in the file, for errors; new ones have none yet.
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

//! The bolt database file: reader, full checker, append-only editor.
//!
//! Owns: bbolt's file format, version 2, of any page size. Must not know what etcd keeps in the buckets. Never writes: the
//! editor returns bytes and offsets. Source: bbolt `internal/common` (`page.go`, `meta.go`, `inode.go`, `bucket.go`),
//! `internal/freelist`, `db.go`, `tx_check.go`.
//!
//! A file is a row of pages of one size. All numbers in it are little-endian.
//!
//! | page | content | table in |
//! |---|---|---|
//! | 0, 1 | meta pages: the newer valid one counts | `meta` |
//! | from 2 on, below the high water mark | branch and leaf pages of trees, the freelist, free pages with stale bytes | `page`, `check` |
//!
//! The top-level tree holds buckets only: name and bucket header (`read`), with the bucket's only leaf behind it where the
//! bucket is small. Each bucket is a tree of its own. A page that is larger than the page size goes on in the pages behind
//! it (overflow), which have no header.
//!
//! Reading in order, looking one key up, and an edit with its check:
//!
//! ```
//! use strongroom_etcd_format::bolt::{Bolt, BoltError, edit::{self, BucketEdit, Edit}};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let file: &[u8] = include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/etcd-3.4.db"));
//! # let mut database = file[..file.len() - 32].to_vec();
//! let bolt = Bolt::open(database.as_slice(), u64::try_from(database.len())?)?;
//! let mut rows = 0;
//! bolt.for_each(b"key", &mut |_key, _value, _offset| {
//!     rows += 1;
//!     Ok::<(), BoltError>(())
//! })?;
//! assert_eq!(rows, 158);
//! assert_eq!(bolt.get(b"cluster", b"clusterVersion")?.as_deref(), Some(b"3.4.0".as_slice()));
//!
//! let row = (b"clusterVersion".to_vec(), b"3.5.0".to_vec());
//! let appended = edit::append(&bolt, &Edit { buckets: vec![BucketEdit::upsert(b"cluster", [row])] })?;
//! database.resize(usize::try_from(appended.new_len)?, 0);
//! for (offset, bytes) in appended.writes() {
//!     let at = usize::try_from(offset)?;
//!     database[at..at + bytes.len()].copy_from_slice(bytes);
//! }
//! let bolt = Bolt::open(database.as_slice(), appended.new_len)?;
//! assert_eq!(bolt.check()?.keys, 170);
//! assert_eq!(bolt.get(b"cluster", b"clusterVersion")?.as_deref(), Some(b"3.5.0".as_slice()));
//! # Ok(())
//! # }
//! ```

mod check;
pub mod edit;
mod error;
mod meta;
mod meta_pages;
mod page;
mod read;
mod source;
mod walk;

pub use check::{CheckReport, Entry};
pub use error::{BoltError, EditDefect, ElementDefect, FreelistDefect, InlineDefect, PageDefect};
pub use meta::{Meta, MetaDefect};
pub use read::{Bolt, BucketRef, BucketRoot};
pub use source::PageSource;

#[cfg(test)]
mod tests;

/// Largest logical page (with its overflow pages) that is read into memory. bbolt leaves a page unsplit beyond the page size
/// only for at most four items or for one large value; etcd's default request limit is 1.5 MiB, so this leaves room for
/// values twenty times that, four to a page.
pub const LOGICAL_PAGE_BYTES_MAX: u64 = 128 << 20;

/// Most levels of a tree. Two-way branches of 64 levels would address more pages than a 64-bit offset can.
pub const DEPTH_MAX: usize = 64;

/// Most bytes of branch pages held at once during a walk: one per level. bbolt splits branches at the page size (at most
/// 16 MiB here) or at four keys of 32 KiB, and real trees have three levels.
pub const BRANCH_STACK_BYTES_MAX: usize = 64 << 20;

/// Most top-level buckets. etcd has ten; a file that claims more than this many is no etcd database.
pub const BUCKETS_MAX: usize = 1024;

/// Most bytes of top-level bucket values (headers, and inline buckets of at most a quarter page) that an edit copies.
pub const TOP_LEVEL_BYTES_MAX: usize = 32 << 20;

/// bbolt's longest key.
pub const KEY_BYTES_MAX: usize = 32_768;

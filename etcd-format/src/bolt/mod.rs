//! The bolt database file: reader, full checker, append-only editor.
//!
//! Owns: bbolt's file format, version 2, with any page size. Must not know the contents of the buckets. Never writes: the
//! editor returns bytes and offsets. Source: bbolt `internal/common` (`page.go`, `meta.go`, `inode.go`, `bucket.go`),
//! `internal/freelist`, `db.go`, `tx_check.go`.
//!
//! A file is a sequence of pages of one size. All numbers in it are little-endian.
//!
//! | page | content | table in |
//! |---|---|---|
//! | 0, 1 | meta pages: the newer valid one is used | `meta` |
//! | from 2 on, below the high water mark | branch and leaf pages of trees, the freelist, free pages with stale bytes | `page`, `check` |
//!
//! The top-level tree holds only buckets: name and bucket header (`read`). In a small bucket, the bucket's only leaf follows the
//! header. Each bucket is a separate tree. A logical page that is larger than the page size continues in the pages after it
//! (overflow pages), which have no header.
//!
//! Read in order, look up one key, edit and check:
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
pub use meta_pages::announced_len;
pub use read::{Bolt, BucketRef, BucketRoot};
pub use source::PageSource;

#[cfg(test)]
mod tests;

/// Largest logical page (with overflow pages) that is read into memory. bbolt does not split a page above the page size only if
/// it has at most four items or one large value. etcd's default request limit is 1.5 MiB, so this leaves room for four values
/// of twenty times that.
pub const LOGICAL_PAGE_BYTES_MAX: u64 = 128 << 20;

/// Most levels of a tree. 64 levels of two-way branches would address more pages than a 64-bit offset can.
pub const DEPTH_MAX: usize = 64;

/// Most bytes of branch pages in memory during a walk: one page per level. bbolt splits branches at the page size (at most
/// 16 MiB here) or at four keys of 32 KiB, and real trees have three levels.
pub const BRANCH_STACK_BYTES_MAX: usize = 64 << 20;

/// Most top-level buckets. etcd has ten; a file that claims more than this limit is not an etcd database.
pub const BUCKETS_MAX: usize = 1024;

/// Most bytes of top-level bucket values (headers, and inline buckets of at most a quarter page) that an edit copies.
pub const TOP_LEVEL_BYTES_MAX: usize = 32 << 20;

/// Longest key in bbolt.
pub const KEY_BYTES_MAX: usize = 32_768;

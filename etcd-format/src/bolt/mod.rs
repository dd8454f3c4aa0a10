//! The bolt database file: reader, full checker, append-only editor.
//!
//! Owns: bbolt's file format, version 2, of any page size. Must not know what etcd keeps in the buckets. Never writes: the
//! editor returns bytes and offsets. Source: bbolt `page.go`, `bucket.go`, `db.go`, `tx_check.go`.

mod check;
pub mod edit;
mod error;
mod meta;
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

//! Errors of bolt databases, each with its location.
//!
//! Owns: the error types of the bolt modules. Every variant about bytes has the page and the file offset.

use std::io;

use super::{
    BRANCH_STACK_BYTES_MAX, BUCKETS_MAX, DEPTH_MAX, KEY_BYTES_MAX, LOGICAL_PAGE_BYTES_MAX,
    TOP_LEVEL_BYTES_MAX, meta::MetaDefect,
};

/// The database is not bolt, is truncated, or breaks a rule of the format; or an edit is not possible.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BoltError {
    /// The source failed.
    #[error("cannot read {len} bytes at offset {offset} of the database")]
    Read {
        /// Where.
        offset: u64,
        /// How many.
        len: u64,
        /// The source's error.
        #[source]
        source: io::Error,
    },
    /// Neither meta page is usable.
    #[error(
        "no valid bolt meta page (at offset 0: {first}; second: {second}): not a bolt database, or its start is damaged"
    )]
    NoValidMeta {
        /// What is wrong with the one at offset 0.
        first: MetaDefect,
        /// What is wrong with the other.
        second: MetaDefect,
    },
    /// The meta page in use points outside of the database.
    #[error(
        "meta page {page} at offset {offset}: {field} is {value}, which is no data page (2 and more, below the high water mark {high_water})"
    )]
    MetaRange {
        /// The page, 0 or 1.
        page: u64,
        /// Its offset.
        offset: u64,
        /// Which field.
        field: &'static str,
        /// Its value.
        value: u64,
        /// The first page number beyond the database.
        high_water: u64,
    },
    /// The file ends before the last page in use.
    #[error("the database is truncated: it needs {need} bytes, {have} are there")]
    Truncated {
        /// Bytes there.
        have: u64,
        /// Bytes that the meta page announces.
        need: u64,
    },
    /// A page breaks a rule.
    #[error("page {page} at offset {offset}: {defect}")]
    Page {
        /// The page's number.
        page: u64,
        /// Its file offset.
        offset: u64,
        /// The rule.
        defect: PageDefect,
    },
    /// An element of a page breaks a rule.
    #[error("page {page}, element {index} at offset {offset}: {defect}")]
    Element {
        /// The page's number.
        page: u64,
        /// Which element, from 0.
        index: usize,
        /// The element's file offset.
        offset: u64,
        /// The rule.
        defect: ElementDefect,
    },
    /// An inline bucket breaks a rule.
    #[error("inline bucket at offset {offset}: {defect}")]
    Inline {
        /// The file offset of the bucket's value.
        offset: u64,
        /// The rule.
        defect: InlineDefect,
    },
    /// The list of free pages disagrees with the trees.
    #[error("freelist page {page} at offset {offset}: {defect}")]
    Freelist {
        /// The freelist's page number.
        page: u64,
        /// The file offset of the page or of the entry.
        offset: u64,
        /// The rule.
        defect: FreelistDefect,
    },
    /// There are more top-level buckets than any etcd has.
    #[error("more than {BUCKETS_MAX} top-level buckets (at offset {offset})")]
    TooManyBuckets {
        /// The file offset of the first one above the limit.
        offset: u64,
    },
    /// The top-level buckets' values are larger than the limit for an edit.
    #[error(
        "the top-level buckets take more than {TOP_LEVEL_BYTES_MAX} bytes (at offset {offset})"
    )]
    TopLevelTooLarge {
        /// The file offset of the value that exceeds the limit.
        offset: u64,
    },
    /// The format cannot represent the result of the edit.
    #[error("cannot edit bucket {}: {defect}", bucket.escape_ascii())]
    Edit {
        /// The bucket's name.
        bucket: Vec<u8>,
        /// The limit.
        defect: EditDefect,
    },
}

/// A rule that a page breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PageDefect {
    /// A reference leads outside of the pages in use.
    #[error("no such page, only {high_water} are in use (referenced at offset {referrer})")]
    OutOfRange {
        /// The first page number beyond the database.
        high_water: u64,
        /// The file offset of the reference.
        referrer: u64,
    },
    /// The page header has another page number.
    #[error("it says it is page {found}")]
    Id {
        /// The number in the header.
        found: u64,
    },
    /// The page has another kind than its place requires.
    #[error("its flags are {found:#06x}, expected {expected}")]
    Flags {
        /// The found value.
        found: u16,
        /// The allowed kind.
        expected: &'static str,
    },
    /// The page runs beyond the pages in use.
    #[error("its {overflow} overflow pages run beyond the {high_water} pages in use")]
    Overflow {
        /// Additional pages claimed.
        overflow: u32,
        /// The first page number beyond the database.
        high_water: u64,
    },
    /// The page is larger than this reader accepts.
    #[error("it has {bytes} bytes, at most {LOGICAL_PAGE_BYTES_MAX} are read")]
    TooLarge {
        /// Its size with overflow pages.
        bytes: u64,
    },
    /// The elements do not fit into the page.
    #[error("its {count} elements do not fit its {bytes} bytes")]
    Count {
        /// Elements claimed.
        count: u16,
        /// Size with overflow pages.
        bytes: u64,
    },
    /// Two references lead to this page.
    #[error("it is used twice (second reference at offset {referrer})")]
    Shared {
        /// The file offset of the second reference.
        referrer: u64,
    },
    /// One of its overflow pages also belongs to another page.
    #[error("its overflow page {other} is used twice")]
    SharedOverflow {
        /// The page that is claimed twice.
        other: u64,
    },
    /// A branch page without elements.
    #[error("it is a branch page without elements")]
    EmptyBranch,
    /// The tree is too deep.
    #[error("it lies deeper than {DEPTH_MAX} levels")]
    TooDeep,
    /// This branch page and those above it need too much memory.
    #[error("the branch pages down to it take more than {BRANCH_STACK_BYTES_MAX} bytes")]
    BranchesTooLarge,
    /// Neither reachable nor in the freelist.
    #[error("it is neither used nor in the freelist")]
    Unreachable,
}

/// A rule that an element breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ElementDefect {
    /// Key or value are outside of the page, or overlap the element table.
    #[error(
        "its key or value (bytes {start} to {end} of the page) lie over its elements or beyond its {limit} bytes"
    )]
    Bounds {
        /// First byte, from the start of the page.
        start: u64,
        /// One past the last byte.
        end: u64,
        /// Size of the page.
        limit: u64,
    },
    /// Keys have 1 to 32768 bytes.
    #[error("its key has {len} bytes, 1 to {KEY_BYTES_MAX} are allowed")]
    KeyLength {
        /// The found value.
        len: usize,
    },
    /// Elements share bytes.
    #[error("its key and value, with those before it, take more bytes than the page has")]
    Overlap,
    /// Keys ascend strictly.
    #[error("its key is not greater than the one before it")]
    KeyOrder,
    /// The key is less than its separator in the branch above.
    #[error("its key is less than its branch's separator")]
    BelowSeparator,
    /// The key belongs to the next branch.
    #[error("its key is not less than the next branch's separator")]
    AboveSeparator,
    /// Undefined flag bits.
    #[error("its flags are {found:#x}, expected 0 or 1")]
    Flags {
        /// The found value.
        found: u32,
    },
    /// etcd nests no buckets.
    #[error("it is a bucket inside a bucket, which etcd never writes")]
    NestedBucket,
    /// The top level holds buckets only.
    #[error("it is not a bucket, but stands at the top level")]
    NotABucket,
    /// A bucket's value begins with a 16-byte header.
    #[error("its bucket header has {len} bytes, expected at least 16")]
    BucketHeader {
        /// The found value.
        len: usize,
    },
}

/// A rule that an inline bucket breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InlineDefect {
    /// The page image has no room for its own header.
    #[error("its {len} bytes have no room for a page header")]
    TooShort {
        /// Bytes of the value.
        len: usize,
    },
    /// The page image has a page number other than 0.
    #[error("its page image says it is page {found}, expected 0")]
    Id {
        /// The found value.
        found: u64,
    },
    /// The page image is not a leaf.
    #[error("its page image has flags {found:#06x}, expected a leaf")]
    Flags {
        /// The found value.
        found: u16,
    },
    /// The elements do not fit into the page.
    #[error("its {count} elements do not fit its {bytes} bytes")]
    Count {
        /// Elements claimed.
        count: u16,
        /// Bytes of the page image.
        bytes: u64,
    },
    /// The page image claims overflow pages.
    #[error("its page image claims {found} overflow pages")]
    Overflow {
        /// The found value.
        found: u32,
    },
}

/// A rule that the list of free pages breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FreelistDefect {
    /// The entries do not fit into the page.
    #[error("its {count} entries do not fit its {bytes} bytes")]
    Count {
        /// Entries claimed.
        count: u64,
        /// Size with overflow pages.
        bytes: u64,
    },
    /// An entry is not a data page.
    #[error(
        "it lists page {listed}, which is no data page (2 and more, below the high water mark {high_water})"
    )]
    Range {
        /// The entry.
        listed: u64,
        /// The first page number beyond the database.
        high_water: u64,
    },
    /// An entry is listed twice.
    #[error("it lists page {listed} twice")]
    Duplicate {
        /// The entry.
        listed: u64,
    },
    /// An entry is in use.
    #[error("it lists page {listed} as free, which is in use")]
    InUse {
        /// The entry.
        listed: u64,
    },
}

/// A limit of the format that an edit exceeds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EditDefect {
    /// A page counts its elements in 16 bits, of which the last value is reserved.
    #[error("{count} elements do not fit one page")]
    TooManyElements {
        /// Elements needed.
        count: usize,
    },
    /// The page would be larger than the reader accepts.
    #[error("a page of {bytes} bytes is more than {LOGICAL_PAGE_BYTES_MAX}")]
    PageTooLarge {
        /// Bytes needed.
        bytes: u64,
    },
    /// Keys have 1 to 32768 bytes.
    #[error("a key of {len} bytes, 1 to {KEY_BYTES_MAX} are allowed")]
    KeyLength {
        /// Bytes of the key.
        len: usize,
    },
    /// Page numbers, offsets or transaction ids are exhausted.
    #[error("the database's {field} has no room to grow")]
    Exhausted {
        /// Which number.
        field: &'static str,
    },
}

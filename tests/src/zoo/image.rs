//! A database as bytes that can be damaged one field at a time, and the lookup of each field.
//!
//! It finds pages, elements and records with a reader of its own, which trusts its input: the database is real before
//! it is damaged. It must not know what is wrong with what it writes. Offsets are counted from the beginning of the
//! file.

use sha2::{Digest as _, Sha256};

/// The page size of etcd on machines with pages of 4 KiB.
pub const PAGE_BYTES: usize = 4096;
/// Size of a page header, a leaf element and a branch element alike.
pub const HEADER_BYTES: usize = 16;

const BRANCH: u16 = 1;
const FREELIST: u16 = 0x10;

/// Fields of a meta page, from its beginning.
pub mod meta {
    pub(crate) const MAGIC: usize = 16;
    pub(crate) const VERSION: usize = 20;
    pub(crate) const PAGE_SIZE: usize = 24;
    pub(crate) const FLAGS: usize = 28;
    pub(crate) const ROOT: usize = 32;
    pub(crate) const SEQUENCE: usize = 40;
    pub(crate) const FREELIST: usize = 48;
    /// The number of pages in use.
    pub const HIGH_WATER: usize = 56;
    pub(crate) const TXID: usize = 64;
    pub(crate) const CHECKSUM: usize = 72;
}

/// Fields of a page header.
pub mod header {
    pub(crate) const ID: usize = 0;
    pub(crate) const FLAGS: usize = 8;
    pub(crate) const COUNT: usize = 10;
    pub(crate) const OVERFLOW: usize = 12;
}

/// A database without its trailer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    bytes: Vec<u8>,
}

/// An element of a leaf, on a page or in an inline bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leaf {
    /// The start of its page; for an inline bucket, the start of its leaf's image.
    pub page_at: usize,
    /// Its index.
    pub index: usize,
}

/// An element of a branch page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Branch {
    /// The start of its page.
    pub page_at: usize,
    /// Its index.
    pub index: usize,
}

impl Leaf {
    /// Position of the element.
    pub fn at(self) -> usize {
        self.page_at + HEADER_BYTES + HEADER_BYTES * self.index
    }
    /// Position of its flags.
    pub fn flags(self) -> usize {
        self.at()
    }
    /// Position of the field with its key's offset, which is relative to the element.
    pub fn pos(self) -> usize {
        self.at() + 4
    }
    /// Position of the length of its key.
    pub fn key_len(self) -> usize {
        self.at() + 8
    }
    /// Position of the length of its value.
    pub fn value_len(self) -> usize {
        self.at() + 12
    }
    /// The number of its page.
    pub fn page(self) -> usize {
        self.page_at / PAGE_BYTES
    }
    /// The next element.
    #[must_use]
    pub fn next(self) -> Self {
        Self {
            index: self.index + 1,
            ..self
        }
    }
    /// Its name in error messages.
    pub fn place(self) -> String {
        format!(
            "page {}, element {} at offset {}",
            self.page(),
            self.index,
            self.at()
        )
    }
}

impl Branch {
    /// Position of the element.
    pub fn at(self) -> usize {
        self.page_at + HEADER_BYTES + HEADER_BYTES * self.index
    }
    /// Position of the field with its key's offset, which is relative to the element.
    pub fn pos(self) -> usize {
        self.at()
    }
    /// Position of the length of its key.
    pub fn key_len(self) -> usize {
        self.at() + 4
    }
    /// Position of its child's page number.
    pub fn child(self) -> usize {
        self.at() + 8
    }
    /// Its name in error messages.
    pub fn place(self) -> String {
        let page = self.page_at / PAGE_BYTES;
        format!(
            "page {page}, element {} at offset {}",
            self.index,
            self.at()
        )
    }
}

impl Image {
    /// The database of a snapshot file.
    pub fn of_snapshot(file: &[u8]) -> Self {
        assert_eq!(file.len() % 512, 32, "a snapshot ends in its SHA-256");
        Self {
            bytes: file[..file.len() - 32].to_vec(),
        }
    }

    /// The database's bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// A snapshot file: the database and its SHA-256.
    pub fn snapshot(&self) -> Vec<u8> {
        with_trailer(&self.bytes)
    }

    /// A number of two bytes.
    pub fn u16(&self, at: usize) -> u16 {
        u16::from_le_bytes(self.array(at))
    }
    /// A number of four bytes.
    pub fn u32(&self, at: usize) -> u32 {
        u32::from_le_bytes(self.array(at))
    }
    /// A number of eight bytes.
    pub fn u64(&self, at: usize) -> u64 {
        u64::from_le_bytes(self.array(at))
    }
    fn array<const N: usize>(&self, at: usize) -> [u8; N] {
        *self.bytes[at..].first_chunk().expect("the field is there")
    }

    /// Writes bytes.
    pub fn put(&mut self, at: usize, bytes: &[u8]) {
        self.bytes[at..at + bytes.len()].copy_from_slice(bytes);
    }
    /// Writes a number of two bytes.
    pub fn put_u16(&mut self, at: usize, number: u16) {
        self.put(at, &number.to_le_bytes());
    }
    /// Writes a number of four bytes.
    pub fn put_u32(&mut self, at: usize, number: u32) {
        self.put(at, &number.to_le_bytes());
    }
    /// Writes a number of eight bytes.
    pub fn put_u64(&mut self, at: usize, number: u64) {
        self.put(at, &number.to_le_bytes());
    }

    /// Writes a field of both meta pages and corrects their checksums.
    pub fn put_meta(&mut self, field: usize, bytes: &[u8]) {
        for page in [0, 1] {
            self.put_in_meta(page, field, bytes);
        }
    }
    /// Writes a field of one meta page and corrects its checksum.
    pub fn put_in_meta(&mut self, page: usize, field: usize, bytes: &[u8]) {
        let at = page * PAGE_BYTES;
        self.put(at + field, bytes);
        let sum = fnv1a64(&self.bytes[at + meta::MAGIC..at + meta::CHECKSUM]);
        self.put_u64(at + meta::CHECKSUM, sum);
    }

    /// A number of the current meta page: etcd sends the newest one as page 0.
    pub fn meta(&self, field: usize) -> u64 {
        self.u64(field)
    }

    /// Adds bytes at the end.
    pub fn extend(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }
    /// Keeps only the beginning.
    pub fn cut(&mut self, len: usize) {
        self.bytes.truncate(len);
    }

    /// The element of a top-level bucket.
    pub fn bucket(&self, name: &str) -> Leaf {
        let top = self.tree(page_at(self.meta(meta::ROOT)));
        let found = top.iter().find(|leaf| self.key(**leaf) == name.as_bytes());
        *found.unwrap_or_else(|| panic!("bucket {name} is in the base"))
    }

    /// The start of a bucket's leaf or branch page, also for inline buckets.
    pub fn bucket_page(&self, name: &str) -> usize {
        let (value_at, _) = self.value_range(self.bucket(name));
        match self.u64(value_at) {
            0 => value_at + HEADER_BYTES,
            page => page_at(page),
        }
    }

    /// All elements of a bucket, in order.
    pub fn entries(&self, bucket: &str) -> Vec<Leaf> {
        self.tree(self.bucket_page(bucket))
    }

    /// The element of a record.
    pub fn entry(&self, bucket: &str, key: &[u8]) -> Leaf {
        let found = self
            .entries(bucket)
            .into_iter()
            .find(|leaf| self.key(*leaf) == key);
        found.unwrap_or_else(|| panic!("{bucket}/{} is in the base", key.escape_ascii()))
    }

    /// A key.
    pub fn key(&self, leaf: Leaf) -> &[u8] {
        let at = self.key_at(leaf);
        &self.bytes[at..at + self.size(leaf.key_len())]
    }
    /// The position of a key.
    pub fn key_at(&self, leaf: Leaf) -> usize {
        leaf.at() + self.size(leaf.pos())
    }
    /// The position and length of a value.
    pub fn value_range(&self, leaf: Leaf) -> (usize, usize) {
        (
            self.key_at(leaf) + self.size(leaf.key_len()),
            self.size(leaf.value_len()),
        )
    }
    /// A value.
    pub fn value(&self, leaf: Leaf) -> &[u8] {
        let (at, len) = self.value_range(leaf);
        &self.bytes[at..at + len]
    }

    /// Whether a page's elements are branches.
    pub fn is_branch(&self, page: usize) -> bool {
        self.u16(page + header::FLAGS) == BRANCH
    }
    /// The number of elements of a page.
    pub fn count(&self, page: usize) -> usize {
        usize::from(self.u16(page + header::COUNT))
    }
    /// The start of a branch element's child page.
    pub fn child_at(&self, branch: Branch) -> usize {
        page_at(self.u64(branch.child()))
    }

    /// All pages of trees, including overflow pages.
    pub fn pages_in_use(&self) -> Vec<u64> {
        let top = page_at(self.meta(meta::ROOT));
        let mut starts = self.pages(top);
        for leaf in self.tree(top) {
            let root = self.u64(self.value_range(leaf).0);
            if root != 0 {
                starts.extend(self.pages(page_at(root)));
            }
        }
        let mut all: Vec<u64> = starts
            .into_iter()
            .flat_map(|at| {
                let first = number(at / PAGE_BYTES);
                first..=first + u64::from(self.u32(at + header::OVERFLOW))
            })
            .collect();
        all.sort_unstable();
        all
    }

    /// Stores the list of free pages in a page of its own, as an etcd on macOS does, and returns the start of that
    /// page.
    pub fn store_freelist(&mut self) -> usize {
        let list = self.meta(meta::HIGH_WATER);
        let used = self.pages_in_use();
        let free: Vec<u64> = (2..list).filter(|page| !used.contains(page)).collect();
        let at = page_at(list);
        self.cut(at);
        self.extend(&[0; PAGE_BYTES]);
        self.put_u64(at + header::ID, list);
        self.put_u16(at + header::FLAGS, FREELIST);
        let count = u16::try_from(free.len()).expect("the base is small");
        self.put_u16(at + header::COUNT, count);
        for (index, page) in free.iter().enumerate() {
            self.put_u64(at + HEADER_BYTES + 8 * index, *page);
        }
        self.put_meta(meta::FREELIST, &list.to_le_bytes());
        self.put_meta(meta::HIGH_WATER, &(list + 1).to_le_bytes());
        at
    }

    fn tree(&self, page: usize) -> Vec<Leaf> {
        let count = self.count(page);
        if !self.is_branch(page) {
            let leaf = |index| Leaf {
                page_at: page,
                index,
            };
            return (0..count).map(leaf).collect();
        }
        self.children(page)
            .flat_map(|child| self.tree(child))
            .collect()
    }

    fn pages(&self, page: usize) -> Vec<usize> {
        let mut found = vec![page];
        if self.is_branch(page) {
            found.extend(self.children(page).flat_map(|child| self.pages(child)));
        }
        found
    }

    fn children(&self, page: usize) -> impl Iterator<Item = usize> {
        (0..self.count(page)).map(move |index| {
            self.child_at(Branch {
                page_at: page,
                index,
            })
        })
    }

    fn size(&self, at: usize) -> usize {
        usize::try_from(self.u32(at)).expect("32 bits fit")
    }
}

/// Bytes followed by their SHA-256, as etcd sends them.
pub fn with_trailer(database: &[u8]) -> Vec<u8> {
    let mut file = database.to_vec();
    file.extend_from_slice(&Sha256::digest(database));
    file
}

/// The start of a page.
pub fn page_at(page: u64) -> usize {
    usize::try_from(page).expect("the base is small") * PAGE_BYTES
}

/// A count in the type of the file's fields.
pub fn number(count: usize) -> u64 {
    u64::try_from(count).expect("counts fit 64 bits")
}

fn fnv1a64(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

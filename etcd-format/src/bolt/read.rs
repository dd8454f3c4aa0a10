//! Opening and reading a database.
//!
//! Owns: choosing the newest valid meta page, reading one logical page and checking its header, and bucket headers. Must not
//! know how trees are walked. Invariant: after [`Bolt::open`] the source contains every page below the high water mark, so the
//! file size bounds everything that is sized by the mark (bitmaps).
//!
//! The value of a bucket in the top-level tree:
//!
//! | offset | type | field |
//! |---|---|---|
//! | 0 | u64 | the bucket's root page, or 0 when it is inline |
//! | 8 | u64 | sequence, 0 in etcd |
//! | 16 | page | inline only: the bucket's single leaf, starting with a page header with id 0 and no overflow; not padded |
//!
//! bbolt keeps a bucket inline while its leaf takes at most a quarter of a page.

use super::{
    BUCKETS_MAX, LOGICAL_PAGE_BYTES_MAX,
    error::{BoltError, ElementDefect, PageDefect},
    meta::{FREELIST_AT, Meta, ROOT_AT},
    meta_pages::both_metas,
    page::{
        ELEMENT_BYTES, FLAG_BRANCH, FLAG_LEAF, LeafElement, PAGE_HEADER_BYTES, Page, PageHeader,
    },
    source::PageSource,
    walk::{Level, Walker},
};
use crate::width::{le_u64, u64_of, usize_of};

/// Pages 0 and 1 hold the metas; trees begin at 2.
pub(super) const FIRST_DATA_PAGE: u64 = 2;

/// A database with a valid meta page and all its pages. Before [`Bolt::check`], nothing else is verified.
#[derive(Debug)]
pub struct Bolt<S> {
    source: S,
    meta: Meta,
    meta_page: u64,
    valid_metas: [bool; 2],
}

/// A top-level bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BucketRef {
    /// Its name.
    pub name: Vec<u8>,
    /// The location of its tree.
    pub root: BucketRoot,
    /// Its sequence, 0 in etcd.
    pub sequence: u64,
    /// The file offset of its element.
    pub offset: u64,
}

/// The location of a bucket's tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BucketRoot {
    /// In separate pages; this is the root.
    Page(u64),
    /// Inline, in the bucket's value.
    Inline {
        /// File offset of the page image.
        offset: u64,
        /// Its bytes.
        len: usize,
    },
}

impl<S: PageSource> Bolt<S> {
    /// Finds the newest valid meta page in the first `db_len` bytes and checks that all its pages are present.
    ///
    /// # Errors
    /// No meta page is valid, it points outside of the database, the file is shorter than it says, or reading fails.
    pub fn open(source: S, db_len: u64) -> Result<Self, BoltError> {
        if db_len > source.len() {
            return Err(BoltError::Truncated {
                have: source.len(),
                need: db_len,
            });
        }
        let [first, second] = both_metas(&source, db_len)?;
        let valid_metas = [first.is_ok(), second.is_ok()];
        let (meta, meta_page) = match (first, second) {
            (Ok(first), Ok(second)) if second.txid > first.txid => (second, 1),
            (Ok(first), _) => (first, 0),
            (Err(_), Ok(second)) => (second, 1),
            (Err(first), Err(second)) => return Err(BoltError::NoValidMeta { first, second }),
        };
        let bolt = Self {
            source,
            meta,
            meta_page,
            valid_metas,
        };
        bolt.check_meta_ranges()?;
        match bolt
            .meta
            .high_water
            .checked_mul(u64::from(bolt.meta.page_size))
        {
            Some(need) if need <= db_len => Ok(bolt),
            need => Err(BoltError::Truncated {
                have: db_len,
                need: need.unwrap_or(u64::MAX),
            }),
        }
    }

    /// The meta page in use.
    pub fn meta(&self) -> &Meta {
        &self.meta
    }

    /// Bytes per page.
    pub fn page_size(&self) -> u32 {
        self.meta.page_size
    }

    /// Bytes of the file that are used: the pages below the high water mark. The rest may be cut off.
    pub fn used_len(&self) -> u64 {
        // Checked by `open`.
        self.meta.high_water * u64::from(self.meta.page_size)
    }

    /// Whether only one of the two meta pages is valid, as after an interrupted copy: usable, but worth a warning.
    pub fn one_meta_only(&self) -> bool {
        self.valid_metas != [true, true]
    }

    /// The top-level buckets in key order.
    ///
    /// # Errors
    /// The top-level tree is damaged.
    pub fn buckets(&self) -> Result<Vec<BucketRef>, BoltError> {
        Walker::new(self).buckets()
    }

    /// Passes every element of one bucket to `visit`, in key order, with the element's file offset. A missing bucket has no
    /// elements.
    ///
    /// # Errors
    /// The bucket's tree is damaged, or `visit` fails.
    pub fn for_each<E, F>(&self, bucket: &[u8], visit: &mut F) -> Result<(), E>
    where
        E: From<BoltError>,
        F: FnMut(&[u8], &[u8], u64) -> Result<(), E> + ?Sized,
    {
        let mut walker = Walker::new(self);
        let buckets = walker.buckets()?;
        let Some(found) = buckets.iter().find(|candidate| candidate.name == bucket) else {
            return Ok(());
        };
        walker.bucket(found, &mut |element| {
            visit(element.key, element.value, element.offset)
        })
    }

    /// The value of `key` in `bucket`, or `None` if either is missing. Reads only the pages on the path.
    ///
    /// # Errors
    /// A page on the path is damaged.
    pub fn get(&self, bucket: &[u8], key: &[u8]) -> Result<Option<Vec<u8>>, BoltError> {
        let root = self.descend(
            self.meta.root,
            self.root_offset(),
            bucket,
            |page, element| bucket_ref(page, element).map(Some),
        )?;
        let Some(found) = root else { return Ok(None) };
        match found.root {
            BucketRoot::Page(number) => self.descend(number, found.offset, key, |_, element| {
                Ok(Some(element.value.to_vec()))
            }),
            BucketRoot::Inline { offset, len } => {
                let mut image = Vec::new();
                let page = self.inline_page(offset, len, &mut image)?;
                find_in_leaf(&page, key, |_, element| Ok(Some(element.value.to_vec())))
            }
        }
    }

    pub(super) fn high_water(&self) -> u64 {
        self.meta.high_water
    }

    /// The file offset of the field with the root page.
    pub(super) fn root_offset(&self) -> u64 {
        self.meta_page * u64::from(self.meta.page_size) + u64_of(ROOT_AT)
    }

    /// The file offset of the field with the freelist page.
    pub(super) fn freelist_offset(&self) -> u64 {
        self.meta_page * u64::from(self.meta.page_size) + u64_of(FREELIST_AT)
    }

    pub(super) fn valid_metas(&self) -> [bool; 2] {
        self.valid_metas
    }

    /// The file offset of a page. Only for numbers below the high water mark: `open` has checked their product.
    pub(super) fn page_offset(&self, number: u64) -> u64 {
        number * u64::from(self.meta.page_size)
    }

    pub(super) fn page_defect(&self, number: u64, defect: PageDefect) -> BoltError {
        let offset = number.saturating_mul(u64::from(self.meta.page_size));
        BoltError::Page {
            page: number,
            offset,
            defect,
        }
    }

    pub(super) fn read_exact(&self, offset: u64, buf: &mut [u8]) -> Result<(), BoltError> {
        let len = u64_of(buf.len());
        self.source
            .read_at(offset, buf)
            .map_err(|source| BoltError::Read {
                offset,
                len,
                source,
            })
    }

    /// Reads the first physical page of a logical one into `buf` and checks id, overflow and size. `buf` only ever grows.
    pub(super) fn read_header(
        &self,
        number: u64,
        referrer: u64,
        buf: &mut Vec<u8>,
    ) -> Result<PageHeader, BoltError> {
        let high_water = self.meta.high_water;
        if !(FIRST_DATA_PAGE..high_water).contains(&number) {
            return Err(self.page_defect(
                number,
                PageDefect::OutOfRange {
                    high_water,
                    referrer,
                },
            ));
        }
        let page_size =
            usize_of(u64::from(self.meta.page_size)).expect("page sizes are at most 16 MiB");
        let first = grown(buf, page_size);
        self.read_exact(self.page_offset(number), first)?;
        let header = PageHeader::decode(first).expect("pages have at least 512 bytes");
        if header.id != number {
            return Err(self.page_defect(number, PageDefect::Id { found: header.id }));
        }
        let end = number
            .checked_add(u64::from(header.overflow))
            .filter(|last| *last < high_water);
        if end.is_none() {
            let defect = PageDefect::Overflow {
                overflow: header.overflow,
                high_water,
            };
            return Err(self.page_defect(number, defect));
        }
        Ok(header)
    }

    /// Reads the rest of a leaf or branch page, after [`Bolt::read_header`] has read its beginning into `buf`.
    pub(super) fn read_rest<'b>(
        &self,
        header: PageHeader,
        buf: &'b mut Vec<u8>,
    ) -> Result<Page<'b>, BoltError> {
        let number = header.id;
        let bytes = (u64::from(header.overflow) + 1) * u64::from(self.meta.page_size);
        if bytes > LOGICAL_PAGE_BYTES_MAX {
            return Err(self.page_defect(number, PageDefect::TooLarge { bytes }));
        }
        if header.flags != FLAG_BRANCH && header.flags != FLAG_LEAF {
            let defect = PageDefect::Flags {
                found: header.flags,
                expected: "0x0001 (branch) or 0x0002 (leaf)",
            };
            return Err(self.page_defect(number, defect));
        }
        if !Page::count_fits(header.count, bytes) {
            return Err(self.page_defect(
                number,
                PageDefect::Count {
                    count: header.count,
                    bytes,
                },
            ));
        }
        if header.flags == FLAG_BRANCH && header.count == 0 {
            return Err(self.page_defect(number, PageDefect::EmptyBranch));
        }
        let offset = self.page_offset(number);
        let whole = usize_of(bytes).expect("logical pages are at most 128 MiB");
        let all = grown(buf, whole);
        if header.overflow > 0 {
            let page_size =
                usize_of(u64::from(self.meta.page_size)).expect("page sizes are at most 16 MiB");
            let (_, rest) = all.split_at_mut(page_size);
            self.read_exact(offset + u64::from(self.meta.page_size), rest)?;
        }
        Ok(Page {
            number,
            offset,
            count: usize::from(header.count),
            bytes: all,
        })
    }

    /// Reads a complete page.
    pub(super) fn read_page<'b>(
        &self,
        number: u64,
        referrer: u64,
        buf: &'b mut Vec<u8>,
    ) -> Result<(PageHeader, Page<'b>), BoltError> {
        let header = self.read_header(number, referrer, buf)?;
        Ok((header, self.read_rest(header, buf)?))
    }

    /// The leaf of an inline bucket, with its image at `offset`.
    pub(super) fn inline_page<'b>(
        &self,
        offset: u64,
        len: usize,
        buf: &'b mut Vec<u8>,
    ) -> Result<Page<'b>, BoltError> {
        let image = grown(buf, len);
        self.read_exact(offset, image)?;
        // Errors give the page that contains its bytes; its own header has 0.
        super::walk::inline_leaf(image, offset).map(|page| Page {
            number: offset / u64::from(self.meta.page_size),
            ..page
        })
    }

    /// Follows one key from `root` to its leaf.
    fn descend<T>(
        &self,
        root: u64,
        referrer: u64,
        key: &[u8],
        found: impl Fn(&Page<'_>, &LeafElement<'_>) -> Result<Option<T>, BoltError>,
    ) -> Result<Option<T>, BoltError> {
        let mut buf = Vec::new();
        let (mut number, mut referrer) = (root, referrer);
        for _ in 0..super::DEPTH_MAX {
            let (header, page) = self.read_page(number, referrer, &mut buf)?;
            if header.flags == FLAG_LEAF {
                return find_in_leaf(&page, key, found);
            }
            let mut chosen = page.branch(0)?;
            for element in page.branches().skip(1) {
                let (_, element) = element?;
                if element.key > key {
                    break;
                }
                chosen = element;
            }
            (number, referrer) = (chosen.child, chosen.offset);
        }
        Err(self.page_defect(number, PageDefect::TooDeep))
    }

    fn check_meta_ranges(&self) -> Result<(), BoltError> {
        let high_water = self.meta.high_water;
        let fields = [
            ("root page", Some(self.meta.root)),
            ("freelist page", self.meta.freelist),
        ];
        for (field, value) in fields {
            let Some(value) = value else { continue };
            if !(FIRST_DATA_PAGE..high_water).contains(&value) {
                let offset = self.meta_page * u64::from(self.meta.page_size);
                return Err(BoltError::MetaRange {
                    page: self.meta_page,
                    offset,
                    field,
                    value,
                    high_water,
                });
            }
        }
        Ok(())
    }
}

/// The first `len` bytes of `buf`. It grows if it is shorter and never shrinks, so zeroing happens once per size.
pub(super) fn grown(buf: &mut Vec<u8>, len: usize) -> &mut [u8] {
    if buf.len() < len {
        buf.resize(len, 0);
    }
    buf.get_mut(..len).expect("just grown")
}

/// Reads a top-level element as a bucket.
pub(super) fn bucket_ref(
    page: &Page<'_>,
    element: &LeafElement<'_>,
) -> Result<BucketRef, BoltError> {
    const HEADER_BYTES: usize = 16;
    let table = page.offset + u64_of(PAGE_HEADER_BYTES);
    let index = element.offset.saturating_sub(table) / u64_of(ELEMENT_BYTES);
    let fault = |defect| BoltError::Element {
        page: page.number,
        index: usize_of(index).unwrap_or(usize::MAX),
        offset: element.offset,
        defect,
    };
    if !element.is_bucket {
        return Err(fault(ElementDefect::NotABucket));
    }
    let len = element.value.len();
    let (Some(root), Some(sequence)) = (le_u64(element.value, 0), le_u64(element.value, 8)) else {
        return Err(fault(ElementDefect::BucketHeader { len }));
    };
    let root = match root {
        0 => BucketRoot::Inline {
            offset: element.value_offset + u64_of(HEADER_BYTES),
            len: len - HEADER_BYTES,
        },
        page => BucketRoot::Page(page),
    };
    Ok(BucketRef {
        name: element.key.to_vec(),
        root,
        sequence,
        offset: element.offset,
    })
}

fn find_in_leaf<T>(
    page: &Page<'_>,
    key: &[u8],
    found: impl Fn(&Page<'_>, &LeafElement<'_>) -> Result<Option<T>, BoltError>,
) -> Result<Option<T>, BoltError> {
    for element in page.leaves() {
        let (_, element) = element?;
        if element.key == key {
            return found(page, &element);
        }
    }
    Ok(None)
}

impl<S: PageSource> Walker<'_, S> {
    /// Walks the top-level tree.
    pub(super) fn buckets(&mut self) -> Result<Vec<BucketRef>, BoltError> {
        let mut found = Vec::new();
        let (root, referrer) = (self.bolt().meta.root, self.bolt().root_offset());
        self.tree(root, referrer, Level::Top, &mut |page, element| {
            if found.len() >= BUCKETS_MAX {
                return Err(BoltError::TooManyBuckets {
                    offset: element.offset,
                });
            }
            found.push(bucket_ref(page, element)?);
            Ok(())
        })?;
        Ok(found)
    }
}

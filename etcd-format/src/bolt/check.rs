//! The full check: every page, every element, every reference.
//!
//! Owns: the order of the check, the freelist, and the consistency of trees, freelist and high water mark. It is a superset of
//! bbolt's own `tx.Check`: if it passes, bbolt finds no error in the file either.
//!
//! Freelist page (etcd on Linux stores none: the meta page says so, and pages that no tree reaches are free):
//!
//! | page offset | type | field |
//! |---|---|---|
//! | 0 | page header | flags 0x10; count 0xFFFF if there are more ids than the field can hold |
//! | 16 | u64 | with count 0xFFFF only: how many ids follow |
//! | 16 or 24 | u64 each | numbers of free pages, ascending |

use super::{
    error::{BoltError, FreelistDefect, PageDefect},
    page::{COUNT_RESERVED, FLAG_FREELIST, FLAG_META, PAGE_HEADER_BYTES, PageHeader},
    read::{Bolt, FIRST_DATA_PAGE, grown},
    source::PageSource,
    walk::{Bitmap, Walker},
};
use crate::width::{le_u64, u64_of, usize_of};

/// Freelists are read in pieces of this size: an 8 GiB database may list two million pages.
const FREELIST_PIECE_BYTES: usize = 64 << 10;

/// The result of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CheckReport {
    /// Pages in use: trees with their overflow pages, metas, freelist.
    pub pages_reachable: u64,
    /// Unused pages below the high water mark.
    pub pages_free: u64,
    /// Branch pages.
    pub branch_pages: u64,
    /// Leaf pages.
    pub leaf_pages: u64,
    /// Pages that continue a larger one.
    pub overflow_pages: u64,
    /// Top-level buckets.
    pub buckets: u64,
    /// Of these, buckets stored inside their own value.
    pub inline_buckets: u64,
    /// Keys in all buckets. `etcdctl snapshot status` of etcd 3.4 and 3.5 prints this as the total.
    pub keys: u64,
    /// Levels of the deepest tree.
    pub depth_max: usize,
    /// Only one of the two meta pages is valid.
    pub one_meta_only: bool,
}

/// One key with its value.
#[derive(Debug, Clone, Copy)]
pub struct Entry<'a> {
    /// The bucket's name.
    pub bucket: &'a [u8],
    /// The key.
    pub key: &'a [u8],
    /// The value.
    pub value: &'a [u8],
    /// The file offset of the element.
    pub offset: u64,
}

impl<S: PageSource> Bolt<S> {
    /// Checks the whole database: headers, bounds, key order, separators, references, freelist.
    ///
    /// # Errors
    /// The first rule that is broken, with page and offset.
    pub fn check(&self) -> Result<CheckReport, BoltError> {
        self.check_each(&mut |_| Ok::<(), BoltError>(()))
    }

    /// Checks the whole database and passes every key to `visit`, bucket by bucket in key order, in the same single walk.
    /// After an error, do not trust the keys visited before it.
    ///
    /// # Errors
    /// The first rule that is broken, or what `visit` returns.
    pub fn check_each<E: From<BoltError>>(
        &self,
        visit: &mut dyn FnMut(Entry<'_>) -> Result<(), E>,
    ) -> Result<CheckReport, E> {
        self.check_meta_headers()?;
        let mut walker = Walker::new(self);
        let buckets = walker.buckets()?;
        for bucket in &buckets {
            walker.bucket(bucket, &mut |element| {
                visit(Entry {
                    bucket: &bucket.name,
                    key: element.key,
                    value: element.value,
                    offset: element.offset,
                })
            })?;
        }
        let (mut seen, tally) = walker.finish();
        let trees = tally.branch_pages + tally.leaf_pages + tally.overflow_pages;
        let freelist = match self.meta().freelist {
            Some(page) => self.check_freelist(page, &mut seen)?,
            None => 0,
        };
        let pages_reachable = trees + freelist + FIRST_DATA_PAGE;
        let buckets = u64_of(buckets.len());
        Ok(CheckReport {
            pages_reachable,
            pages_free: self.high_water().saturating_sub(pages_reachable),
            branch_pages: tally.branch_pages,
            leaf_pages: tally.leaf_pages,
            overflow_pages: tally.overflow_pages,
            buckets,
            inline_buckets: tally.inline_buckets,
            keys: tally.elements.saturating_sub(buckets),
            depth_max: tally.depth_max,
            one_meta_only: self.one_meta_only(),
        })
    }

    /// A valid meta page must also have the right page header: bbolt 1.4 refuses a page 0 with the id 1.
    fn check_meta_headers(&self) -> Result<(), BoltError> {
        for (page, valid) in [0, 1].into_iter().zip(self.valid_metas()) {
            if !valid {
                continue;
            }
            let mut bytes = [0; PAGE_HEADER_BYTES];
            self.read_exact(self.page_offset(page), &mut bytes)?;
            let header = PageHeader::decode(&bytes).expect("the array has a header's size");
            if header.id != page {
                return Err(self.page_defect(page, PageDefect::Id { found: header.id }));
            }
            if header.flags != FLAG_META {
                let defect = PageDefect::Flags {
                    found: header.flags,
                    expected: "0x0004 (meta)",
                };
                return Err(self.page_defect(page, defect));
            }
        }
        Ok(())
    }

    /// Checks the freelist against the pages seen in trees. Returns the number of pages of the freelist itself.
    fn check_freelist(&self, page: u64, seen: &mut Bitmap) -> Result<u64, BoltError> {
        let mut buf = Vec::new();
        let referrer = self.freelist_offset();
        if seen.get(page) {
            return Err(self.page_defect(page, PageDefect::Shared { referrer }));
        }
        let header = self.read_header(page, referrer, &mut buf)?;
        if header.flags != FLAG_FREELIST {
            let defect = PageDefect::Flags {
                found: header.flags,
                expected: "0x0010 (freelist)",
            };
            return Err(self.page_defect(page, defect));
        }
        let pages = u64::from(header.overflow) + 1;
        for other in page..page + pages {
            if seen.set(other) {
                return Err(self.page_defect(page, PageDefect::SharedOverflow { other }));
            }
        }
        let offset = self.page_offset(page);
        let bytes = pages * u64::from(self.page_size());
        let (count, ids_at) = if header.count == COUNT_RESERVED {
            let count = le_u64(&buf, PAGE_HEADER_BYTES).expect("pages have at least 512 bytes");
            (count, u64_of(PAGE_HEADER_BYTES) + 8)
        } else {
            (u64::from(header.count), u64_of(PAGE_HEADER_BYTES))
        };
        if count
            .checked_mul(8)
            .and_then(|ids| ids.checked_add(ids_at))
            .is_none_or(|end| end > bytes)
        {
            return Err(BoltError::Freelist {
                page,
                offset,
                defect: FreelistDefect::Count { count, bytes },
            });
        }
        self.check_free_pages(page, offset + ids_at, count, seen)?;
        match (FIRST_DATA_PAGE..self.high_water()).find(|number| !seen.get(*number)) {
            Some(lost) => Err(self.page_defect(lost, PageDefect::Unreachable)),
            None => Ok(pages),
        }
    }

    /// Checks each entry and marks it in `seen`. Pages that are then still unmarked are lost.
    fn check_free_pages(
        &self,
        page: u64,
        start: u64,
        count: u64,
        seen: &mut Bitmap,
    ) -> Result<(), BoltError> {
        let high_water = self.high_water();
        let mut free = Bitmap::new(high_water);
        let mut buf = Vec::new();
        let end = start + count * 8;
        let mut at = start;
        while at < end {
            let piece = usize_of(end - at)
                .map_or(FREELIST_PIECE_BYTES, |rest| rest.min(FREELIST_PIECE_BYTES));
            let bytes = grown(&mut buf, piece);
            self.read_exact(at, bytes)?;
            for id in bytes.chunks_exact(8) {
                let listed = le_u64(id, 0).expect("chunks have eight bytes");
                let fault = |defect| BoltError::Freelist {
                    page,
                    offset: at,
                    defect,
                };
                if !(FIRST_DATA_PAGE..high_water).contains(&listed) {
                    return Err(fault(FreelistDefect::Range { listed, high_water }));
                }
                if free.set(listed) {
                    return Err(fault(FreelistDefect::Duplicate { listed }));
                }
                if seen.set(listed) {
                    return Err(fault(FreelistDefect::InUse { listed }));
                }
                at += 8;
            }
        }
        Ok(())
    }
}

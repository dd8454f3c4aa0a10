//! Walks trees and checks every rule of the format.
//!
//! Owns: the depth-first walk, the bitmap of pages seen, key order and separators. Must not know what callers do with the
//! elements. Invariants: each logical page is read once; one walker visits no page twice, so cycles and shared subtrees give an
//! error, and the time is linear in the file size; memory is one scratch page, one copy of each branch page on the path, and one
//! bit per page.

use super::{
    BRANCH_STACK_BYTES_MAX, DEPTH_MAX,
    error::{BoltError, ElementDefect, InlineDefect, PageDefect},
    page::{FLAG_BRANCH, FLAG_LEAF, LeafElement, PAGE_HEADER_BYTES, Page, PageHeader},
    read::{Bolt, BucketRef, BucketRoot},
    source::PageSource,
};
use crate::width::{u64_of, usize_of};

/// The required kind of leaf elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Level {
    /// Top-level tree: buckets only.
    Top,
    /// Tree of a bucket: no buckets.
    Bucket,
}

/// Counts of a walk.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Tally {
    pub(super) branch_pages: u64,
    pub(super) leaf_pages: u64,
    pub(super) overflow_pages: u64,
    pub(super) inline_buckets: u64,
    pub(super) elements: u64,
    pub(super) depth_max: usize,
}

#[derive(Debug)]
pub(super) struct Walker<'b, S> {
    bolt: &'b Bolt<S>,
    seen: Bitmap,
    scratch: Vec<u8>,
    tally: Tally,
}

/// One branch page on the path from the root.
struct Frame {
    number: u64,
    offset: u64,
    count: usize,
    bytes: Vec<u8>,
    next: usize,
    /// The upper separator of this subtree, as (level on the path, element there).
    upper: Option<(usize, usize)>,
}

impl Frame {
    fn page(&self) -> Page<'_> {
        Page {
            number: self.number,
            offset: self.offset,
            count: self.count,
            bytes: &self.bytes,
        }
    }
}

/// The allowed keys of a subtree: at least `lower`, less than `upper`.
#[derive(Clone, Copy)]
struct Bounds<'k> {
    lower: Option<&'k [u8]>,
    upper: Option<&'k [u8]>,
}

impl<'b, S: PageSource> Walker<'b, S> {
    pub(super) fn new(bolt: &'b Bolt<S>) -> Self {
        Self {
            bolt,
            seen: Bitmap::new(bolt.high_water()),
            scratch: Vec::new(),
            tally: Tally::default(),
        }
    }

    pub(super) fn bolt(&self) -> &'b Bolt<S> {
        self.bolt
    }

    pub(super) fn finish(self) -> (Bitmap, Tally) {
        (self.seen, self.tally)
    }

    /// Walks one bucket, inline or not.
    pub(super) fn bucket<E: From<BoltError>>(
        &mut self,
        bucket: &BucketRef,
        visit: &mut impl FnMut(&LeafElement<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        match bucket.root {
            BucketRoot::Page(root) => {
                self.tree(root, bucket.offset, Level::Bucket, &mut |_, element| {
                    visit(element)
                })
            }
            BucketRoot::Inline { offset, len } => {
                self.tally.inline_buckets += 1;
                let page = self.bolt.inline_page(offset, len, &mut self.scratch)?;
                let bounds = Bounds {
                    lower: None,
                    upper: None,
                };
                visit_leaf(
                    &page,
                    Level::Bucket,
                    bounds,
                    &mut self.tally,
                    &mut |_, element| visit(element),
                )
            }
        }
    }

    /// Walks the tree at `root`; `referrer` is the file offset of the reference to it.
    pub(super) fn tree<E: From<BoltError>>(
        &mut self,
        root: u64,
        referrer: u64,
        level: Level,
        visit: &mut impl FnMut(&Page<'_>, &LeafElement<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut path: Vec<Frame> = Vec::new();
        let mut path_bytes = 0_usize;
        let (mut number, mut referrer) = (root, referrer);
        let mut upper = None;
        loop {
            let header = self.claim(number, referrer)?;
            let page = self.bolt.read_rest(header, &mut self.scratch)?;
            let bounds = bounds_of(&path, upper)?;
            self.tally.depth_max = self.tally.depth_max.max(path.len() + 1);
            self.tally.overflow_pages += u64::from(header.overflow);
            if header.flags == FLAG_LEAF {
                self.tally.leaf_pages += 1;
                visit_leaf(&page, level, bounds, &mut self.tally, visit)?;
            } else {
                debug_assert_eq!(
                    header.flags, FLAG_BRANCH,
                    "read_rest lets only leaves and branches pass"
                );
                self.tally.branch_pages += 1;
                let used = check_branch(&page, bounds)?;
                path_bytes += used.len();
                if path.len() + 1 >= DEPTH_MAX {
                    return Err(self.bolt.page_defect(number, PageDefect::TooDeep).into());
                }
                if path_bytes > BRANCH_STACK_BYTES_MAX {
                    return Err(self
                        .bolt
                        .page_defect(number, PageDefect::BranchesTooLarge)
                        .into());
                }
                let bytes = used.to_vec();
                path.push(Frame {
                    number,
                    offset: page.offset,
                    count: page.count,
                    bytes,
                    next: 0,
                    upper,
                });
            }
            // The next child of the deepest branch that still has one.
            loop {
                let depth = path.len();
                let Some(frame) = path.last_mut() else {
                    return Ok(());
                };
                if frame.next < frame.count {
                    let child = frame.page().branch(frame.next)?;
                    (number, referrer) = (child.child, child.offset);
                    frame.next += 1;
                    upper = if frame.next < frame.count {
                        Some((depth - 1, frame.next))
                    } else {
                        frame.upper
                    };
                    break;
                }
                path_bytes -= frame.bytes.len();
                path.pop();
            }
        }
    }

    /// Reads a page's header and marks its pages as seen.
    fn claim(&mut self, number: u64, referrer: u64) -> Result<PageHeader, BoltError> {
        // A page seen before is not read again. `read_header` detects numbers out of range.
        if self.seen.get(number) {
            return Err(self
                .bolt
                .page_defect(number, PageDefect::Shared { referrer }));
        }
        let header = self.bolt.read_header(number, referrer, &mut self.scratch)?;
        for other in number..=number + u64::from(header.overflow) {
            if self.seen.set(other) {
                return Err(self
                    .bolt
                    .page_defect(number, PageDefect::SharedOverflow { other }));
            }
        }
        Ok(header)
    }
}

/// The allowed keys of the page at the end of the path.
fn bounds_of(path: &[Frame], upper: Option<(usize, usize)>) -> Result<Bounds<'_>, BoltError> {
    let lower = match path.last() {
        // `next` is one past the element followed last.
        Some(frame) => Some(frame.page().branch(frame.next.saturating_sub(1))?.key),
        None => None,
    };
    let upper = match upper.and_then(|(level, index)| path.get(level).map(|frame| (frame, index))) {
        Some((frame, index)) => Some(frame.page().branch(index)?.key),
        None => None,
    };
    Ok(Bounds { lower, upper })
}

fn visit_leaf<E: From<BoltError>>(
    page: &Page<'_>,
    level: Level,
    bounds: Bounds<'_>,
    tally: &mut Tally,
    visit: &mut impl FnMut(&Page<'_>, &LeafElement<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let Some(last) = page.count.checked_sub(1) else {
        return Ok(());
    };
    // Keys ascend, so it is enough to check the first and the last one.
    check_bounds(
        page,
        bounds,
        page.leaf(0)?.key,
        (last, page.leaf(last)?.key),
    )?;
    let mut previous: &[u8] = &[];
    for element in page.leaves() {
        let (index, element) = element?;
        if index > 0 && element.key <= previous {
            return Err(page.element(index, ElementDefect::KeyOrder).into());
        }
        match (level, element.is_bucket) {
            (Level::Top, true) | (Level::Bucket, false) => {}
            (Level::Top, false) => {
                return Err(page.element(index, ElementDefect::NotABucket).into());
            }
            (Level::Bucket, true) => {
                return Err(page.element(index, ElementDefect::NestedBucket).into());
            }
        }
        visit(page, &element)?;
        previous = element.key;
    }
    tally.elements += u64_of(page.count);
    Ok(())
}

/// Checks a branch page and returns the part of it that is used.
fn check_branch<'p>(page: &Page<'p>, bounds: Bounds<'_>) -> Result<&'p [u8], BoltError> {
    let last = page.count.saturating_sub(1);
    check_bounds(
        page,
        bounds,
        page.branch(0)?.key,
        (last, page.branch(last)?.key),
    )?;
    let mut previous: &[u8] = &[];
    let mut used = 0;
    for element in page.branches() {
        let (index, element) = element?;
        if index > 0 && element.key <= previous {
            return Err(page.element(index, ElementDefect::KeyOrder));
        }
        previous = element.key;
        used = used.max(page.branch_end(index)?);
    }
    Ok(page.bytes.get(..used).unwrap_or(page.bytes))
}

fn check_bounds(
    page: &Page<'_>,
    bounds: Bounds<'_>,
    first: &[u8],
    last: (usize, &[u8]),
) -> Result<(), BoltError> {
    if bounds.lower.is_some_and(|lower| first < lower) {
        return Err(page.element(0, ElementDefect::BelowSeparator));
    }
    if bounds.upper.is_some_and(|upper| last.1 >= upper) {
        return Err(page.element(last.0, ElementDefect::AboveSeparator));
    }
    Ok(())
}

/// The leaf inside an inline bucket's value; its bytes are at file offset `offset`.
pub(super) fn inline_leaf(image: &[u8], offset: u64) -> Result<Page<'_>, BoltError> {
    let fault = |defect| BoltError::Inline { offset, defect };
    if image.len() < PAGE_HEADER_BYTES {
        return Err(fault(InlineDefect::TooShort { len: image.len() }));
    }
    let header = PageHeader::decode(image).expect("the length was checked");
    if header.id != 0 {
        return Err(fault(InlineDefect::Id { found: header.id }));
    }
    if header.flags != FLAG_LEAF {
        return Err(fault(InlineDefect::Flags {
            found: header.flags,
        }));
    }
    if header.overflow != 0 {
        return Err(fault(InlineDefect::Overflow {
            found: header.overflow,
        }));
    }
    let bytes = u64_of(image.len());
    if !Page::count_fits(header.count, bytes) {
        return Err(fault(InlineDefect::Count {
            count: header.count,
            bytes,
        }));
    }
    Ok(Page {
        number: 0,
        offset,
        count: usize::from(header.count),
        bytes: image,
    })
}

/// One bit per page below the high water mark.
#[derive(Debug)]
pub(super) struct Bitmap {
    words: Vec<u64>,
}

impl Bitmap {
    pub(super) fn new(bits: u64) -> Self {
        let words =
            usize_of(bits.div_ceil(64)).expect("the file holds a page of 512 bytes for every bit");
        Self {
            words: vec![0; words],
        }
    }

    pub(super) fn get(&self, bit: u64) -> bool {
        let word = usize_of(bit / 64).and_then(|index| self.words.get(index));
        word.is_some_and(|word| word >> (bit % 64) & 1 == 1)
    }

    /// Sets a bit and returns whether it was already set. A bit beyond the end counts as set.
    pub(super) fn set(&mut self, bit: u64) -> bool {
        let Some(word) = usize_of(bit / 64).and_then(|index| self.words.get_mut(index)) else {
            return true;
        };
        let mask = 1 << (bit % 64);
        let before = *word & mask != 0;
        *word |= mask;
        before
    }
}

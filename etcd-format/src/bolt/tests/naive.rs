//! A second reader that shares no code with the first. It follows the description of the format, recursively, without trust and
//! without limits, for small files only. It panics if a file breaks a rule.

use std::collections::BTreeSet;

use super::builder::{Contents, Entries};

struct Naive<'d> {
    db: &'d [u8],
    page_size: usize,
    pages: usize,
    seen: BTreeSet<usize>,
}

/// One element as stored: flags (leaf) or child (branch), key, value.
struct Element<'d> {
    word: u64,
    key: &'d [u8],
    value: &'d [u8],
}

/// All buckets with all their entries.
pub(super) fn read(db: &[u8]) -> Contents {
    let page_size = (9..=24)
        .map(|shift| 1_usize << shift)
        .find(|size| db.len() >= 2 * size && number(db, 24, 4) == *size)
        .expect("page 0 names the page size");
    let metas = [0, page_size].map(|at| meta(&db[at..at + 80]));
    let newest = metas.iter().flatten().max_by_key(|meta| meta.txid);
    let newest = newest.expect("one meta page is right");
    assert!(newest.pages * page_size <= db.len(), "no page is missing");
    assert!(newest.freelist == u64::MAX || word(db, newest.freelist, page_size) == 0x10);
    let mut naive = Naive {
        db,
        page_size,
        pages: newest.pages,
        seen: BTreeSet::from([0, 1]),
    };
    let mut contents = Contents::new();
    let mut names = Vec::new();
    naive.tree(newest.root, None, None, &mut names);
    for Element { word, key, value } in names {
        assert_eq!(word, 1, "the top level holds buckets");
        let mut found = Vec::new();
        match number(value, 0, 8) {
            0 => found = elements_of(&value[16..], 2),
            root => naive.tree(root, None, None, &mut found),
        }
        let entries: Entries = found
            .iter()
            .inspect(|element| assert_eq!(element.word, 0, "buckets hold no buckets"))
            .map(|element| (element.key.to_vec(), element.value.to_vec()))
            .collect();
        assert_eq!(entries.len(), found.len(), "keys are unique");
        contents.insert(key.to_vec(), entries);
    }
    contents
}

impl<'d> Naive<'d> {
    /// The leaf elements of a tree, in order, all within the bounds of the branches above.
    fn tree(
        &mut self,
        page: usize,
        from: Option<&[u8]>,
        to: Option<&[u8]>,
        found: &mut Vec<Element<'d>>,
    ) {
        let at = page * self.page_size;
        let overflow = number(self.db, at + 12, 4);
        assert_eq!(number(self.db, at, 8), page, "a page knows its number");
        for page in page..=page + overflow {
            assert!(page < self.pages, "page {page} is in use");
            assert!(self.seen.insert(page), "page {page} is met once");
        }
        let bytes = &self.db[at..at + (overflow + 1) * self.page_size];
        let flags = number(bytes, 8, 2);
        let elements = elements_of(bytes, flags);
        let within =
            |key: &[u8]| from.is_none_or(|from| from <= key) && to.is_none_or(|to| key < to);
        assert!(elements.iter().all(|element| within(element.key)));
        if flags == 2 {
            found.extend(elements);
            return;
        }
        for (index, element) in elements.iter().enumerate() {
            let child = usize::try_from(element.word).expect("pages are few");
            let next = elements.get(index + 1).map_or(to, |next| Some(next.key));
            self.tree(child, Some(element.key), next, found);
        }
    }
}

/// The elements of a page, branch or leaf.
fn elements_of(page: &[u8], flags: usize) -> Vec<Element<'_>> {
    assert!(flags == 1 || flags == 2, "a branch or a leaf, not {flags}");
    let element = |index: usize| {
        let at = 16 + 16 * index;
        let words = [0, 4, 8, 12].map(|offset| number(page, at + offset, 4));
        let (word, pos, key, value) = if flags == 1 {
            (number(page, at + 8, 8), words[0], words[1], 0)
        } else {
            (words[0], words[1], words[2], words[3])
        };
        let begin = at + pos;
        Element {
            word: u64::try_from(word).expect("it fits"),
            key: &page[begin..begin + key],
            value: &page[begin + key..begin + key + value],
        }
    };
    let elements: Vec<_> = (0..number(page, 10, 2)).map(element).collect();
    assert!(elements.is_sorted_by(|a, b| a.key < b.key), "keys ascend");
    elements
}

struct NaiveMeta {
    root: usize,
    freelist: u64,
    pages: usize,
    txid: usize,
}

fn meta(page: &[u8]) -> Option<NaiveMeta> {
    let mut hash = 14_695_981_039_346_656_037_u64;
    for byte in &page[16..72] {
        hash = (hash ^ u64::from(*byte)).wrapping_mul(1_099_511_628_211);
    }
    let right = page[72..80] == hash.to_le_bytes() && page[16..20] == [0xed, 0xda, 0x0c, 0xed];
    let freelist = page[48..56].try_into().expect("eight bytes");
    right.then(|| NaiveMeta {
        root: number(page, 32, 8),
        freelist: u64::from_le_bytes(freelist),
        pages: number(page, 56, 8),
        txid: number(page, 64, 8),
    })
}

/// The flags of a page.
fn word(db: &[u8], page: u64, page_size: usize) -> usize {
    let page = usize::try_from(page).expect("pages are few");
    number(db, page * page_size + 8, 2)
}

fn number(bytes: &[u8], at: usize, width: usize) -> usize {
    let digits = bytes[at..at + width].iter().rev();
    digits.fold(0, |number, byte| number * 256 + usize::from(*byte))
}

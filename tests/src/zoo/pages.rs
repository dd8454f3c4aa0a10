//! Page headers of branches, leaves and freelists, each field once, and the freelist's entries.

use super::Corruption;
use super::image::{Branch, HEADER_BYTES, Image, PAGE_BYTES, header, meta};

/// The specimens.
pub const CORRUPTIONS: &[Corruption] = &[
    ("branch-id", |db| id(db, branch(db))),
    ("branch-flags-unknown", |db| flags(db, branch(db), 0x40)),
    ("branch-flags-of-a-meta", |db| flags(db, branch(db), 0x04)),
    ("branch-flags-of-a-leaf", |db| {
        let page = branch(db);
        db.put_u16(page + header::FLAGS, 2);
        format!(
            "page {}, element 0 at offset {}: its ",
            page / PAGE_BYTES,
            page + HEADER_BYTES
        )
    }),
    ("branch-count-zero", |db| {
        let page = branch(db);
        db.put_u16(page + header::COUNT, 0);
        format!("{}: it is a branch page without elements", place(page))
    }),
    ("branch-count-beyond-its-bytes", |db| {
        count(db, branch(db), 300)
    }),
    ("branch-count-reserved", |db| count(db, branch(db), 0xFFFF)),
    ("branch-overflow-over-the-end", |db| {
        overflow_beyond(db, branch(db))
    }),
    ("leaf-id", |db| id(db, leaf(db))),
    ("leaf-flags-none", |db| flags(db, leaf(db), 0)),
    ("leaf-flags-two", |db| flags(db, leaf(db), 3)),
    ("leaf-flags-of-a-freelist", |db| flags(db, leaf(db), 0x10)),
    ("leaf-count-one-too-many", |db| {
        // The first key then is inside the table of elements.
        let page = leaf(db);
        let count = db.u16(page + header::COUNT);
        db.put_u16(page + header::COUNT, count + 1);
        let first = super::image::Leaf {
            page_at: page,
            index: 0,
        };
        format!("{}: its key or value (bytes ", first.place())
    }),
    ("leaf-count-beyond-its-bytes", |db| count(db, leaf(db), 256)),
    ("leaf-count-reserved", |db| count(db, leaf(db), 0xFFFF)),
    ("leaf-overflow-over-the-end", |db| {
        overflow_beyond(db, leaf(db))
    }),
    ("leaf-overflow-largest-number", |db| {
        let page = leaf(db);
        db.put_u32(page + header::OVERFLOW, u32::MAX);
        format!(
            "{}: its {} overflow pages run beyond",
            place(page),
            u32::MAX
        )
    }),
    ("leaf-overflow-into-another-page", |db| {
        let page = leaf(db);
        let used = db.pages_in_use();
        let own = super::image::number(page / PAGE_BYTES);
        let next = *used
            .iter()
            .find(|other| **other > own)
            .expect("pages follow");
        let more = u32::try_from(next - own).expect("the base is small");
        db.put_u32(page + header::OVERFLOW, more);
        " is used twice".to_owned()
    }),
    ("leaf-overflow-lost", |db| {
        let page = overflowing(db);
        db.put_u32(page + header::OVERFLOW, 0);
        "lie over its elements or beyond its 4096 bytes".to_owned()
    }),
    ("top-level-id", |db| id(db, top(db))),
    ("top-level-flags", |db| flags(db, top(db), 8)),
    ("freelist-id", |db| {
        let page = db.store_freelist();
        id(db, page)
    }),
    ("freelist-flags", |db| {
        let page = db.store_freelist();
        db.put_u16(page + header::FLAGS, 2);
        format!(
            "{}: its flags are 0x0002, expected 0x0010 (freelist)",
            place(page)
        )
    }),
    ("freelist-count-beyond-its-bytes", |db| {
        let page = db.store_freelist();
        db.put_u16(page + header::COUNT, 600);
        format!(
            "freelist {}: its 600 entries do not fit its 4096 bytes",
            place(page)
        )
    }),
    ("freelist-long-count-lies", |db| {
        let page = db.store_freelist();
        db.put_u16(page + header::COUNT, 0xFFFF);
        db.put_u64(page + HEADER_BYTES, u64::MAX);
        let count = u64::MAX;
        format!(
            "freelist {}: its {count} entries do not fit its 4096 bytes",
            place(page)
        )
    }),
    ("freelist-count-one-too-few", |db| {
        let page = db.store_freelist();
        let count = db.u16(page + header::COUNT) - 1;
        db.put_u16(page + header::COUNT, count);
        let lost = db.u64(page + HEADER_BYTES + 8 * usize::from(count));
        format!(
            "{}: it is neither used nor in the freelist",
            place(super::image::page_at(lost))
        )
    }),
    ("freelist-overflow-over-the-end", |db| {
        let page = db.store_freelist();
        overflow_beyond(db, page)
    }),
    ("freelist-lists-a-meta-page", |db| {
        let (at, page) = entry(db, |_, _| 1);
        let high_water = db.meta(meta::HIGH_WATER);
        format!(
            "freelist page {page} at offset {at}: it lists page 1, which is no data page (2 and more, below the high water mark {high_water})"
        )
    }),
    ("freelist-lists-a-page-beyond-the-end", |db| {
        let (at, page) = entry(db, |db, _| db.meta(meta::HIGH_WATER));
        format!(
            "freelist page {page} at offset {at}: it lists page {}, which is no data page",
            db.meta(meta::HIGH_WATER)
        )
    }),
    ("freelist-lists-a-page-twice", |db| {
        let (at, page) = entry(db, |db, at| db.u64(at - 8));
        format!(
            "freelist page {page} at offset {at}: it lists page {} twice",
            db.u64(at)
        )
    }),
    ("freelist-lists-a-page-in-use", |db| {
        let (at, page) = entry(db, |db, _| db.meta(meta::ROOT));
        let root = db.meta(meta::ROOT);
        format!(
            "freelist page {page} at offset {at}: it lists page {root} as free, which is in use"
        )
    }),
    ("freelist-lists-itself", |db| {
        let (at, page) = entry(db, |db, _| db.meta(meta::FREELIST));
        format!(
            "freelist page {page} at offset {at}: it lists page {page} as free, which is in use"
        )
    }),
];

/// The history's root: a branch page.
pub(super) fn branch(db: &Image) -> usize {
    let page = db.bucket_page("key");
    assert!(db.is_branch(page), "the base has a branch page");
    page
}

/// The history's second leaf.
pub(super) fn leaf(db: &Image) -> usize {
    db.child_at(Branch {
        page_at: branch(db),
        index: 1,
    })
}

fn top(db: &Image) -> usize {
    super::image::page_at(db.meta(meta::ROOT))
}

/// The leaf with a value larger than a page.
fn overflowing(db: &Image) -> usize {
    let mut pages = db.entries("key").into_iter().map(|leaf| leaf.page_at);
    let found = pages.find(|page| db.u32(page + header::OVERFLOW) > 0);
    found.expect("the base has a leaf with overflow pages")
}

pub(super) fn place(page: usize) -> String {
    format!("page {} at offset {page}", page / PAGE_BYTES)
}

fn id(db: &mut Image, page: usize) -> String {
    db.put_u64(page + header::ID, 999);
    format!("{}: it says it is page 999", place(page))
}

fn flags(db: &mut Image, page: usize, flags: u16) -> String {
    db.put_u16(page + header::FLAGS, flags);
    format!(
        "{}: its flags are {flags:#06x}, expected 0x0001 (branch) or 0x0002 (leaf)",
        place(page)
    )
}

fn count(db: &mut Image, page: usize, count: u16) -> String {
    db.put_u16(page + header::COUNT, count);
    let bytes = (db.u32(page + header::OVERFLOW) + 1) * 4096;
    format!(
        "{}: its {count} elements do not fit its {bytes} bytes",
        place(page)
    )
}

fn overflow_beyond(db: &mut Image, page: usize) -> String {
    let high_water = db.meta(meta::HIGH_WATER);
    let beyond = high_water - super::image::number(page / PAGE_BYTES);
    db.put_u32(
        page + header::OVERFLOW,
        u32::try_from(beyond).expect("the base is small"),
    );
    format!(
        "{}: its {beyond} overflow pages run beyond the {high_water} pages in use",
        place(page)
    )
}

/// Corrupts the second entry of a freelist; returns its position, and the list's page.
fn entry(db: &mut Image, to: fn(&Image, usize) -> u64) -> (usize, usize) {
    let page = db.store_freelist();
    let at = page + HEADER_BYTES + 8;
    let listed = to(db, at);
    db.put_u64(at, listed);
    (at, page / PAGE_BYTES)
}

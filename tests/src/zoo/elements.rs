//! Elements of branches and leaves, each field once; buckets, including inline ones, and their order.

use super::Corruption;
use super::image::{Branch, HEADER_BYTES, Image, Leaf, PAGE_BYTES, header, meta, number, page_at};
use super::pages::{branch, leaf, place};

/// The specimens.
pub const CORRUPTIONS: &[Corruption] = &[
    ("branch-element-pos-outside", |db| {
        let element = middle(db);
        db.put_u32(element.pos(), 5_000);
        outside(&element.place())
    }),
    ("branch-element-pos-in-the-table", |db| {
        let element = middle(db);
        db.put_u32(element.pos(), 0);
        outside(&element.place())
    }),
    ("branch-element-ksize-zero", |db| {
        let element = middle(db);
        db.put_u32(element.key_len(), 0);
        key_length(&element.place(), 0)
    }),
    ("branch-element-ksize-outside", |db| {
        let element = middle(db);
        db.put_u32(element.key_len(), 8_000);
        outside(&element.place())
    }),
    ("branch-child-beyond-the-end", |db| {
        let beyond = db.meta(meta::HIGH_WATER);
        child(db, beyond);
        let at = middle(db).at();
        format!(
            "{}: no such page, only {beyond} are in use (referenced at offset {at})",
            place(page_at(beyond))
        )
    }),
    ("branch-child-is-a-meta-page", |db| {
        child(db, 1);
        let at = middle(db).at();
        format!(
            "page 1 at offset 4096: no such page, only {} are in use (referenced at offset {at})",
            db.meta(meta::HIGH_WATER)
        )
    }),
    ("branch-child-is-itself", |db| {
        let own = number(branch(db) / PAGE_BYTES);
        used_twice(db, own)
    }),
    ("branch-child-is-its-sibling", |db| {
        let sibling = db.child_at(Branch {
            index: 0,
            ..middle(db)
        });
        used_twice(db, number(sibling / PAGE_BYTES))
    }),
    ("branch-child-is-the-top-level", |db| {
        let top = db.meta(meta::ROOT);
        used_twice(db, top)
    }),
    ("branch-child-is-an-overflow-page", |db| {
        let pages: Vec<usize> = db
            .entries("key")
            .into_iter()
            .map(|leaf| leaf.page_at)
            .collect();
        let large = pages
            .iter()
            .find(|page| db.u32(**page + header::OVERFLOW) > 0);
        let inside = number(large.expect("the base has overflow pages") / PAGE_BYTES) + 1;
        child(db, inside);
        format!("{}: it ", place(page_at(inside)))
    }),
    ("branch-keys-swapped", |db| {
        let (first, second) = (
            middle(db),
            Branch {
                index: 2,
                ..middle(db)
            },
        );
        swap(db, first.at(), second.at(), first.pos(), second.pos());
        let (one, two) = (db.u64(first.child()), db.u64(second.child()));
        db.put_u64(first.child(), two);
        db.put_u64(second.child(), one);
        not_greater(&second.place())
    }),
    ("branch-separator-above-its-child", |db| {
        // The next sub revision is above the child's first row.
        let element = middle(db);
        let key = element.at() + size(db, element.pos());
        db.put(key + 16, &[1]);
        let below = db.child_at(element);
        format!(
            "page {}, element 0 at offset {}: its key is less than its branch's separator",
            below / PAGE_BYTES,
            below + HEADER_BYTES
        )
    }),
    ("branch-separator-below-the-child-before", |db| {
        let before = db.child_at(Branch {
            index: 0,
            ..middle(db)
        });
        let last = Leaf {
            page_at: before,
            index: db.count(before) - 1,
        };
        let key = db.key(last)[..17].to_vec();
        let element = middle(db);
        let at = element.at() + size(db, element.pos());
        db.put(at, &key);
        format!(
            "{}: its key is not less than the next branch's separator",
            last.place()
        )
    }),
    ("leaf-element-flags-unknown", |db| {
        let element = row(db);
        db.put_u32(element.flags(), 2);
        format!("{}: its flags are 0x2, expected 0 or 1", element.place())
    }),
    ("leaf-element-is-a-bucket", |db| {
        let element = row(db);
        db.put_u32(element.flags(), 1);
        format!(
            "{}: it is a bucket inside a bucket, which etcd never writes",
            element.place()
        )
    }),
    ("leaf-element-pos-outside", |db| {
        let element = row(db);
        db.put_u32(element.pos(), u32::MAX);
        outside(&element.place())
    }),
    ("leaf-element-pos-in-the-table", |db| {
        let element = row(db);
        db.put_u32(element.pos(), 16);
        outside(&element.place())
    }),
    ("leaf-element-ksize-zero", |db| {
        let element = row(db);
        db.put_u32(element.key_len(), 0);
        key_length(&element.place(), 0)
    }),
    ("leaf-element-ksize-too-large", |db| {
        let element = row(db);
        db.put_u32(element.key_len(), 32_769);
        format!("{}: its key ", element.place())
    }),
    ("leaf-element-ksize-outside", |db| {
        let element = row(db);
        db.put_u32(element.key_len(), 4_000);
        outside(&element.place())
    }),
    ("leaf-element-vsize-outside", |db| {
        let element = row(db);
        db.put_u32(element.value_len(), 4_096);
        outside(&element.place())
    }),
    ("leaf-elements-overlap", |db| {
        // The first value, which nobody reads, takes all the bytes, so that none are left for the second.
        let first = db.entry("meta", b"confState");
        assert_eq!(first.index, 0, "it sorts first");
        let bucket = db.bucket("meta");
        let (at, len) = db.value_range(bucket);
        let (value_at, _) = db.value_range(first);
        let rest = u32::try_from(at + len - value_at).expect("less than a page");
        db.put_u32(first.value_len(), rest);
        let second = first.next().place();
        format!(
            "{second}: its key and value, with those before it, take more bytes than the page has"
        )
    }),
    ("leaf-keys-swapped", |db| {
        let (first, second) = (row(db), row(db).next());
        swap(db, first.at(), second.at(), first.pos(), second.pos());
        not_greater(&second.place())
    }),
    ("leaf-key-twice", |db| {
        let first = row(db);
        let key = db.key(first).to_vec();
        let at = db.key_at(first.next());
        db.put(at, &key);
        not_greater(&first.next().place())
    }),
    ("bucket-is-a-plain-value", |db| {
        let element = db.bucket("key");
        db.put_u32(element.flags(), 0);
        format!(
            "{}: it is not a bucket, but stands at the top level",
            element.place()
        )
    }),
    ("bucket-header-too-short", |db| {
        let element = db.bucket("key");
        db.put_u32(element.value_len(), 8);
        format!(
            "{}: its bucket header has 8 bytes, expected at least 16",
            element.place()
        )
    }),
    ("bucket-root-beyond-the-end", |db| {
        let beyond = db.meta(meta::HIGH_WATER) + 7;
        bucket_root(db, "key", beyond);
        let at = db.bucket("key").at();
        format!(
            "page {beyond} at offset {}: no such page, only {} are in use (referenced at offset {at})",
            page_at(beyond),
            beyond - 7
        )
    }),
    ("bucket-root-is-a-meta-page", |db| {
        bucket_root(db, "key", 1);
        format!(
            "page 1 at offset 4096: no such page, only {} are in use",
            db.meta(meta::HIGH_WATER)
        )
    }),
    ("bucket-root-is-the-top-level", |db| {
        let top = db.meta(meta::ROOT);
        bucket_root(db, "key", top);
        format!(
            "{}: it is used twice (second reference at offset {})",
            place(page_at(top)),
            db.bucket("key").at()
        )
    }),
    ("bucket-root-shared", |db| {
        let rows = number(db.bucket_page("key") / PAGE_BYTES);
        bucket_root(db, "meta", rows);
        format!(
            "{}: it is used twice (second reference at offset {})",
            place(page_at(rows)),
            db.bucket("meta").at()
        )
    }),
    ("bucket-root-is-a-leaf-below-another", |db| {
        let below = number(leaf(db) / PAGE_BYTES);
        bucket_root(db, "meta", below);
        format!(
            "{}: it is used twice (second reference at offset {})",
            place(page_at(below)),
            db.bucket("meta").at()
        )
    }),
    ("buckets-out-of-order", |db| {
        let element = db.bucket("key");
        let at = db.key_at(element);
        db.put(at, b"zey");
        not_greater(&element.next().place())
    }),
    ("bucket-key-missing", |db| {
        // Another name that keeps the order.
        let at = db.key_at(db.bucket("key"));
        db.put(at, b"kex");
        "the top-level bucket `key` is missing".to_owned()
    }),
    ("bucket-meta-missing", |db| {
        let at = db.key_at(db.bucket("meta"));
        db.put(at, b"metb");
        "the top-level bucket `meta` is missing".to_owned()
    }),
    ("inline-id", |db| {
        let at = inline(db);
        db.put_u64(at + header::ID, 5);
        format!("inline bucket at offset {at}: its page image says it is page 5, expected 0")
    }),
    ("inline-flags", |db| {
        let at = inline(db);
        db.put_u16(at + header::FLAGS, 1);
        format!("inline bucket at offset {at}: its page image has flags 0x0001, expected a leaf")
    }),
    ("inline-count", |db| {
        let at = inline(db);
        db.put_u16(at + header::COUNT, 500);
        format!("inline bucket at offset {at}: its 500 elements do not fit its ")
    }),
    ("inline-overflow", |db| {
        let at = inline(db);
        db.put_u32(at + header::OVERFLOW, 1);
        format!("inline bucket at offset {at}: its page image claims 1 overflow pages")
    }),
    ("inline-too-short", |db| {
        let at = inline(db);
        let element = db.bucket("members");
        db.put_u32(element.value_len(), 24);
        format!("inline bucket at offset {at}: its 8 bytes have no room for a page header")
    }),
    ("inline-element-outside", |db| {
        let element = db.entries("members")[0];
        db.put_u32(element.value_len(), 4_000);
        outside(&element.place())
    }),
    ("inline-element-is-a-bucket", |db| {
        let element = db.entries("members")[0];
        db.put_u32(element.flags(), 1);
        format!(
            "{}: it is a bucket inside a bucket, which etcd never writes",
            element.place()
        )
    }),
    ("inline-key-twice", |db| {
        let element = db.entry("meta", b"finishedCompactRev");
        let at = db.key_at(element);
        db.put(at, b"zz");
        not_greater(&element.next().place())
    }),
];

fn middle(db: &Image) -> Branch {
    let page_at = branch(db);
    assert!(db.count(page_at) > 3, "the base's branch has a middle");
    Branch { page_at, index: 1 }
}

/// A row in the middle of the second leaf.
fn row(db: &Image) -> Leaf {
    let page_at = leaf(db);
    assert!(
        db.count(page_at) > 4,
        "the base's second leaf holds several rows"
    );
    Leaf { page_at, index: 2 }
}

fn inline(db: &Image) -> usize {
    let at = db.bucket_page("members");
    assert!(
        !at.is_multiple_of(PAGE_BYTES),
        "the bucket of members is inline"
    );
    at
}

fn size(db: &Image, at: usize) -> usize {
    usize::try_from(db.u32(at)).expect("32 bits fit")
}

fn child(db: &mut Image, page: u64) {
    let at = middle(db).child();
    db.put_u64(at, page);
}

fn used_twice(db: &mut Image, page: u64) -> String {
    child(db, page);
    let at = middle(db).at();
    format!(
        "{}: it is used twice (second reference at offset {at})",
        place(page_at(page))
    )
}

fn bucket_root(db: &mut Image, name: &str, page: u64) {
    let (at, _) = db.value_range(db.bucket(name));
    db.put_u64(at, page);
}

/// Swaps two neighbouring elements; the positions of their keys are relative to the elements themselves.
fn swap(db: &mut Image, first: usize, second: usize, first_pos: usize, second_pos: usize) {
    let step = u32::try_from(second - first).expect("less than a page");
    let (one, two) = (
        db.bytes()[first..first + HEADER_BYTES].to_vec(),
        db.bytes()[second..second + HEADER_BYTES].to_vec(),
    );
    db.put(first, &two);
    db.put(second, &one);
    let (one, two) = (db.u32(first_pos) + step, db.u32(second_pos) - step);
    db.put_u32(first_pos, one);
    db.put_u32(second_pos, two);
}

fn outside(place: &str) -> String {
    format!("{place}: its key or value (bytes ")
}

fn key_length(place: &str, len: usize) -> String {
    format!("{place}: its key has {len} bytes, 1 to 32768 are allowed")
}

fn not_greater(place: &str) -> String {
    format!("{place}: its key is not greater than the one before it")
}

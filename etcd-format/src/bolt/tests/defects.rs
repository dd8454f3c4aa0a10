//! Provokes each kind of error once, in a file without other defects.

mod inline_and_freelist;

use std::io;

use super::{
    super::{
        BUCKETS_MAX, Bolt, BoltError, BucketRoot, ElementDefect, Meta, MetaDefect, PageDefect,
        PageSource,
    },
    builder::{PLAIN, Shape, build, contents},
};

/// Pages of 512 bytes: leaves of bucket "key" at 2, 4 .. 20, branches at 22, 24, 26, their root at 28, the top level at 30,
/// a free page behind each, the freelist at 32. Bucket "a" is inline.
const SHAPE: Shape = Shape {
    page_size: 512,
    fanout: 4,
    gaps: true,
    freelist: true,
};
const TOP: u64 = 30;
const FREELIST: u64 = 32;

pub(super) fn sample() -> Vec<u8> {
    build(&contents(&[("a", 1), ("key", 40)], 20), SHAPE)
}

pub(super) fn len(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).expect("it fits")
}

pub(super) fn check(bytes: &[u8]) -> Result<(), BoltError> {
    Bolt::open(bytes, len(bytes))?.check().map(|_| ())
}

/// The error after writing `put` at `at` of page `page`.
fn broken(page: u64, at: usize, put: &[u8]) -> BoltError {
    let mut db = sample();
    write(&mut db, page, at, put);
    check(&db).expect_err("it was broken")
}

fn write(db: &mut [u8], page: u64, at: usize, put: &[u8]) {
    let start = usize::try_from(page * 512).expect("it fits") + at;
    db[start..start + put.len()].copy_from_slice(put);
}

/// The sample with a changed meta on both meta pages.
pub(super) fn with_meta(change: impl Fn(&mut Meta)) -> Vec<u8> {
    let mut db = sample();
    let mut meta = *Bolt::open(db.as_slice(), len(&db))
        .expect("it is built right")
        .meta();
    change(&mut meta);
    let (first, second) = (meta.encode(0), meta.encode(1));
    db[..80].copy_from_slice(&first[..80]);
    db[512..592].copy_from_slice(&second[..80]);
    db
}

pub(super) fn page_defect(error: &BoltError) -> (u64, u64, PageDefect) {
    match error {
        BoltError::Page {
            page,
            offset,
            defect,
        } => (*page, *offset, *defect),
        other => panic!("expected a page's defect, got {other:?}"),
    }
}

fn element_defect(error: &BoltError) -> (u64, usize, u64, ElementDefect) {
    match error {
        BoltError::Element {
            page,
            index,
            offset,
            defect,
        } => (*page, *index, *offset, *defect),
        other => panic!("expected an element's defect, got {other:?}"),
    }
}

#[test]
fn the_sample_is_as_described_and_right() {
    let db = sample();
    let bolt = Bolt::open(db.as_slice(), len(&db)).expect("it is built right");
    let report = bolt.check().expect("it is built right");
    assert_eq!(
        (bolt.meta().root, bolt.meta().freelist),
        (TOP, Some(FREELIST))
    );
    assert_eq!(
        (
            report.leaf_pages,
            report.branch_pages,
            report.inline_buckets
        ),
        (11, 4, 1)
    );
    assert_eq!((report.keys, report.buckets, report.depth_max), (41, 2, 3));
    assert_eq!((report.pages_free, report.pages_reachable), (15, 18));
    let roots: Vec<_> = bolt
        .buckets()
        .expect("it is right")
        .iter()
        .map(|bucket| bucket.root)
        .collect();
    assert!(
        matches!(roots[..], [BucketRoot::Inline { .. }, BucketRoot::Page(28)]),
        "{roots:?}"
    );
}

#[test]
fn meta_pages() {
    let db = sample();
    let with = |at: usize, byte: u8| {
        let mut db = db.clone();
        db[at] ^= byte;
        db[512 + at] ^= byte;
        match Bolt::open(db.as_slice(), len(&db)).expect_err("both metas are wrong") {
            BoltError::NoValidMeta { first, .. } => first,
            other => panic!("expected no valid meta, got {other:?}"),
        }
    };
    assert!(matches!(with(16, 1), MetaDefect::Magic { .. }));
    assert_eq!(with(20, 1), MetaDefect::Version { found: 3 });
    assert!(matches!(with(64, 1), MetaDefect::Checksum { .. }));
    let odd = with_meta(|meta| meta.page_size = 1000);
    let error = Bolt::open(odd.as_slice(), len(&odd)).expect_err("no power of two");
    assert!(matches!(
        error,
        BoltError::NoValidMeta {
            first: MetaDefect::PageSize { found: 1000 },
            ..
        }
    ));
    let empty: &[u8] = &[];
    let error = Bolt::open(empty, 0).expect_err("nothing is there");
    assert!(matches!(
        error,
        BoltError::NoValidMeta {
            first: MetaDefect::Short,
            second: MetaDefect::Short
        }
    ));

    for (field, value) in [
        ("root page", 1),
        ("root page", 33),
        ("freelist page", 0),
        ("freelist page", 33),
    ] {
        let db = with_meta(|meta| match field {
            "root page" => meta.root = value,
            _ => meta.freelist = Some(value),
        });
        match Bolt::open(db.as_slice(), len(&db)).expect_err(field) {
            BoltError::MetaRange {
                page: 0,
                offset: 0,
                field: found,
                value: listed,
                high_water: 33,
            } => {
                assert_eq!((found, listed), (field, value));
            }
            other => panic!("expected a range error, got {other:?}"),
        }
    }
}

#[test]
fn one_bad_meta_is_survived_and_the_newest_valid_one_counts() {
    let mut db = sample();
    db[64] ^= 1;
    let bolt = Bolt::open(db.as_slice(), len(&db)).expect("page 1 is enough");
    assert_eq!((bolt.meta().txid, bolt.one_meta_only()), (8, true));
    bolt.check().expect("page 1 is enough");
    // A second meta with another page size is not used, even if it is newer.
    let mut db = sample();
    let meta = *Bolt::open(db.as_slice(), len(&db))
        .expect("it is built right")
        .meta();
    let odd = Meta {
        page_size: 1024,
        txid: 99,
        ..meta
    }
    .encode(1);
    db[512..592].copy_from_slice(&odd[..80]);
    assert_eq!(
        Bolt::open(db.as_slice(), len(&db))
            .expect("page 0 is enough")
            .meta()
            .txid,
        9
    );
    let newer = Meta { txid: 99, ..meta }.encode(1);
    db[512..592].copy_from_slice(&newer[..80]);
    assert_eq!(
        Bolt::open(db.as_slice(), len(&db))
            .expect("page 1 is newer")
            .meta()
            .txid,
        99
    );
}

#[test]
fn files_that_end_too_early() {
    let db = sample();
    let short = &db[..db.len() - 512];
    let error = Bolt::open(short, len(short)).expect_err("a page is missing");
    assert!(
        matches!(
            error,
            BoltError::Truncated {
                have: 16384,
                need: 16896
            }
        ),
        "{error}"
    );
    let error = Bolt::open(short, len(&db)).expect_err("the source is shorter than told");
    assert!(
        matches!(
            error,
            BoltError::Truncated {
                have: 16384,
                need: 16896
            }
        ),
        "{error}"
    );
    let huge = with_meta(|meta| meta.high_water = u64::MAX);
    let error = Bolt::open(huge.as_slice(), len(&huge)).expect_err("the product overflows");
    assert!(
        matches!(error, BoltError::Truncated { need: u64::MAX, .. }),
        "{error}"
    );
}

#[test]
fn sources_that_fail() {
    struct Failing(Vec<u8>);
    impl PageSource for Failing {
        fn len(&self) -> u64 {
            PageSource::len(&self.0)
        }
        fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
            if offset >= 1024 {
                Err(io::Error::other("disk on fire"))
            } else {
                self.0.read_at(offset, buf)
            }
        }
    }
    let bolt = Bolt::open(Failing(sample()), 16896).expect("the metas are read");
    let error = bolt.check().expect_err("the root is not read");
    assert!(
        matches!(
            error,
            BoltError::Read {
                offset: 15360,
                len: 512,
                ..
            }
        ),
        "{error}"
    );
}

#[test]
fn pages() {
    let no_page = 10_000_u64.to_le_bytes();
    let error = broken(22, 16 + 8, &no_page);
    let referrer = 22 * 512 + 16;
    assert_eq!(
        page_defect(&error),
        (
            10_000,
            5_120_000,
            PageDefect::OutOfRange {
                high_water: 33,
                referrer
            }
        )
    );
    assert_eq!(
        page_defect(&broken(4, 0, &[5])),
        (4, 2048, PageDefect::Id { found: 5 })
    );
    assert_eq!(
        page_defect(&broken(0, 0, &[1])),
        (0, 0, PageDefect::Id { found: 1 })
    );
    assert!(matches!(
        page_defect(&broken(1, 8, &[2])),
        (1, 512, PageDefect::Flags { found: 2, .. })
    ));
    assert!(matches!(
        page_defect(&broken(4, 8, &[3])),
        (4, 2048, PageDefect::Flags { found: 3, .. })
    ));
    // Page 4 with 29 more would need page 33, the first one behind the database.
    for overflow in [u32::MAX, 29] {
        let defect = PageDefect::Overflow {
            overflow,
            high_water: 33,
        };
        let error = broken(4, 12, &overflow.to_le_bytes());
        assert_eq!(page_defect(&error), (4, 2048, defect));
    }
    assert_eq!(
        page_defect(&broken(4, 10, &[32])),
        (
            4,
            2048,
            PageDefect::Count {
                count: 32,
                bytes: 512
            }
        )
    );
    let error = broken(4, 10, &[0xff; 2]);
    assert_eq!(
        page_defect(&error),
        (
            4,
            2048,
            PageDefect::Count {
                count: 0xffff,
                bytes: 512
            }
        )
    );
    assert_eq!(
        page_defect(&broken(22, 10, &[0])),
        (22, 11264, PageDefect::EmptyBranch)
    );
    let defect = PageDefect::Flags {
        found: 2,
        expected: "0x0010 (freelist)",
    };
    assert_eq!(
        page_defect(&broken(FREELIST, 8, &[2])),
        (FREELIST, 16384, defect)
    );
}

#[test]
fn pages_that_are_used_twice_or_not_at_all() {
    let defect = PageDefect::Shared {
        referrer: 22 * 512 + 32,
    };
    assert_eq!(page_defect(&broken(22, 32 + 8, &[2])), (2, 1024, defect));
    // A cycle is a page that is used twice.
    let defect = PageDefect::Shared {
        referrer: 22 * 512 + 16,
    };
    assert_eq!(page_defect(&broken(22, 16 + 8, &[28])), (28, 14336, defect));
    assert_eq!(
        page_defect(&broken(20, 12, &[2])),
        (20, 10240, PageDefect::SharedOverflow { other: 22 })
    );
    assert_eq!(
        page_defect(&broken(FREELIST, 10, &[14])),
        (31, 15872, PageDefect::Unreachable)
    );
    let db = with_meta(|meta| meta.freelist = Some(28));
    let error = check(&db).expect_err("a branch is no freelist");
    assert_eq!(
        page_defect(&error),
        (28, 14336, PageDefect::Shared { referrer: 48 })
    );
}

#[test]
fn elements() {
    let element = |at, put: &[u8]| element_defect(&broken(4, at, put));
    // Leaf 4 has four elements; each holds an 8-byte key and 20 bytes of value.
    let defect = ElementDefect::Bounds {
        start: 16 + 500,
        end: 16 + 508,
        limit: 512,
    };
    assert_eq!(
        element(16 + 4, &500_u16.to_le_bytes()),
        (4, 0, 2064, defect)
    );
    let defect = ElementDefect::Bounds {
        start: 16 + 8,
        end: 16 + 16,
        limit: 512,
    };
    assert_eq!(element(16 + 4, &[8]), (4, 0, 2064, defect));
    assert_eq!(
        element(16 + 8, &[0]),
        (4, 0, 2064, ElementDefect::KeyLength { len: 0 })
    );
    assert_eq!(
        element(32, &[2]),
        (4, 1, 2080, ElementDefect::Flags { found: 2 })
    );
    assert_eq!(element(32, &[1]), (4, 1, 2080, ElementDefect::NestedBucket));
    assert_eq!(
        element(32 + 4, &[64 - 16]),
        (4, 1, 2080, ElementDefect::KeyOrder)
    );
    // The values of all four overlap, and reach to the end of the page.
    let mut db = sample();
    for index in 0..4_usize {
        write(&mut db, 4, 16 + index * 16 + 12, &200_u16.to_le_bytes());
    }
    let error = check(&db).expect_err("elements overlap");
    assert_eq!(element_defect(&error), (4, 2, 2096, ElementDefect::Overlap));
    // They fill the page, so the table of elements has no place any more.
    let mut db = sample();
    for index in 0..4_usize {
        write(&mut db, 4, 16 + index * 16 + 12, &[101]);
    }
    let error = check(&db).expect_err("elements overlap");
    assert_eq!(element_defect(&error), (4, 3, 2112, ElementDefect::Overlap));
    // The first key of leaf 4 is 4, its last one is 7; the separators are 4 and 8.
    let key = |index: usize| 16 + 4 * 16 + index * 28;
    assert_eq!(
        element(key(0), &3_u64.to_be_bytes()),
        (4, 0, 2064, ElementDefect::BelowSeparator)
    );
    assert_eq!(
        element(key(3), &8_u64.to_be_bytes()),
        (4, 3, 2112, ElementDefect::AboveSeparator)
    );
    // The last key of leaf 8 equals the separator of the next branch.
    let defect = element_defect(&broken(8, key(3), &16_u64.to_be_bytes()));
    assert_eq!(defect, (8, 3, 4160, ElementDefect::AboveSeparator));
    // The same rules hold for branches.
    let separator = |index: usize| 16 + 4 * 16 + index * 8;
    let defect = element_defect(&broken(22, separator(1), &12_u64.to_be_bytes()));
    assert_eq!(defect, (22, 2, 11312, ElementDefect::KeyOrder));
    let defect = element_defect(&broken(24, separator(0), &15_u64.to_be_bytes()));
    assert_eq!(defect, (24, 0, 12304, ElementDefect::BelowSeparator));
    let defect = element_defect(&broken(22, 16 + 4, &40_000_u32.to_le_bytes()));
    assert!(matches!(
        defect,
        (22, 0, 11280, ElementDefect::Bounds { .. })
    ));
}

#[test]
fn top_level_elements() {
    assert_eq!(
        element_defect(&broken(TOP, 16, &[0])),
        (TOP, 0, 15376, ElementDefect::NotABucket)
    );
    let second = (TOP, 1, 15392, ElementDefect::NotABucket);
    assert_eq!(element_defect(&broken(TOP, 16 + 16, &[0])), second);
    let mut db = sample();
    write(&mut db, TOP, 16 + 16, &[0]);
    let bolt = Bolt::open(db.as_slice(), len(&db)).expect("metas are right");
    let error = bolt.get(b"key", b"k").expect_err("key is no bucket");
    assert_eq!(element_defect(&error), second);
    let error = broken(TOP, 16 + 12, &[15]);
    assert_eq!(
        element_defect(&error),
        (TOP, 0, 15376, ElementDefect::BucketHeader { len: 15 })
    );
    let db = build(&contents(&[], 0), PLAIN);
    assert!(check(&db).is_ok(), "a database without buckets is right");
    let names: Vec<String> = (0..=BUCKETS_MAX).map(|n| format!("{n:05}")).collect();
    let buckets: Vec<(&str, u64)> = names.iter().map(|name| (name.as_str(), 0)).collect();
    assert!(check(&build(&contents(&buckets[1..], 0), PLAIN)).is_ok());
    let error = check(&build(&contents(&buckets, 0), PLAIN)).expect_err("one too many");
    assert!(matches!(error, BoltError::TooManyBuckets { .. }), "{error}");
}

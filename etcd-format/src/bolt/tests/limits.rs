//! Files and edits that exceed a named limit.

use super::{
    super::{
        BUCKETS_MAX, Bolt, BoltError, BucketRoot, DEPTH_MAX, EditDefect, LOGICAL_PAGE_BYTES_MAX,
        Meta, PageDefect, TOP_LEVEL_BYTES_MAX,
        edit::{self, BucketEdit, Edit},
        page::{FLAG_BRANCH, FLAG_LEAF, PageHeader, encode_branch},
    },
    builder::{PLAIN, Shape, Sparse, build, contents},
    defects::{check, len, page_defect, sample, with_meta},
    round_trip::apply,
};

/// A chain of branch pages with one child each; the last child is not a page.
fn chain(levels: u64) -> Vec<u8> {
    let meta = Meta {
        page_size: 512,
        root: 2,
        sequence: 0,
        freelist: None,
        high_water: levels + 2,
        txid: 2,
    };
    let mut db = [meta.encode(0), meta.encode(1)].concat();
    for id in 2..levels + 2 {
        let header = PageHeader {
            id,
            flags: FLAG_BRANCH,
            count: 1,
            overflow: 0,
        };
        let mut page = encode_branch(header, &[(b"k", id + 1)]);
        page.resize(512, 0);
        db.extend(page);
    }
    db
}

#[test]
fn trees_that_are_too_deep() {
    let depth_max = u64::try_from(DEPTH_MAX).expect("it fits");
    let deep = chain(100);
    let error = check(&deep).expect_err("100 levels");
    assert_eq!(
        page_defect(&error),
        (depth_max + 1, (depth_max + 1) * 512, PageDefect::TooDeep)
    );
    let error = Bolt::open(deep.as_slice(), len(&deep))
        .expect("metas are right")
        .get(b"k", b"k");
    assert!(matches!(
        error,
        Err(BoltError::Page {
            defect: PageDefect::TooDeep,
            ..
        })
    ));
    let error = check(&chain(depth_max - 1)).expect_err("it leads nowhere");
    assert!(
        matches!(page_defect(&error).2, PageDefect::OutOfRange { .. }),
        "{error}"
    );
}

/// A branch page that leads to itself.
#[test]
fn an_edit_of_a_tree_without_an_end() {
    let shape = Shape {
        page_size: 512,
        fanout: 4,
        gaps: false,
        freelist: false,
    };
    let mut db = build(&contents(&[("b", 16)], 60), shape);
    let roots = Bolt::open(db.as_slice(), len(&db)).expect("it is built right");
    let BucketRoot::Page(root) = roots.buckets().expect("it is right")[0].root else {
        panic!("16 rows of 60 bytes are not inline");
    };
    let first_child = usize::try_from(root * 512).expect("it fits") + 16 + 8;
    db[first_child..first_child + 8].copy_from_slice(&root.to_le_bytes());
    let bolt = Bolt::open(db.as_slice(), len(&db)).expect("metas are right");
    let change = BucketEdit::upsert(b"b", [(vec![0], Vec::new())]);
    let buckets = vec![change];
    let error = edit::append(&bolt, &Edit { buckets }).expect_err("it has no leaf");
    assert_eq!(page_defect(&error), (root, root * 512, PageDefect::TooDeep));
}

/// bbolt keeps a bucket inline up to a quarter of a page.
#[test]
fn buckets_that_are_just_small_enough_to_be_inline() {
    let db = build(&contents(&[("b", 1)], 1), PLAIN);
    let bolt = Bolt::open(db.as_slice(), len(&db)).expect("it is built right");
    // Headers of page and element, and one byte of key.
    for (value_len, inline) in [(1024 - 33, true), (1024 - 32, false)] {
        let change = BucketEdit::replace_all(b"b", [(vec![1], vec![0; value_len])]);
        let buckets = vec![change];
        let appended = edit::append(&bolt, &Edit { buckets }).expect("it fits");
        let after = apply(&db, &appended);
        let after = Bolt::open(after.as_slice(), appended.new_len).expect("metas are right");
        let root = after.buckets().expect("it is right")[0].root;
        let found = matches!(root, BucketRoot::Inline { .. });
        assert_eq!(found, inline, "{value_len}");
    }
}

#[test]
fn pages_that_are_too_large() {
    let page_size: u32 = 16 << 20;
    let size = u64::from(page_size);
    let meta = Meta {
        page_size,
        root: 2,
        sequence: 0,
        freelist: None,
        high_water: 20,
        txid: 2,
    };
    let sparse = |header: PageHeader, element: Vec<u8>| {
        let mut page = Vec::new();
        header.encode(&mut page);
        page.extend(element);
        let metas = [(0, meta.encode(0)), (size, meta.encode(1))];
        Sparse {
            len: 20 * size,
            parts: metas.into_iter().chain([(2 * size, page)]).collect(),
        }
    };
    let largest = u32::try_from(LOGICAL_PAGE_BYTES_MAX / size).expect("it fits") - 1;
    let leaf = |overflow| {
        sparse(
            PageHeader {
                id: 2,
                flags: FLAG_LEAF,
                count: 0,
                overflow,
            },
            Vec::new(),
        )
    };
    Bolt::open(leaf(largest), 20 * size)
        .expect("metas are right")
        .check()
        .expect("it is just small enough");
    let error = Bolt::open(leaf(largest + 1), 20 * size)
        .expect("metas are right")
        .check()
        .expect_err("one page more");
    let bytes = LOGICAL_PAGE_BYTES_MAX + size;
    assert_eq!(
        page_defect(&error),
        (2, 2 * size, PageDefect::TooLarge { bytes })
    );

    // One branch element with its key 65 MiB further.
    let header = PageHeader {
        id: 2,
        flags: FLAG_BRANCH,
        count: 1,
        overflow: 4,
    };
    let element = [
        (65_u32 << 20).to_le_bytes().to_vec(),
        1_u32.to_le_bytes().to_vec(),
        9_u64.to_le_bytes().to_vec(),
    ];
    let branch = sparse(header, element.concat());
    let error = Bolt::open(branch, 20 * size)
        .expect("metas are right")
        .check()
        .expect_err("the branch is kept");
    assert_eq!(
        page_defect(&error),
        (2, 2 * size, PageDefect::BranchesTooLarge)
    );
}

#[test]
fn edits_that_do_not_fit() {
    let db = sample();
    let bolt = Bolt::open(db.as_slice(), len(&db)).expect("it is built right");
    let refused = |change: BucketEdit| match edit::append(
        &bolt,
        &Edit {
            buckets: vec![change],
        },
    ) {
        Err(BoltError::Edit { defect, .. }) => defect,
        other => panic!("expected a refusal, got {other:?}"),
    };
    let put = |key: Vec<u8>, value: Vec<u8>| BucketEdit::upsert(b"b", [(key, value)]);
    assert_eq!(
        refused(put(Vec::new(), Vec::new())),
        EditDefect::KeyLength { len: 0 }
    );
    assert_eq!(
        refused(put(vec![1; 32_769], Vec::new())),
        EditDefect::KeyLength { len: 32_769 }
    );
    assert_eq!(
        refused(BucketEdit::replace_all(b"", [])),
        EditDefect::KeyLength { len: 0 }
    );
    let largest_key = put(vec![1; 32_768], Vec::new());
    let largest = usize::try_from(LOGICAL_PAGE_BYTES_MAX).expect("it fits");
    // Headers of page and element, and one byte of key.
    let largest_value = put(vec![1], vec![0; largest - 33]);
    for change in [largest_key, largest_value] {
        let buckets = vec![change];
        edit::append(&bolt, &Edit { buckets }).expect("it is just small enough");
    }
    let rows = (0..65_535_u32).map(|n| (n.to_be_bytes().to_vec(), Vec::new()));
    assert_eq!(
        refused(BucketEdit::replace_all(b"b", rows)),
        EditDefect::TooManyElements { count: 65_535 }
    );
    let bytes = LOGICAL_PAGE_BYTES_MAX + 33;
    assert_eq!(
        refused(put(vec![1], vec![0; largest])),
        EditDefect::PageTooLarge { bytes }
    );

    let names = (0..=BUCKETS_MAX).map(|n| BucketEdit::replace_all(n.to_string().as_bytes(), []));
    let many = edit::append(
        &bolt,
        &Edit {
            buckets: names.collect(),
        },
    );
    assert!(matches!(
        many,
        Err(BoltError::Edit {
            defect: EditDefect::TooManyElements { .. },
            ..
        })
    ));

    let last = with_meta(|meta| meta.txid = u64::MAX - 1);
    let bolt = Bolt::open(last.as_slice(), len(&last)).expect("the metas are right");
    let error = edit::append(&bolt, &Edit::default()).expect_err("no transaction is left");
    let defect = EditDefect::Exhausted {
        field: "transaction id",
    };
    assert!(
        matches!(error, BoltError::Edit { defect: found, .. } if found == defect),
        "{error}"
    );
}

#[test]
fn top_level_values_that_are_too_large_to_edit() {
    // An inline bucket of 32 MiB, which bbolt would never keep inline: a page size of 16 MiB and two overflow pages.
    let page_size: u32 = 16 << 20;
    let size = u64::from(page_size);
    let meta = Meta {
        page_size,
        root: 2,
        sequence: 0,
        freelist: None,
        high_water: 5,
        txid: 2,
    };
    let mut page = Vec::new();
    PageHeader {
        id: 2,
        flags: FLAG_LEAF,
        count: 1,
        overflow: 2,
    }
    .encode(&mut page);
    let value_len = u32::try_from(TOP_LEVEL_BYTES_MAX).expect("it fits");
    page.extend([1_u32, 16, 1, value_len].map(u32::to_le_bytes).concat());
    page.push(b'k');
    let parts = vec![
        (0, meta.encode(0)),
        (size, meta.encode(1)),
        (2 * size, page),
    ];
    let bolt = Bolt::open(
        Sparse {
            len: 5 * size,
            parts,
        },
        5 * size,
    )
    .expect("metas are right");
    let error = edit::append(&bolt, &Edit::default()).expect_err("the value is not copied");
    assert!(
        matches!(error, BoltError::TopLevelTooLarge { .. }),
        "{error}"
    );
}

//! Files and edits that exceed a named limit.

use super::{
    super::{
        BUCKETS_MAX, Bolt, BoltError, DEPTH_MAX, EditDefect, LOGICAL_PAGE_BYTES_MAX, Meta,
        PageDefect, TOP_LEVEL_BYTES_MAX,
        edit::{self, BucketEdit, Edit},
        page::{FLAG_BRANCH, FLAG_LEAF, PageHeader, encode_branch},
    },
    builder::Sparse,
    defects::{check, len, page_defect, sample, with_meta},
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
    let rows = (0..65_535_u32).map(|n| (n.to_be_bytes().to_vec(), Vec::new()));
    assert_eq!(
        refused(BucketEdit::replace_all(b"b", rows)),
        EditDefect::TooManyElements { count: 65_535 }
    );
    let largest = usize::try_from(LOGICAL_PAGE_BYTES_MAX).expect("it fits");
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

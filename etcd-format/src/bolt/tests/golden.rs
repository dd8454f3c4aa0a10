//! Bytes that bbolt has written.

use super::{
    super::{Bolt, BoltError, FreelistDefect, edit, edit::BucketEdit, edit::Edit},
    builder::{PLAIN, Shape, Sparse, build, contents},
};
use crate::bolt::{Meta, page::PageHeader};

/// An empty inline bucket, and the bucket "auth" with its one entry authRevision=5, as etcd 3.5.30 stores them.
#[test]
fn inline_buckets_are_those_of_bbolt() {
    let db = build(&contents(&[("key", 3)], 5000), PLAIN);
    let bolt = Bolt::open(db.as_slice(), u64::try_from(db.len()).expect("it fits"))
        .expect("it is built right");
    let edit = Edit {
        buckets: vec![
            BucketEdit::replace_all(
                b"auth",
                [(b"authRevision".to_vec(), 5_u64.to_be_bytes().to_vec())],
            ),
            BucketEdit::replace_all(b"members_removed", []),
        ],
    };
    let appended = edit::append(&bolt, &edit).expect("it fits");
    let pages = hex::encode(&appended.pages);
    let auth = "00000000000000000000000000000000\
                00000000000000000200010000000000\
                00000000100000000c00000008000000\
                617574685265766973696f6e0000000000000005";
    let empty = format!("{}00000000000000000200000000000000", "00".repeat(16));
    assert!(
        pages.contains(&format!("{}{auth}", hex::encode("auth"))),
        "{pages}"
    );
    assert!(
        pages.contains(&format!("{}{empty}", hex::encode("members_removed"))),
        "{pages}"
    );
}

/// 76970 free pages, as a real etcd listed them: more than the 16-bit count can hold.
#[test]
fn a_freelist_of_more_than_65534_pages_is_read() {
    const FREE: u64 = 76_970;
    let freelist_page = 2 + FREE;
    let root = freelist_page + 607;
    let mut list = hex::decode("1000ffff5e020000aa2c010000000000").expect("the constant is hex");
    list.splice(0..0, freelist_page.to_le_bytes());
    list.extend((2..2 + FREE).flat_map(u64::to_le_bytes));
    let meta = Meta {
        page_size: 1024,
        root,
        sequence: 0,
        freelist: Some(freelist_page),
        high_water: root + 1,
        txid: 4,
    };
    let mut leaf = Vec::new();
    PageHeader {
        id: root,
        flags: 2,
        count: 0,
        overflow: 0,
    }
    .encode(&mut leaf);
    let parts = |list: Vec<u8>| {
        let metas = [meta.encode(0), Meta { txid: 3, ..meta }.encode(1)].concat();
        vec![
            (0, metas),
            (freelist_page * 1024, list),
            (root * 1024, leaf.clone()),
        ]
    };
    let len = (root + 1) * 1024;
    let source = Sparse {
        len,
        parts: parts(list.clone()),
    };
    let report = Bolt::open(&source, len)
        .expect("metas are right")
        .check()
        .expect("every page has its place");
    assert_eq!(
        (report.pages_free, report.pages_reachable),
        (FREE, 2 + 607 + 1)
    );

    list[16..24].copy_from_slice(&(FREE + 1).to_le_bytes());
    let source = Sparse {
        len,
        parts: parts(list),
    };
    let error = Bolt::open(&source, len)
        .expect("metas are right")
        .check()
        .expect_err("one entry too many");
    let range = FreelistDefect::Range {
        listed: 0,
        high_water: root + 1,
    };
    assert!(
        matches!(error, BoltError::Freelist { defect, .. } if defect == range),
        "{error}"
    );
}

#[test]
fn every_page_size_is_found_even_with_page_0_lost() {
    for shift in 9..=24 {
        let shape = Shape {
            page_size: 1 << shift,
            ..PLAIN
        };
        let mut db = build(&contents(&[("key", 20)], 10), shape);
        let len = u64::try_from(db.len()).expect("it fits");
        let bolt = Bolt::open(db.as_slice(), len).expect("it is built right");
        assert_eq!(
            (bolt.page_size(), bolt.used_len(), bolt.one_meta_only()),
            (1 << shift, len, false)
        );
        bolt.check().expect("it is built right");
        db[..80].fill(0);
        let bolt = Bolt::open(db.as_slice(), len).expect("page 1 is enough");
        assert_eq!(
            (bolt.page_size(), bolt.meta().txid, bolt.one_meta_only()),
            (1 << shift, 8, true)
        );
        assert!(bolt.check().expect("page 1 is enough").one_meta_only);
    }
}

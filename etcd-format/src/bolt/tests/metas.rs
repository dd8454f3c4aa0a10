//! Which of the two meta pages counts.

use super::{
    super::{Bolt, BoltError, Meta, MetaDefect, PageSource, announced_len},
    defects::{len, sample},
};

/// The sample, whose pages have 512 bytes, with these transactions and lengths in pages.
fn with([first, second]: [(u64, u64); 2]) -> Vec<u8> {
    let mut db = sample();
    let meta = *Bolt::open(db.as_slice(), len(&db))
        .expect("it is built right")
        .meta();
    let page = |number, (txid, high_water)| {
        Meta {
            high_water,
            txid,
            ..meta
        }
        .encode(number)
    };
    db[..512].copy_from_slice(&page(0, first));
    db[512..1024].copy_from_slice(&page(1, second));
    db
}

#[test]
fn the_newer_meta_announces_the_length() {
    let announced = |db: &[u8]| announced_len(&db[..1024]).expect("a meta is valid");
    assert_eq!(announced(&with([(8, 100), (9, 200)])), 200 * 512);
    assert_eq!(announced(&with([(10, 100), (9, 200)])), 100 * 512);
    let mut broken = with([(10, 100), (9, 200)]);
    broken[16] ^= 1;
    assert_eq!(announced(&broken), 200 * 512);
    let mut broken = with([(8, 100), (9, 200)]);
    broken[512 + 16] ^= 1;
    assert_eq!(announced(&broken), 100 * 512);
}

/// Without page 0 the page size is not known; nearly all databases have pages of 4096 bytes.
#[test]
fn the_second_meta_is_judged_at_the_usual_page_size() {
    let mut head = vec![0xff; 64 << 10];
    let meta = Meta {
        page_size: 4096,
        root: 2,
        sequence: 0,
        freelist: None,
        high_water: 9,
        txid: 2,
    };
    head[4096..8192].copy_from_slice(&meta.encode(1));
    assert_eq!(announced_len(&head).expect("page 1 is valid"), 9 * 4096);
    // Its version.
    head[4096 + 20] = 7;
    match announced_len(&head).expect_err("both are broken") {
        BoltError::NoValidMeta { second, .. } => {
            assert_eq!(second, MetaDefect::Version { found: 7 });
        }
        other => panic!("expected no valid meta, got {other:?}"),
    }
}

#[test]
fn a_source_is_empty_if_it_has_no_bytes() {
    assert!(PageSource::is_empty(&&[][..]));
    assert!(!PageSource::is_empty(&&[0_u8][..]));
}

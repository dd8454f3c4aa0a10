//! Hostile files: random bytes, and real databases with single changed fields and corrected meta checksums.
//!
//! For all bytes, the check ends soon with an error or success, never with a panic.

use proptest::{
    prelude::{Strategy, any, prop, proptest},
    test_runner::TestCaseError,
};

use super::{
    super::{
        Bolt, BoltError, Meta,
        edit::{self, BucketEdit, Edit},
        meta::MetaDefect,
        page::{FLAG_BRANCH, FLAG_LEAF, PageHeader},
    },
    builder::{PLAIN, Shape, build, contents},
    round_trip::apply,
};
use crate::inspect;

const REAL: &[u8] = include_bytes!("../../../tests/fixtures/etcd-3.4.db");

/// Calls everything that reads a database on one that may be broken.
fn exercise(db: &[u8]) -> Result<(), TestCaseError> {
    let len = u64::try_from(db.len())?;
    let Ok(bolt) = Bolt::open(db, len) else {
        return Ok(());
    };
    let _ = bolt.get(b"key", &[0; 17]);
    let _ = bolt.get(b"meta", b"consistent_index");
    let _ = bolt.for_each(b"meta", &mut |_, _, _| Ok::<(), BoltError>(()));
    let _ = inspect::inspect(&bolt);
    let edit = Edit {
        buckets: vec![
            BucketEdit::replace_all(b"members", [(b"1".to_vec(), b"{}".to_vec())]),
            BucketEdit::upsert(b"meta", [(b"term".to_vec(), vec![0; 8])]),
            BucketEdit::upsert(b"key", [(vec![0xff; 17], Vec::new())]),
        ],
    };
    let appended = edit::append(&bolt, &edit);
    // A database that passes the check can be edited (except at the last transaction ids) and passes again.
    if bolt.check().is_ok() && bolt.meta().txid < u64::MAX - 2 {
        let after = apply(db, &appended.expect("it passed the check"));
        let after_len = u64::try_from(after.len())?;
        let report = Bolt::open(after.as_slice(), after_len)
            .expect("new metas")
            .check();
        proptest::prop_assert!(report.is_ok(), "{:?}", report);
    }
    Ok(())
}

/// A value that is likely to be at a limit.
fn interesting(page_size: u64, high_water: u64) -> impl Strategy<Value = u64> {
    let edges = vec![
        0,
        1,
        2,
        3,
        4,
        8,
        15,
        16,
        17,
        31,
        32,
        0x7f,
        0xff,
        0x7fff,
        0x8000,
        0xfffe,
        0xffff,
        0x0001_0000,
        page_size - 16,
        page_size - 1,
        page_size,
        page_size + 1,
        high_water - 1,
        high_water,
        high_water + 1,
        u64::from(u32::MAX) - 1,
        u64::from(u32::MAX),
        1 << 31,
        1 << 32,
        1 << 52,
        1 << 63,
        u64::MAX - 1,
        u64::MAX,
    ];
    let near = 0..high_water;
    proptest::prop_oneof![prop::sample::select(edges), near, any::<u64>()]
}

/// One field: a width and a position in the header and first elements of a page, or in the data after them.
#[derive(Debug, Clone)]
struct Field {
    page: prop::sample::Index,
    place: usize,
    width: usize,
    value: u64,
}

fn fields(page_size: u64, high_water: u64) -> impl Strategy<Value = Field> {
    let place = proptest::prop_oneof![
        4 => (0_usize..8).prop_map(|n| n * 2),
        4 => (4_usize..60).prop_map(|n| n * 4),
        2 => 0_usize..usize::try_from(page_size).expect("it fits") - 8,
    ];
    let width = prop::sample::select(vec![1_usize, 2, 4, 8]);
    (
        any::<prop::sample::Index>(),
        place,
        width,
        interesting(page_size, high_water),
    )
        .prop_map(|(page, place, width, value)| Field {
            page,
            place,
            width,
            value,
        })
}

fn mutated(db: &[u8], page_size: usize, changes: &[Field]) -> Vec<u8> {
    let mut out = db.to_vec();
    for field in changes {
        let at = field.page.index(out.len() / page_size) * page_size + field.place;
        out[at..at + field.width].copy_from_slice(&field.value.to_le_bytes()[..field.width]);
    }
    repair_checksums(&mut out, page_size);
    out
}

/// Corrects the checksums of both metas, whatever their fields are.
fn repair_checksums(db: &mut [u8], page_size: usize) {
    for start in [0, page_size] {
        if let Err(MetaDefect::Checksum { computed, .. }) = Meta::decode(&db[start..start + 80]) {
            db[start + 72..start + 80].copy_from_slice(&computed.to_le_bytes());
        }
    }
}

fn small_db() -> Vec<u8> {
    let shape = Shape {
        page_size: 512,
        fanout: 4,
        gaps: true,
        freelist: true,
    };
    build(
        &contents(&[("a", 1), ("key", 40), ("lease", 0), ("meta", 9)], 20),
        shape,
    )
}

fn real_db() -> &'static [u8] {
    &REAL[..REAL.len() - 32]
}

#[test]
fn the_databases_to_be_broken_are_right() {
    for db in [small_db().as_slice(), real_db()] {
        let len = u64::try_from(db.len()).expect("it fits");
        Bolt::open(db, len)
            .expect("metas are right")
            .check()
            .expect("it is right");
        exercise(db).expect("it is right");
    }
}

proptest! {
    #![proptest_config(proptest::test_runner::Config { cases: 2000, ..Default::default() })]

    #[test]
    fn single_fields_of_a_small_database(field in fields(512, 40)) {
        exercise(&mutated(&small_db(), 512, &[field]))?;
    }

    #[test]
    fn several_fields_of_a_small_database(changes in prop::collection::vec(fields(512, 40), 2..5)) {
        exercise(&mutated(&small_db(), 512, &changes))?;
    }

    #[test]
    fn single_fields_of_a_real_database(field in fields(4096, 29)) {
        exercise(&mutated(real_db(), 4096, &[field]))?;
    }

    #[test]
    fn meta_fields_of_a_real_database(place in 5_usize..18, width in prop::sample::select(vec![4_usize, 8]),
                                      value in interesting(4096, 29), both in any::<bool>()) {
        let mut db = real_db().to_vec();
        let starts: &[usize] = if both { &[0, 4096] } else { &[0] };
        for start in starts {
            let at = start + place * 4;
            let width = width.min(72 - place * 4);
            db[at..at + width].copy_from_slice(&value.to_le_bytes()[..width]);
        }
        repair_checksums(&mut db, 4096);
        exercise(&db)?;
    }

    #[test]
    fn random_bytes(bytes in prop::collection::vec(any::<u8>(), 0..4096)) {
        exercise(&bytes)?;
    }

    #[test]
    fn random_bytes_behind_right_headers(
        bytes in prop::collection::vec(any::<u8>(), 2048..6000),
        headers in prop::collection::vec((any::<bool>(), 0_u16..24, 0_u32..2), 12),
        root in 2_u64..6,
    ) {
        let pages = bytes.len() / 512;
        let mut db = bytes;
        let high_water = u64::try_from(pages)?;
        let meta = Meta { page_size: 512, root, sequence: 0, freelist: None, high_water, txid: 2 };
        db[..512].copy_from_slice(&meta.encode(0));
        db[512..1024].copy_from_slice(&meta.encode(1));
        for (id, (branch, count, overflow)) in (2..high_water).zip(headers) {
            let flags = if branch { FLAG_BRANCH } else { FLAG_LEAF };
            let mut header = Vec::new();
            PageHeader { id, flags, count, overflow }.encode(&mut header);
            let at = usize::try_from(id)? * 512;
            db[at..at + 16].copy_from_slice(&header);
            // Positions, sizes and children are small, so that many of them are valid.
            for word in db[at + 16..at + 16 + usize::from(count) * 16].chunks_exact_mut(4) {
                word.copy_from_slice(&(u32::from(word[0]) * u32::from(word[1] & 1)).to_le_bytes());
            }
        }
        exercise(&db)?;
    }

    #[test]
    fn cut_files(cut in any::<prop::sample::Index>()) {
        exercise(&real_db()[..cut.index(real_db().len())])?;
    }

    #[test]
    fn a_changed_page_id_or_flag_never_passes(page in 0_usize..40, place in 0_usize..10, flip in 1_u8..=255) {
        let db = small_db();
        let pages = db.len() / 512;
        let page = page % pages;
        let header_id = u64::from_le_bytes(db[page * 512..page * 512 + 8].try_into().expect("8 bytes"));
        // Free pages contain garbage.
        if header_id == u64::try_from(page)? {
            let mut db = db;
            db[page * 512 + place] ^= flip;
            let len = u64::try_from(db.len())?;
            proptest::prop_assert!(Bolt::open(db.as_slice(), len).expect("metas are right").check().is_err());
        }
    }
}

/// A leaf whose thousands of elements all share one large value would take as long to visit as a database of terabytes.
#[test]
fn elements_that_share_bytes_are_refused_before_they_cost_time() {
    let shape = Shape {
        page_size: 65536,
        ..PLAIN
    };
    let mut db = build(&contents(&[("key", 3)], 30_000), shape);
    let element = |pos: u32| [0_u32, pos, 1, 60_000].map(u32::to_le_bytes).concat();
    db[2 * 65536 + 10..2 * 65536 + 12].copy_from_slice(&300_u16.to_le_bytes());
    for index in 0..300_u32 {
        let at = 2 * 65536 + 16 + usize::try_from(index).expect("it fits") * 16;
        let data = 16 + 300 * 16 + index;
        db[at..at + 16].copy_from_slice(&element(data - 16 - index * 16));
    }
    let len = u64::try_from(db.len()).expect("it fits");
    let bolt = Bolt::open(db.as_slice(), len).expect("metas are right");
    let mut visited = 0;
    let result = bolt.for_each(b"key", &mut |_, _, _| {
        visited += 1;
        Ok::<(), BoltError>(())
    });
    assert!(
        result.is_err() && visited <= 1,
        "{visited} visited, {result:?}"
    );
}

//! Defects outside of the trees' pages: inline buckets and the freelist.

use super::{
    super::super::{BoltError, ElementDefect, FreelistDefect, InlineDefect},
    FREELIST, TOP, broken,
};

#[test]
fn inline_buckets() {
    // The value of bucket "a" follows the two elements and the one-byte name; its page image is 16 bytes further.
    let value = 16 + 2 * 16 + 1;
    let inline = |at: usize, put: &[u8]| match broken(TOP, value + 16 + at, put) {
        BoltError::Inline { offset, defect } => (offset, defect),
        other => panic!("expected an inline bucket's defect, got {other:?}"),
    };
    let offset = TOP * 512 + 65;
    assert_eq!(inline(0, &[3]), (offset, InlineDefect::Id { found: 3 }));
    assert_eq!(inline(8, &[1]), (offset, InlineDefect::Flags { found: 1 }));
    assert_eq!(
        inline(10, &[9]),
        (
            offset,
            InlineDefect::Count {
                count: 9,
                bytes: 60
            }
        )
    );
    assert_eq!(
        inline(12, &[9]),
        (offset, InlineDefect::Overflow { found: 9 })
    );
    match broken(TOP, 16 + 12, &[31]) {
        BoltError::Inline {
            defect: InlineDefect::TooShort { len: 15 },
            ..
        } => {}
        other => panic!("expected a short inline bucket, got {other:?}"),
    }
    match broken(TOP, value + 16 + 16 + 12, &[21]) {
        BoltError::Element {
            page: TOP,
            index: 0,
            defect: ElementDefect::Bounds { .. },
            offset: found,
        } => {
            assert_eq!(found, offset + 16);
        }
        other => panic!("expected an element's defect, got {other:?}"),
    }
}

#[test]
fn freelists() {
    let listed = |put: u64| match broken(FREELIST, 16 + 8, &put.to_le_bytes()) {
        BoltError::Freelist {
            page: FREELIST,
            offset,
            defect,
        } => (offset, defect),
        other => panic!("expected a freelist's defect, got {other:?}"),
    };
    let offset = FREELIST * 512 + 24;
    assert_eq!(
        listed(1),
        (
            offset,
            FreelistDefect::Range {
                listed: 1,
                high_water: 33
            }
        )
    );
    assert_eq!(
        listed(33),
        (
            offset,
            FreelistDefect::Range {
                listed: 33,
                high_water: 33
            }
        )
    );
    assert_eq!(listed(3), (offset, FreelistDefect::Duplicate { listed: 3 }));
    assert_eq!(listed(4), (offset, FreelistDefect::InUse { listed: 4 }));
    match broken(FREELIST, 10, &[63]) {
        BoltError::Freelist {
            defect:
                FreelistDefect::Count {
                    count: 63,
                    bytes: 512,
                },
            ..
        } => {}
        other => panic!("expected a freelist's defect, got {other:?}"),
    }
    let mut put = vec![0xff, 0xff, 0, 0, 0, 0];
    put.extend([0xff; 8]);
    match broken(FREELIST, 10, &put) {
        BoltError::Freelist {
            defect: FreelistDefect::Count {
                count: u64::MAX, ..
            },
            ..
        } => {}
        other => panic!("expected a freelist's defect, got {other:?}"),
    }
}

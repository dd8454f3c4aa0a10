//! Escaping keeps the order of any names: rows are exactly where scans look for them.

use std::collections::BTreeSet;

use super::*;

/// Keys of any characters, short ones of the bytes that are escaped, and prefixes of each other.
fn object_keys() -> impl Strategy<Value = String> {
    prop_oneof![
        "[\\x00\\x01\u{7f}\u{80}\u{ff}/]{1,8}",
        any::<String>().prop_filter("an object key is not empty", |text| !text.is_empty()),
        Just("\0".to_owned()),
        Just("\0\u{1}".to_owned()),
        Just("\0".repeat(1024)),
        Just("\u{10ffff}".repeat(256)),
    ]
    .prop_filter("S3's limit", |text| text.len() <= 1024)
}

fn holds(range: &KeyRange, row: &Key) -> bool {
    range.from <= *row && *row < range.to
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn rows_of_any_keys_sort_as_the_keys_do(a in object_keys(), b in object_keys()) {
        prop_assert_eq!(current(&a).cmp(&current(&b)), a.as_bytes().cmp(b.as_bytes()));
        prop_assert_eq!(Currents.split(&current(&a)).ok(), Some((BUCKET, key(&a))));
    }

    #[test]
    fn a_range_of_a_prefix_holds_exactly_the_keys_that_start_with_it(
        text in object_keys(), cut in any::<prop::sample::Index>(), other in object_keys(),
    ) {
        let ends: Vec<usize> = (0..=text.len()).filter(|at| text.is_char_boundary(*at)).collect();
        let prefix = text.get(..ends[cut.index(ends.len())]).expect("a boundary");
        let range = Currents.of_prefix(BUCKET, prefix).keys;
        prop_assert!(holds(&range, &current(&text)), "{:?} starts with {:?}", text, prefix);
        prop_assert_eq!(holds(&range, &current(&other)), other.starts_with(prefix));
    }

    #[test]
    fn the_rows_of_one_key_are_never_among_anothers(
        a in object_keys(), b in object_keys(), tail in "[\\x00-\\x02]{0,3}", number: u64, upload: [u8; 16],
    ) {
        let versions = Versions.of_key(BUCKET, &key(&a)).keys;
        let uploads = Uploads.of_key(BUCKET, &key(&a)).keys;
        // Bytes after a key that look like its end in a row.
        let longer = format!("{a}\0{tail}");
        for text in [&a, &b, &longer].into_iter().filter(|text| text.len() <= 1024) {
            let row = Versions.key((BUCKET, &key(text), VersionNumber(number)));
            prop_assert_eq!(holds(&versions, &row), *text == a);
            let row = Uploads.key((BUCKET, &key(text), UploadId(upload)));
            prop_assert_eq!(holds(&uploads, &row), *text == a);
        }
    }

    #[test]
    fn buckets_and_keyspaces_never_mix(text in object_keys(), one: u64, two: u64) {
        let row = Currents.key((BucketId(one), &key(&text)));
        prop_assert_eq!(holds(&Currents.of_prefix(BucketId(two), "").keys, &row), one == two);
        prop_assert!(!holds(&Versions.of_bucket(BucketId(one)).keys, &row));
        prop_assert!(holds(&Currents.whole().keys, &row) && !holds(&Heads.whole().keys, &row));
        prop_assert_eq!(Currents.split(&row).ok(), Some((BucketId(one), key(&text))));
    }

    #[test]
    fn buckets_are_listed_in_the_order_of_their_names(names in prop::collection::btree_set("[a-z0-9][a-z0-9-]{1,8}[a-z0-9]", 1..20)) {
        let names: BTreeSet<BucketName> = names.iter().filter_map(|name| BucketName::parse(name).ok()).collect();
        let mut rows: Vec<Key> = names.iter().map(|name| Buckets.key(name)).collect();
        rows.sort();
        let read: Vec<BucketName> = rows.iter().map(|row| Buckets.split(row).expect("own bytes")).collect();
        prop_assert_eq!(read, names.into_iter().collect::<Vec<_>>());
    }

    #[test]
    fn parts_come_in_the_order_of_their_numbers(upload: [u8; 16], a in 1_u64..=10_000, b in 1_u64..=10_000) {
        let (upload, number) = (UploadId(upload), |number| PartNumber::new(number).expect("in range"));
        let row = |part| Parts.key((upload, number(part)));
        prop_assert_eq!(row(a).cmp(&row(b)), a.cmp(&b));
        prop_assert_eq!(Parts.split(&row(a)).ok(), Some((upload, number(a))));
        prop_assert!(holds(&Parts.of_upload(upload).keys, &row(a)));
    }

    #[test]
    fn the_end_of_a_prefix_comes_right_behind_all_that_start_with_it(
        prefix in prop::collection::vec(prop_oneof![Just(0xff), any::<u8>()], 1..6),
        step in 0..3_u8, tail in prop::collection::vec(prop_oneof![Just(0xff), any::<u8>()], 0..3),
    ) {
        // The prefix itself or one of the next two of its length, followed by more bytes.
        let mut other = prefix.clone();
        if let Some(last) = other.last_mut() {
            *last = last.wrapping_add(step);
        }
        other.extend(tail);
        let end = after_prefix(&prefix);
        // A prefix of only 0xFF bytes has no upper bound except the end of all keys, which is written as the empty key.
        let below = end.is_empty() || other < end.to_vec();
        prop_assert_eq!(other >= prefix && below, other.starts_with(&prefix));
    }
}

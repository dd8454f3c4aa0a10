//! Order, round trips and golden bytes of keys.

mod order;

use proptest::prelude::*;

use super::*;
use crate::store::Epoch;

fn key(text: &str) -> ObjectKey {
    ObjectKey::parse(text).expect("test keys are valid")
}

const BUCKET: BucketId = BucketId(0x0102_0304_0506_0708);

fn current(text: &str) -> Key {
    RowKey::Current(BUCKET, &key(text)).encode()
}

#[test]
fn golden_bytes_of_every_keyspace() {
    let name = BucketName::parse("etcd").expect("a valid name");
    let object = key("a\0b");
    let upload = UploadId([0x55; 16]);
    let pack = PackId {
        epoch: Epoch(1),
        serial: 2,
    };
    let manifest = ManifestId {
        epoch: Epoch(3),
        serial: 4,
    };
    let part = PartNumber::new(258).expect("a valid number");
    let golden = [
        (RowKey::Bucket(&name), "10657463640001"),
        (
            RowKey::Current(BUCKET, &object),
            "2001020304050607086100ff620001",
        ),
        (
            RowKey::Head(BUCKET, &object),
            "2101020304050607086100ff620001",
        ),
        (
            RowKey::Version(BUCKET, &object, VersionNumber(1)),
            "2201020304050607086100ff620001fffffffffffffffe",
        ),
        (
            RowKey::Upload(BUCKET, &object, upload),
            "3001020304050607086100ff62000155555555555555555555555555555555",
        ),
        (
            RowKey::Part(upload, part),
            "31555555555555555555555555555555550102",
        ),
        (
            RowKey::Completed(upload),
            "3255555555555555555555555555555555",
        ),
        (
            RowKey::DeadUpload(upload),
            "3355555555555555555555555555555555",
        ),
        (
            RowKey::Manifest(manifest, 5),
            "4000000003000000000000000400000005",
        ),
        (
            RowKey::ManifestUsers(manifest),
            "41000000030000000000000004",
        ),
        (RowKey::DeadManifest(manifest), "42000000030000000000000004"),
        (RowKey::PartTable(manifest), "43000000030000000000000004"),
        (RowKey::Pack(pack), "500000000100000002"),
        (RowKey::PackSegments(pack), "510000000100000002"),
        (RowKey::PackLive(pack), "520000000100000002"),
        (
            RowKey::PackUser(pack, manifest),
            "530000000100000002000000030000000000000004",
        ),
        (RowKey::OpenPack, "54"),
        (RowKey::LogicalBytes, "60"),
        (RowKey::StoredBytes, "61"),
    ];
    for (row, expected) in golden {
        assert_eq!(hex::encode(row.encode()), expected, "{row:?}");
    }
}

#[test]
fn a_prefix_scan_takes_in_the_prefix_and_nothing_else() {
    let range = of_prefix(Keyspace::Current, BUCKET, "a/");
    let within = |text: &str| {
        let key = current(text);
        range.from <= key && key < range.to
    };
    for inside in ["a/", "a/\0", "a/\u{10ffff}", "a/b/c"] {
        assert!(within(inside), "{inside:?}");
    }
    for outside in ["a", "a.", "a0", "b", "A/"] {
        assert!(!within(outside), "{outside:?}");
    }
}

#[test]
fn the_end_of_a_prefix_of_all_ones_is_the_next_shorter_one() {
    assert_eq!(after_prefix(&[0x20, 0xff, 0xff]).as_ref(), &[0x21]);
    assert_eq!(after_prefix(&[0x20, 0x01]).as_ref(), &[0x20, 0x02]);
    assert_eq!(whole(Keyspace::Current).to, Bytes::from_static(&[0x21]));
}

#[test]
fn keys_of_another_shape_are_refused() {
    for bad in [
        "",
        "20",
        "2001020304050607080001",
        "2001020304050607086100",
        "200102030405060708610002",
    ] {
        let bytes = Bytes::from(hex::decode(bad).expect("test hex is valid"));
        assert!(split_object(&bytes, Keyspace::Current).is_err(), "{bad}");
    }
    assert!(split_object(&current("a"), Keyspace::Head).is_err());
}

proptest! {
    #[test]
    fn rows_sort_as_their_object_keys_do(a in "[\\x00-\\x02a-c/\u{ff}\u{10ffff}]{1,6}", b in "[\\x00-\\x02a-c/\u{ff}\u{10ffff}]{1,6}") {
        prop_assert_eq!(current(&a).cmp(&current(&b)), a.as_bytes().cmp(b.as_bytes()));
    }

    #[test]
    fn versions_of_one_key_stay_together_newest_first(a in "[\\x00-\\x01ab]{1,4}", b in "[\\x00-\\x01ab]{1,4}", n: u64) {
        prop_assume!(a != b);
        let (low, high) = (n.min(u64::MAX - 1), n.min(u64::MAX - 1) + 1);
        let of = |text: &str, number| RowKey::Version(BUCKET, &key(text), VersionNumber(number)).encode();
        prop_assert!(of(&a, high) < of(&a, low));
        let other = of(&b, n);
        prop_assert!(other < of(&a, high) || other > of(&a, low));
    }

    #[test]
    fn splitting_gives_back_what_was_built(text in "[\\x00-\\x7f\u{e9}]{1,20}", n: u64, upload: [u8; 16]) {
        let object = key(&text);
        prop_assert_eq!(split_object(&current(&text), Keyspace::Current).ok(), Some(object.clone()));
        let version = RowKey::Version(BUCKET, &object, VersionNumber(n)).encode();
        prop_assert_eq!(split_version(&version).ok(), Some((object.clone(), VersionNumber(n))));
        let place = RowKey::Upload(BUCKET, &object, UploadId(upload)).encode();
        prop_assert_eq!(split_upload(&place).ok(), Some((object, UploadId(upload))));
    }

    #[test]
    fn hostile_keys_give_errors_and_no_panic(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
        let key = Bytes::from(bytes);
        drop((split_bucket(&key), split_object(&key, Keyspace::Current), split_upload(&key), split_version(&key)));
        drop((split_part(&key), split_pack_user(&key), split_pack(&key, Keyspace::Pack)));
    }
}

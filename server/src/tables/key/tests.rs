//! Order, round trips and golden bytes of keys.

mod order;

use proptest::prelude::*;

use super::*;
use crate::model::{BucketName, PartNumber, VersionNumber};
use crate::store::Epoch;
use crate::store::meta::walk::KeyRange;
use crate::tables::table::after_prefix;
use crate::tables::{
    BucketVersioning, Buckets, Completions, Currents, DeadManifests, DeadUploads, Heads, Keyed,
    LogicalBytes, ManifestChunks, ManifestHeads, ManifestUsers, PackLive, PackRows, PackSegments,
    PackUsers, PartTables, Parts, StoredBytes, Uploads, Versions, Writers,
};

fn key(text: &str) -> ObjectKey {
    ObjectKey::parse(text).expect("test keys are valid")
}

const BUCKET: BucketId = BucketId(0x0102_0304_0506_0708);

fn current(text: &str) -> Key {
    Currents.key((BUCKET, &key(text)))
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
    let object = (BUCKET, &object);
    let golden = [
        (Buckets.key(&name), "10657463640001"),
        (BucketVersioning.key(BUCKET), "11010203040506070801"),
        (Currents.key(object), "2001020304050607086100ff620001"),
        (Heads.key(object), "2101020304050607086100ff620001"),
        (
            Versions.key((object.0, object.1, VersionNumber(1))),
            "2201020304050607086100ff620001fffffffffffffffe",
        ),
        (
            Uploads.key((object.0, object.1, upload)),
            "3001020304050607086100ff62000155555555555555555555555555555555",
        ),
        (
            Parts.key((upload, part)),
            "31555555555555555555555555555555550102",
        ),
        (
            Completions.key(upload),
            "3255555555555555555555555555555555",
        ),
        (
            DeadUploads.key(upload),
            "3355555555555555555555555555555555",
        ),
        (
            ManifestHeads.key(manifest),
            "4000000003000000000000000400000000",
        ),
        (
            ManifestChunks.key((manifest, 5)),
            "4000000003000000000000000400000005",
        ),
        (ManifestUsers.key(manifest), "41000000030000000000000004"),
        (DeadManifests.key(manifest), "42000000030000000000000004"),
        (PartTables.key(manifest), "43000000030000000000000004"),
        (PackRows.key(pack), "500000000100000002"),
        (PackSegments.key(pack), "510000000100000002"),
        (PackLive.key(pack), "520000000100000002"),
        (
            PackUsers.key((pack, manifest)),
            "530000000100000002000000030000000000000004",
        ),
        (Writers.key(Epoch(7)), "5500000007"),
        (LogicalBytes.key(Epoch(7)), "6200000007"),
        (StoredBytes.key(Epoch(7)), "6300000007"),
    ];
    for (row, expected) in golden {
        assert_eq!(hex::encode(row), expected);
    }
}

#[test]
fn a_prefix_scan_takes_in_the_prefix_and_nothing_else() {
    let range = Currents.of_prefix(BUCKET, "a/").keys;
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
    assert_eq!(Currents.whole().keys.to, Bytes::from_static(&[0x21]));
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
        assert!(Currents.split(&bytes).is_err(), "{bad}");
    }
    assert!(Heads.split(&current("a")).is_err());
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
        let of = |text: &str, number| Versions.key((BUCKET, &key(text), VersionNumber(number)));
        prop_assert!(of(&a, high) < of(&a, low));
        let other = of(&b, n);
        prop_assert!(other < of(&a, high) || other > of(&a, low));
    }

    #[test]
    fn splitting_gives_back_what_was_built(text in "[\\x00-\\x7f\u{e9}]{1,20}", n: u64, upload: [u8; 16]) {
        let object = key(&text);
        prop_assert_eq!(Currents.split(&current(&text)).ok(), Some((BUCKET, object.clone())));
        let version = Versions.key((BUCKET, &object, VersionNumber(n)));
        prop_assert_eq!(Versions.split(&version).ok(), Some((BUCKET, object.clone(), VersionNumber(n))));
        let place = Uploads.key((BUCKET, &object, UploadId(upload)));
        prop_assert_eq!(Uploads.split(&place).ok(), Some((BUCKET, object, UploadId(upload))));
    }

    #[test]
    fn hostile_keys_give_errors_and_no_panic(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
        let key = Bytes::from(bytes);
        drop((Buckets.split(&key), Currents.split(&key), Uploads.split(&key), Versions.split(&key)));
        drop((Parts.split(&key), PackUsers.split(&key), PackRows.split(&key), Writers.split(&key)));
    }
}

//! Golden bytes of every record in every version, with a different value in each field, and the errors of damaged ones.

use bytes::Bytes;

use super::record::{decode, encode};
use super::{
    Attributes, BucketRow, BucketState, CompletedRow, CurrentRow, DeadRow, HeadRow, Keyspace,
    ManifestChunk, ManifestEntry, ManifestHead, ObjectData, PackRow, PackUserRow, PartEntry,
    PartRow, PartTable, QuarantineRow, Record, UploadChecksumKind, UploadRow, VersionKind,
    VersionRow, Versioning, WriterRow,
};
use crate::clock::UnixMillis;
use crate::model::{
    BucketId, BucketName, Checksum, ChecksumAlgorithm, ChecksumKind, ContentHeaders, ETag,
    LegalHold, ObjectKey, Owner, Retention, RetentionMode, StorageClass, Tags, UserMetadata,
    VersionId, VersionNumber,
};
use crate::store::packs::Segment;
use crate::store::{Epoch, ManifestId, PackId, StoreError};

fn read<R: Record>(value: &[u8]) -> Result<R, StoreError> {
    decode("a row", b"row", value)
}

fn all_checksums() -> Vec<Checksum> {
    let of = |algorithm: ChecksumAlgorithm| Checksum {
        algorithm,
        kind: ChecksumKind::FullObject,
        value: Bytes::from(vec![0xcc; algorithm.value_bytes()]),
    };
    ChecksumAlgorithm::ALL.map(of).to_vec()
}

fn headers() -> ContentHeaders {
    ContentHeaders {
        content_type: Some("t".to_owned()),
        cache_control: Some("c".to_owned()),
        content_disposition: Some("d".to_owned()),
        content_encoding: Some("e".to_owned()),
        content_language: Some("l".to_owned()),
        expires: Some("x".to_owned()),
    }
}

fn pair() -> Vec<(String, String)> {
    vec![("k".to_owned(), "v".to_owned())]
}

const PACK: PackId = PackId {
    epoch: Epoch(1),
    serial: 2,
};
const MANIFEST: ManifestId = ManifestId {
    epoch: Epoch(3),
    serial: 4,
};
const RETENTION: Option<Retention> = Some(Retention {
    mode: RetentionMode::Compliance,
    until: UnixMillis(2_000_000_000_000),
});
const TIME: UnixMillis = UnixMillis(1_700_000_000_000);

fn owner() -> Owner {
    Owner("root".to_owned())
}

fn segment() -> Segment {
    Segment {
        pack: PACK,
        offset: 64,
        stored_len: 1000,
        plain_len: 2000,
        skip: 7,
    }
}

/// Pins a record's bytes in both directions.
#[track_caller]
fn pin<R: Record + PartialEq + std::fmt::Debug>(record: &R, golden: &str) {
    assert_eq!(hex::encode(encode(record)), golden);
    pin_older(record, golden);
}

/// Pins the bytes of an older version, which is only read.
#[track_caller]
fn pin_older<R: Record + PartialEq + std::fmt::Debug>(record: &R, golden: &str) {
    let bytes = hex::decode(golden).expect("test hex is valid");
    assert_eq!(read::<R>(&bytes).as_ref().ok(), Some(record));
    for cut in 0..bytes.len() {
        let cut_off = read::<R>(bytes.get(..cut).unwrap_or_default());
        assert!(cut_off.is_err(), "cut at {cut}");
    }
    let longer = [bytes, vec![0]].concat();
    assert!(read::<R>(&longer).is_err(), "one byte more");
}

#[test]
fn buckets() {
    let record = BucketRow {
        id: BucketId(5),
        created: TIME,
        owner: owner(),
        state: BucketState::Deleting,
        object_lock: true,
    };
    pin(&record, "02000580d095ffbc3104726f6f740101");
    // Version 1 also held the settings.
    pin_older(
        &record,
        "01000580d095ffbc3104726f6f7401020101001e01016b0176",
    );
    pin(&Versioning::Suspended, "010002");
}

#[test]
fn current_and_head() {
    let current = CurrentRow {
        number: VersionNumber(9),
        size: 300,
        etag: ETag {
            md5: [0xee; 16],
            parts: 3,
        },
        time: TIME,
        class: StorageClass::default(),
        owner: owner(),
        checksums: vec![(
            ChecksumAlgorithm::Crc32c,
            ChecksumKind::Composite { parts: 3 },
        )],
    };
    pin(
        &current,
        "010009ac02eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee0380d095ffbc31085354414e4441524404726f6f7401010103",
    );
    let head = HeadRow {
        next: VersionNumber(10),
        current: Some(VersionNumber(9)),
        null: Some(VersionNumber(4)),
    };
    pin(&head, "01000a01090104");
}

#[test]
fn versions() {
    let data = ObjectData {
        manifest: Some(MANIFEST),
        size: 300,
        etag: ETag::whole([0xee; 16]),
        checksums: all_checksums(),
        class: StorageClass("STANDARD_IA".to_owned()),
        headers: headers(),
        metadata: UserMetadata(pair()),
    };
    let object = VersionRow {
        id: VersionId {
            number: VersionNumber(9),
            nonce: 77,
        },
        is_null: false,
        time: TIME,
        owner: owner(),
        kind: VersionKind::Object(Box::new(data)),
        retention: RETENTION,
        hold: LegalHold::On,
        tags: Tags(pair()),
    };
    pin(
        &object,
        concat!(
            "0100094d0080d095ffbc3104726f6f7400010304ac02eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee0005000004cccccccc01",
            "0004cccccccc020008cccccccccccccccc030014cccccccccccccccccccccccccccccccccccccccc040020cccccccccc",
            "cccccccccccccccccccccccccccccccccccccccccccccccccccccc0b5354414e444152445f4941010174010163010164",
            "01016501016c01017801016b0176010180c0a8ca9a3a0101016b0176",
        ),
    );
    let marker = VersionRow {
        is_null: true,
        kind: VersionKind::DeleteMarker,
        ..object
    };
    pin(
        &marker,
        "0100094d0180d095ffbc3104726f6f7401010180c0a8ca9a3a0101016b0176",
    );
}

#[test]
fn uploads_and_parts() {
    let upload = UploadRow {
        initiated: TIME,
        attributes: Attributes {
            owner: owner(),
            class: StorageClass::default(),
            headers: headers(),
            metadata: UserMetadata(pair()),
            tags: Tags(pair()),
            retention: RETENTION,
            hold: LegalHold::On,
        },
        checksum: Some((ChecksumAlgorithm::Crc64Nvme, UploadChecksumKind::FullObject)),
    };
    pin(
        &upload,
        concat!(
            "010080d095ffbc3104726f6f74085354414e4441524401017401016301016401016501016c01017801016b017601016b",
            "0176010180c0a8ca9a3a01010200",
        ),
    );
    let part = PartRow {
        manifest: Some(MANIFEST),
        size: 300,
        etag: ETag::whole([0xee; 16]),
        checksums: all_checksums(),
        time: TIME,
    };
    pin(
        &part,
        concat!(
            "0100010304ac02eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee0005000004cccccccc010004cccccccc020008cccccccccccc",
            "cccc030014cccccccccccccccccccccccccccccccccccccccc040020cccccccccccccccccccccccccccccccccccccccc",
            "cccccccccccccccccccccccc80d095ffbc31",
        ),
    );
}

#[test]
fn part_tables_and_answers() {
    let table = PartTable {
        parts: vec![PartEntry {
            number: 3,
            size: 300,
            checksums: all_checksums(),
        }],
    };
    pin(
        &table,
        concat!(
            "01000103ac0205000004cccccccc010004cccccccc020008cccccccccccccccc030014cccccccccccccccccccccccccc",
            "cccccccccccccc040020cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc",
        ),
    );
    let completed = CompletedRow {
        bucket: BucketName::parse("etcd").expect("valid"),
        key: ObjectKey::parse("k").expect("valid"),
        etag: ETag {
            md5: [0xee; 16],
            parts: 3,
        },
        checksums: all_checksums(),
        version: Some(VersionId {
            number: VersionNumber(9),
            nonce: 77,
        }),
        time: TIME,
    };
    pin(
        &completed,
        concat!(
            "01000465746364016beeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee0305000004cccccccc010004cccccccc020008cccccccc",
            "cccccccc030014cccccccccccccccccccccccccccccccccccccccc040020cccccccccccccccccccccccccccccccccccc",
            "cccccccccccccccccccccccccccc01094d80d095ffbc31",
        ),
    );
}

#[test]
fn manifests_and_packs() {
    let entry = ManifestEntry::Segment(segment());
    let head = ManifestHead {
        chunks: 2,
        size: 2000,
        entries: vec![entry],
    };
    pin(&head, "020002d00f0100010240e807d00f07");
    let chunk = ManifestChunk {
        entries: vec![entry, entry],
    };
    pin(&chunk, "02000200010240e807d00f0700010240e807d00f07");
    // Version 1 knew only segments.
    pin_older(&head, "010002d00f01010240e807d00f07");
    pin_older(&chunk, "010002010240e807d00f07010240e807d00f07");
    pin(&DeadRow { since: TIME }, "010080d095ffbc31");
    pin(&PackRow::Live, "010000");
    pin(&PackRow::Sealed { len: 4096 }, "0100018020");
    pin(&PackRow::Marked { since: TIME }, "01000280d095ffbc31");
    pin(&PackUserRow { end: 1064 }, "0100a808");
    pin(&QuarantineRow { since: TIME }, "010080d095ffbc31");
    let writer = WriterRow {
        since: TIME,
        open: Some(PACK),
    };
    pin(&writer, "010080d095ffbc31010102");
}

#[test]
fn a_newer_record_is_told_from_damage_and_one_that_nobody_wrote_is_damage() {
    fn versions<R: Record + std::fmt::Debug>(record: &R) {
        let mut bytes = encode(record).to_vec();
        if let Some(version) = bytes.first_mut() {
            *version += 1;
        }
        let newer = read::<R>(&bytes);
        assert!(
            matches!(newer, Err(StoreError::NewerFormat { .. })),
            "{newer:?}"
        );
        if let Some(version) = bytes.first_mut() {
            *version = 0;
        }
        let unknown = read::<R>(&bytes);
        assert!(
            matches!(unknown, Err(StoreError::DamagedRow { .. })),
            "{unknown:?}"
        );
    }
    versions(&PackRow::Live);
    versions(&ManifestChunk {
        entries: Vec::new(),
    });
    versions(&ManifestHead {
        chunks: 1,
        size: 0,
        entries: Vec::new(),
    });
    versions(&BucketRow {
        id: BucketId(5),
        created: TIME,
        owner: owner(),
        state: BucketState::Active,
        object_lock: false,
    });
}

#[test]
fn the_numbers_of_keyspaces_are_ascending_and_none_is_used_twice() {
    let numbers = Keyspace::ALL.map(Keyspace::number);
    assert!(numbers.is_sorted() && numbers.iter().all(|number| *number >= 0x10));
    assert!(
        [0x54, 0x60, 0x61]
            .iter()
            .all(|spent| !numbers.contains(spent))
    );
}

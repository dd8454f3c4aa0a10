//! Golden bytes of every record, each field with a value of its own, and what damaged ones give.

use super::*;
use crate::model::RetentionMode;
use crate::store::Epoch;
use crate::store::meta::Version;

fn row(value: Bytes) -> Row {
    Row {
        value,
        version: Version(1),
    }
}

fn key() -> Key {
    Bytes::from_static(b"row")
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

/// Pins a record's bytes both ways.
#[track_caller]
fn pin<R: Record + PartialEq + std::fmt::Debug>(record: &R, golden: &str) {
    let bytes = record.encode();
    assert_eq!(hex::encode(&bytes), golden);
    assert_eq!(
        R::decode(&key(), &row(bytes.clone())).as_ref().ok(),
        Some(record)
    );
    for cut in 0..bytes.len() {
        assert!(
            R::decode(&key(), &row(bytes.slice(..cut))).is_err(),
            "cut at {cut}"
        );
    }
    let longer = Bytes::from([bytes.to_vec(), vec![0]].concat());
    assert!(R::decode(&key(), &row(longer)).is_err(), "one byte more");
}

#[test]
fn buckets() {
    let record = BucketRow {
        id: BucketId(5),
        created: TIME,
        owner: owner(),
        state: BucketState::Deleting,
        versioning: Versioning::Suspended,
        object_lock: true,
        default_retention: Some((RetentionMode::Governance, 30)),
        tags: Tags(pair()),
    };
    pin(
        &record,
        "01000580d095ffbc3104726f6f7401020101001e01016b0176",
    );
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
    pin(
        &ManifestHead {
            chunks: 2,
            size: 2000,
            segments: vec![segment()],
        },
        "010002d00f01010240e807d00f07",
    );
    pin(
        &ManifestChunk {
            segments: vec![segment(), segment()],
        },
        "010002010240e807d00f07010240e807d00f07",
    );
    pin(&DeadRow { since: TIME }, "010080d095ffbc31");
    pin(&PackRow::Live, "010000");
    pin(&PackRow::Sealed { len: 4096 }, "0100018020");
    pin(&PackRow::Condemned { since: TIME }, "01000280d095ffbc31");
    pin(&OpenPackRow { pack: PACK }, "01000102");
    pin(&PackUserRow { end: 1064 }, "0100a808");
}

#[test]
fn a_newer_format_is_refused_by_name() {
    let mut bytes = PackRow::Live.encode().to_vec();
    bytes[0] += 1;
    let refused = PackRow::decode(&key(), &row(Bytes::from(bytes)));
    assert!(
        matches!(refused, Err(StoreError::NewerFormat { .. })),
        "{refused:?}"
    );
}

//! Optional records and broken records, put into a real database.

use super::{values::JSON_BYTES_MAX, *};
use crate::{
    bolt::edit::{self, BucketEdit, Edit},
    mvcc::RevisionKey,
    width::u64_of,
};

const REAL: &[u8] = include_bytes!("../../tests/fixtures/etcd-3.4.db");

/// Inspects the real database after one more entry.
fn with(bucket: &str, key: &[u8], value: &[u8]) -> Result<Inspection, InspectError> {
    with_all(bucket, [(key.to_vec(), value.to_vec())])
}

fn with_all(
    bucket: &str,
    entries: impl IntoIterator<Item = (Vec<u8>, Vec<u8>)>,
) -> Result<Inspection, InspectError> {
    let real = &REAL[..REAL.len() - 32];
    let bolt = Bolt::open(real, u64_of(real.len())).expect("etcd wrote it");
    let change = BucketEdit::upsert(bucket.as_bytes(), entries);
    let appended = edit::append(
        &bolt,
        &Edit {
            buckets: vec![change],
        },
    )
    .expect("it fits");
    let mut db = real.to_vec();
    db.extend(&appended.pages);
    db[..4096].copy_from_slice(&appended.metas[0]);
    inspect(&Bolt::open(&db, appended.new_len).expect("the metas are new"))
}

#[test]
fn alarms_versions_and_downgrades_are_found() {
    let key = hex::decode("08d084c4dde1cbf9f1cc011001").expect("the constant is hex");
    let found = with("alarm", &key, b"").expect("etcd writes such a key");
    let alarm = Alarm {
        member: MemberId(0xcce3_e65e_1bb1_0250),
        kind: AlarmKind::NoSpace,
    };
    assert_eq!(found.alarms, [alarm]);

    let found = with("meta", b"storageVersion", b"3.6.0").expect("etcd writes such a version");
    assert_eq!(found.storage_version.as_deref(), Some("3.6.0"));

    let downgrade = br#"{"target-version":"3.5.0","enabled":true}"#;
    assert!(
        with("cluster", b"downgrade", downgrade)
            .expect("etcd writes it")
            .downgrade_enabled
    );

    let later = RevisionKey {
        main: 5000,
        sub: 0,
        tombstone: false,
    }
    .encode();
    let found = with("meta", b"scheduledCompactRev", &later).expect("etcd writes it");
    assert_eq!(
        (found.scheduled_compact_revision, found.compact_revision),
        (Some(5000), Some(150))
    );
    assert_eq!((found.revision, found.current_revision()), (186, 5000));

    let learner = br#"{"id":7,"peerURLs":["http://h:1"],"isLearner":true}"#;
    let found = with("members", b"7", learner).expect("etcd writes such a member");
    assert_eq!(
        found
            .members
            .iter()
            .filter(|member| member.is_learner)
            .count(),
        1
    );
}

#[test]
fn a_deleted_key_is_not_alive_until_it_is_put_again() {
    let row = |main, tombstone| {
        RevisionKey {
            main,
            sub: 0,
            tombstone,
        }
        .encode()
    };
    let leased = KeyValue {
        key: b"leased",
        ..KeyValue::default()
    }
    .encode();
    let found = with("key", &row(200, true), &leased).expect("it is a row");
    assert_eq!((found.live_keys.number(), found.revision), (102, 200));
    let rows = [(row(200, true), leased.clone()), (row(201, false), leased)];
    assert_eq!(
        with_all("key", rows).expect("these are rows").live_keys,
        KeyCount::Exact(103)
    );
}

fn row(main: u64, sub: u64, end: &[u8]) -> Vec<u8> {
    [&main.to_be_bytes()[..], b"_", &sub.to_be_bytes(), end].concat()
}

#[test]
fn a_database_without_the_buckets_of_etcd_is_not_its() {
    let real = &REAL[..REAL.len() - 32];
    let bolt = Bolt::open(real, u64_of(real.len())).expect("etcd wrote it");
    let all = bolt.buckets().expect("etcd wrote it");
    require_buckets(&all).expect("etcd wrote it");
    for name in ["key", "meta"] {
        let mut others = all.clone();
        others.retain(|bucket| bucket.name != name.as_bytes());
        let error = require_buckets(&others).expect_err(name);
        assert!(
            matches!(error, InspectError::NoBucket { name: missing } if missing == name),
            "{error}"
        );
    }
}

#[test]
fn a_row_of_revision_zero_is_nothing_odd() {
    let value = KeyValue {
        key: b"first",
        ..KeyValue::default()
    };
    let found = with("key", &row(0, 0, b""), &value.encode()).expect("it is a row");
    assert_eq!((found.oddities.count, found.live_keys.number()), (0, 104));
}

#[test]
fn records_at_which_etcd_panics_are_errors_with_their_offset() {
    // All were appended, so they are after the data that etcd wrote.
    let beyond = |offset: &u64| *offset >= u64_of(REAL.len() - 32);
    let at = row(200, 0, b"");
    for (bucket, key, value) in [
        ("key", &b"not a row"[..], &b""[..]),
        ("meta", b"finishedCompactRev", b"1"),
    ] {
        let error = with(bucket, key, value).expect_err("no row key");
        assert!(
            matches!(&error, InspectError::RowKey { offset, .. } if beyond(offset)),
            "{error}"
        );
    }
    for (bucket, key, value) in [
        ("key", at.as_slice(), &[0x0a, 9][..]),
        // Since 3.7, another wire type is unknown and skipped; this database is older.
        ("key", at.as_slice(), &[0x08, 9]),
        ("alarm", &[0xff], &[]),
        ("alarm", &[0x0a, 0], &[]),
        ("lease", b"12345678", b"null"),
        // A field of another wire type than the message has: each of them.
        ("lease", b"12345678", b"\x0a\x00"),
        ("lease", b"12345678", b"\x12\x00"),
        ("lease", b"12345678", b"\x1a\x00"),
        ("authUsers", b"u", b"\x08\x01"),
        ("authUsers", b"u", b"\x10\x01"),
        ("authUsers", b"u", b"\x18\x01"),
        ("authUsers", b"u", b"\x20\x01"),
        ("authUsers", b"u", b"\x22\x02\x0a\x00"),
        ("authUsers", b"u", b"\x0a\x01u\x22\x02zz"),
        ("authUsers", b"u", b"null"),
    ] {
        let error = with(bucket, key, value).expect_err(bucket);
        assert!(
            matches!(&error, InspectError::Message { offset, .. } if beyond(offset)),
            "{bucket}: {error}"
        );
    }
    let error = with("auth", b"authRevision", b"1").expect_err("one byte");
    assert!(
        matches!(&error, InspectError::Shape { len: 1, offset, .. } if beyond(offset)),
        "{error}"
    );
    for downgrade in ["{", "", "[]", r#"{"enabled":1}"#, r#"{"target-version":1}"#] {
        let error = with("cluster", b"downgrade", downgrade.as_bytes()).expect_err("no JSON");
        assert!(
            matches!(&error, InspectError::Json { offset, .. } if beyond(offset)),
            "{downgrade}: {error}"
        );
    }
}

/// Bucket, key, value; words of the defect, words of the effect.
type OddRecord<'a> = (&'a str, &'a [u8], &'a [u8], &'a str, &'a str);

const REPLACED: &str = "a restore replaces it";
const ONLY_35: &str = "etcd 3.5 boots with it, etcd 3.6 and later do not";

#[test]
fn records_with_which_etcd_boots_are_oddities() {
    let value = KeyValue {
        key: b"k",
        version: 1,
        ..KeyValue::default()
    }
    .encode();
    let long = vec![b' '; JSON_BYTES_MAX + 1];
    let negative = 1 << 63;
    let keyless: &[u8] = b"\x10\x02";
    let cases: [OddRecord<'_>; 20] = [
        ("members", b"7", b"{", "not the JSON", REPLACED),
        ("members", b"7", br#"{"id":8}"#, "its id is 8", REPLACED),
        ("members", b"7", &long, "65537 bytes", REPLACED),
        ("members", b"zz", b"x", "not the JSON", REPLACED),
        ("meta", b"term", b"1", "has 1 bytes", REPLACED),
        ("meta", b"consistent_index", b"", "has 0 bytes", REPLACED),
        (
            "meta",
            b"storageVersion",
            &[0xff],
            "has 1 bytes",
            "for unknown",
        ),
        (
            "cluster",
            b"clusterVersion",
            &[0xff],
            "has 1 bytes",
            ONLY_35,
        ),
        (
            "cluster",
            b"clusterVersion",
            b"3.",
            "not a version",
            ONLY_35,
        ),
        ("auth", b"authEnabled", b"yes", "has 3 bytes", "for OFF"),
        (
            "auth",
            b"authRevision",
            &[0; 9],
            "has 9 bytes",
            "first 8 bytes",
        ),
        ("authUsers", b"u", b"", "another key", "by its key"),
        (
            "authRoles",
            b"unused",
            b"null",
            "the role",
            "no user has this role",
        ),
        ("lease", b"x", b"", "another key", "the id in the record"),
        (
            "key",
            &row(200, 0, b"z"),
            &value,
            "18 bytes",
            "its last byte",
        ),
        ("key", &row(200, 0, b"tt"), &value, "19 bytes", ONLY_35),
        ("key", &row(200, negative, b""), &value, "negative", ONLY_35),
        (
            "key",
            &row(negative, 0, b""),
            &value,
            "negative",
            "never reads",
        ),
        (
            "key",
            &row(200, 0, b""),
            keyless,
            "without a key",
            "the empty key",
        ),
        (
            "meta",
            b"finishedCompactRev",
            &row(150, 0, b"z"),
            "18 bytes",
            "its last byte",
        ),
    ];
    for (bucket, key, value, defect, effect) in cases {
        let found = with(bucket, key, value).expect("etcd boots with it");
        let [oddity] = found.oddities.first.as_slice() else {
            panic!("{bucket} {}: {:?}", key.escape_ascii(), found.oddities);
        };
        let text = oddity.to_string();
        assert!(
            text.contains(defect) && text.contains(effect) && text.contains("at offset"),
            "{text}"
        );
        assert_eq!(found.oddities.count, 1);
    }
}

/// `null` is what etcd itself writes for an empty list.
#[test]
fn an_empty_value_of_go_is_nothing_odd() {
    let member = br#"{"id":7,"peerURLs":null,"name":null,"clientURLs":null,"isLearner":null}"#;
    let found = with("members", b"7", member).expect("etcd writes it");
    assert_eq!(found.members.len(), 2);
    for downgrade in ["null", r#"{"target-version":null,"enabled":null}"#] {
        let found = with("cluster", b"downgrade", downgrade.as_bytes()).expect("etcd boots");
        assert!(!found.downgrade_enabled);
        assert_eq!(found.oddities.count, 0);
    }
}

/// What only other versions boot with is refused for the version that wrote the database.
#[test]
fn the_version_of_the_database_decides_over_what_versions_disagree_about() {
    let with_version = |storage: &str, oddity: (&str, &[u8], &[u8])| {
        let real = &REAL[..REAL.len() - 32];
        let bolt = Bolt::open(real, u64_of(real.len())).expect("etcd wrote it");
        let (bucket, key, value) = oddity;
        let buckets = vec![
            BucketEdit::upsert(bucket.as_bytes(), [(key.to_vec(), value.to_vec())]),
            BucketEdit::upsert(b"meta", [(b"storageVersion".to_vec(), storage.into())]),
        ];
        let appended = edit::append(&bolt, &Edit { buckets }).expect("it fits");
        let mut db = real.to_vec();
        db.extend(&appended.pages);
        db[..4096].copy_from_slice(&appended.metas[0]);
        inspect(&Bolt::open(&db, appended.new_len).expect("the metas are new"))
    };
    let cluster = ("cluster", &b"clusterVersion"[..], &b"x"[..]);
    let alarm = ("alarm", &[0x0a, 0][..], &[][..]);
    assert!(with_version("3.6.0", cluster).is_err());
    assert!(with_version("3.7.0", cluster).is_err());
    assert!(with_version("3.6.0", alarm).is_err());
    assert_eq!(
        with_version("3.7.0", alarm)
            .expect("it boots")
            .oddities
            .count,
        1
    );
}

/// The role is read at boot because a user has it.
#[test]
fn a_broken_role_of_a_user_is_an_error() {
    // Besides, a field of another wire type than the message has: each of them.
    for role in [
        &b"null"[..],
        b"\x08\x01",
        b"\x10\x01",
        b"\x12\x02\x0a\x00",
        b"\x12\x02\x10\x01",
        b"\x12\x02\x18\x01",
    ] {
        let error = with("authRoles", b"r1", role).expect_err("user u1 has it");
        assert!(
            matches!(
                error,
                InspectError::Message {
                    what: "the role",
                    ..
                }
            ),
            "{error}"
        );
    }
}

#[test]
fn no_number_of_records_takes_more_memory() {
    let alarms = (0..u64_of(RECORDS_MAX + 50)).map(|n| {
        let mut key = Vec::new();
        crate::proto::put_varint_field(&mut key, 1, n);
        (key, Vec::new())
    });
    let found = with_all("alarm", alarms).expect("etcd boots with them");
    assert_eq!(found.alarms.len(), RECORDS_MAX);
    assert_eq!(found.oddities.count, 50);
    assert_eq!(found.oddities.first.len(), ODDITIES_MAX);
}

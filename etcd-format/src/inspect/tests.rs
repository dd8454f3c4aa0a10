//! Optional records and broken records, put into a real database.

use super::{values::JSON_BYTES_MAX, *};
use crate::{
    bolt::edit::{self, BucketEdit, Edit},
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
    assert_eq!((found.live_keys, found.revision), (102, 200));
    let rows = [(row(200, true), leased.clone()), (row(201, false), leased)];
    assert_eq!(
        with_all("key", rows).expect("these are rows").live_keys,
        103
    );
}

#[test]
fn records_that_etcd_never_writes_are_named_with_their_offset() {
    // All were appended, so they are after the data that etcd wrote.
    let beyond = |offset: &u64| *offset >= u64_of(REAL.len() - 32);
    let row = RevisionKey {
        main: 200,
        sub: 0,
        tombstone: false,
    }
    .encode();
    let error = with("key", b"not a row", b"").expect_err("no row key");
    assert!(
        matches!(&error, InspectError::RowKey { offset, .. } if beyond(offset)),
        "{error}"
    );
    let error = with("key", &row, &[0x0a, 9]).expect_err("cut off");
    assert!(
        matches!(&error, InspectError::Message { offset, .. } if beyond(offset)),
        "{error}"
    );
    let error = with("alarm", &[0xff], b"").expect_err("cut off");
    assert!(
        matches!(&error, InspectError::Message { offset, .. } if beyond(offset)),
        "{error}"
    );
    let error = with("members", b"7", b"{").expect_err("no JSON");
    assert!(
        matches!(&error, InspectError::Json { offset, .. } if beyond(offset)),
        "{error}"
    );
    let error = with("members", b"7", br#"{"id":8}"#).expect_err("another id");
    assert!(
        matches!(
            &error,
            InspectError::MemberKey {
                id: MemberId(8),
                ..
            }
        ),
        "{error}"
    );
    let error = with("members", b"7", &vec![b' '; JSON_BYTES_MAX + 1]).expect_err("too long");
    assert!(
        matches!(&error, InspectError::Shape { len: 65_537, .. }),
        "{error}"
    );
    let error = with("meta", b"term", b"1").expect_err("one byte");
    assert!(
        matches!(&error, InspectError::Shape { len: 1, .. }),
        "{error}"
    );
    let error = with("cluster", b"clusterVersion", &[0xff]).expect_err("no text");
    assert!(
        matches!(&error, InspectError::Shape { len: 1, .. }),
        "{error}"
    );
    let error = with("meta", b"finishedCompactRev", b"1").expect_err("no revision");
    assert!(matches!(&error, InspectError::RowKey { .. }), "{error}");
    let alarms = (0..=u64_of(RECORDS_MAX)).map(|n| {
        let mut key = Vec::new();
        crate::proto::put_varint_field(&mut key, 1, n);
        (key, Vec::new())
    });
    let error = with_all("alarm", alarms).expect_err("one too many");
    assert!(
        matches!(&error, InspectError::TooMany { what: "alarms", .. }),
        "{error}"
    );
}

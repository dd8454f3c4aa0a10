//! A snapshot that a real etcd 3.4.23 saved, see tests/fixtures/README.md.

use strongroom_etcd_format::{
    bolt::{Bolt, BoltError, edit},
    inspect::{self, KeyCount, Oddities, StoredMember},
    membership::{InitialCluster, MemberId, Membership, Token},
    mvcc::{KeyValue, RevisionKey},
    restore::{self, RestoreOptions},
    snapshot::{StreamDigest, Trailer},
    status::{self, Status},
};

const FILE: &[u8] = include_bytes!("fixtures/etcd-3.4.db");
const MEMBER: MemberId = MemberId(10_145_991_495_858_526_891);

fn database() -> &'static [u8] {
    &FILE[..FILE.len() - 32]
}

fn open(db: &[u8]) -> Bolt<&[u8]> {
    Bolt::open(db, u64::try_from(db.len()).expect("it fits")).expect("its metas are right")
}

#[test]
fn its_trailer_matches() {
    let mut digest = StreamDigest::new();
    for piece in FILE.chunks(10_007) {
        digest.update(piece);
    }
    let summary = digest.finish().expect("etcd wrote it");
    assert_eq!(
        (summary.trailer, summary.db_len, summary.file_len),
        (Trailer::Matches, 118_784, 118_816)
    );
}

#[test]
fn it_passes_the_check_and_counts_like_etcd() {
    let bolt = open(database());
    let report = bolt.check().expect("etcd wrote it");
    assert_eq!(
        (bolt.used_len(), bolt.page_size(), bolt.one_meta_only()),
        (118_784, 4096, false)
    );
    assert_eq!(report.keys, 170, "etcdctl's totalKey");
    assert_eq!(
        (report.branch_pages, report.overflow_pages, report.depth_max),
        (1, 2, 2)
    );
}

#[test]
fn its_status_is_what_etcds_tools_print() {
    let found = status::examine(&open(database())).expect("etcd wrote it");
    // etcdctl 3.4.23 and etcdutl 3.5.33 printed 170 keys, etcdutl 3.6.14 and 3.7.1 printed 103.
    let expected = Status {
        hash: 3_306_643_086,
        revision: 186,
        total_entries: 170,
        live_keys: 103,
        total_size: 118_784,
        version: None,
    };
    assert_eq!(found.status, expected);
    assert_eq!(found.members_removed, 0);
}

#[test]
fn its_inspection_says_what_was_done_to_it() {
    let found = inspect::inspect(&open(database())).expect("etcd wrote it");
    assert_eq!((found.revision, found.current_revision()), (186, 186));
    assert_eq!(
        (found.compact_revision, found.scheduled_compact_revision),
        (Some(150), Some(150))
    );
    // 120 pods, of which 21 were deleted; txa, txb, leased, big. etcdctl counted as many.
    assert_eq!(found.live_keys, KeyCount::Exact(99 + 4));
    assert_eq!(found.oddities, Oddities::default());
    let member = StoredMember {
        id: MEMBER,
        name: "n1".to_owned(),
        peer_urls: vec!["http://127.0.0.1:23801".to_owned()],
        client_urls: vec!["http://127.0.0.1:23791".to_owned()],
        is_learner: false,
    };
    assert_eq!(found.members, [member]);
    assert_eq!(
        (
            found.leases,
            found.auth_enabled,
            found.looks_like_kubernetes
        ),
        (1, true, true)
    );
    assert_eq!(
        (
            found.cluster_version.as_deref(),
            found.storage_version,
            found.term
        ),
        (Some("3.4.0"), None, None)
    );
    assert!(!found.downgrade_enabled && found.alarms.is_empty());
    assert!(found.consistent_index.is_some_and(|index| index > 186));
}

#[test]
fn its_rows_decode_and_encode_to_the_same_bytes() {
    let mut transaction = Vec::new();
    open(database())
        .for_each(b"key", &mut |key, value, offset| {
            let row = RevisionKey::decode(key).expect("etcd wrote it");
            let kv = KeyValue::decode(value).expect("etcd wrote it");
            assert_eq!(
                (row.encode().as_slice(), kv.encode().as_slice()),
                (key, value)
            );
            assert!(offset < 118_784);
            if row.main == 182 {
                transaction.push((row.sub, row.tombstone, kv.key.to_vec()));
            }
            Ok::<(), BoltError>(())
        })
        .expect("it is right");
    let expected = [
        (0, false, "txa"),
        (1, false, "txb"),
        (2, true, "/registry/pods/default/pod-100"),
    ];
    assert_eq!(
        transaction,
        expected.map(|(sub, tombstone, key)| (sub, tombstone, key.as_bytes().to_vec()))
    );
}

/// The database after a restore to two members, and these.
fn restored() -> (Vec<u8>, Membership) {
    let bolt = open(database());
    let cluster = InitialCluster::parse("a=http://10.0.0.1:2380,b=http://10.0.0.2:2380")
        .expect("it is right");
    let members = Membership::new(&cluster, &Token::new("t")).expect("ids differ");
    let edit = restore::edit_for(
        &members,
        &RestoreOptions {
            clear_storage_version: true,
        },
    );
    let appended = edit::append(&bolt, &edit).expect("it fits");
    let mut db = database().to_vec();
    db.extend(&appended.pages);
    for (page, meta) in [0, 4096].into_iter().zip(&appended.metas) {
        db[page..page + 4096].copy_from_slice(meta);
    }
    assert_eq!(open(&db).used_len(), appended.new_len);
    (db, members)
}

fn rows(bolt: &Bolt<&[u8]>, bucket: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut rows = Vec::new();
    bolt.for_each(bucket, &mut |key, value, _| {
        rows.push((key.to_vec(), value.to_vec()));
        Ok::<(), BoltError>(())
    })
    .expect("it is right");
    rows
}

#[test]
fn a_restore_writes_the_new_members_and_the_index_of_the_new_log() {
    let (db, members) = restored();
    let after = open(&db);
    after.check().expect("the editor wrote it");
    let found = inspect::inspect(&after).expect("it is right");
    assert_eq!(found.members.len(), 2);
    for member in &members.members {
        let stored = after
            .get(b"members", member.id.to_string().as_bytes())
            .expect("it is right");
        assert_eq!(stored, Some(member.to_json().into_bytes()));
    }
    assert_eq!(
        (found.consistent_index, found.term, found.cluster_version),
        (Some(2), Some(1), None)
    );
}

#[test]
fn a_restore_leaves_everything_else_as_it_was() {
    let (db, _) = restored();
    let (before, after) = (open(database()), open(&db));
    for bucket in before.buckets().expect("it is right") {
        let (old, new) = (rows(&before, &bucket.name), rows(&after, &bucket.name));
        match bucket.name.as_slice() {
            b"members" | b"cluster" => {}
            b"meta" => {
                let kept = |rows: Vec<(Vec<u8>, Vec<u8>)>| {
                    rows.into_iter()
                        .filter(|(key, _)| key != b"term" && key != b"consistent_index")
                        .collect::<Vec<_>>()
                };
                assert_eq!(kept(new), kept(old));
            }
            name => assert_eq!(new, old, "{}", name.escape_ascii()),
        }
    }
}

//! Real names of each writer and version, hostile ones, and the wall between places.

use proptest::prelude::*;

use super::*;
use crate::store::clock::UnixMillis;

/// 2026-11-28T01:02:03Z, the time in most names here.
const AT: Captured = Captured::At(UnixMillis(1_795_827_723_000));
/// The same day.
const DAY: Captured = Captured::Day(UnixMillis(1_795_824_000_000));

fn at(unix: u64) -> Captured {
    Captured::At(UnixMillis(unix * 1000))
}

fn of(key: &str) -> Named {
    of_key(key).unwrap_or_else(|| panic!("{key}: no rule matched"))
}

/// place (`.` is none) | first revision of a delta | last revision | Unix seconds | key
const ETCDBRCTL: &str = "
. - 60 1795340653 v2/Full-00000000-00000060-1795340653
prod-1 - 60 1795340653 prod-1/v2/Full-00000000-00000060-1795340653.gz
shoot--x/etcd-main 61 123456789 1795340700 shoot--x/etcd-main/v2/Incr-00000061-123456789-1795340700
p - 60 1795340653 p/v2/Full-00000000-00000060-1795340653.zlib.final
p - 60 1795340653 p/v2/Full-00000000-00000060-1795340653.Z
p - 60 1795340653 p/v2/Full-00000000-00000060-1795340653.final
p - 60 1795340653 p/v2/Full-00000000-00000060-1795340653.zst
p - 9 1601000000 p/v1/Backup-1601000000/Full-00000000-00000009-1601000000
p 10 12 1601000300 p/v1/Backup-1601000000/Incr-00000010-00000012-1601000300
env1/etcd - 60 1795340653 env1/etcd/v2/Full-00000000-00000060-1795340653
v1/prod - 60 1795340653 v1/prod/v2/Full-00000000-00000060-1795340653
v2/v2 - 60 1795340653 v2/v2/v2/Full-00000000-00000060-1795340653
saved - 60 1795340653 saved/Full-00000000-00000060-1795340653.gz
p/v3 - 60 1795340653 p/v3/Full-00000000-00000060-1795340653.gz
p/v1/Backup-x - 60 1795340653 p/v1/Backup-x/Full-00000000-00000060-1795340653.gz
";

/// The words of each row.
fn rows<const WORDS: usize>(table: &str) -> impl Iterator<Item = [&str; WORDS]> {
    let rows = table.lines().filter(|row| !row.is_empty());
    rows.map(|row| {
        let words: Vec<_> = row.split_whitespace().collect();
        words.try_into().expect("the words of a row")
    })
}

fn place_in(word: &str) -> &str {
    if word == "." { "" } else { word }
}

/// The time in a table: one of the two above, Unix seconds, or none.
fn time_in(word: &str) -> Option<Captured> {
    match word {
        "at" => Some(AT),
        "day" => Some(DAY),
        word => word.parse().ok().map(at),
    }
}

#[test]
fn etcdbrctl_has_its_prefix_as_the_place() {
    for [place, start, last, seconds, key] in rows(ETCDBRCTL) {
        let last: i64 = last.parse().expect("a revision");
        let role = match start.parse() {
            Ok(start) => Role::Delta { start, last },
            Err(_) => Role::Full,
        };
        let expected = Named {
            rule: Rule::Etcdbrctl,
            place: place_in(place).to_owned(),
            source: None,
            role,
            revision: Some(last),
            captured: time_in(seconds),
            last: key.contains(".final"),
            encrypted: false,
        };
        assert_eq!(of(key), expected, "{key}");
    }
}

#[test]
fn parts_of_snapshots_are_none() {
    let parts = [
        "p/v2/Full-00000000-00000060-1795340653/0000000001",
        "p/v2/Incr-00000061-00000070-1795340653.gz/0000000002",
        "p/v2/Full-00000000-00000060-1795340653.part",
        "etcd-2026-11-28.db.part",
        "backup/etcd-2026-11-28.db.tmp",
    ];
    for key in parts {
        assert!(is_part(key), "{key}");
        assert_eq!(of_key(key), None, "{key}");
    }
    assert!(!is_part("p/v2/Full-00000000-00000060-1795340653"));
}

/// rule | place | source | time | encrypted | key
const WRITERS: &str = "
kops c.example.com/backups/etcd/main - at - c.example.com/backups/etcd/main/2026-11-28T01:02:03Z-000001/etcd.backup.gz
kops backups/etcd/events - at - backups/etcd/events/2026-11-28T01:02:03Z-000001/etcd.backup.gz
k3s . master-1 at - etcd-snapshot-master-1-1795827723
k3s k3s/eu ip-172-31-13-8.ec2.internal at - k3s/eu/etcd-snapshot-ip-172-31-13-8.ec2.internal-1795827723.zip
k3s rke2 node-10 at - rke2/on-demand-node-10-1795827723
k3s . - at - etcd-snapshot--1795827723
rke rke - at - rke/2026-11-28T01:02:03Z_etcd.zip
rke . - at - 2026-11-28T01:02:03Z_etcd
rke rke/c-8qqzz - at - rke/c-8qqzz-rl-x4hbm_2026-11-28T01:02:03Z.zip
rke c-8qqzz - at - c-8qqzz-ms-x4hbm_2026-11-28T01:02:03Z
talos prod/prod - at - prod/prod-2026-11-28T01:02:03Z.snap
talos a/prod-1 - at - a/prod-1-2026-11-28T02:02:03+01:00.snap.zst
talos a/prod - at age a/prod-2026-11-28T01:02:03Z.snap.zst.age
talos a/prod - at age a/prod-2026-11-28T01:02:03Z.snap.age
omni bb874758-ee54-4d3b-bac3-4c8349737298 - 1701184522 omni bb874758-ee54-4d3b-bac3-4c8349737298/FFFFFFFF9A99FBF6.snapshot
omni p/bb874758-ee54-4d3b-bac3-4c8349737298 - - omni p/bb874758-ee54-4d3b-bac3-4c8349737298/0123456789abcdef.snapshot
giantswarm prod - at - prod-v3-2026-11-28T01-02-03.db.tar.gz
giantswarm p/mc-1 - at enc p/mc-1-v3-2026-11-28T01-02-03.db.tar.gz.enc
";

#[test]
fn names_of_other_writers_have_their_places() {
    for [rule, place, source, time, encrypted, key] in rows(WRITERS) {
        let rule = Rule::of_name(rule).expect("a rule's name");
        let mut expected = Named::full(rule, place_in(place).to_owned());
        expected.source = (source != "-").then(|| source.to_owned());
        expected.captured = time_in(time);
        expected.encrypted = encrypted != "-";
        assert_eq!(of(key), expected, "{key}");
        assert!(rule.is_of_writer());
    }
}

#[test]
fn metadata_belongs_to_its_snapshot() {
    let cases = [
        (
            "eu/.metadata/etcd-snapshot-m1-1795827723.zip",
            "eu",
            "eu/etcd-snapshot-m1-1795827723.zip",
        ),
        (
            ".metadata/on-demand-m1-1795827723",
            "",
            "on-demand-m1-1795827723",
        ),
        (
            "eu/.metadata/nightly-m1-1795827723",
            "eu",
            "eu/nightly-m1-1795827723",
        ),
        (
            "b/main/2026-11-28T01:02:03Z-000001/_etcd_backup.meta",
            "b/main",
            "b/main/2026-11-28T01:02:03Z-000001/etcd.backup.gz",
        ),
    ];
    for (key, place, of_key) in cases {
        let named = of(key);
        assert_eq!(
            named.role,
            Role::Metadata {
                of: of_key.to_owned()
            },
            "{key}"
        );
        assert_eq!(named.place, place, "{key}");
    }
}

#[test]
fn k3s_may_use_any_name_where_it_is_known_to_be_the_writer() {
    let key = "eu/nightly-m-1-1795827723.zip";
    let named = of_k3s_key(key, Some("m-1")).expect("it ends with seconds");
    assert_eq!((named.rule, named.place.as_str()), (Rule::K3s, "eu"));
    assert_eq!(named.source.as_deref(), Some("m-1"));
    assert_eq!(of_k3s_key(key, None).expect("as before").source, None);
    assert_eq!(of_k3s_key("eu/nightly.db", Some("m-1")), None);
    // By the key alone it is a name with a date.
    assert_eq!(
        (of(key).rule, of(key).place),
        (Rule::Dated, "eu/nightly-m-1".to_owned())
    );
}

/// place | time | key
const DATED: &str = "
etcd day etcd-2026-11-28.db
etcd day etcd-20261128.db.gz
p/etcd 1795827720 p/etcd-20261128-0102.db
p/kamaji at p/kamaji_20261128010203.db
etcd-backup 1795827720 etcd-backup-202611280102.tar.gz
etcd at etcd.2026.11.28-01.02.03.db
etcd at etcd-2026_11_28_01_02_03.db
a/etcd 1795827600 a/etcd-2026-11-28_01.db.gz
snapshot at snapshot_2026-11-28_010203.db
etcd at etcd-2026-11-28T01:02:03Z.db
etcd at etcd-2026-11-28T01:02:03.123456Z.db
etcd at etcd-20261128T010203Z.db
etcd at etcd-20261128T030203+0200.db
etcd at etcd-20261128T063203+05:30.db
etcd at etcd-2026-11-27T20:02:03-05:00.db
abc12-daily at abc12-daily-2026-11-28t01-02-03.gz
etcd at etcd-1795827723.snapshot
prod-1 day 2026-11-28_prod-1.db
. day 2026-11-28.db
p day p/2026-11-28.db
snapshot day snapshot.db.20261128
snapshot day snapshot.db-2026-11-28.gz
prod.example.com day prod.example.com-20261128.db
p/etcd at p/etcd-2026-11-28T01:02:03Z-000001.db
prod-1 day prod-1-20261128-77.db
prod-10 day prod-10-20261128-77.db
etcd at etcd-20261128-1795827723.db
etcd at etcd-1795827723-20261128.db
etcd at etcd-2026-11-28T010203-0007.db
etcd at etcd-2026-11-28T010203+1500.db
etcd-Zx at etcd-2026-11-28T010203Zx.db
etcd-2026-11-2 1795827723 etcd-2026-11-2-1795827723.db
etcd-2026-11_28 1795827723 etcd-2026-11_28-1795827723.db
etcd/snapshot at etcd-2026-11-28_01:02:03/snapshot.db
n1/etcd/snapshot at n1/etcd-2026-11-28_01:02:03/snapshot.db
ocp/backup/snapshot at ocp/backup-2026-11-28_010203/snapshot_2026-11-28_010203.db
prod-1 day 2026-11-28/prod-1.db
prod-10 day 2026-11-28/prod-10.db
b/prod day b/2026/11/28/prod.db
b at b/2026/11/28/01-02-03.db
b 1795827720 b/2026-11-28/0102.db
b at b/2026-11-28_01-02-03/0405.db
b day b/2026-11-28/77.db
master1/etcd day 2026-11-28/master1/etcd.db
b/etcd day b/2026/11/etcd-20261128.db
b/etcd at b/2026-11-28/etcd-20261128-010203.db
b/etcd at b/2026-11-29/etcd-20261128-010203.db
b/etcd at b/2026/11/27/etcd-20261128-010203.db
b/2026-11-30/etcd at b/2026-11-30/etcd-20261128-010203.db
b/2024/11/30/etcd at b/2024/11/30/etcd-20261128T010203.db
since-2024-01-05/etcd day since-2024-01-05/etcd-20261128.db
2024-01-05/etcd day 2024-01-05/etcd-20261128.db
2026/10/etcd day 2026/10/etcd-20261128.db
since-2024-01-05/prod/etcd day since-2024-01-05/prod/etcd-20261128.db
";

#[test]
fn dates_are_taken_out() {
    for [place, time, key] in rows(DATED) {
        let mut expected = Named::full(Rule::Dated, place_in(place).to_owned());
        expected.captured = time_in(time);
        assert_eq!(of(key), expected, "{key}");
    }
    for ending in ["gpg", "enc", "age", "asc"] {
        assert!(
            of(&format!("etcd-20261128.db.{ending}")).encrypted,
            "{ending}"
        );
    }
}

#[test]
fn other_names_have_no_rule_but_their_folder() {
    let cases = [
        ("snapshot.db", ""),
        ("eu/prod-1/etcd.db", "eu/prod-1"),
        ("prod/3f2a.db", "prod"),
        // No dates: impossible, implausible, or parts of longer numbers.
        ("p/etcd-20261328.db", "p"),
        ("p/etcd-2026-02-30.db", "p"),
        ("p/etcd-19991128.db", "p"),
        ("p/etcd-1020261128.db", "p"),
        ("p/etcd-20261128123456789.db", "p"),
        ("p/etcd-12026-11-28.db", "p"),
        ("since-2024-01-05/prod/etcd.db", "since-2024-01-05/prod"),
        // Near misses of writers.
        (
            "p/2026-11-28T01:02:03Z-000001x/etcd.backup.gz",
            "p/2026-11-28T01:02:03Z-000001x",
        ),
        ("not-a-uuid/0123456789ABCDEF.snapshot", "not-a-uuid"),
        ("p/-2026-13-28T01:02:03Z.snap", "p"),
        ("p/v2/Half-00000000-00000060-5", "p/v2"),
    ];
    for (key, place) in cases {
        if !key.contains("000001x") {
            assert_eq!(of_key(key), None, "{key}");
        }
        let expected = Named::full(Rule::Folder, place.to_owned());
        assert_eq!(folder(key), expected, "{key}");
    }
    assert_eq!(
        of_key("p/2026-11-28T01:02:03Z-000001x/etcd.backup.gz").map(|named| named.rule),
        Some(Rule::Dated)
    );
    assert_eq!(of_key("folder-2026-11-28/"), None);
}

#[test]
fn hostile_slashes_keep_places_apart() {
    let keys = [
        "a/s.db", "/a/s.db", "a//s.db", "//s.db", "/s.db", "s.db", "///s.db", "a///s.db",
        "//a/s.db",
    ];
    let mut places: Vec<_> = keys.iter().map(|key| folder(key).place).collect();
    places.sort();
    places.dedup();
    assert_eq!(places.len(), keys.len(), "{places:?}");
    assert_eq!(of("/v2/Full-00000000-00000060-1795340653").place, "/");
    assert_eq!(of("a//v2/Full-00000000-00000060-1795340653").place, "a//");
    assert_eq!(
        of("ü/雪/v2/Full-00000000-00000060-1795340653").place,
        "ü/雪"
    );
    assert_eq!(of("ü-2026-11-28-雪.db").place, "ü-雪");
}

#[test]
fn claims_are_believed_up_to_the_arrival() {
    let hour = 60 * 60 * 1000;
    let day = 24 * hour;
    let start = 1_795_824_000_000;
    let at = |millis| Captured::At(UnixMillis(millis));
    let on = Captured::Day(UnixMillis(start));
    // (claim, arrived, believed)
    let cases = [
        (at(start), start + hour, Some(start)),
        // A clock that is ahead.
        (at(start + hour), start, Some(start)),
        (at(start + day), start, Some(start)),
        (at(start + day + 1), start, None),
        // A day: the arrival within it, or its end.
        (on, start + hour, Some(start + hour)),
        (on, start + 40 * day, Some(start + day - 1)),
        (on, start - hour, Some(start - hour)),
        (on, start - day - 1, None),
    ];
    for (claim, arrived, believed) in cases {
        assert_eq!(
            claim.believed(UnixMillis(arrived)),
            believed.map(UnixMillis),
            "{claim:?} {arrived}"
        );
    }
}

#[test]
fn rules_have_stable_names() {
    for rule in Rule::ALL {
        assert_eq!(Rule::of_name(rule.name()), Some(rule));
        assert!(!rule.explanation().is_empty());
    }
    assert_eq!(Rule::of_name("Etcdbrctl"), None);
}

#[test]
fn configured_places_go_by_bucket_and_glob() {
    let block = |name: &str, bucket: &str, keys: &str| Block {
        name: name.to_owned(),
        bucket: bucket.to_owned(),
        keys: keys.to_owned(),
    };
    let blocks = [
        block("prod-eu-1", "etcd-backup", "eu/prod-1/**"),
        block("prod-eu-1", "etcd-backup", "old/prod-1-*.db"),
        block("all-eu", "etcd-backup", "eu/**"),
        block("lab", "lab", "**"),
    ];
    let overrides = Overrides::new(&blocks).expect("good globs");
    let cases = [
        (
            "etcd-backup",
            "eu/prod-1/v2/Full-00000000-00000060-1795340653",
            Some("prod-eu-1"),
        ),
        (
            "etcd-backup",
            "eu/prod-10/v2/Full-00000000-00000060-1795340653",
            Some("all-eu"),
        ),
        ("etcd-backup", "old/prod-1-20261128.db", Some("prod-eu-1")),
        ("etcd-backup", "old/prod-1-x/20261128.db", None),
        ("etcd-backup", "us/prod-1/x", None),
        ("lab", "anything/at/all", Some("lab")),
        ("other", "eu/prod-1/x", None),
    ];
    for (bucket, key, place) in cases {
        assert_eq!(overrides.place(bucket, key), place, "{bucket}/{key}");
    }
    let error = Overrides::new(&[block("x", "b", "eu/[a/**")]).expect_err("an open class");
    let text = error.to_string();
    assert!(
        text.contains("eu/[a/**") && text.contains("cluster x"),
        "{text}"
    );
}

/// Folders that are no dates and no part of a layout.
fn folders() -> impl Strategy<Value = String> {
    let folder = prop::sample::select(vec![
        "prod-1",
        "prod-10",
        "prod",
        "1",
        "v1",
        "env1",
        "a",
        "",
        "ü",
        "雪.db",
        "Backup-1",
        "-",
        "2026",
        "etcd-snapshot",
    ]);
    prop::collection::vec(folder, 1..5).prop_map(|folders| folders.join("/"))
}

/// What writers put below a place.
fn tails() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "v2/Full-00000000-00000060-1795340653.gz",
        "v2/Incr-00000061-00000070-1795340653",
        "v1/Backup-1601000000/Full-00000000-00000009-1601000000",
        "2026-11-28T01:02:03Z-000001/etcd.backup.gz",
        "etcd-snapshot-m1-1795340653.zip",
        ".metadata/etcd-snapshot-m1-1795340653.zip",
        "c-8qqzz-rl-x4hbm_2026-11-28T01:02:03Z.zip",
        "prod-10-2026-11-28T01:02:03Z.snap",
        "bb874758-ee54-4d3b-bac3-4c8349737298/FFFFFFFF9A99FBF6.snapshot",
        "prod-1-v3-2026-11-28T01-02-03.db.tar.gz",
        "0-20261128.db",
        "2026-11-28/0.db",
        "etcd.db",
    ])
}

proptest! {
    #[test]
    fn a_place_never_leaves_its_folders(folders in folders(), tail in tails()) {
        let key = format!("{folders}/{tail}");
        let named = of_key(&key).unwrap_or_else(|| folder(&key));
        let wall = format!("{folders}/");
        let place = if named.place.ends_with('/') { named.place.clone() } else { format!("{}/", named.place) };
        prop_assert!(place.starts_with(&wall), "{key} is in {place}");
    }

    #[test]
    fn no_key_panics(key in "\\PC{0,40}", time in "[0-9:T_.+Z-]{0,24}", slashes in "[/v12a-]{0,8}") {
        for key in [key.clone(), format!("{slashes}{key}{time}.db"), format!("{slashes}{time}/{key}"), format!("{time}{key}.snap")] {
            let _ = of_key(&key).map(|named| named.captured.map(|at| at.believed(UnixMillis(0))));
            let _ = of_k3s_key(&key, None);
            let _ = folder(&key);
        }
    }
}

#[test]
fn the_longest_keys_are_read() {
    for piece in [
        "/",
        "v2/",
        "2026-11-28",
        "1795340653-",
        "2026/11/28/",
        "Full-",
        ".db",
        "9",
    ] {
        let key = piece.repeat(1024 / piece.len());
        let _ = of_key(&key);
        let _ = folder(&key);
    }
}

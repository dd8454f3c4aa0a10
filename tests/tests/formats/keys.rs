//! `snapshot keys`, `snapshot key` and `snapshot diff` against what the running etcd answers, for each version.

use std::collections::BTreeMap;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use strongroom_tests::etcd::{Cluster, Version};
use strongroom_tests::process::{Finished, run};
use strongroom_tests::{programs, workload};

const OBJECTS: u32 = 200;
/// Kubernetes' own keys, and others.
const SECRET: &str = "/registry/secrets/team/door";

/// A live key as etcd tells it.
struct Told {
    value: Vec<u8>,
    create: i64,
    modified: i64,
    version: i64,
    lease: i64,
}

/// `snapshot <command> <file> <args>`.
fn ours(file: &Path, args: &[&str]) -> Finished {
    let (name, rest) = args.split_first().expect("a command");
    let mut command = programs::client();
    run(command.args(["snapshot", name]).arg(file).args(rest))
}

fn live(cluster: &Cluster) -> BTreeMap<Vec<u8>, Told> {
    let all = cluster.ctl_at(0, &["get", "", "--from-key", "-w", "json"]);
    let all: Value = serde_json::from_str(&all.ok().stdout).expect("JSON");
    let bytes = |text: &Value| {
        let text = text.as_str().unwrap_or_default();
        STANDARD.decode(text).expect("etcdctl writes base64")
    };
    let told = |row: &Value| {
        let number = |name: &str| row[name].as_i64().unwrap_or_default();
        let told = Told {
            value: bytes(&row["value"]),
            create: number("create_revision"),
            modified: number("mod_revision"),
            version: number("version"),
            lease: number("lease"),
        };
        (bytes(&row["key"]), told)
    };
    let rows = all["kvs"].as_array().expect("rows");
    rows.iter().map(told).collect()
}

fn json(finished: Finished) -> Value {
    serde_json::from_str(&finished.ok().stdout).expect("JSON")
}

fn text(path: &Path) -> &str {
    path.to_str().expect("temporary paths are text")
}

fn assert_groups(file: &Path, live: &BTreeMap<Vec<u8>, Told>, prefix: &str, depth: &str) {
    let args = ["keys", "--prefix", prefix, "--depth", depth, "-o", "json"];
    let found = json(ours(file, &args));
    let below = |prefix: &str| -> [u64; 3] {
        let below = live
            .iter()
            .filter(|(key, _)| key.starts_with(prefix.as_bytes()));
        below.fold([0; 3], |[keys, key_bytes, value_bytes], (key, told)| {
            let len = |bytes: &[u8]| u64::try_from(bytes.len()).expect("it fits");
            [
                keys + 1,
                key_bytes + len(key),
                value_bytes + len(&told.value),
            ]
        })
    };
    let counted = |value: &Value| {
        ["keys", "keyBytes", "valueBytes"].map(|name| value[name].as_u64().expect(name))
    };
    assert_eq!(counted(&found), below(prefix), "{found}");
    let groups = found["groups"].as_array().expect("groups");
    let mut sum = 0;
    for group in groups {
        let name = group["prefix"].as_str().expect("a name");
        sum += group["keys"].as_u64().expect("a number");
        if name.starts_with(prefix) && name.len() > prefix.len().max("/registry/".len()) {
            assert_eq!(counted(group), below(name), "{group}");
        }
    }
    assert_eq!(sum, below(prefix)[0], "every key is in one group");
}

fn assert_key(file: &Path, key: &str, told: &Told) {
    let found = json(ours(file, &["key", key, "-o", "json"]));
    let number = |name: &str| found[name].as_i64().unwrap_or_default();
    assert_eq!(number("createRevision"), told.create, "{found}");
    assert_eq!(number("modRevision"), told.modified, "{found}");
    assert_eq!(number("version"), told.version, "{found}");
    let lease = (told.lease != 0).then(|| format!("{:016x}", told.lease));
    assert_eq!(found["lease"].as_str(), lease.as_deref(), "{found}");
    let digest = hex::encode(Sha256::digest(&told.value));
    assert_eq!(found["valueSha256"], digest, "{found}");
    assert!(found.get("value").is_none(), "{found}");
}

fn diff(old: &Path, new: &Path, args: &[&str]) -> Finished {
    let mut command = programs::client();
    command
        .args(["snapshot", "diff", text(old), text(new)])
        .args(args);
    run(&mut command)
}

#[test]
fn keys_are_those_of_the_running_etcd() {
    for version in Version::ALL {
        let dir = tempfile::tempdir().expect("temporary folder");
        let cluster = Cluster::start(&dir.path().join("etcd"), version, 1);
        workload::fill_cluster(&cluster, 7, OBJECTS);
        cluster.put(SECRET, "hunter2");
        cluster.put("app/config", "plain");
        let old = dir.path().join("old.db");
        cluster.save_snapshot(0, &old);
        let before = live(&cluster);
        assert!(before.len() > 100, "{version}");
        for (prefix, depth) in [
            ("", "1"),
            ("", "2"),
            ("/registry/pods/", "1"),
            ("/registry/po", "3"),
            ("app", "1"),
            ("none", "1"),
        ] {
            assert_groups(&old, &before, prefix, depth);
        }
        let leased = before.iter().find(|(_, told)| told.lease != 0);
        let (leased, _) = leased.expect("the workload has leases");
        let leased = std::str::from_utf8(leased).expect("text");
        for key in [leased, SECRET, "app/config"] {
            assert_key(&old, key, &before[key.as_bytes()]);
        }
        assert_values_are_shown_only_if_asked_for(&old);

        cluster.put("app/config", "plain");
        cluster.put("app/new", "n");
        cluster.put("app/gone", "g");
        cluster.ctl(&["del", "app/gone"]).ok();
        cluster.put(SECRET, "hunter22");
        cluster.ctl(&["del", leased]).ok();
        let new = dir.path().join("new.db");
        cluster.save_snapshot(0, &new);
        ours(&new, &["key", "app/gone"]).code(4).says("not alive");
        let listed = diff(&old, &new, &["--keys", "-o", "json"]);
        let found = json(listed);
        let mut changes: Vec<(&str, &str)> = Vec::new();
        for key in found["keys"].as_array().expect("keys") {
            let text = |name: &str| key[name].as_str().expect("a text");
            changes.push((text("key"), text("change")));
        }
        let mut expected = vec![
            (SECRET, "changed"),
            (leased, "deleted"),
            ("app/new", "added"),
        ];
        expected.sort_unstable();
        assert_eq!(changes, expected, "{version}");
        let names = diff(&old, &new, &["--prefix", "app", "-o", "name"]).ok();
        assert_eq!(names.stdout, "app/\n");
        let none = diff(&new, &new, &[]).ok();
        assert!(
            none.stdout.starts_with("0 added, 0 changed, 0 deleted"),
            "{}",
            none.stdout
        );
        assert_eq!(live(&cluster).len(), before.len());
    }
}

fn assert_values_are_shown_only_if_asked_for(file: &Path) {
    for args in [
        &["key", "app/config", "--show-value"][..],
        &[
            "key",
            SECRET,
            "--show-value",
            "--show-secret-values-in-clear",
        ],
    ] {
        let shown = ours(file, args).ok();
        assert!(shown.stdout.contains("plain") || shown.stdout.contains("hunter2"));
    }
    for form in ["table", "wide", "json", "yaml", "name"] {
        for args in [
            &["key", SECRET, "-o", form][..],
            &["key", SECRET, "--show-value", "-o", form],
            &["keys", "-o", form],
        ] {
            let text = ours(file, args).ok().text();
            assert!(!text.contains("hunter2"), "{args:?}: {text}");
        }
    }
    ours(file, &["key", SECRET, "--show-secret-values-in-clear"]).code(2);
}

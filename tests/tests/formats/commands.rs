//! `snapshot status` and `snapshot hashkv` as operators run them: on files, objects, compressed ones, damaged ones.

use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use serde_json::Value;
use strongroom_tests::backup;
use strongroom_tests::etcd::{Cluster, Version};
use strongroom_tests::process::{Finished, run};
use strongroom_tests::programs;
use strongroom_tests::s3::S3;
use strongroom_tests::server::{BUCKET, SECRET_KEY, Server};
use strongroom_tests::workload;

use crate::judges::{assert_status_agrees, ours};

const OBJECTS: u32 = 100;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).expect("memory takes it");
    encoder.finish().expect("memory takes it")
}

fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).expect("memory takes it");
    encoder.finish().expect("memory takes it")
}

/// `strongroom snapshot <args>` with its own folder for temporary files, which must be empty afterwards.
fn asked(server: &Server, dir: &Path, args: &[&str]) -> Finished {
    let scratch = dir.join("scratch");
    std::fs::create_dir_all(&scratch).expect("writable");
    let mut command = client(server, args);
    let finished = run(command.env("TMPDIR", &scratch));
    let left = std::fs::read_dir(&scratch).expect("a folder").count();
    assert_eq!(left, 0, "{}", finished.line);
    finished
}

fn client(server: &Server, args: &[&str]) -> Command {
    let mut command = programs::client();
    server.aws_environment(&mut command);
    command.arg("snapshot").args(args);
    command
}

/// A failure must name its subject and the next command to type, and never a credential.
#[track_caller]
fn refused(finished: Finished, code: i32, named: &str) {
    let finished = finished.code(code).says("error: ").says(named);
    let finished = finished.says("next: ");
    assert_eq!(finished.stdout, "", "{}", finished.line);
    assert!(!finished.text().contains(SECRET_KEY), "{}", finished.line);
}

#[test]
fn objects_answer_as_files_do_packed_or_not() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let server = Server::start(dir.path());
    let cluster = Cluster::start(&dir.path().join("etcd"), Version::V3_6, 1);
    workload::fill_cluster(&cluster, 3, OBJECTS);
    backup::save(&server, &cluster, 0, "prod");
    let s3 = S3::of(&server);
    let saved = s3
        .keys(BUCKET, "prod/v2/Full-")
        .pop()
        .expect("it was saved");
    let file = dir.path().join("snapshot.db");
    cluster.save_snapshot(0, &file);
    let bytes = std::fs::read(&file).expect("etcdctl wrote it");
    let packed = [
        ("gz", gzip(&bytes)),
        ("zlib", zlib(&bytes)),
        ("plain", bytes),
    ];
    for (name, bytes) in packed {
        let path = format!("/{BUCKET}/packed/{name}");
        assert_eq!(s3.put(&path, &bytes).status, 200);
    }
    let expected = ours(&file, &["status", "-w", "json"]).ok().stdout;
    let hash = ours(&file, &["hashkv"]).ok().stdout;
    // Free pages differ between snapshots, and so do the bytes; what etcd stores in them does not.
    let simple = ours(&file, &["status"]).ok().stdout;
    let uri = format!("s3://{BUCKET}/{saved}");
    assert_eq!(
        asked(&server, dir.path(), &["status", &uri]).ok().stdout,
        simple
    );
    for key in ["packed/gz", "packed/zlib", "packed/plain"] {
        let uri = format!("s3://{BUCKET}/{key}");
        let status = asked(&server, dir.path(), &["status", &uri, "-w", "json"]).ok();
        assert_eq!(status.stdout, expected, "{key}");
        let found = asked(&server, dir.path(), &["hashkv", &uri]).ok();
        assert_eq!(found.stdout, hash, "{key}");
    }
    let document: Value = serde_json::from_str(&expected).expect("JSON");
    assert_eq!(document["verify"]["state"], "verified");
    assert_eq!(document["members"][0]["name"], "etcd-0");
    assert_eq!(document["clusterVersion"], "3.6.0");
    // The harness founds its clusters with a token of its own, which no snapshot contains.
    assert_eq!(document["clusterId"], Value::Null);
    let why = document["clusterIdUnknown"].as_str().expect("a reason");
    assert!(why.contains("another token"), "{why}");
}

/// Every name in a JSON document.
fn names(document: &Value, found: &mut Vec<String>) {
    match document {
        Value::Object(fields) => {
            for (name, value) in fields {
                found.push(name.clone());
                names(value, found);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| names(item, found)),
        _ => {}
    }
}

#[test]
fn every_number_of_the_json_form_is_explained() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let cluster = Cluster::start(&dir.path().join("etcd"), Version::V3_6, 1);
    cluster.put("k", "v");
    let file = dir.path().join("snapshot.db");
    cluster.save_snapshot(0, &file);
    let page = std::fs::read_to_string(programs::workspace().join("docs/inspecting.md"));
    let page = page.expect("it is there");
    for args in [["status", "-w", "json"], ["hashkv", "-w", "json"]] {
        let printed = ours(&file, &args).ok().stdout;
        let document: Value = serde_json::from_str(&printed).expect("JSON");
        let mut found = Vec::new();
        names(&document, &mut found);
        assert!(found.len() >= 3, "{printed}");
        for name in found {
            assert!(page.contains(&format!("`{name}`")), "{name} of {printed}");
        }
    }
}

#[test]
fn a_database_out_of_a_data_folder_is_told_to_have_no_trailer() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let mut cluster = Cluster::start(&dir.path().join("etcd"), Version::V3_5, 1);
    cluster.put("k", "v");
    cluster.stop();
    let file = cluster.members()[0].data_dir.join("member/snap/db");
    assert_status_agrees(&file, &["json"]);
    let told = ours(&file, &["status", "-w", "json"]).ok();
    let document: Value = serde_json::from_str(&told.stdout).expect("JSON");
    assert_eq!(document["verify"]["state"], "noTrailer");
    assert!(
        told.stderr.contains("no SHA-256 trailer"),
        "{}",
        told.stderr
    );
    ours(&file, &["status", "-w", "table"])
        .ok()
        .says("NO TRAILER");
}

#[test]
fn what_is_missing_forbidden_or_damaged_has_its_exit_code_and_the_next_command() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let mut server = Server::start(dir.path());
    let cluster = Cluster::start(&dir.path().join("etcd"), Version::V3_7, 1);
    cluster.put("k", "v");
    let file = dir.path().join("good.db");
    cluster.save_snapshot(0, &file);
    let good = std::fs::read(&file).expect("etcdctl wrote it");
    let s3 = S3::of(&server);
    let mut flipped = good.clone();
    flipped[good.len() / 2] ^= 1;
    let packed = gzip(&good);
    for (name, bytes, code) in [
        ("flipped", flipped.as_slice(), 7),
        ("cut", &good[..good.len() / 2 + 7], 7),
        ("half", &good[..good.len() - 4096 - 32], 7),
        ("empty", &[][..], 7),
        ("text", b"no snapshot at all".as_slice(), 7),
        ("cut.gz", &packed[..packed.len() / 2], 7),
        ("archive.zip", b"PK\x03\x04and so on".as_slice(), 1),
    ] {
        let broken = dir.path().join(name);
        std::fs::write(&broken, bytes).expect("writable");
        let path = broken.to_str().expect("text");
        assert_eq!(
            s3.put(&format!("/{BUCKET}/broken/{name}"), bytes).status,
            200
        );
        let uri = format!("s3://{BUCKET}/broken/{name}");
        for command in ["status", "hashkv", "keys"] {
            for place in [path, &uri] {
                refused(asked(&server, dir.path(), &[command, place]), code, place);
            }
        }
    }
    let good = file.to_str().expect("text");
    let uri = format!("s3://{BUCKET}/good");
    let bytes = std::fs::read(&file).expect("readable");
    assert_eq!(s3.put(&format!("/{BUCKET}/good"), &bytes).status, 200);
    let missing = format!("s3://{BUCKET}/broken/missing");
    let ask = |args: &[&str], code, named: &str| {
        refused(asked(&server, dir.path(), args), code, named);
    };
    ask(&["status", &missing], 4, &missing);
    ask(&["status", "s3://no-such-bucket/key"], 4, "no-such-bucket");
    ask(
        &["status", "/nonexistent/snapshot.db"],
        4,
        "/nonexistent/snapshot.db",
    );
    ask(
        &["status", dir.path().to_str().expect("text")],
        8,
        "regular file",
    );
    ask(&["hashkv", good, "--rev", "1000"], 4, "future revision");
    ask(&["hashkv", good, "--rev", "-1"], 2, "begin at 1");
    ask(
        &["status", &format!("s3://{BUCKET}/")],
        2,
        "names no object",
    );
    let mut wrong = client(&server, &["status", &uri]);
    refused(run(wrong.env("AWS_SECRET_ACCESS_KEY", "wrong")), 5, &uri);
    let mut nowhere = client(&server, &["status", &uri]);
    refused(
        run(nowhere.env("TMPDIR", "/nonexistent")),
        8,
        "/nonexistent",
    );
    server.kill();
    refused(asked(&server, dir.path(), &["status", &uri]), 6, &uri);
}

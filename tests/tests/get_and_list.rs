//! Snapshots by choice: any object below a prefix, of whatever writer, listed and got as a file that etcd's own tools take.

use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::thread;

use strongroom_tests::backup::{list, save, save_command, save_file};
use strongroom_tests::etcd::{Cluster, Version};
use strongroom_tests::process::{Finished, run};
use strongroom_tests::programs;
use strongroom_tests::s3::S3;
use strongroom_tests::server::{BUCKET, Server};

const USAGE: i32 = 2;
const NOT_FOUND: i32 = 4;
const INTEGRITY: i32 = 7;

fn get(server: &Server, key: &str, file: &Path) -> Finished {
    let mut command = programs::client();
    server.aws_environment(&mut command);
    command.args(["snapshot", "get", &format!("s3://{BUCKET}/{key}")]);
    run(command.arg(file))
}

fn put(server: &Server, key: &str, body: &[u8]) {
    let stored = S3::of(server).put(&format!("/{BUCKET}/{key}"), body);
    assert_eq!(stored.status, 200, "{}", stored.text());
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(bytes).expect("memory");
    packed.finish().expect("memory")
}

fn names(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).expect("listed").flatten();
    let mut names: Vec<_> = entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

#[test]
fn any_snapshot_is_listed_and_got_as_etcdutl_takes_it() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let server = Server::start(dir.path());
    let cluster = Cluster::start(&dir.path().join("etcd"), Version::V3_6, 1);
    cluster.put("k", "v");
    let original = dir.path().join("original.db");
    save_file(&cluster, 0, &original);
    let bytes = std::fs::read(&original).expect("saved");
    let keys = [
        ("p/snapshot.db", bytes.clone()),
        ("p/etcd-snapshot-master-1-1795340653", bytes.clone()),
        ("p/main/2026/etcd.backup.gz", gzip(&bytes)),
        ("p/v2/Full-00000000-00000002-1795340653.gz", gzip(&bytes)),
    ];
    for (key, body) in &keys {
        put(&server, key, body);
    }
    put(&server, "p/readme", b"no snapshot");
    let listed = list(&server, "p").ok();
    let listed = listed.says("4 snapshots and 1 other objects");
    let folder = dir.path().join("got");
    std::fs::create_dir(&folder).expect("folder");
    for (key, _) in &keys {
        assert!(listed.stdout.contains(key), "{key}: {}", listed.stdout);
        let file = folder.join("etcd.db");
        get(&server, key, &file).ok().says("revision 2");
        assert!(std::fs::read(&file).expect("got") == bytes, "{key} differs");
        let mut etcdutl = programs::etcd(Version::V3_6, "etcdutl");
        let restored = dir.path().join("restored");
        etcdutl.args(["snapshot", "restore", "--data-dir"]);
        run(etcdutl.arg(&restored).arg(&file)).ok();
        std::fs::remove_dir_all(&restored).expect("restored");
        assert_eq!(names(&folder), ["etcd.db"]);
    }
}

#[test]
fn a_damaged_or_missing_object_leaves_the_file_as_it_was() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let server = Server::start(dir.path());
    let cluster = Cluster::start(&dir.path().join("etcd"), Version::V3_5, 1);
    let original = dir.path().join("original.db");
    save_file(&cluster, 0, &original);
    let mut bytes = std::fs::read(&original).expect("saved");
    let folder = dir.path().join("got");
    std::fs::create_dir(&folder).expect("folder");
    let file = folder.join("etcd.db");
    std::fs::write(&file, b"yesterday's").expect("written");

    bytes[5_000] ^= 1;
    put(&server, "p/v2/Full-00000000-00000001-1795340653", &bytes);
    get(&server, "p/v2/Full-00000000-00000001-1795340653", &file)
        .code(INTEGRITY)
        .says(&format!("strongroom snapshot list s3://{BUCKET}/p/v2"));
    get(&server, "p/v2/Full-00000000-00000009-1795340653", &file)
        .code(NOT_FOUND)
        .says("NoSuchKey");
    get(&server, "p/v2/Incr-00000002-00000009-1795340653", &file)
        .code(USAGE)
        .says("delta");
    get(&server, "p/v2/", &file)
        .code(USAGE)
        .says("names no object");
    assert_eq!(names(&folder), ["etcd.db"]);
    assert_eq!(std::fs::read(&file).expect("there"), b"yesterday's");
}

/// Three masters run the same job at the same second. The last one to finish replaced the objects of the others.
#[test]
fn masters_that_save_in_the_same_second_keep_an_object_each() {
    const MASTERS: usize = 3;
    const ROUNDS: usize = 3;
    let dir = tempfile::tempdir().expect("temporary folder");
    let server = Server::start(dir.path());
    let cluster = Cluster::start(&dir.path().join("etcd"), Version::V3_5, 1);
    cluster.put("k", "v");
    save(&server, &cluster, 0, "first");
    for round in 0..ROUNDS {
        let prefix = format!("p{round}");
        let mut commands: Vec<Command> = (0..MASTERS)
            .map(|_| save_command(&server, &cluster.client_urls(), &prefix))
            .collect();
        let reports: Vec<Finished> = thread::scope(|scope| {
            let saves: Vec<_> = commands
                .iter_mut()
                .map(|command| scope.spawn(move || run(command)))
                .collect();
            saves
                .into_iter()
                .map(|save| save.join().expect("runs").ok())
                .collect()
        });
        let keys = S3::of(&server).keys(BUCKET, &format!("{prefix}/v2/Full-"));
        assert_eq!(keys.len(), MASTERS, "{keys:?}: {reports:?}");
        for key in keys {
            let tellers = reports
                .iter()
                .filter(|report| report.stdout.contains(&key))
                .count();
            assert_eq!(tellers, 1, "{key}: {reports:?}");
        }
    }
}

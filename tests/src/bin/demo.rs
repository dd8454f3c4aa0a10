//! `strongroom-demo`: the main job end to end on this machine, with times. Saves a real three-member etcd into a
//! server, kills the server and starts it again, destroys the cluster, restores it, and compares with etcd's own
//! command.
//!
//! All files are in one temporary folder that is removed at the end; a failed step panics with the relevant logs.

use std::path::Path;
use std::process::ExitCode;

use strongroom_etcd_format::bolt::Bolt;
use strongroom_tests::backup;
use strongroom_tests::clock::Stopwatch;
use strongroom_tests::etcd::{Cluster, Observed, Version};
use strongroom_tests::programs;
use strongroom_tests::server::Server;
use strongroom_tests::workload::{self, DEMO_OBJECTS};

/// Minimum number of keys in the demo.
const KEYS_MIN: u64 = 20_000;
const DB_BYTES_MIN: i64 = 100_000_000;

const SEED: u64 = 3;
const PREFIX: &str = "demo-cluster";

fn main() -> ExitCode {
    let version: Version = match programs::demo_etcd().parse() {
        Ok(version) => version,
        Err(e) => {
            eprintln!("STRONGROOM_DEMO_ETCD: {e}");
            return ExitCode::from(2);
        }
    };
    let dir = tempfile::Builder::new()
        .prefix("strongroom-demo-")
        .tempdir()
        .expect("temporary folder");
    let steps = Steps::begin();
    demo(dir.path(), version, &steps);
    dir.close().expect("the temporary folder is removed");
    steps.done(&format!(
        "cleaned up; all of it took {:.1} s",
        steps.0.elapsed().as_secs_f64()
    ));
    ExitCode::SUCCESS
}

fn demo(dir: &Path, version: Version, steps: &Steps) {
    let mut server = Server::start(dir);
    steps.done(&format!(
        "strongroom-server serves S3 at {}",
        server.endpoint()
    ));

    let mut cluster = Cluster::start(&dir.join("etcd"), version, 3);
    steps.done(&format!(
        "three members of etcd {version} serve at {}",
        cluster.client_urls().join(", ")
    ));

    let (revision, before) = fill(&cluster, steps);

    backup::save(&server, &cluster, 0, PREFIX);
    steps.done(&format!(
        "strongroom snapshot save: streamed into the server\n{}",
        indented(&backup::list(&server, PREFIX).ok().stdout)
    ));

    server.kill();
    server.boot();
    steps.done("killed the server (SIGKILL) and started it again");

    cluster.destroy();
    steps.done("destroyed the etcd cluster: processes killed, data folders removed");

    backup::restore_all(&server, &cluster, PREFIX);
    steps.done("strongroom-restore: verified and rebuilt three data folders");
    assert_pages(&cluster.members()[0].data_dir, steps);

    cluster.boot();
    steps.done("the restored members formed their cluster");

    cluster.assert_holds(revision, before);
    cluster.put("/registry/demo/after", "restored");
    assert_eq!(cluster.get(2, "/registry/demo/after"), "restored");
    steps.done(&format!(
        "every member holds the same {} keys and HashKV {:08x} at revision {revision}; writes go through",
        before.keys, before.hash_kv
    ));
    cluster.destroy();
    assert_eq!(server.stop(), Some(0), "the server ends cleanly");
}

/// Writes the workload; returns a revision and what each member holds at that revision.
fn fill(cluster: &Cluster, steps: &Steps) -> (i64, Observed) {
    let filled = workload::fill(&cluster.client_urls(), SEED, DEMO_OBJECTS);
    let db_bytes = cluster.db_bytes();
    steps.done(&format!(
        "wrote {} MB in {} puts and {} deletes, compacted at revision {}; the database has {} MB",
        filled.bytes / 1_000_000,
        filled.puts,
        filled.deletes,
        filled.compacted,
        db_bytes / 1_000_000
    ));
    assert!(
        db_bytes >= DB_BYTES_MIN,
        "the database has {db_bytes} bytes, {DB_BYTES_MIN} were promised"
    );

    let revision = cluster.revision();
    let before = cluster.observe(0, revision);
    cluster.assert_holds(revision, before);
    assert!(
        before.keys >= KEYS_MIN,
        "{} keys, {KEYS_MIN} were promised",
        before.keys
    );
    assert_eq!(before.keys, filled.keys_live);
    steps.done(&format!(
        "all members hold {} keys, HashKV {:08x} at revision {revision}",
        before.keys, before.hash_kv
    ));
    (revision, before)
}

/// Walks the restored file page by page; the workload must have made etcd use every kind of page.
fn assert_pages(data_dir: &Path, steps: &Steps) {
    let db =
        std::fs::read(data_dir.join("member/snap/db")).expect("the restored database is there");
    let len = u64::try_from(db.len()).expect("fits");
    let report = Bolt::open(db, len)
        .expect("bolt opens")
        .check()
        .expect("every page is sound");
    assert!(
        report.branch_pages > 0 && report.overflow_pages > 0,
        "branch and overflow pages occur: {report:?}"
    );
    steps.done(&format!(
        "every page of the restored database is sound: {} branch, {} leaf and {} overflow pages, {} levels",
        report.branch_pages, report.leaf_pages, report.overflow_pages, report.depth_max
    ));
}

fn indented(text: &str) -> String {
    let lines: Vec<_> = text
        .lines()
        .map(|line| format!("           {line}"))
        .collect();
    lines.join("\n")
}

/// Prints each completed step, with the time since the start.
struct Steps(Stopwatch);

impl Steps {
    fn begin() -> Self {
        Self(Stopwatch::start())
    }

    fn done(&self, what: &str) {
        println!("{:7.1} s  {what}", self.0.elapsed().as_secs_f64());
    }
}

//! Real snapshots as test bodies: an etcd 3.5 is filled by the suites' workload (Kubernetes-like objects, updates,
//! deletes, a compaction) until its database has the requested size. Its own etcdctl saves it, and the cache keeps it.
//!
//! It is one database of that size and not a small file repeated, so it compresses like a real one.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use strongroom_tests::etcd::{Cluster, Security, Version};
use strongroom_tests::process::run;
use strongroom_tests::{programs, workload};

use crate::stats::{MIB, bytes};

/// The minor version that makes the snapshots and provides the peers' commands.
pub const ETCD: Version = Version::V3_5;

/// Measured: bytes of an object of the workload in the database, with history and slack. Slightly low, so that the
/// first attempt is large enough.
const BYTES_PER_OBJECT: u64 = 6_000;

/// Each attempt uses a quarter more objects.
const ATTEMPTS: u32 = 6;

const SEED: u64 = 5;

/// A snapshot of at least `mib` MiB with its trailer; created if it is not in `cache` yet.
pub fn snapshot(cache: &Path, mib: u64) -> PathBuf {
    let file = cache.join(format!("etcd-{ETCD}-{mib}-mib.db"));
    if file.exists() {
        return file;
    }
    fs::create_dir_all(cache).expect("the cache is writable");
    let mut objects = (mib * MIB / BYTES_PER_OBJECT).max(50);
    for _ in 0..ATTEMPTS {
        let dir = tempfile::tempdir_in(cache).expect("the cache is writable");
        let mut cluster = Cluster::start(&dir.path().join("etcd"), ETCD, 1);
        let count = u32::try_from(objects).expect("a few hundred thousand");
        eprintln!("filling an etcd {ETCD} with {count} objects for a snapshot of {mib} MiB");
        workload::fill(&cluster.client_urls(), SEED, count);
        let part = dir.path().join("part");
        let text = part.to_str().expect("an own path");
        cluster.ctl_at(0, &["snapshot", "save", text]).ok();
        cluster.stop();
        if fs::metadata(&part).expect("just saved").len() >= mib * MIB {
            fs::rename(&part, &file).expect("the cache is writable");
            return file;
        }
        objects = objects * 5 / 4;
    }
    panic!("{ATTEMPTS} attempts gave no snapshot of {mib} MiB; the last had {objects} objects");
}

/// The first `mib` MiB of such a snapshot.
pub fn body(cache: &Path, mib: u64) -> Vec<u8> {
    let file = File::open(snapshot(cache, mib)).expect("just made");
    let mut body = Vec::with_capacity(usize::try_from(mib * MIB).expect("fits memory"));
    file.take(mib * MIB)
        .read_to_end(&mut body)
        .expect("readable");
    assert_eq!(bytes(body.len()), mib * MIB, "the snapshot is large enough");
    body
}

/// A running one-member etcd with the contents of the snapshot, restored by etcdutl.
pub fn etcd_of(file: &Path, dir: &Path) -> Cluster {
    let mut cluster = Cluster::plan(dir, ETCD, 1, Security::Plain);
    let mut command = programs::etcd(ETCD, "etcdutl");
    command.args(["snapshot", "restore"]).arg(file);
    command.args(member_flags(&cluster));
    command
        .arg("--data-dir")
        .arg(&cluster.members().first().expect("one member").data_dir);
    run(&mut command).ok();
    cluster.boot();
    cluster
}

/// The flags of a restore of a cluster's only member, the same for every tool.
pub fn member_flags(cluster: &Cluster) -> [String; 4] {
    let member = cluster.members().first().expect("one member");
    [
        format!("--name={}", member.name),
        format!("--initial-cluster={}", cluster.initial_cluster()),
        format!("--initial-cluster-token={}", cluster.token()),
        format!("--initial-advertise-peer-urls={}", cluster.peer_url(0)),
    ]
}

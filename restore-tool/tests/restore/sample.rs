//! One snapshot of a real etcd for all tests: several versions per key, deletes, a lease, a compaction, and large values, so
//! that there are branch and overflow pages.

use std::{
    fmt::Write as _,
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    sync::OnceLock,
};

use flate2::{Compression, write::GzEncoder};
use strongroom_etcd_format::bolt::Bolt;

use crate::{
    etcd::{Etcd, MemberConfig},
    tool::text,
};

const KEYS: usize = 2_000;
/// etcd allows 128 operations in a transaction.
const PUTS_PER_TXN: usize = 100;

/// The snapshot and its etcd's values for it.
pub(crate) struct Sample {
    pub(crate) raw: PathBuf,
    pub(crate) gzip: PathBuf,
    pub(crate) bytes: Vec<u8>,
    pub(crate) revision: i64,
    pub(crate) hash_kv: u64,
    pub(crate) contents: String,
}

pub(crate) fn sample() -> &'static Sample {
    static SAMPLE: OnceLock<Sample> = OnceLock::new();
    SAMPLE.get_or_init(make)
}

fn make() -> Sample {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("restore-sample");
    let _first_run = fs::remove_dir_all(&dir);
    fs::create_dir_all(&dir).expect("the target directory is writable");
    let seat = MemberConfig::new("origin");
    let initial = seat.initial();
    let mut etcd = Etcd::start(&seat, &dir.join("data"), &["--initial-cluster", &initial]);
    etcd.wait_until_healthy();
    fill(&etcd);
    let raw = dir.join("snapshot.db");
    etcd.ctl(&["snapshot", "save", text(&raw)]);
    let revision = etcd.revision();
    let bytes = fs::read(&raw).expect("saved");
    let gzip = dir.join("snapshot.db.gz");
    fs::write(&gzip, compress(&bytes)).expect("writable");
    let report = Bolt::open(
        bytes.as_slice(),
        u64::try_from(bytes.len()).expect("small") - 32,
    )
    .and_then(|bolt| bolt.check())
    .expect("etcd's own snapshot is whole");
    assert!(
        report.branch_pages > 0 && report.overflow_pages > 0,
        "too simple a sample: {report:?}"
    );
    Sample {
        raw,
        gzip,
        bytes,
        revision,
        hash_kv: etcd.hash_kv(revision),
        contents: etcd.contents(),
    }
}

fn fill(etcd: &Etcd) {
    for round in 0..2 {
        for first in (0..KEYS).step_by(PUTS_PER_TXN) {
            let mut txn = String::from("\n");
            for key in first..first + PUTS_PER_TXN {
                writeln!(
                    txn,
                    "put /registry/pods/{key:05} value-{round}-{}",
                    "x".repeat(key % 300)
                )
                .expect("a string");
            }
            txn.push_str("\n\n");
            etcd.ctl_with_input(&["txn", "-i"], &txn);
        }
    }
    etcd.ctl_with_input(&["put", "/registry/large"], &"L".repeat(40_000));
    let granted = etcd.ctl(&["lease", "grant", "3600"]);
    let lease = granted
        .split_whitespace()
        .nth(1)
        .expect("lease <id> granted");
    etcd.ctl(&["put", "--lease", lease, "/registry/leased", "v"]);
    etcd.ctl(&["compact", "20"]);
    etcd.ctl(&["del", "/registry/pods/00000", "/registry/pods/00100"]);
}

pub(crate) fn compress(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}

//! Databases with one changed record each, judged by etcd itself: what the etcd of the same version boots with, a restore accepts,
//! with a warning.
//!
//! A fixed seed makes the changes. Each is judged for one version, in turns. The judge is asked only where its verdict can differ
//! from ours: for the first refusal of each kind of record and change, and for every [`BOOT_EVERY`]th of those we accept.

use std::{
    collections::BTreeSet,
    fmt, fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use sha2::{Digest as _, Sha256};
use strongroom_etcd_format::{
    bolt::{
        Bolt, BoltError,
        edit::{self, BucketEdit, Edit},
    },
    inspect,
};
use strongroom_tests::{
    clock::{pass, until},
    etcd::Version,
    http, ports,
    process::{self, Process},
    programs,
    workload::random::Random,
    zoo::base,
};

use crate::tool::{command, finish, text};

const MUTATIONS: u32 = 200;
const SEED: u64 = 20_261_127;
/// Of the accepted ones.
const BOOT_EVERY: usize = 8;
const BOOTS_WITHIN: Duration = Duration::from_secs(20);
/// etcd reads some records only after it has begun to serve.
const SETTLES_WITHIN: Duration = Duration::from_millis(150);

const VERSIONS: [Version; 3] = [Version::V3_5, Version::V3_6, Version::V3_7];

const CHANGES: [&str; 10] = [
    "empty value",
    "half of the value",
    "a bit of the value",
    "three bits of the value",
    "a zero after the value",
    "text after the value",
    "a bit of the key",
    "a shorter key",
    "a longer key",
    "null",
];

/// Bucket, key, value.
type Record = (Vec<u8>, Vec<u8>, Vec<u8>);

/// A record and its change.
struct Mutation {
    bucket: Vec<u8>,
    key: Vec<u8>,
    change: &'static str,
    new_key: Vec<u8>,
    new_value: Vec<u8>,
}

impl fmt::Display for Mutation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}/{}: {}: {} = {}",
            self.bucket.escape_ascii(),
            self.key.escape_ascii(),
            self.change,
            self.new_key.escape_ascii(),
            self.new_value
                .get(..60)
                .unwrap_or(&self.new_value)
                .escape_ascii()
        )
    }
}

impl Mutation {
    fn of(random: &mut Random, (bucket, key, value): &Record) -> Self {
        let change = random.pick(&CHANGES);
        let (mut new_key, mut new_value) = (key.clone(), value.clone());
        match change {
            "empty value" => new_value.clear(),
            "half of the value" => new_value.truncate(value.len() / 2),
            "a bit of the value" => flip(random, &mut new_value),
            "three bits of the value" => (0..3).for_each(|_| flip(random, &mut new_value)),
            "a zero after the value" => new_value.push(0),
            "text after the value" => new_value.extend(b"xy"),
            "a bit of the key" => flip(random, &mut new_key),
            "a shorter key" if key.len() > 1 => new_key.truncate(key.len() - 1),
            "a longer key" => new_key.push(b'z'),
            _ => new_value = b"null".to_vec(),
        }
        Self {
            bucket: bucket.clone(),
            key: key.clone(),
            change,
            new_key,
            new_value,
        }
    }

    /// Records of one kind fail alike.
    fn kind(&self) -> (Vec<u8>, Vec<u8>, &'static str) {
        let key = match self.bucket.as_slice() {
            b"meta" | b"cluster" | b"auth" => self.key.clone(),
            _ => Vec::new(),
        };
        (self.bucket.clone(), key, self.change)
    }
}

fn flip(random: &mut Random, bytes: &mut Vec<u8>) {
    if bytes.is_empty() {
        bytes.push(1);
        return;
    }
    let len = u32::try_from(bytes.len()).expect("short");
    let at = usize::try_from(random.below(len)).expect("below the length");
    bytes[at] ^= 1 << random.below(8);
}

/// A database in memory.
#[derive(Clone)]
struct Database(Vec<u8>);

impl Database {
    fn bolt(&self) -> Bolt<&Vec<u8>> {
        let len = u64::try_from(self.0.len()).expect("short");
        Bolt::open(&self.0, len).expect("it is sound")
    }

    fn edited(&self, buckets: Vec<BucketEdit>) -> Self {
        let appended = edit::append(&self.bolt(), &Edit { buckets }).expect("it fits");
        let mut bytes = self.0.clone();
        bytes.resize(usize::try_from(appended.new_len).expect("short"), 0);
        for (offset, new) in appended.writes() {
            let at = usize::try_from(offset).expect("short");
            bytes[at..at + new.len()].copy_from_slice(new);
        }
        Self(bytes)
    }

    fn mutated(&self, mutation: &Mutation) -> Self {
        let record = (mutation.new_key.clone(), mutation.new_value.clone());
        self.edited(vec![
            BucketEdit::remove(&mutation.bucket, [mutation.key.clone()]),
            BucketEdit::upsert(&mutation.bucket, [record]),
        ])
    }

    /// The records of each bucket that has some.
    fn records(&self) -> Vec<Vec<Record>> {
        let bolt = self.bolt();
        let mut all = Vec::new();
        for bucket in bolt.buckets().expect("it is sound") {
            let mut records = Vec::new();
            bolt.for_each(&bucket.name, &mut |key, value, _| {
                records.push((bucket.name.clone(), key.to_vec(), value.to_vec()));
                Ok::<(), BoltError>(())
            })
            .expect("it is sound");
            if !records.is_empty() {
                all.push(records);
            }
        }
        all
    }

    fn save(&self, file: &Path) {
        let digest = Sha256::digest(&self.0);
        fs::write(file, [&self.0[..], &digest].concat()).expect("the temporary folder takes it");
    }
}

/// The zoo's base, which etcd 3.6 wrote, as the other versions would have written it.
fn base_of(version: Version) -> Database {
    let fixtures = programs::workspace().join("tests/fixtures/zoo");
    let snapshot = base::unpacked(&base::packed(&fixtures)).snapshot();
    let base = Database(snapshot[..snapshot.len() - 32].to_vec());
    let cluster =
        |text: &[u8]| BucketEdit::upsert(b"cluster", [(b"clusterVersion".to_vec(), text.to_vec())]);
    let storage = b"storageVersion".to_vec();
    match version {
        Version::V3_5 => base.edited(vec![
            cluster(b"3.5.0"),
            BucketEdit::remove(b"meta", [storage]),
        ]),
        Version::V3_7 => base.edited(vec![
            cluster(b"3.7.0"),
            BucketEdit::upsert(b"meta", [(storage, b"3.7.0".to_vec())]),
        ]),
        _ => base,
    }
}

/// Whether an etcd starts on this directory and stays up.
fn boots(version: Version, data_dir: &Path, peer: &str) -> bool {
    let client = ports::free();
    let url = format!("http://{client}");
    let mut etcd = programs::etcd(version, "etcd");
    etcd.args(["--name=m", "--data-dir", text(data_dir)])
        .args([
            "--listen-client-urls",
            &url,
            "--advertise-client-urls",
            &url,
        ])
        .args(["--listen-peer-urls", peer, "--unsafe-no-fsync"])
        .args(["--heartbeat-interval=10", "--election-timeout=100"]);
    let log = data_dir.with_extension("log");
    let mut running = Process::spawn("etcd", &mut etcd, &log);
    let up = until("etcd serves or ends", BOOTS_WITHIN, || {
        if running.exited().is_some() {
            return Ok(false);
        }
        http::get(client, "/version").map(|_| true)
    });
    pass(SETTLES_WITHIN);
    up && running.exited().is_none()
}

fn flags(peer: &str) -> [String; 3] {
    [
        "--name=m".to_owned(),
        format!("--initial-cluster=m={peer}"),
        format!("--initial-advertise-peer-urls={peer}"),
    ]
}

/// Whether etcdutl accepts the snapshot, and the etcd of the same version boots with what it restores.
fn etcd_accepts(version: Version, snapshot: &Path, data_dir: &Path) -> bool {
    let etcdutl = |words: &[&str]| -> Command {
        let mut command = programs::etcd(version, "etcdutl");
        command.arg("snapshot").args(words);
        command
    };
    let peer = format!("http://{}", ports::free());
    let status = process::run(&mut etcdutl(&["status", text(snapshot)]));
    let mut restore = etcdutl(&["restore", text(snapshot), "--data-dir", text(data_dir)]);
    let restore = process::run(restore.args(flags(&peer)));
    status.code == Some(0) && restore.code == Some(0) && boots(version, data_dir, &peer)
}

fn we_boot(version: Version, snapshot: &Path, data_dir: &Path) -> bool {
    let peer = format!("http://{}", ports::free());
    let mut restore = command(&["--snapshot", text(snapshot), "-d", text(data_dir)]);
    restore.args(flags(&peer));
    finish(restore).expect_code(0);
    boots(version, data_dir, &peer)
}

#[test]
fn whatever_an_etcd_of_the_same_version_boots_with_is_accepted() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let bases = VERSIONS.map(|version| (version, base_of(version)));
    let mut random = Random::new(SEED);
    let (mut told, mut accepted) = (BTreeSet::new(), 0);
    let mut dissents = Vec::new();
    let at = |name: String| -> PathBuf { dir.path().join(name) };
    for number in 0..MUTATIONS {
        let (version, base) = &bases[usize::try_from(number).expect("small") % bases.len()];
        let buckets = base.records();
        let pick = |random: &mut Random, len: usize| {
            let below = random.below(u32::try_from(len).expect("small"));
            usize::try_from(below).expect("small")
        };
        let records = &buckets[pick(&mut random, buckets.len())];
        let record = &records[pick(&mut random, records.len())];
        let mutation = Mutation::of(&mut random, record);
        let mutant = base.mutated(&mutation);
        let file = at(format!("{number}.db"));
        let judged = inspect::inspect(&mutant.bolt());
        match judged {
            Ok(_) => {
                accepted += 1;
                if accepted % BOOT_EVERY != 0 {
                    continue;
                }
                mutant.save(&file);
                if !we_boot(*version, &file, &at(format!("{number}.ours"))) {
                    dissents.push(format!("{version} does not boot with {mutation}"));
                }
            }
            Err(refused) => {
                if !told.insert((*version, mutation.kind())) {
                    continue;
                }
                mutant.save(&file);
                if etcd_accepts(*version, &file, &at(format!("{number}.theirs"))) {
                    dissents.push(format!("{version} accepts {mutation}, we say: {refused}"));
                }
            }
        }
    }
    let refused = told.len();
    assert!(
        refused > 15 && accepted > 80,
        "{refused} kinds refused, {accepted} accepted"
    );
    assert!(dissents.is_empty(), "seed {SEED}:\n{}", dissents.join("\n"));
}

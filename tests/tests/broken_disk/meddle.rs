//! Files removed, cut, swapped or replaced, under a stopped server and under a running one.
//!
//! A stopped server then either refuses to start and names the problem and the next command, or it serves undamaged
//! objects and answers 5xx for the others. It never serves other bytes, and never answers 404 for an acknowledged
//! object.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use strongroom_tests::put_objects::{PutObjects, Seen};
use strongroom_tests::server::Server;

use crate::store::{boot, report};

const SMALL: usize = 3_000;
const LARGE: usize = 5 << 20;

/// A stopped store to copy, and its objects.
struct Template {
    dir: tempfile::TempDir,
    objects: PutObjects,
}

impl Template {
    /// Three lives, so that there are tables and several packs besides the log.
    fn make(seed: u64) -> Self {
        let dir = tempfile::tempdir().expect("temporary folder");
        let mut server = Server::plan(dir.path());
        let mut objects = PutObjects::new(seed);
        for life in 0..3 {
            boot(&mut server);
            for n in 0..10 {
                objects.must_put(&server, &format!("small/{life}-{n}"), SMALL);
            }
            objects.must_put(&server, &format!("large/{life}"), LARGE);
            assert_eq!(server.stop(), Some(0));
        }
        Self { dir, objects }
    }

    fn data(&self) -> PathBuf {
        self.dir.path().join("server")
    }

    /// A stopped server on a copy.
    fn copy(&self) -> (tempfile::TempDir, Server) {
        let dir = tempfile::tempdir().expect("temporary folder");
        let server = Server::plan(dir.path());
        copy_tree(&self.data(), server.data_dir());
        (dir, server)
    }
}

fn copy_tree(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("made");
    for entry in fs::read_dir(from).expect("readable") {
        let path = entry.expect("readable").path();
        let target = to.join(path.file_name().expect("has a name"));
        if path.is_dir() {
            copy_tree(&path, &target);
        } else {
            fs::copy(&path, &target).expect("copied");
        }
    }
}

/// The damage to a file or folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Damage {
    Removed,
    /// Cut to this percentage of its length.
    Cut(u64),
    /// Replaced by its counterpart in another store.
    Swapped,
    /// Replaced by a folder.
    Folder,
    /// With changed bytes in the middle.
    Garbled,
}

const HARMS: [Damage; 7] = [
    Damage::Removed,
    Damage::Cut(0),
    Damage::Cut(50),
    Damage::Cut(95),
    Damage::Swapped,
    Damage::Folder,
    Damage::Garbled,
];

impl Damage {
    /// Allowed exit codes: damage or a precondition; a folder in place of a file may also be another error.
    fn codes(self) -> &'static [i32] {
        match self {
            Self::Folder => &[1, 7, 8],
            _ => &[7, 8],
        }
    }

    /// Applies the damage; false when it does not change this file.
    fn apply(self, path: &Path, counterpart: &Path) -> bool {
        match self {
            Self::Removed if path.is_dir() => fs::remove_dir_all(path).expect("removed"),
            Self::Removed => fs::remove_file(path).expect("removed"),
            Self::Swapped if path.is_dir() => {
                fs::remove_dir_all(path).expect("removed");
                copy_tree(counterpart, path);
            }
            _ if path.is_dir() => return false,
            Self::Cut(percent) => {
                let file = File::options().write(true).open(path).expect("opens");
                let len = file.metadata().expect("known").len();
                if len * percent / 100 == len {
                    return false;
                }
                file.set_len(len * percent / 100).expect("cut");
            }
            Self::Swapped => {
                let other = fs::read(counterpart).expect("readable");
                if other == fs::read(path).expect("readable") {
                    return false;
                }
                fs::write(path, other).expect("written");
            }
            Self::Folder => {
                fs::remove_file(path).expect("removed");
                fs::create_dir(path).expect("made");
            }
            Self::Garbled => {
                let file = File::options().write(true).open(path).expect("opens");
                let len = file.metadata().expect("known").len();
                file.write_all_at(b"\xffgarbled\xff", len / 2)
                    .expect("written");
            }
        }
        true
    }
}

/// All relevant files and folders of a store, relative to it. Not the locks, nor RocksDB's own log.
fn parts(data: &Path) -> Vec<PathBuf> {
    let mut open = vec![data.to_owned()];
    let mut found = Vec::new();
    while let Some(at) = open.pop() {
        for entry in fs::read_dir(&at).expect("readable") {
            let path = entry.expect("readable").path();
            let name = path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            let idle = ["LOCK", "LOG", "IDENTITY"].contains(&name.as_str())
                || name.starts_with("LOG.old")
                || name.starts_with("OPTIONS");
            if !idle {
                found.push(path.strip_prefix(data).expect("below").to_owned());
            }
            if path.is_dir() {
                open.push(path);
            }
        }
    }
    found.sort();
    found
}

/// The corresponding file in another store: the same name, or else the same kind.
fn counterpart(part: &Path, other: &Path) -> Option<PathBuf> {
    let same = other.join(part);
    if same.exists() {
        return Some(same);
    }
    let folder = part.parent().unwrap_or(Path::new(""));
    let kind = |path: &Path| {
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        name.trim_start_matches(|c: char| c.is_ascii_digit())
            .trim_end_matches(|c: char| c.is_ascii_digit())
            .to_owned()
    };
    parts(other)
        .into_iter()
        .find(|found| found.parent() == Some(folder) && kind(found) == kind(part))
        .map(|found| other.join(found))
}

/// Prints the result. Complaints are: wrong bytes, a 404 for an acknowledged object, and a single damaged file that
/// makes all objects unavailable.
fn complaint(what: &str, part: &Path, seen: &Seen) -> Option<String> {
    let counts = [&seen.right, &seen.failed, &seen.absent, &seen.wrong].map(Vec::len);
    println!("{what}: [right, failed, absent, wrong] = {counts:?}");
    let [right, _, absent, wrong] = counts;
    let all_packs = part == Path::new("packs");
    ((right == 0 && !all_packs) || absent > 0 || wrong > 0).then(|| format!("{what}: {seen:?}"))
}

/// Starts the server on the remaining files; returns a refusal with its problem, if there is one.
fn start(server: &mut Server, codes: &[i32]) -> Result<(), Option<String>> {
    let mut command = server.command();
    command.env("STRONGROOM_LOG", "warn");
    let Err(ended) = server.try_boot_as(command) else {
        return Ok(());
    };
    let said = server.log();
    let code = ended.code().unwrap_or(-1);
    let names = said.contains(&server.data_dir().display().to_string());
    let good = codes.contains(&code) && names && said.contains("\"next\"");
    Err((!good).then(|| format!("exit code {code}: {said}")))
}

#[test]
fn a_stopped_store_with_parts_missing_or_changed_is_refused_or_served_right() {
    let (template, other) = (Template::make(21), Template::make(22));
    let (mut cases, mut refused, mut checked) = (0, 0, 0);
    let mut bad = Vec::new();
    for part in parts(&template.data()) {
        for harm in HARMS {
            let Some(counterpart) = counterpart(&part, &other.data()) else {
                continue;
            };
            let (_dir, mut server) = template.copy();
            if !harm.apply(&server.data_dir().join(&part), &counterpart) {
                continue;
            }
            cases += 1;
            let what = format!("{harm:?} {}", part.display());
            if let Err(unfit) = start(&mut server, harm.codes()) {
                refused += 1;
                bad.extend(unfit.map(|unfit| format!("{what}: {unfit}")));
                continue;
            }
            checked += template.objects.len();
            bad.extend(complaint(&what, &part, &template.objects.look(&server)));
            server.kill();
        }
    }
    println!("parts of a stopped store changed: {cases} cases, {refused} refused at start");
    assert!(bad.is_empty(), "{}", bad.join("\n"));
    report("stopped store: parts missing or changed", cases, checked);
}

#[test]
fn a_running_store_whose_parts_are_taken_away_never_serves_wrong_bytes() {
    let (template, other) = (Template::make(23), Template::make(24));
    let (mut cases, mut checked) = (0, 0);
    let mut bad = Vec::new();
    for part in parts(&template.data()) {
        for harm in [
            Damage::Removed,
            Damage::Cut(50),
            Damage::Swapped,
            Damage::Garbled,
        ] {
            let (_dir, mut server) = template.copy();
            boot(&mut server);
            let path = server.data_dir().join(&part);
            // The start itself may have replaced a file of Meta.
            let Some(counterpart) = counterpart(&part, &other.data()).filter(|_| path.exists())
            else {
                continue;
            };
            if !harm.apply(&path, &counterpart) {
                continue;
            }
            cases += 1;
            let what = format!("{harm:?} {} while running", part.display());
            checked += template.objects.len();
            bad.extend(complaint(&what, &part, &template.objects.look(&server)));
            server.kill();
        }
    }
    assert!(bad.is_empty(), "{}", bad.join("\n"));
    report("running store: parts missing or changed", cases, checked);
}

//! The zoo of broken snapshots against the real programs: each is refused with a message that names the file, the
//! place, the reason and the next command, and with the right exit code. What only looks broken is accepted.

use std::path::{Path, PathBuf};
use std::process::Command;

use strongroom_tests::backup::save_command;
use strongroom_tests::etcd::Version;
use strongroom_tests::process::{Finished, run};
use strongroom_tests::programs;
use strongroom_tests::s3::S3;
use strongroom_tests::server::{BUCKET, Server};
use strongroom_tests::zoo::harmless::ACCEPTED;
use strongroom_tests::zoo::harmless_records::RECORDS;
use strongroom_tests::zoo::member::Member;
use strongroom_tests::zoo::{Specimen, Verdict, Zoo, base, table};
use tempfile::TempDir;

/// Minimum number of specimens.
const SPECIMENS_MIN: usize = 60;

/// Name prefixes of the specimens that a save detects before it can read pages: length, trailer, meta pages.
const TOLD_BY_A_STREAM: [&str; 18] = [
    "file-",
    "trailer-",
    "value-",
    "free-page-",
    "stranger-",
    "meta-magic",
    "meta-version",
    "meta-page-size-",
    "meta-checksum",
    "meta-damaged-",
    "meta-root-on-",
    "meta-root-beyond-",
    "meta-freelist-on-",
    "meta-freelist-beyond-",
    "meta-high-water-zero",
    "meta-high-water-too-high",
    "meta-high-water-largest-",
    "meta-txid-",
];

fn fixtures() -> PathBuf {
    programs::workspace().join("tests/fixtures/zoo")
}

/// Every specimen as a file, and the zoo that made them.
fn opened() -> (TempDir, Zoo) {
    let dir = tempfile::tempdir().expect("temporary folder");
    let zoo = Zoo::from(&fixtures());
    for specimen in &zoo.broken {
        write(&dir.path().join(specimen.name), &specimen.bytes);
    }
    (dir, zoo)
}

fn write(path: &Path, bytes: &[u8]) {
    std::fs::write(path, bytes).expect("the temporary folder takes it");
}

fn restore_command(file: &Path, data_dir: &Path) -> Command {
    let mut command = programs::restore();
    command.arg("--snapshot").arg(file);
    command.arg("--data-dir").arg(data_dir);
    command.args(["--name=zoo", "--initial-cluster=zoo=http://127.0.0.1:1"]);
    command.args([
        "--initial-cluster-token=zoo",
        "--initial-advertise-peer-urls=http://127.0.0.1:1",
    ]);
    command
}

/// The difference from the verdict; none when the output matches.
fn difference(said: &Finished, verdict: &Verdict, subject: &str) -> Option<String> {
    let mut rest = said.stderr.as_str();
    let mut missing = Vec::new();
    for words in verdict.says.split('…') {
        match rest.split_once(words) {
            Some((_, behind)) => rest = behind,
            None => missing.push(words),
        }
    }
    if !said.stderr.contains(subject) {
        missing.push(subject);
    }
    if verdict.code != 0 && !said.stderr.to_lowercase().contains("\nnext: ") {
        missing.push("next: ");
    }
    if said.stderr.contains("panicked") {
        missing.push("(it panicked)");
    }
    (said.code != Some(verdict.code) || !missing.is_empty()).then(|| {
        format!(
            "exit {:?}, not {}; not said: {missing:?}\n    {}",
            said.code,
            verdict.code,
            said.stderr.trim_end().replace('\n', "\n    ")
        )
    })
}

#[track_caller]
fn assert_none(dissents: &[String]) {
    assert!(
        dissents.is_empty(),
        "{} specimens are misjudged:\n{}",
        dissents.len(),
        dissents.join("\n")
    );
}

#[test]
fn the_table_holds_every_specimen() {
    let zoo = Zoo::from(&fixtures());
    assert!(zoo.broken.len() >= SPECIMENS_MIN);
    let committed = std::fs::read_to_string(fixtures().join("zoo.tsv")).expect("it is committed");
    assert!(
        committed == table::text(&zoo),
        "tests/fixtures/zoo/zoo.tsv is another zoo; run: strongroom-zoo table"
    );
    let mut names = std::collections::BTreeSet::new();
    for (line, specimen) in table::lines(&committed).zip(&zoo.broken) {
        let (name, bytes) = table::materialize(line, &zoo);
        assert_eq!(name, specimen.name);
        assert!(
            bytes == specimen.bytes,
            "{name}: the table makes other bytes"
        );
        assert!(bytes != zoo.base.snapshot(), "{name} is the sound one");
        assert!(names.insert(name), "{name} twice");
    }
}

#[test]
fn a_restore_refuses_every_broken_snapshot() {
    let (dir, zoo) = opened();
    let mut dissents = Vec::new();
    for specimen in &zoo.broken {
        let file = dir.path().join(specimen.name);
        let data_dir = dir.path().join("data");
        let said = run(&mut restore_command(&file, &data_dir));
        let name = file.to_str().expect("temporary paths are text");
        dissents.extend(
            difference(&said, &specimen.restore, name).map(|d| format!("{}: {d}", specimen.name)),
        );
        let left = std::fs::read_dir(&data_dir).map_or(0, Iterator::count);
        if left > 0 {
            dissents.push(format!(
                "{}: {left} entries are left in the data folder",
                specimen.name
            ));
        }
    }
    assert_none(&dissents);
}

#[test]
fn a_status_refuses_every_broken_snapshot() {
    let (dir, zoo) = opened();
    let mut dissents = Vec::new();
    for specimen in &zoo.broken {
        let file = dir.path().join(specimen.name);
        let said = run(programs::client().args(["snapshot", "status"]).arg(&file));
        let name = file.to_str().expect("temporary paths are text");
        dissents.extend(
            difference(&said, &specimen.status, name).map(|d| format!("{}: {d}", specimen.name)),
        );
        if specimen.status.code != 0 && !said.stdout.is_empty() {
            dissents.push(format!("{}: it printed {}", specimen.name, said.stdout));
        }
    }
    assert_none(&dissents);
}

#[test]
fn a_save_refuses_every_broken_snapshot() {
    let (dir, zoo) = opened();
    let target = dir.path().join("saved");
    std::fs::create_dir(&target).expect("the temporary folder takes it");
    let mut dissents = Vec::new();
    for specimen in &zoo.broken {
        let Some(verdict) = &specimen.save else {
            continue;
        };
        let member = Member::sending(specimen.bytes.clone());
        let mut command = programs::client();
        command.args(["snapshot", "save", "--endpoints", &member.url()]);
        let said = run(command.arg(target.join("snapshot.db")));
        dissents.extend(
            difference(&said, verdict, &member.url()).map(|d| format!("{}: {d}", specimen.name)),
        );
        let left = std::fs::read_dir(&target).map_or(0, Iterator::count);
        if left > 0 {
            dissents.push(format!("{}: {left} files are left", specimen.name));
        }
    }
    assert_none(&dissents);
}

#[test]
fn a_save_into_the_store_refuses_what_a_stream_can_tell() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let server = Server::start(dir.path());
    let zoo = Zoo::from(&fixtures());
    let mut dissents = Vec::new();
    let told = |name: &str| TOLD_BY_A_STREAM.iter().any(|begin| name.starts_with(begin));
    let saves = |specimen: &Specimen| {
        let member = Member::sending(specimen.bytes.clone());
        let said = run(&mut save_command(&server, &[member.url()], specimen.name));
        (said, member.url())
    };
    for specimen in zoo.broken.iter().filter(|specimen| told(specimen.name)) {
        let verdict = specimen.save.as_ref().expect("an etcd could send it");
        let (said, url) = saves(specimen);
        dissents
            .extend(difference(&said, verdict, &url).map(|d| format!("{}: {d}", specimen.name)));
    }
    assert_none(&dissents);
    assert_eq!(
        S3::of(&server).keys(BUCKET, ""),
        [""; 0],
        "nothing may be stored"
    );
    // Its pages were sent before anybody could check them: docs/compatibility.md says so.
    let untold = zoo
        .broken
        .iter()
        .find(|specimen| specimen.name == "branch-id");
    let (said, _) = saves(untold.expect("it is in the zoo"));
    said.ok();
}

#[test]
fn the_sound_snapshot_is_saved_looked_into_and_restored() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let sound = base::unpacked(&base::packed(&fixtures())).snapshot();
    let file = dir.path().join("snapshot.db");
    let member = Member::sending(sound.clone());
    let mut save = programs::client();
    save.args(["snapshot", "save", "--endpoints", &member.url()]);
    run(save.arg(&file)).ok();
    assert!(
        std::fs::read(&file).expect("it is saved") == sound,
        "the save altered it"
    );
    run(programs::client().args(["snapshot", "status"]).arg(&file)).ok();
    run(&mut restore_command(&file, &dir.path().join("data"))).ok();
}

/// The judge is etcd's own tool, which runs bbolt's check first.
#[test]
fn what_only_looks_broken_is_accepted() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let sound = base::unpacked(&base::packed(&fixtures()));
    for (name, because, change) in ACCEPTED.iter().chain(RECORDS) {
        let mut image = sound.clone();
        change(&mut image);
        assert!(image != sound, "{name} changes nothing");
        let file = dir.path().join(name);
        write(&file, &image.snapshot());
        let judged = run(programs::etcd(Version::V3_7, "etcdutl")
            .args(["snapshot", "status"])
            .arg(&file));
        assert_eq!(
            judged.code,
            Some(0),
            "{name} ({because}): {}",
            judged.stderr
        );
        let data_dir = dir.path().join(format!("{name}.data"));
        let restored = run(&mut restore_command(&file, &data_dir));
        assert_eq!(
            restored.code,
            Some(0),
            "{name} ({because}): {}",
            restored.stderr
        );
        run(programs::client().args(["snapshot", "status"]).arg(&file)).ok();
    }
}

//! Scenario S2: the newest full snapshot of a store, with the command of etcdbrctl's users, and all kinds of store failures.

use std::{
    fs,
    net::{IpAddr, Ipv4Addr},
    path::Path,
    process::{Command, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};
use sha2::{Digest as _, Sha256};
use strongroom_tests::{
    fake_s3::{BUCKET, FakeS3, Objects, Reply},
    ports,
};

use crate::{
    clock::eventually,
    sample::sample,
    tool::{Run, command, fingerprint, finish, text},
};

type Outcome = Result<(), Box<dyn std::error::Error>>;

/// The revision in its name is lower than that of its contents, as usual: it is read before the stream.
pub(crate) const FULL: &str = "v2/Full-00000000-00000040-1679991074";

pub(crate) fn objects(pairs: &[(&str, &[u8])]) -> Objects {
    pairs
        .iter()
        .map(|(key, body)| ((*key).to_owned(), body.to_vec()))
        .collect()
}

/// The command of scenario S2 with its environment.
pub(crate) fn ecs(endpoint: &str, data_dir: &Path, flags: &[&str]) -> Command {
    let base = [
        "--data-dir",
        text(data_dir),
        "--store-container=etcd-backup",
        "--storage-provider=ECS",
        "--initial-cluster=controller-node1=https://192.0.2.10:2380",
        "--initial-advertise-peer-urls=https://192.0.2.10:2380",
    ];
    let mut command = command(&[&base, flags].concat());
    command.envs([
        ("ECS_ENDPOINT", endpoint),
        ("ECS_ACCESS_KEY_ID", "id"),
        ("ECS_SECRET_ACCESS_KEY", "never-shown"),
    ]);
    command
}

/// Restores into a new directory; after a failure it must not exist.
pub(crate) fn restore(store: &FakeS3, flags: &[&str], code: i32) -> Run {
    restore_from(&store.endpoint(), flags, code)
}

fn restore_from(endpoint: &str, flags: &[&str], code: i32) -> Run {
    let dir = tempfile::tempdir().expect("temporary directory");
    let run = finish(ecs(endpoint, &dir.path().join("etcd"), flags)).expect_code(code);
    assert!(!run.stderr.contains("never-shown") && !run.stdout.contains("never-shown"));
    let entries = fs::read_dir(dir.path()).expect("listable").count();
    assert_eq!(
        entries,
        usize::from(matches!(code, 0 | 3)),
        "{}",
        run.stderr
    );
    run
}

#[test]
fn etcdbrctls_command_restores_and_prints_its_lines_in_order() {
    let sample = sample();
    let compressed = fs::read(&sample.gzip).expect("the sample");
    let store = FakeS3::honest(objects(&[
        ("v2/Full-00000000-00000020-1679990000", b"older"),
        ("v2/Full-00000000-00000044-1679991074.gz", &compressed),
        ("v2/Incr-00000021-00000044-1679990500", b"older"),
    ]));
    let run = restore(&store, &[], 0);
    let mut lines = run
        .stderr
        .lines()
        .filter(|line| !line.starts_with("warning: "));
    assert_eq!(
        lines.next(),
        Some("Finding latest set of snapshot to recover from...")
    );
    assert_eq!(
        lines.next(),
        Some("Restoring from base snapshot: Full-00000000-00000044-1679991074.gz")
    );
    let fetched = lines.next().unwrap_or_default();
    let seconds = fetched
        .strip_prefix("successfully fetched data of base snapshot in ")
        .and_then(|l| l.strip_suffix(" seconds"));
    assert!(
        seconds.is_some_and(|s| s.split_once('.').is_some_and(|(_, d)| d.len() == 2)),
        "{fetched}"
    );
    assert_eq!(
        lines.next(),
        Some("Successfully restored the etcd data directory.")
    );
    assert_eq!(lines.next(), None);
    assert!(
        run.stdout.contains(&format!(
            "s3://{BUCKET}/v2/Full-00000000-00000044-1679991074.gz"
        )),
        "{}",
        run.stdout
    );
    assert!(
        run.stdout
            .contains("controller-node1 https://192.0.2.10:2380"),
        "{}",
        run.stdout
    );
}

#[test]
fn each_failure_of_the_store_has_its_code_and_message() {
    let sample = sample();
    let listing_fails = |status, code: &'static str| {
        FakeS3::store(Objects::new(), move |_, _, _| Reply::error(status, code))
    };
    restore(&listing_fails(403, "AccessDenied"), &[], 5).expect_words(&[
        "AccessDenied",
        "told by the test",
        "next: ",
    ]);
    restore(&listing_fails(403, "SignatureDoesNotMatch"), &[], 5)
        .expect_words(&["SignatureDoesNotMatch"]);
    restore(&listing_fails(503, "SlowDown"), &[], 6).expect_words(&["503"]);
    let html = FakeS3::store(Objects::new(), |_, _, _| {
        Reply::new(200, "<html>a proxy</html>")
    });
    restore(&html, &[], 1).expect_words(&["not what an S3 server sends"]);
    let vanished = FakeS3::store(objects(&[(FULL, &sample.bytes)]), |request, reply, _| {
        if request.is_list() {
            reply
        } else {
            Reply::error(404, "NoSuchKey")
        }
    });
    restore(&vanished, &[], 4).expect_words(&["Full-00000000-00000040-1679991074"]);
    restore_from(&format!("http://{}", ports::free()), &[], 6).expect_words(&["network", "next: "]);
}

#[test]
fn damage_on_the_way_is_an_integrity_failure() {
    let sample = sample();
    let mut flipped = sample.bytes.clone();
    flipped[9_000] ^= 4;
    restore(&FakeS3::honest(objects(&[(FULL, &flipped)])), &[], 7).expect_words(&["SHA-256"]);
    let other_length = FakeS3::store(objects(&[(FULL, &sample.bytes)]), |request, reply, _| {
        if request.is_list() {
            reply
        } else {
            Reply::new(200, "shorter").header("ETag", "\"tiny\"")
        }
    });
    restore(&other_length, &[], 7).expect_words(&["but 7 came"]);
}

/// The size of the tool's range requests.
const RANGE_BYTES: usize = 8 << 20;

/// The sample with free space after its last page, like a database that was larger before: several ranges long.
fn large() -> Vec<u8> {
    let (db, _trailer) = sample().bytes.split_at(sample().bytes.len() - 32);
    let mut large = db.to_vec();
    large.resize(2 * RANGE_BYTES + 4096, 0);
    large.extend(Sha256::digest(&large));
    large
}

fn ranges(store: &FakeS3) -> Vec<String> {
    let seen = store.seen().into_iter();
    seen.filter(|request| request.method == "GET" && !request.is_list())
        .map(|request| {
            assert_eq!(
                request.headers.get("if-match").map(String::as_str),
                Some("\"tiny\""),
                "all ranges are of one object"
            );
            request.headers["range"].clone()
        })
        .collect()
}

#[test]
fn a_large_object_comes_in_ranges_that_are_put_together_in_order() {
    let object = large();
    let store = FakeS3::honest(objects(&[(FULL, &object)]));
    let run = restore(&store, &[], 0);
    assert!(
        run.stdout
            .contains(&hex::encode(Sha256::digest(&object[..object.len() - 32]))),
        "{}",
        run.stdout
    );
    let ranges = ranges(&store);
    assert_eq!(
        ranges[0], "bytes=0-1048575",
        "the first megabyte comes alone"
    );
    let mut rest = ranges[1..].to_vec();
    rest.sort();
    assert_eq!(
        rest,
        [
            "bytes=1048576-9437183".to_owned(),
            format!("bytes=9437184-{}", object.len() - 1),
        ]
    );
}

/// The wrong object: a few pages tell, and the rest stays where it is.
#[test]
fn an_object_that_is_no_database_is_not_fetched_to_its_end() {
    let object = vec![7; 3 * RANGE_BYTES];
    let store = FakeS3::honest(objects(&[(FULL, &object)]));
    restore(&store, &[], 7).expect_words(&["not a bolt database", "next: "]);
    assert_eq!(ranges(&store), ["bytes=0-1048575"]);
}

#[test]
fn a_cut_download_continues_where_it_broke() {
    let object = large();
    let len = object.len();
    let store = FakeS3::store(objects(&[(FULL, &object)]), |request, reply, before| {
        if request.is_list() || before > 5 {
            reply
        } else {
            reply.cut_after(100_001)
        }
    });
    restore(&store, &[], 0)
        .expect_words(&[&format!("the connection broke at byte 100001 of {len}")]);
    assert!(ranges(&store).contains(&"bytes=100001-1048575".to_owned()));
}

/// Every connection delivers some data, so the download completes, however often connections break.
#[test]
fn a_download_that_always_breaks_and_always_brings_something_is_finished() {
    let store = FakeS3::store(objects(&[(FULL, &sample().bytes)]), |request, reply, _| {
        if request.is_list() {
            reply
        } else {
            reply.cut_after(50_000)
        }
    });
    restore(&store, &[], 0);
}

#[test]
fn a_download_that_brings_nothing_any_more_fails_cleanly() {
    let store = FakeS3::store(objects(&[(FULL, &large())]), |request, reply, _| {
        let last = request.headers.get("range");
        if last.is_some_and(|range| range.starts_with("bytes=9437184-")) {
            reply.cut_after(0)
        } else {
            reply
        }
    });
    let run = restore(&store, &[], 6);
    run.expect_words(&[
        "cannot fetch the snapshot",
        "the connection broke at byte 9437184",
        "next: ",
    ]);
}

/// The object is replaced while it is read: ranges of two objects are never combined.
#[test]
fn an_object_that_is_replaced_meanwhile_is_told() {
    let store = FakeS3::store(objects(&[(FULL, &large())]), |request, reply, _| {
        let range = request.headers.get("range");
        if range.is_some_and(|range| !range.starts_with("bytes=0-")) {
            Reply::error(412, "PreconditionFailed")
        } else {
            reply
        }
    });
    restore(&store, &[], 1).expect_words(&["PreconditionFailed"]);
}

/// A store that answers a range request with other bytes of the same length.
#[test]
fn wrong_bytes_of_the_right_length_are_caught() {
    let object = large();
    let store = FakeS3::store(objects(&[(FULL, &object)]), move |request, reply, _| {
        let range = request.headers.get("range");
        if range.is_some_and(|range| range == "bytes=1048576-9437183") {
            Reply::new(206, vec![7; RANGE_BYTES])
                .header("ETag", "\"tiny\"")
                .header("Content-Range", "bytes 1048576-9437183/16781312")
        } else {
            reply
        }
    });
    restore(&store, &[], 7).expect_words(&["SHA-256", "next: "]);
}

#[test]
fn a_signal_while_fetching_leaves_no_trace() -> Outcome {
    let store = FakeS3::store(objects(&[(FULL, &large())]), |request, reply, _| {
        if request.is_list() {
            reply
        } else {
            reply.stall_after(RANGE_BYTES / 2)
        }
    });
    for signal in [Signal::TERM, Signal::INT, Signal::HUP] {
        let dir = tempfile::tempdir()?;
        fs::create_dir(dir.path().join("lost+found"))?;
        let before = fingerprint(dir.path());
        let child = ecs(&store.endpoint(), dir.path(), &[])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        eventually("the download is under way", || {
            fingerprint(dir.path())
                .into_iter()
                .find(|(path, (_, size, _))| path.ends_with("snap/db") && *size > 0)
        });
        kill_process(Pid::from_child(&child), signal)?;
        let output = child.wait_with_output()?;
        assert_eq!(
            output.status.code(),
            Some(130),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        assert_eq!(fingerprint(dir.path()), before);
    }
    Ok(())
}

/// `nohup strongroom-restore ... &`: a lost terminal must not end it.
#[test]
fn a_hangup_that_was_ignored_before_stays_ignored() -> Outcome {
    let store = FakeS3::store(objects(&[(FULL, &large())]), |request, reply, _| {
        if request.is_list() {
            reply
        } else {
            reply.stall_after(RANGE_BYTES / 2)
        }
    });
    let dir = tempfile::tempdir()?;
    let plain = ecs(&store.endpoint(), dir.path(), &[]);
    let mut shell = Command::new("sh");
    shell
        .args(["-c", "trap '' HUP; exec \"$@\"", "sh"])
        .arg(plain.get_program())
        .args(plain.get_args())
        .env_clear()
        .envs(
            plain
                .get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        )
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let child = shell.spawn()?;
    eventually("the download is under way", || {
        fingerprint(dir.path())
            .into_iter()
            .find(|(path, (_, size, _))| path.ends_with("snap/db") && *size > 0)
    });
    let status = fs::read_to_string(format!("/proc/{}/status", child.id()))?;
    let mask = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        u64::from_str_radix(line.unwrap_or_default().trim(), 16)
    };
    assert_eq!((mask("SigIgn:")? & 1, mask("SigCgt:")? & 1), (1, 0));
    kill_process(Pid::from_child(&child), Signal::TERM)?;
    assert_eq!(child.wait_with_output()?.status.code(), Some(130));
    Ok(())
}

/// Names are resolved without the C library: `localhost`, and this machine's own name if it is in /etc/hosts.
#[test]
fn the_endpoint_may_be_a_name() {
    let ok = |endpoint: &str| restore_from(endpoint, &[], 0);
    let honest = |ip| FakeS3::honest_at(ip, objects(&[(FULL, &sample().bytes)]));
    let store = honest(Ipv4Addr::LOCALHOST.into());
    ok(&format!("http://localhost:{}", store.port()));
    let (ip, name) = hosts_name();
    let store = honest(ip);
    ok(&format!("http://{name}:{}", store.port()));
    restore_from("http://no-such-host.invalid:9000", &[], 6)
        .expect_words(&["no-such-host.invalid"]);
}

/// A name of this machine that is only in /etc/hosts: its host name if listed with a loopback address, otherwise any such name
/// other than localhost, otherwise localhost.
fn hosts_name() -> (IpAddr, String) {
    // A root folder fresh from debootstrap has none.
    let hosts = fs::read_to_string("/etc/hosts").unwrap_or_default();
    let own = fs::read_to_string("/proc/sys/kernel/hostname").expect("Linux");
    let own = own.trim();
    let mut names: Vec<(IpAddr, String)> = hosts
        .lines()
        .filter_map(|line| line.split('#').next()?.split_once(char::is_whitespace))
        .filter_map(|(ip, names)| Some((ip.parse::<IpAddr>().ok()?, names)))
        .filter(|(ip, _)| ip.is_loopback())
        .flat_map(|(ip, names)| {
            names
                .split_whitespace()
                .map(move |name| (ip, name.to_owned()))
                .collect::<Vec<_>>()
        })
        .collect();
    names.sort_by_key(|(_, name)| (*name != own, name == "localhost"));
    let localhost = || (Ipv4Addr::LOCALHOST.into(), "localhost".to_owned());
    names.into_iter().next().unwrap_or_else(localhost)
}

/// `--storage-provider=S3` reads AWS' variables; STORAGE_CONTAINER names the bucket.
#[test]
fn the_s3_provider_works_by_aws_variables() -> Outcome {
    let store = FakeS3::honest(objects(&[(
        "c1/v2/Full-00000000-00000044-1000",
        &sample().bytes,
    )]));
    let dir = tempfile::tempdir()?;
    let mut command = command(&[
        "-d",
        text(dir.path()),
        "--storage-provider=S3",
        "--store-prefix=c1",
        "--max-fetchers=6",
    ]);
    command.envs([
        ("AWS_ENDPOINT_URL_S3", store.endpoint().as_str()),
        ("AWS_ACCESS_KEY_ID", "id"),
        ("AWS_SECRET_ACCESS_KEY", "never-shown"),
        ("AWS_REGION", "eu-west-1"),
        ("STORAGE_CONTAINER", BUCKET),
    ]);
    finish(command)
        .expect_code(0)
        .expect_words(&["--max-fetchers has no effect"]);
    let seen = store.seen();
    assert!(
        seen.iter()
            .all(|request| request.headers["authorization"].contains("/eu-west-1/s3/"))
    );
    Ok(())
}

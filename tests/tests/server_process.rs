//! The server as a process: refused starts, probes, metrics, shutdown, and a log without secrets.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::Command;

use strongroom_tests::clock::{READY_WITHIN, until};
use strongroom_tests::http;
use strongroom_tests::process::{Process, run};
use strongroom_tests::programs;
use strongroom_tests::s3::S3;
use strongroom_tests::server::{ACCESS_KEY, BUCKET, SECRET_KEY, Server};
use strongroom_tests::tree::Tree;
use strongroom_tests::workload::random::Random;

/// The admin listener's default, which another server on the machine may use.
const ADMIN_DEFAULT: &str = "127.0.0.1:9001";

fn planned() -> (tempfile::TempDir, Server) {
    let dir = tempfile::tempdir().expect("temporary folder");
    let server = Server::plan(dir.path());
    (dir, server)
}

fn started() -> (tempfile::TempDir, Server) {
    let dir = tempfile::tempdir().expect("temporary folder");
    let server = Server::start(dir.path());
    (dir, server)
}

#[test]
fn it_refuses_to_start_without_credentials_or_with_known_ones() {
    let (_dir, server) = planned();
    let (user, password) = ("STRONGROOM_ROOT_USER", "STRONGROOM_ROOT_PASSWORD");
    run(server.command().env_remove(user).env_remove(password))
        .code(2)
        .says(user)
        .says(password);
    run(server.command().env_remove(user))
        .code(2)
        .says("user is missing");
    run(server.command().env_remove(password))
        .code(2)
        .says("password is missing");
    run(server
        .command()
        .env(user, "minioadmin")
        .env(password, "minioadmin"))
    .code(2)
    .says(password);
    for known in ["minioadmin", "password123", "ChangeMe123"] {
        run(server.command().env(password, known))
            .code(2)
            .says("well-known");
    }
    assert!(
        !server.data_dir().exists(),
        "a refused start creates nothing"
    );
}

#[test]
fn minios_variable_names_are_understood() {
    let (_dir, mut server) = planned();
    let mut command = server.command();
    command
        .env_remove("STRONGROOM_ROOT_USER")
        .env_remove("STRONGROOM_ROOT_PASSWORD");
    command
        .env("MINIO_ROOT_USER", ACCESS_KEY)
        .env("MINIO_ROOT_PASSWORD", SECRET_KEY);
    server.boot_as(command);
    assert_eq!(S3::of(&server).keys(BUCKET, ""), [""; 0]);
}

#[test]
fn unknown_keys_in_the_configuration_are_refused_by_name() {
    let (dir, server) = planned();
    let config = dir.path().join("strongroom.toml");
    std::fs::write(&config, "data_dri = \"/tmp/x\"\n").expect("written");
    run(server.command().arg("--config").arg(&config))
        .code(2)
        .says("data_dri");
    std::fs::write(&config, "this is no toml").expect("written");
    run(server.command().arg("--config").arg(&config))
        .code(2)
        .says("strongroom.toml");
    run(server
        .command()
        .arg("--config")
        .arg(dir.path().join("absent.toml")))
    .code_in(&[2, 4])
    .says("absent.toml");
    run(server.command().arg("--no-such-flag"))
        .code(2)
        .says("--no-such-flag");
}

#[test]
fn a_second_process_on_the_folder_is_refused_and_the_first_goes_on() {
    let (dir, server) = started();
    let second = Server::plan(dir.path());
    run(&mut second.command())
        .code(8)
        .says(&server.data_dir().display().to_string());
    assert_eq!(
        S3::of(&server).put(&format!("/{BUCKET}/k"), b"v").status,
        200
    );
}

#[test]
fn a_folder_without_permission_and_a_taken_port_are_named() {
    let (dir, server) = planned();
    let file = dir.path().join("a-file");
    std::fs::write(&file, "").expect("written");
    run(&mut Server::plan(&file).command())
        .code_in(&[1, 2, 8])
        .says("a-file");
    let _held = TcpListener::bind(server.s3_addr()).expect("the port is free");
    run(&mut server.command())
        .code_in(&[1, 8, 9])
        .says(&server.s3_addr().to_string());
}

#[test]
fn a_directory_of_minio_or_of_somebody_else_is_refused_and_left_alone() {
    let (_dir, server) = planned();
    std::fs::create_dir_all(server.data_dir().join("photos")).expect("made");
    let refused = run(&mut server.command()).code_in(&[8]);
    refused.says("photos").says("ls -la");
    std::fs::create_dir(server.data_dir().join(".minio.sys")).expect("made");
    let refused = run(&mut server.command()).code_in(&[8]);
    refused.says("MinIO").says("serve --data-dir");
    let left = std::fs::read_dir(server.data_dir()).expect("readable");
    assert_eq!(left.count(), 2, "nothing was made");
}

#[test]
fn probes_answer_on_both_listeners() {
    let (_dir, server) = started();
    for path in ["live", "ready", "cluster", "cluster/read"] {
        let path = format!("/minio/health/{path}");
        assert_eq!(
            http::get(server.s3_addr(), &path).expect("answers").status,
            200,
            "{path}"
        );
    }
    for path in ["/livez", "/readyz"] {
        assert_eq!(
            http::get(server.admin_addr(), path)
                .expect("answers")
                .status,
            200,
            "{path}"
        );
    }
    assert_eq!(
        http::get(server.admin_addr(), "/absent")
            .expect("answers")
            .status,
        404
    );
    let head = format!(
        "HEAD /minio/health/live HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
        server.s3_addr()
    );
    let answer = http::send(server.s3_addr(), head.as_bytes()).expect("answers");
    assert_eq!((answer.status, answer.body.len()), (200, 0));
}

#[test]
fn what_was_deleted_leaves_the_disk_and_the_job_tells() {
    let (_dir, mut server) = planned();
    let mut command = server.command();
    command
        .env("STRONGROOM_GC_INTERVAL_SECS", "1")
        .env("STRONGROOM_GC_GRACE_SECS", "0")
        .env("STRONGROOM_GC_QUARANTINE_SECS", "0");
    server.boot_as(command);
    let s3 = S3::of(&server);
    let kept = vec![3; 3_000_000];
    assert_eq!(s3.put(&format!("/{BUCKET}/kept"), &kept).status, 200);
    assert_eq!(s3.put(&format!("/{BUCKET}/gone"), &kept).status, 200);
    let packs = server.data_dir().join("packs");
    assert_eq!(files_below(&packs), 2);
    assert_eq!(s3.delete(&format!("/{BUCKET}/gone")).status, 204);
    until(
        "the deleted object's pack to leave",
        READY_WITHIN,
        || match files_below(&packs) {
            1 => Ok(()),
            files => Err(files),
        },
    );
    assert_eq!(s3.get(&format!("/{BUCKET}/kept")).body, kept);
    let jobs = until("the job's report", READY_WITHIN, || {
        let answer = http::get(server.admin_addr(), "/jobs").expect("answers");
        let jobs: serde_json::Value = serde_json::from_slice(&answer.body).expect("JSON");
        match jobs[0]["runs"].as_u64() {
            Some(1..) => Ok(jobs),
            runs => Err(runs),
        }
    });
    assert_eq!(jobs[0]["name"], "gc");
    assert!(jobs[0]["last"]["result"]["Ok"].is_object(), "{jobs}");
    assert_eq!(server.stop(), Some(0));
}

/// Files in all folders below `dir`.
fn files_below(dir: &std::path::Path) -> usize {
    let entries = std::fs::read_dir(dir).expect("readable");
    let count = |entry: std::io::Result<std::fs::DirEntry>| {
        let path = entry.expect("readable").path();
        if path.is_dir() { files_below(&path) } else { 1 }
    };
    entries.map(count).sum()
}

#[test]
fn metrics_count_requests_and_bytes() {
    let (_dir, server) = started();
    let s3 = S3::of(&server);
    let body = vec![7; 300_000];
    assert_eq!(s3.put(&format!("/{BUCKET}/one"), &body).status, 200);
    assert_eq!(s3.get(&format!("/{BUCKET}/one")).body, body);
    assert_eq!(s3.get(&format!("/{BUCKET}/absent")).status, 404);
    let metrics = http::get(server.admin_addr(), "/metrics").expect("answers");
    assert_eq!(metrics.status, 200);
    assert!(
        metrics
            .header("content-type")
            .is_some_and(|t| t.starts_with("text/plain")),
        "{:?}",
        metrics.headers
    );
    let text = metrics.text();
    for counted in [
        "strongroom_s3_requests_total{api=\"PutObject\",code=\"200\"} 1",
        "strongroom_s3_requests_total{api=\"GetObject\",code=\"404\"} 1",
        "strongroom_s3_request_duration_seconds_count{api=\"GetObject\"} 2",
        "strongroom_s3_received_bytes_total{api=\"PutObject\"} 300000",
        "strongroom_storage_logical_bytes 300000",
    ] {
        assert!(
            text.contains(counted),
            "`{counted}` is not in the metrics:\n{text}"
        );
    }
    for name in [
        "s3_sent_bytes_total",
        "storage_stored_bytes",
        "meta_commit_duration_seconds_count",
    ] {
        let sum = sum_of(&text, &format!("strongroom_{name}"));
        assert!(sum > 0.0, "strongroom_{name} is {sum}:\n{text}");
    }
    for line in text.lines().filter(|l| !l.starts_with('#')) {
        let value = line.rsplit(' ').next().unwrap_or_default();
        assert!(
            value.parse::<f64>().is_ok()
                && (line.starts_with("strongroom_") || line.starts_with("process_")),
            "not a metric of ours: {line}"
        );
    }
}

/// Sum of a metric over its labels.
fn sum_of(metrics: &str, name: &str) -> f64 {
    let lines = metrics.lines().filter_map(|line| line.strip_prefix(name));
    lines
        .filter(|rest| rest.starts_with(['{', ' ']))
        .filter_map(|rest| rest.rsplit(' ').next()?.parse::<f64>().ok())
        .sum()
}

#[test]
fn sigterm_finishes_what_is_in_flight_and_ends_with_0() {
    let (_dir, mut server) = started();
    let s3 = S3::of(&server);
    let body = vec![5; 4 << 20];
    let request = s3.unsigned_payload("PUT", &format!("/{BUCKET}/in-flight"), &[], &body);
    let mut connection = http::Connection::open(server.s3_addr()).expect("connects");
    connection.write_head(&request.head()).expect("sent");
    let (first, second) = body.split_at(1 << 20);
    connection.write(first).expect("sent");

    server.process().terminate();
    until("readyz to say 503", READY_WITHIN, || {
        match http::get(server.admin_addr(), "/readyz") {
            Ok(answer) if answer.status == 503 => Ok(()),
            other => Err(format!("{other:?}")),
        }
    });
    until(
        "new connections to be refused",
        READY_WITHIN,
        || match http::get(server.s3_addr(), "/minio/health/live") {
            Err(e) => Ok(e),
            Ok(answer) => Err(answer.status),
        },
    );
    connection.write(second).expect("sent");
    let answer = connection.read_answer().expect("answers");
    assert_eq!(answer.status, 200, "{}", answer.text());
    let status = server.process().wait(READY_WITHIN);
    assert_eq!(status.code(), Some(0));
    server.kill();

    server.boot();
    assert!(
        s3.get(&format!("/{BUCKET}/in-flight")).body == body,
        "the acknowledged object is whole"
    );
}

#[test]
fn the_admin_listener_takes_a_free_port_when_its_default_is_taken() {
    // Another process may use it already: it is taken in both cases.
    let _held = TcpListener::bind(ADMIN_DEFAULT);
    let (dir, server) = planned();
    let mut command = Command::new(server.command().get_program());
    let with = server.command();
    command.env_clear();
    for (name, value) in with.get_envs() {
        if let Some(value) = value {
            command.env(name, value);
        }
    }
    let listen = server.s3_addr().to_string();
    command
        .arg("serve")
        .arg("--data-dir")
        .arg(server.data_dir())
        .args(["--listen", &listen]);
    let process = Process::spawn(
        "strongroom-server",
        &mut command,
        &dir.path().join("fallback.log"),
    );
    let admin = until("a line about the admin listener", READY_WITHIN, || {
        let log = process.log();
        admin_address(&log).ok_or(log)
    });
    assert_ne!(admin.to_string(), ADMIN_DEFAULT);
    until(
        "the admin listener to answer",
        READY_WITHIN,
        || match http::get(admin, "/livez") {
            Ok(answer) if answer.status == 200 => Ok(()),
            other => Err(format!("{other:?}")),
        },
    );
}

/// The last address in a log line about the admin listener, not only about its default.
fn admin_address(log: &str) -> Option<SocketAddr> {
    let lines = log.lines().filter(|line| line.contains("admin"));
    let addresses =
        lines.flat_map(|line| line.split(|c: char| !(c.is_ascii_digit() || c == '.' || c == ':')));
    addresses
        .filter_map(|word| word.parse().ok())
        .rfind(|a: &SocketAddr| a.to_string() != ADMIN_DEFAULT)
}

#[test]
fn a_request_logs_one_line_without_secrets_or_contents() {
    let (_dir, mut server) = started();
    let s3 = S3::of(&server);
    let content = b"contents-that-must-not-be-logged";
    let before = server.log().lines().count();
    assert_eq!(
        s3.put(&format!("/{BUCKET}/logged-key"), content).status,
        200
    );
    assert_eq!(
        s3.with_secret("a-wrong-secret-9d1f")
            .get(&format!("/{BUCKET}/logged-key"))
            .status,
        403
    );
    until("two lines of log", READY_WITHIN, || {
        let lines = server.log().lines().count() - before;
        if lines >= 2 { Ok(()) } else { Err(lines) }
    });
    assert_eq!(server.stop(), Some(0));
    let log = server.log();
    let about: Vec<_> = log
        .lines()
        .filter(|line| line.contains("logged-key"))
        .collect();
    assert_eq!(about.len(), 2, "one line per request: {about:#?}");
    for secret in [
        SECRET_KEY,
        "a-wrong-secret-9d1f",
        "contents-that-must-not-be-logged",
        "Signature=",
    ] {
        assert!(!log.contains(secret), "`{secret}` was logged");
    }
}

#[test]
fn a_stopped_store_can_be_checked_and_is_not_changed_by_it() {
    let (dir, mut server) = started();
    let s3 = S3::of(&server);
    for key in ["kept", "deleted"] {
        let body = Random::new(3).bytes(1_500_000);
        assert_eq!(s3.put(&format!("/{BUCKET}/{key}"), &body).status, 200);
    }
    assert_eq!(s3.delete(&format!("/{BUCKET}/deleted")).status, 204);
    let look = |what: &[&str], dir: &Path| {
        let mut command = programs::server();
        run(command.args(what).arg("--data-dir").arg(dir))
    };
    for what in [&["doctor"][..], &["gc", "--dry-run"]] {
        look(what, server.data_dir())
            .code(8)
            .says("in use by another process");
        look(what, &dir.path().join("elsewhere"))
            .code(4)
            .says("there is no store");
    }
    look(&["gc"], server.data_dir()).code(2).says("--dry-run");
    assert_eq!(server.stop(), Some(0));
    let before = Tree::of(server.data_dir());
    look(&["doctor"], server.data_dir())
        .ok()
        .says("0 findings")
        .says("1 objects");
    look(&["gc", "--dry-run"], server.data_dir())
        .ok()
        .says("manifests to free: 1")
        .says("to mark for deletion");
    let changed = before.difference(&Tree::of(server.data_dir()));
    assert!(changed.is_empty(), "{changed:?}");
    server.boot();
    assert_eq!(server.stop(), Some(0));
}

//! The real program as a process: refused starts, two servers on one machine, signals and shutdown, metrics.
#![cfg(feature = "rocksdb")]

mod program;

use std::net::{SocketAddr, TcpListener};
use std::path::Path;

use strongroom_tests::clock::{READY_WITHIN, until};
use strongroom_tests::http::{self, Answer, Connection};
use strongroom_tests::process::run;

use program::{BUCKET, PASSWORD, Server, USER, bare, serve};

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

fn get(address: SocketAddr, path: &str) -> Answer {
    http::get(address, path).expect("answers")
}

/// Sends a PUT without its last byte. The server has received all others.
fn put_all_but_one_byte(server: &Server, key: &str, len: usize) -> Connection {
    let path = format!("/{BUCKET}/{key}");
    let request = server.operator().unsigned_payload("PUT", &path, &[], b"");
    let head = request
        .with_header("expect", "100-continue")
        .with_header("content-length", &len.to_string())
        .head();
    let mut connection = Connection::open(server.listen).expect("the server accepts");
    connection.write_head(&head).expect("the head is taken");
    let go_on = connection.read_any_head();
    assert_eq!(go_on.expect("the server asks for the body").status, 100);
    connection
        .write(&vec![b'x'; len - 1])
        .expect("the body is taken");
    connection
}

/// Sends the last byte of this PUT; returns the answer.
fn finish(mut put: Connection) -> Answer {
    put.write(b"x").expect("the server still reads");
    put.read_answer().expect("the server answers")
}

fn get_object(server: &Server, key: &str) -> Answer {
    server.operator().get(&format!("/{BUCKET}/{key}"))
}

#[test]
fn it_does_not_start_without_credentials_and_says_what_to_type() {
    let dir = folder();
    let data = dir.path().join("data");
    let mut command = serve(&data);
    let ended = run(command
        .env_remove("STRONGROOM_ROOT_USER")
        .env_remove("STRONGROOM_ROOT_PASSWORD"));
    assert_eq!(ended.code, Some(2), "{}", ended.stderr);
    assert!(
        ended.stderr.contains("STRONGROOM_ROOT_USER"),
        "{}",
        ended.stderr
    );
    assert!(
        ended
            .stderr
            .contains("\nnext: export STRONGROOM_ROOT_USER="),
        "{}",
        ended.stderr
    );
    assert!(!data.exists(), "a refused start leaves nothing behind");
}

#[test]
fn it_does_not_start_with_credentials_that_everybody_knows() {
    let dir = folder();
    let data = dir.path().join("data");
    for (user, password) in [
        ("minioadmin", "minioadmin"),
        ("admin", "password"),
        ("same-text", "same-text"),
    ] {
        let mut command = serve(&data);
        let ended = run(command
            .env("STRONGROOM_ROOT_USER", user)
            .env("STRONGROOM_ROOT_PASSWORD", password));
        assert_eq!(ended.code, Some(2), "{user}: {}", ended.stderr);
        assert!(
            ended.stderr.contains("STRONGROOM_ROOT_PASSWORD"),
            "{}",
            ended.stderr
        );
    }
    assert!(!data.exists(), "a refused start leaves nothing behind");
}

#[test]
fn a_misspelt_key_of_the_file_is_named_with_its_line() {
    let dir = folder();
    let file = dir.path().join("strongroom.toml");
    std::fs::write(&file, "buckets = ['one']\nshutdown_sec = 5\n").expect("writable");
    let ended = run(serve(&dir.path().join("data")).arg("--config").arg(&file));
    assert_eq!(ended.code, Some(2));
    let place = format!("{}:2: unknown key `shutdown_sec`", file.display());
    assert!(ended.stderr.contains(&place), "{}", ended.stderr);
}

#[test]
fn usage_is_told_and_wrong_usage_is_exit_2() {
    assert_eq!(run(&mut bare()).code, Some(2));
    assert_eq!(run(bare().arg("serve").arg("--no-such-flag")).code, Some(2));
    assert_eq!(run(bare().arg("--help")).code, Some(0));
    assert_eq!(run(bare().arg("--version")).code, Some(0));
}

#[test]
fn a_second_process_on_the_directory_is_refused_and_the_first_goes_on() {
    let dir = folder();
    let data = dir.path().join("data");
    let mut first = Server::start(&mut serve(&data), dir.path());
    let ended = run(&mut serve(&data));
    assert_eq!(ended.code, Some(8), "{}", ended.stderr);
    assert!(
        ended.stderr.contains(&data.display().to_string()),
        "{}",
        ended.stderr
    );
    assert_eq!(get(first.admin, "/readyz").status, 200);
    assert_eq!(first.stop(), Some(0));
    let mut next = Server::start(&mut serve(&data), dir.path());
    assert_eq!(next.stop(), Some(0));
}

#[test]
fn a_taken_address_is_refused_with_the_command_that_finds_its_holder() {
    let dir = folder();
    let held = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    let taken = held.local_addr().expect("a bound socket has an address");
    for flag in ["--listen", "--admin-listen"] {
        let ended = run(serve(&dir.path().join("data")).args([flag, &taken.to_string()]));
        assert_eq!(ended.code, Some(8), "{flag}: {}", ended.stderr);
        assert!(
            ended.stderr.contains(&taken.to_string()),
            "{flag}: {}",
            ended.stderr
        );
        assert!(
            ended.stderr.contains(&format!("sport = :{}", taken.port())),
            "{flag}: {}",
            ended.stderr
        );
    }
}

#[test]
fn two_servers_on_one_machine_do_not_collide() {
    let dir = folder();
    // Held by this test or by an earlier process: the port is taken in both cases.
    let _held = TcpListener::bind("127.0.0.1:9001");
    let without_admin = |data: &Path| {
        let mut command = bare();
        command
            .arg("serve")
            .arg("--data-dir")
            .arg(data)
            .args(["--listen", "127.0.0.1:0"]);
        command
            .env("MINIO_ROOT_USER", USER)
            .env("MINIO_ROOT_PASSWORD", PASSWORD);
        command
    };
    let (one_dir, other_dir) = (folder(), folder());
    let one = Server::start(&mut without_admin(&dir.path().join("one")), one_dir.path());
    let other = Server::start(
        &mut without_admin(&dir.path().join("other")),
        other_dir.path(),
    );
    assert_ne!(one.admin, other.admin);
    for server in [&one, &other] {
        assert_ne!(server.admin.port(), 9001);
        assert_eq!(get(server.admin, "/livez").status, 200);
        assert!(
            server.log().contains("the default admin address is taken"),
            "{}",
            server.log()
        );
    }
}

#[test]
fn sigterm_finishes_what_is_in_flight_and_ends_with_0() {
    let dir = folder();
    let data = dir.path().join("data");
    let mut server = Server::start(&mut serve(&data), dir.path());
    assert_eq!(get(server.listen, "/minio/health/ready").status, 200);
    let put = put_all_but_one_byte(&server, "in-flight", 3_000_000);
    server.process.terminate();
    until(
        "new connections to be refused",
        READY_WITHIN,
        || match http::connect(server.listen) {
            Err(_) => Ok(()),
            Ok(_) => Err("accepted"),
        },
    );
    let readyz = get(server.admin, "/readyz");
    assert!(
        readyz.status == 503 && readyz.text().contains("stopping"),
        "{readyz:?}"
    );
    let answer = finish(put);
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(server.ended(), Some(0));
    assert!(
        server.log().contains("strongroom-server has stopped"),
        "{}",
        server.log()
    );

    let mut again = Server::start(&mut serve(&data), dir.path());
    let answer = get_object(&again, "in-flight");
    assert_eq!(answer.status, 200);
    assert!(
        answer.body == vec![b'x'; 3_000_000],
        "the acknowledged object is whole"
    );
    assert_eq!(again.stop(), Some(0));
    for secret in [PASSWORD, "Signature=", "xxxxxxxx"] {
        assert!(!again.log().contains(secret), "`{secret}` was logged");
    }
}

#[test]
fn what_outlasts_the_shutdown_time_is_cut_and_leaves_nothing() {
    let dir = folder();
    let data = dir.path().join("data");
    let mut server = Server::start(
        serve(&data).env("STRONGROOM_SHUTDOWN_SECS", "1"),
        dir.path(),
    );
    let mut put = put_all_but_one_byte(&server, "too-late", 100_000);
    assert_eq!(server.stop(), Some(0), "{}", server.log());
    assert!(put.read_answer().is_err(), "it was cut without an answer");
    assert!(
        server
            .log()
            .contains("requests that outlasted the shutdown time were cut"),
        "{}",
        server.log()
    );
    let again = Server::start(&mut serve(&data), dir.path());
    assert_eq!(get_object(&again, "too-late").status, 404);
}

#[test]
fn a_second_signal_ends_it_at_once_and_loses_nothing_acknowledged() {
    let dir = folder();
    let data = dir.path().join("data");
    let mut server = Server::start(&mut serve(&data), dir.path());
    let done = put_all_but_one_byte(&server, "done", 10);
    assert_eq!(finish(done).status, 200);
    let _stuck = put_all_but_one_byte(&server, "stuck", 100_000);
    server.process.interrupt();
    until("the server to take the signal", READY_WITHIN, || {
        if server.log().contains("is stopping") {
            Ok(())
        } else {
            Err(server.log())
        }
    });
    server.process.interrupt();
    assert_eq!(server.ended(), Some(130), "{}", server.log());
    let again = Server::start(&mut serve(&data), dir.path());
    assert_eq!(get_object(&again, "done").status, 200);
}

#[test]
fn sighup_does_not_end_it() {
    let dir = folder();
    let mut server = Server::start(&mut serve(&dir.path().join("data")), dir.path());
    server.process.hang_up();
    until("the signal to be told", READY_WITHIN, || {
        if server.log().contains("SIGHUP is ignored") {
            Ok(())
        } else {
            Err(server.log())
        }
    });
    assert_eq!(get(server.admin, "/livez").status, 200);
    assert_eq!(server.stop(), Some(0));
}

#[test]
fn metrics_tell_requests_bytes_commits_and_what_is_stored() {
    let dir = folder();
    let server = Server::start(&mut serve(&dir.path().join("data")), dir.path());
    let put = put_all_but_one_byte(&server, "counted", 5000);
    assert_eq!(finish(put).status, 200);
    assert_eq!(get_object(&server, "counted").status, 200);
    assert_eq!(get(server.listen, "/minio/health/live").status, 200);
    // A request is counted when its answer's last byte is sent, which the client may see first.
    let metrics = until("both requests to be counted", READY_WITHIN, || {
        let text = get(server.admin, "/metrics").text();
        let counted = text
            .contains("strongroom_s3_requests_total{api=\"PutObject\",code=\"200\"} 1\n")
            && text.contains("strongroom_s3_requests_total{api=\"GetObject\",code=\"200\"} 1\n");
        if counted { Ok(text) } else { Err(text) }
    });
    for line in [
        "strongroom_s3_received_bytes_total{api=\"PutObject\"} 5000",
        "strongroom_s3_sent_bytes_total{api=\"GetObject\"} 5000",
        "strongroom_s3_request_duration_seconds_count{api=\"PutObject\"} 1",
        "strongroom_storage_logical_bytes 5000",
        "strongroom_store_read_only 0",
        "strongroom_ready 1",
        "strongroom_connections{listener=\"admin\"} 1",
    ] {
        assert!(
            metrics.lines().any(|l| l == line),
            "missing {line} in\n{metrics}"
        );
    }
    let value = |name: &str| -> f64 {
        let line = metrics
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.and_then(|number| number.parse().ok())
            .unwrap_or_else(|| panic!("no {name} in\n{metrics}"))
    };
    assert!(value("strongroom_meta_commit_duration_seconds_count") >= 1.0);
    assert!(value("strongroom_pack_sync_duration_seconds_count") >= 1.0);
    assert!(value("strongroom_storage_stored_bytes{kind=\"packs\"}") > 0.0);
    assert!(value("strongroom_storage_stored_bytes{kind=\"meta\"}") > 0.0);
    assert!(value("strongroom_filesystem_free_bytes") > 0.0);
    assert!(value("process_resident_memory_bytes") > 0.0);
}

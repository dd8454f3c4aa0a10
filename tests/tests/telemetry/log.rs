//! Log lines of the real server in both forms, and an operator's changes of the filter.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use strongroom_tests::clock::{READY_WITHIN, until};
use strongroom_tests::http::{self, Answer};
use strongroom_tests::inject::{Attached, Effect, Fault, Times};
use strongroom_tests::metrics;
use strongroom_tests::s3::S3;
use strongroom_tests::server::{BUCKET, SECRET_KEY, Server};

use crate::started;

fn id_of(answer: &Answer) -> String {
    let id = answer.header("x-amz-request-id");
    id.expect("every answer has one").to_owned()
}

/// The lines with this text, once there are this many.
fn lines(server: &Server, text: &str, count: usize) -> Vec<String> {
    until("the lines", READY_WITHIN, || {
        let log = server.log();
        let found: Vec<_> = log
            .lines()
            .filter(|line| line.contains(text))
            .map(str::to_owned)
            .collect();
        if found.len() >= count {
            Ok(found)
        } else {
            Err(found)
        }
    })
}

/// A refused request, which logs its own line at `debug` in addition to the line of its end.
fn refused(server: &Server) -> String {
    let stranger = S3::of(server).with_secret("another-secret-0000");
    let answer = stranger.get(&format!("/{BUCKET}/x"));
    assert_eq!(answer.status, 403);
    id_of(&answer)
}

#[test]
fn every_json_line_of_a_request_or_a_job_names_it() {
    let (_dir, mut server) = started(&[
        ("STRONGROOM_LOG", "debug"),
        ("STRONGROOM_LOG_FORMAT", "json"),
    ]);
    let id = refused(&server);
    let put = S3::of(&server).put(&format!("/{BUCKET}/x"), b"y");
    lines(&server, &id_of(&put), 1);
    let of_request = lines(&server, &id, 2);
    lines(&server, "a job has run", 1);
    assert_eq!(server.stop(), Some(0));
    for (line, message) in of_request
        .iter()
        .zip(["a request was refused", "s3 request"])
    {
        let line: Value = serde_json::from_str(line).expect("JSON");
        assert_eq!(
            (
                &line["message"],
                &line["span"]["request_id"],
                &line["span"]["api"]
            ),
            (&message.into(), &id.as_str().into(), &"GetObject".into()),
            "{line}"
        );
    }
    for line in server.log().lines() {
        let line: Value = serde_json::from_str(line).expect("each line is JSON");
        let target = line["target"].as_str().expect("each line has one");
        let span = &line["span"];
        let of_request = span["request_id"].is_string() && span["api"].is_string();
        let of_job = span["job"] == "gc" && span["run"].is_u64();
        if target.starts_with("strongroom_server::s3") {
            assert!(of_request && !of_job, "{line}");
        }
        if target.starts_with("strongroom_server::jobs") {
            assert!(of_job && !of_request, "{line}");
        }
    }
}

#[test]
fn every_line_of_text_of_a_request_names_it() {
    let (_dir, server) = started(&[
        ("STRONGROOM_LOG", "debug"),
        ("STRONGROOM_LOG_FORMAT", "text"),
    ]);
    let id = refused(&server);
    let span = format!("request{{request_id={id} api=\"GetObject\"}}: ");
    let of_request = lines(&server, &id, 2);
    assert!(
        of_request.iter().all(|line| line.contains(&span)),
        "{of_request:#?}"
    );
    lines(&server, "job{job=\"gc\" run=1}: ", 1);
}

/// A failure after the answer's head was sent is logged under the id in that head.
#[test]
fn an_answer_that_breaks_is_logged_under_the_id_of_its_head() {
    let (_dir, mut server) = started(&[]);
    let path = format!("/{BUCKET}/large");
    let body: Vec<u8> = (0..3_000_000_u32).flat_map(u32::to_le_bytes).collect();
    assert_eq!(S3::of(&server).put(&path, &body).status, 200);
    assert_eq!(server.stop(), Some(0));
    damage(&largest_below(&server.data_dir().join("packs")));
    server.boot();
    let s3 = S3::of(&server);
    let answer = s3.send(&s3.signed("GET", &path, &[], b""));
    assert!(answer.status == 200 && answer.body.len() < body.len());
    let of_request = lines(&server, &id_of(&answer), 2);
    let first: Value = serde_json::from_str(&of_request[0]).expect("JSON");
    assert_eq!(
        (&first["level"], &first["message"]),
        (
            &"ERROR".into(),
            &"an object cannot be read; the connection is cut".into()
        ),
        "{first}"
    );
    let broken = metrics::value(&server, "strongroom_s3_broken_answers_total");
    assert!((broken - 1.0).abs() < 0.1, "{broken}");
}

/// The request's work on blocking threads belongs to it as well: the sync of its pack fails there.
#[test]
fn a_sync_that_fails_is_logged_under_the_request_that_met_it() {
    let (dir, mut server) = started(&[]);
    let path = format!("/{BUCKET}/large");
    let s3 = S3::of(&server);
    let body = vec![9; 3 << 20];
    assert_eq!(s3.put(&path, &body).status, 200);
    let fault = Fault {
        times: Times::FromThenOn,
        ..Fault::at("fsync", 1, Effect::Error("EIO"))
    };
    let strace = Attached::to(
        server.process().id(),
        &fault,
        &[],
        &dir.path().join("strace"),
    );
    let answer = s3.put(&path, &body);
    assert_eq!(answer.status, 503, "{}", answer.text());
    let latched = lines(&server, "the store is read-only until", 1);
    let line: Value = serde_json::from_str(&latched[0]).expect("JSON");
    assert_eq!(
        line["span"]["request_id"],
        id_of(&answer).as_str(),
        "{line}"
    );
    assert_eq!(line["span"]["api"], "PutObject", "{line}");
    assert!(!strace.release().is_empty());
}

/// Changes a byte in the middle of the file.
fn damage(file: &Path) {
    let mut bytes = fs::read(file).expect("readable");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(file, bytes).expect("writable");
}

fn largest_below(dir: &Path) -> PathBuf {
    let mut files = Vec::new();
    let mut dirs = vec![dir.to_owned()];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(dir).expect("readable") {
            let entry = entry.expect("readable");
            let kind = entry.metadata().expect("readable");
            if kind.is_dir() {
                dirs.push(entry.path());
            } else {
                files.push((kind.len(), entry.path()));
            }
        }
    }
    files.into_iter().max().expect("a file").1
}

/// `ACCESS_KEY:SECRET_KEY` of the suites, as HTTP's Basic scheme encodes it.
const OPERATOR: &str = "aGFybmVzcy1vcGVyYXRvcjpoYXJuZXNzLXNlY3JldC03ZjJjOTFkMDRiZTU=";

fn ask(server: &Server, method: &str, body: &str) -> (u16, String) {
    let addr = server.admin_addr();
    let len = body.len();
    let request = format!(
        "{method} /log HTTP/1.1\r\nHost: {addr}\r\nAuthorization: Basic {OPERATOR}\r\nConnection: close\r\nContent-Length: {len}\r\n\r\n{body}"
    );
    let answer = http::send(addr, request.as_bytes()).expect("answers");
    (answer.status, answer.text())
}

#[test]
fn the_filter_changes_while_the_server_runs() {
    let (_dir, server) = started(&[]);
    let quiet = |server: &Server| {
        let id = refused(server);
        // A request's last line reports its end.
        lines(server, &id, 1).len()
    };
    assert_eq!(quiet(&server), 1);
    let (status, state) = ask(&server, "PUT", "debug");
    assert_eq!(status, 200, "{state}");
    let state: Value = serde_json::from_str(&state).expect("JSON");
    assert_eq!(state["filter"], "warn,strongroom_server=debug");
    assert_eq!(state["configured"], "warn,strongroom_server=info");
    assert_eq!(lines(&server, &refused(&server), 2).len(), 2);
    let overridden = || metrics::value(&server, "strongroom_log_filter_overridden");
    assert!(overridden() > 0.5);

    let (status, why) = ask(&server, "PUT", "strongroom_server=debgu");
    assert_eq!(status, 400, "{why}");
    assert!(
        why.starts_with("`strongroom_server=debgu` is no log filter: "),
        "{why}"
    );
    assert!(overridden() > 0.5, "a bad filter changes nothing");

    assert_eq!(ask(&server, "DELETE", "").0, 200);
    assert!(overridden() < 0.5);
    assert_eq!(quiet(&server), 1);
    assert_eq!(lines(&server, "the log filter changes", 2).len(), 2);
    // On the S3 listener, it is the name of a bucket.
    let answer = http::get(server.s3_addr(), "/log").expect("answers");
    assert_eq!(answer.status, 403);
}

/// For any filter, of our own events and of every library's.
#[test]
fn no_filter_shows_secrets_or_contents() {
    let (_dir, server) = started(&[]);
    assert_eq!(ask(&server, "PUT", "trace").0, 200);
    assert_eq!(ask(&server, "PUT", "trace,strongroom_server=trace").0, 200);
    let s3 = S3::of(&server);
    let path = format!("/{BUCKET}/x");
    let put = s3.signed("PUT", &path, &[], b"contents-of-an-object-5d1f");
    let answer = s3.send(&put);
    assert_eq!(answer.status, 200);
    lines(&server, &id_of(&answer), 1);
    assert_eq!(s3.get(&path).body, b"contents-of-an-object-5d1f");
    let head = String::from_utf8(put.head()).expect("text");
    let (_, signature) = head.split_once("Signature=").expect("signed");
    let signature: String = signature.chars().take(64).collect();
    let log = server.log();
    for secret in [SECRET_KEY, "contents-of-an-object-5d1f", &signature] {
        assert!(!log.contains(secret), "{secret} is in the log");
    }
}

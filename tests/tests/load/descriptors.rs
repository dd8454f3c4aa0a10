//! The budget of descriptors at a hard limit that the server cannot raise.

use std::process::Command;

use strongroom_tests::http::Connection;
use strongroom_tests::metrics;
use strongroom_tests::programs;
use strongroom_tests::s3::S3;
use strongroom_tests::server::{BUCKET, Server};
use strongroom_tests::workload::random::Random;

use crate::at_leisure;

/// The hard limit of many service managers and shells.
const LIMIT: usize = 1024;

/// The requests of one address that the server serves at once then: of its 149 connections, 37 are kept for other
/// addresses, and 7 of the rest for health checks. See `process/limits.rs`.
const CONNECTIONS: usize = 105;

/// A body that gets a pack of its own.
const BODY_BYTES: usize = 3 << 20;

/// `strongroom-server` under the limit.
fn limited() -> Command {
    let server = programs::server();
    let mut shell = Command::new("sh");
    shell.args(["-c", "ulimit -n \"$0\" && exec \"$@\"", &LIMIT.to_string()]);
    shell.arg(server.get_program());
    shell
}

#[test]
fn as_many_uploads_as_are_served_fit_into_a_limit_of_1024() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let mut server = Server::plan(dir.path());
    let mut command = server.command_of(limited());
    at_leisure(&mut command);
    server.boot_as(command);
    let s3 = S3::of(&server);
    // Packs that stay open for later readers.
    let body = Random::new(4).bytes(BODY_BYTES);
    for n in 0..40 {
        let key = format!("/{BUCKET}/before-{n}");
        assert_eq!(s3.put(&key, &body).status, 200);
        assert_eq!(s3.get(&key).status, 200);
    }
    let mut uploads = Vec::new();
    for n in 0..CONNECTIONS {
        let request = s3.unsigned_payload("PUT", &format!("/{BUCKET}/at-once-{n}"), &[], &body);
        let mut connection = Connection::open(server.s3_addr()).expect("a slot is free");
        connection.write_head(&request.head()).expect("taken");
        connection.write(&body[..BODY_BYTES - 1]).expect("taken");
        uploads.push(connection);
    }
    let open = metrics::value(&server, "process_open_fds");
    let most = f64::from(u32::try_from(LIMIT).expect("small"));
    println!("{CONNECTIONS} uploads: {open} of {most} descriptors");
    assert!(open < most, "{open} descriptors");
    for connection in &mut uploads {
        connection.write(&body[BODY_BYTES - 1..]).expect("taken");
    }
    for (n, mut connection) in uploads.into_iter().enumerate() {
        let answer = connection.read_answer().expect("an answer");
        assert_eq!(answer.status, 200, "upload {n}: {}", answer.text());
    }
    assert!(!metrics::is_read_only(&server));
    assert_eq!(server.stop(), Some(0));
}

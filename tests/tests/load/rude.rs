//! Clients that disconnect in the middle, and invalid heads.

use std::io::Write;

use strongroom_tests::footprint::Footprint;
use strongroom_tests::http;
use strongroom_tests::s3::S3;
use strongroom_tests::server::{BUCKET, Server};
use strongroom_tests::workload::random::Random;

use crate::{assert_no_garbage, at_leisure};

/// Uploads that end in the middle, of each kind.
const ABANDONED: usize = 200;

const BODY_BYTES: usize = 2 << 20;

fn started() -> (tempfile::TempDir, Server) {
    let dir = tempfile::tempdir().expect("temporary folder");
    let mut server = Server::plan(dir.path());
    let mut command = server.command();
    at_leisure(&mut command);
    server.boot_as(command);
    (dir, server)
}

#[test]
fn abandoned_uploads_leave_no_memory_no_descriptor_and_no_pack() {
    let (_dir, mut server) = started();
    let s3 = S3::of(&server);
    let body = Random::new(8).bytes(BODY_BYTES);
    assert_eq!(s3.put(&format!("/{BUCKET}/first"), &body).status, 200);
    let before = Footprint::of(&mut server);
    let mut open = Vec::new();
    for n in 0..ABANDONED {
        let request = s3.unsigned_payload("PUT", &format!("/{BUCKET}/gone-{n}"), &[], &body);
        let bytes = request.bytes();
        let half = &bytes[..bytes.len() / 2 + n];
        if n % 2 == 0 {
            // The server may close first, which is equally valid.
            let _closed = http::send_and_hang_up(server.s3_addr(), half);
        } else {
            // Half open: nothing more comes, and the connection is not closed until all have been sent.
            let mut stream = http::connect(server.s3_addr()).expect("a slot is free");
            stream.write_all(half).expect("taken");
            open.push(stream);
        }
        if n % 10 == 0 {
            let path = format!("/{BUCKET}/upload-{n}");
            let begun = s3.send(&s3.signed("POST", &format!("{path}?uploads="), &[], b""));
            let text = begun.text();
            let id = text
                .split("<UploadId>")
                .nth(1)
                .and_then(|rest| rest.split('<').next())
                .unwrap_or_else(|| panic!("{text}"))
                .to_owned();
            let part = s3.put(
                &format!("{path}?partNumber=1&uploadId={id}"),
                &body[..10_000],
            );
            assert_eq!(part.status, 200, "{}", part.text());
        }
    }
    Footprint::of(&mut server).assert_bounded(&format!("{ABANDONED} abandoned uploads"));
    drop(open);
    before.await_return(&mut server, "after the uploads were abandoned");
    assert_eq!(s3.keys(BUCKET, ""), ["first"]);
    assert_no_garbage(&mut server);
}

#[test]
fn floods_of_headers_are_refused_and_cost_nothing() {
    let (_dir, mut server) = started();
    let addr = server.s3_addr();
    let before = Footprint::of(&mut server);
    let many = "x-flood: 1\r\n".repeat(20_000);
    let huge = "h".repeat(4 << 20);
    let floods = [
        (
            "20,000 headers",
            format!("GET /{BUCKET}/k HTTP/1.1\r\nHost: x\r\n{many}\r\n"),
        ),
        (
            "one header of 4 MiB",
            format!("GET /{BUCKET}/k HTTP/1.1\r\nHost: x\r\nx-huge: {huge}\r\n\r\n"),
        ),
        (
            "a line of 4 MiB",
            format!("GET /{BUCKET}/{huge} HTTP/1.1\r\nHost: x\r\n\r\n"),
        ),
        ("4 MiB without a line's end", huge.clone()),
    ];
    let mut answers = Vec::new();
    std::thread::scope(|scope| {
        let mut running = Vec::new();
        for (name, flood) in &floods {
            for _ in 0..25 {
                running.push((
                    name,
                    scope.spawn(move || http::send(addr, flood.as_bytes())),
                ));
            }
        }
        for (name, flood) in running {
            // A reset before the answer was read counts as a refusal, too.
            let status = flood
                .join()
                .expect("sent")
                .map_or(0, |answer| answer.status);
            assert!([0, 400, 414, 431].contains(&status), "{name}: {status}");
            answers.push(status);
        }
    });
    let told = answers.iter().filter(|status| **status != 0).count();
    println!(
        "header floods: {} sent, {told} answered, the others cut",
        answers.len()
    );
    Footprint::of(&mut server).assert_bounded("header floods");
    before.await_return(&mut server, "after header floods");
    assert_eq!(
        S3::of(&server).put(&format!("/{BUCKET}/k"), b"v").status,
        200
    );
}

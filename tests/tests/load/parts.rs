//! Uploads of ten thousand parts.

use std::sync::atomic::{AtomicU32, Ordering};

use strongroom_tests::clock::Stopwatch;
use strongroom_tests::footprint::Footprint;
use strongroom_tests::s3::S3;
use strongroom_tests::server::{BUCKET, Server};
use strongroom_tests::soak;

/// S3's limit.
const PARTS: u32 = 10_000;

/// Minimum size of all parts except the last. The body is zeros: little of it is stored.
const PART_BYTES: usize = 5 << 20;

/// Parts of that size in `make test`; 10,000 (50 GB over loopback) with `STRONGROOM_LOAD_PARTS=10000`.
const FULL_PARTS: u64 = 200;

/// Concurrent clients.
const CLIENTS: u32 = 8;

fn started() -> (tempfile::TempDir, Server) {
    let dir = tempfile::tempdir().expect("temporary folder");
    let mut server = Server::plan(dir.path());
    let mut command = server.command();
    command.env("STRONGROOM_LOG", "warn");
    server.boot_as(command);
    (dir, server)
}

fn between<'a>(text: &'a str, open: &str, close: &str) -> Option<&'a str> {
    text.split(open).nth(1)?.split(close).next()
}

/// Creates an upload and puts `parts` parts with this body; returns the upload's id and the parts' ETags in order.
fn upload(server: &Server, key: &str, parts: u32, body: &[u8]) -> (String, Vec<String>) {
    let s3 = S3::of(server);
    let begun = s3.send(&s3.signed("POST", &format!("/{BUCKET}/{key}?uploads="), &[], b""));
    let text = begun.text();
    let id = between(&text, "<UploadId>", "<").unwrap_or_else(|| panic!("{text}"));
    let next = AtomicU32::new(1);
    let work = || {
        let s3 = S3::of(server);
        let mut tags = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number > parts {
                return tags;
            }
            let path = format!("/{BUCKET}/{key}?partNumber={number}&uploadId={id}");
            let put = s3.send(&s3.unsigned_payload("PUT", &path, &[], body));
            assert_eq!(put.status, 200, "part {number}: {}", put.text());
            tags.push((number, put.header("etag").expect("a tag").to_owned()));
        }
    };
    let mut tags: Vec<_> = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(work)).collect();
        let done = clients
            .into_iter()
            .map(|client| client.join().expect("all parts are taken"));
        done.flatten().collect()
    });
    tags.sort_unstable();
    (
        id.to_owned(),
        tags.into_iter().map(|(_, tag)| tag).collect(),
    )
}

fn complete(
    server: &Server,
    key: &str,
    id: &str,
    tags: &[String],
) -> strongroom_tests::http::Answer {
    let rows = tags.iter().enumerate().map(|(at, tag)| {
        format!(
            "<Part><PartNumber>{}</PartNumber><ETag>{tag}</ETag></Part>",
            at + 1
        )
    });
    let body = format!(
        "<CompleteMultipartUpload>{}</CompleteMultipartUpload>",
        rows.collect::<String>()
    );
    let s3 = S3::of(server);
    s3.send(&s3.signed(
        "POST",
        &format!("/{BUCKET}/{key}?uploadId={id}"),
        &[],
        body.as_bytes(),
    ))
}

/// Counts an upload's parts page by page.
fn listed(server: &Server, key: &str, id: &str) -> usize {
    let (mut count, mut marker) = (0, 0);
    loop {
        let page = S3::of(server).get(&format!(
            "/{BUCKET}/{key}?part-number-marker={marker}&uploadId={id}"
        ));
        assert_eq!(page.status, 200, "{}", page.text());
        let text = page.text();
        count += text.matches("<PartNumber>").count();
        if between(&text, "<IsTruncated>", "<") != Some("true") {
            return count;
        }
        let next = between(&text, "<NextPartNumberMarker>", "<").and_then(|n| n.parse().ok());
        marker = next.expect("a page that goes on names where");
    }
}

#[test]
fn ten_thousand_small_parts_are_kept_listed_and_refused_in_bounded_memory() {
    let (_dir, mut server) = started();
    let watch = Stopwatch::start();
    let (id, tags) = upload(&server, "small-parts", PARTS, b"part");
    println!("{PARTS} parts put in {:.1?}", watch.elapsed());
    assert_eq!(listed(&server, "small-parts", &id), 10_000);
    let watch = Stopwatch::start();
    let refused = complete(&server, "small-parts", &id, &tags);
    let text = refused.text();
    println!(
        "their Complete answered {} in {:.1?}",
        refused.status,
        watch.elapsed()
    );
    assert!(text.contains("EntityTooSmall"), "{} {text}", refused.status);
    let one = complete(&server, "small-parts", &id, &tags[..1]);
    assert_eq!(
        one.status,
        200,
        "the last part may be small: {}",
        one.text()
    );
    assert_eq!(
        S3::of(&server).get(&format!("/{BUCKET}/small-parts")).body,
        b"part"
    );
    Footprint::of(&mut server).assert_bounded("an upload of 10,000 small parts");
}

#[test]
fn an_upload_of_full_parts_completes_in_bounded_memory_and_time() {
    let parts = soak::number("STRONGROOM_LOAD_PARTS", FULL_PARTS);
    let parts = u32::try_from(parts).expect("at most 10,000");
    let (_dir, mut server) = started();
    let zeros = vec![0; PART_BYTES];
    let watch = Stopwatch::start();
    let (id, tags) = upload(&server, "full-parts", parts, &zeros);
    println!("{parts} parts of 5 MiB put in {:.1?}", watch.elapsed());
    let watch = Stopwatch::start();
    let done = complete(&server, "full-parts", &id, &tags);
    let took = watch.elapsed();
    println!("their Complete took {took:.1?}");
    assert!(
        done.status == 200 && done.text().contains("<ETag>"),
        "{}",
        done.text()
    );
    let repeated = complete(&server, "full-parts", &id, &tags);
    assert_eq!(
        (
            repeated.status,
            between(&repeated.text(), "<ETag>", "<").map(str::to_owned)
        ),
        (200, between(&done.text(), "<ETag>", "<").map(str::to_owned)),
        "a repeated Complete gets the same answer"
    );
    let s3 = S3::of(&server);
    let size = u64::from(parts) * 5 * (1 << 20);
    let path = format!("/{BUCKET}/full-parts");
    let head = s3.send(&s3.signed("HEAD", &path, &[], b""));
    assert_eq!(
        head.header("content-length"),
        Some(size.to_string().as_str())
    );
    let range = format!("bytes={}-", size - 1_000);
    let tail = s3.send(&s3.signed("GET", &path, &[("range", range.as_str())], b""));
    assert_eq!((tail.status, tail.body), (206, vec![0; 1_000]));
    Footprint::of(&mut server).assert_bounded(&format!("an upload of {parts} parts of 5 MiB"));
}

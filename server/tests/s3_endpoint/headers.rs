//! Headers that cannot be read, or are repeated where S3 has one value: refused by name, never treated as absent.

use crate::harness::{Endpoint, Reply};

#[track_caller]
fn refused(reply: Reply, name: &str) {
    let reply = reply.expect_error(400, "InvalidArgument");
    assert_eq!(reply.element("ArgumentName").as_deref(), Some(name));
    let message = reply.element("Message").expect("a message");
    assert!(message.contains(name), "{message}");
}

/// `If-Match` with a byte above 127 was ignored: an overwrite that its client had made conditional went through.
#[tokio::test(flavor = "multi_thread")]
async fn a_condition_that_cannot_be_read_overwrites_nothing() {
    let endpoint = Endpoint::start().await;
    endpoint.put("key", b"kept").await.expect_status(200);
    for (name, values) in [
        ("if-match", &["\"\u{e4}\""][..]),
        ("if-none-match", &["*\u{ff}"]),
        ("if-match", &["\"00\"", "\"00\""]),
        ("if-none-match", &["*", "*"]),
    ] {
        let mut put = endpoint.call("PUT", "/bkt/key").body(b"lost").wire();
        for value in values {
            put = put.with(name, value);
        }
        refused(put.send().await, name);
        assert_eq!(endpoint.get("key").await.expect_status(200).body, b"kept");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_header_that_comes_twice_is_refused() {
    let endpoint = Endpoint::start().await;
    endpoint.put("key", b"0123456789").await.expect_status(200);
    for (method, name, value) in [
        ("GET", "range", "bytes=0-1"),
        ("HEAD", "range", "bytes=0-1"),
        ("GET", "if-none-match", "\"00\""),
        ("GET", "if-modified-since", "Sun, 22 Nov 2026 00:00:00 GMT"),
        ("PUT", "content-type", "text/plain"),
        ("PUT", "content-md5", "XUFAKrxLKna5cZ2REBfFkg=="),
    ] {
        let wire = endpoint.call(method, "/bkt/key").wire();
        let reply = wire.with(name, value).with(name, value).send().await;
        if method == "HEAD" {
            reply.expect_status(400);
        } else {
            refused(reply, name);
        }
    }
    let wire = endpoint.call("GET", "/bkt/key").wire();
    let twice = wire.with("x-amz-date", "20261122T000000Z");
    refused(twice.send().await, "x-amz-date");
    let kept = endpoint.get("key").await.expect_status(200);
    assert_eq!(kept.body, b"0123456789");
}

/// Tags with a byte outside UTF-8 were dropped, and the object was stored without tags.
#[tokio::test(flavor = "multi_thread")]
async fn a_promise_that_cannot_be_read_stores_nothing() {
    let endpoint = Endpoint::start().await;
    for name in ["x-amz-tagging", "x-amz-storage-class", "x-amz-acl"] {
        let put = endpoint.call("PUT", "/bkt/key").body(b"lost");
        refused(put.header(name, "STANDARD\u{e4}").send().await, name);
        endpoint.get("key").await.expect_error(404, "NoSuchKey");
    }
}

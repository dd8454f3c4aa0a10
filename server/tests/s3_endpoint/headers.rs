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

/// rclone sends it with every bucket that it creates.
#[tokio::test(flavor = "multi_thread")]
async fn a_header_that_asks_for_nothing_is_no_reason_to_refuse() {
    let endpoint = Endpoint::start().await;
    let lock = "x-amz-bucket-object-lock-enabled";
    let create = |value: &str| endpoint.call("PUT", "/other").header(lock, value);
    create("true")
        .send()
        .await
        .expect_error(501, "NotImplemented");
    create("false").send().await.expect_status(200);
    let put = endpoint.call("PUT", "/other/key").body(b"x");
    let put = put.header("x-amz-object-lock-legal-hold", "OFF");
    put.send().await.expect_status(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_of_another_owner_than_expected_is_out_of_reach() {
    let endpoint = Endpoint::start().await;
    endpoint.put("key", b"kept").await.expect_status(200);
    let owner = endpoint.call("GET", "/").send().await.expect_status(200);
    let owner = owner.element("ID").expect("the owner of the buckets");
    for (method, target) in [
        ("GET", "/bkt/key"),
        ("PUT", "/bkt/key"),
        ("DELETE", "/bkt/key"),
        ("GET", "/bkt?list-type=2"),
        ("POST", "/bkt/key?uploads"),
        ("DELETE", "/bkt"),
    ] {
        let call = endpoint.call(method, target);
        let foreign = call.header("x-amz-expected-bucket-owner", "123456789012");
        foreign.send().await.expect_error(403, "AccessDenied");
    }
    let own = endpoint.call("GET", "/bkt/key");
    let own = own.header("x-amz-expected-bucket-owner", owner);
    assert_eq!(own.send().await.expect_status(200).body, b"kept");
    let missing = endpoint.call("GET", "/nowhere/key");
    let missing = missing.header("x-amz-expected-bucket-owner", "123456789012");
    missing.send().await.expect_error(404, "NoSuchBucket");
}

/// An ETag of another server answered 412 whether the key was there or not.
#[tokio::test(flavor = "multi_thread")]
async fn if_match_on_a_missing_key_is_404() {
    let endpoint = Endpoint::start().await;
    endpoint.put("key", b"kept").await.expect_status(200);
    for etag in [
        "\"07070707070707070707070707070707\"",
        "\"of another server\"",
    ] {
        let put = |target| endpoint.call("PUT", target).header("if-match", etag);
        let missing = put("/bkt/none").send().await;
        missing.expect_error(404, "NoSuchKey");
        let other = put("/bkt/key").send().await;
        other.expect_error(412, "PreconditionFailed");
    }
    assert_eq!(endpoint.get("key").await.expect_status(200).body, b"kept");
}

//! Almost correct signatures, in every part of a request that carries one.

use crate::harness::{Endpoint, Reply, Wire};

/// Every kind of wrong signature that a lenient comparison would accept: cut at either end, lengthened, in upper case,
/// repeated pieces of it, any number of equal digits, one digit changed.
fn forgeries(right: &str) -> Vec<String> {
    assert_eq!(right.len(), 64, "a signature is SHA-256 in hex");
    let mut forged = Vec::new();
    for len in 0..right.len() {
        let (head, _) = right.split_at(len);
        let (_, tail) = right.split_at(right.len() - len);
        forged.extend([head.to_owned(), tail.to_owned()]);
    }
    for digit in ["0", "f", "a"] {
        forged.extend([format!("{right}{digit}"), format!("{digit}{right}")]);
        forged.extend((0..=65).map(|times| digit.repeat(times)));
    }
    for piece in [1, 2, 4, 8, 16, 32, 64] {
        let (head, _) = right.split_at(piece);
        forged.extend([head.repeat(64 / piece), head.repeat(128 / piece)]);
    }
    for at in 0..right.len() {
        let (head, tail) = right.split_at(at);
        let (digit, tail) = tail.split_at(1);
        let other = if digit == "0" { "1" } else { "0" };
        forged.push(format!("{head}{other}{tail}"));
    }
    forged.push(right.to_uppercase());
    forged.retain(|forged| forged != right);
    forged
}

/// The same request with another signature in its head.
fn signed_by(wire: &Wire, signature: &str) -> Wire {
    let mut changed = wire.clone();
    for (name, value) in &mut changed.headers {
        if name == "authorization" {
            *value = value.replace(&wire.signature, signature);
        }
    }
    changed
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_is_signed_whole_or_not_at_all() {
    let endpoint = Endpoint::start().await;
    let wire = endpoint.call("PUT", "/bkt/key").body(b"forged").wire();
    for signature in forgeries(&wire.signature) {
        let reply = signed_by(&wire, &signature).send().await;
        assert_eq!(reply.status, 403, "{signature:?}: {}", reply.text());
        reply.expect_error(403, "SignatureDoesNotMatch");
    }
    endpoint.get("key").await.expect_error(404, "NoSuchKey");
    signed_by(&wire, &wire.signature)
        .send()
        .await
        .expect_status(200);
}

/// The chunk signatures, which follow the head's signature in the body.
fn chunk_signatures(wire: &Wire) -> Vec<String> {
    let body = String::from_utf8(wire.body.clone()).expect("the test's chunks are text");
    let after = body.split("chunk-signature=").skip(1);
    after
        .filter_map(|rest| rest.split_once("\r\n"))
        .map(|(signature, _)| signature.to_owned())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chunk_is_signed_whole_or_not_at_all() {
    let endpoint = Endpoint::start().await;
    let call = endpoint.call("PUT", "/bkt/key").body(b"forged");
    let wire = call.signed_chunks(3);
    let signatures = chunk_signatures(&wire);
    assert_eq!(signatures.len(), 3, "two chunks and the last one");
    for right in &signatures {
        for signature in forgeries(right) {
            let body = String::from_utf8(wire.body.clone()).expect("the test's chunks are text");
            let body = body.replace(right, &signature).into_bytes();
            let mut forged = wire.clone();
            forged.length = crate::harness::Length::Announced(body.len());
            forged.body = body;
            let reply = forged.send().await;
            assert_eq!(reply.status, 403, "{signature:?}: {}", reply.text());
            reply.expect_error(403, "SignatureDoesNotMatch");
        }
    }
    endpoint.get("key").await.expect_error(404, "NoSuchKey");
    wire.send().await.expect_status(200);
}

fn message(reply: &Reply) -> String {
    reply.element("Message").expect("a message")
}

/// nginx replaces the host unless told otherwise, and the operator saw only that the signature is wrong.
#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_a_proxy_changed_is_named() {
    let endpoint = Endpoint::start().await;
    for told in ["x-forwarded-host", "x-original-host"] {
        let wire = endpoint.call("GET", "/bkt").wire().without("host");
        let wire = wire
            .with("host", "upstream:9000")
            .with(told, &endpoint.host);
        let refused = wire.send().await.expect_error(403, "SignatureDoesNotMatch");
        assert_eq!(
            refused.element("SignedHeaderChanged").as_deref(),
            Some("host")
        );
        assert!(
            message(&refused).contains(&endpoint.host),
            "{}",
            message(&refused)
        );
    }
    let wrong = endpoint.call("GET", "/bkt").secret("another").wire();
    let wrong = wrong.with("x-forwarded-host", &endpoint.host);
    let refused = wrong
        .send()
        .await
        .expect_error(403, "SignatureDoesNotMatch");
    assert_eq!(
        refused.element("SignedHeaderChanged"),
        None,
        "the key is wrong"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn signed_headers_that_did_not_arrive_are_named() {
    let endpoint = Endpoint::start().await;
    let call = endpoint.call("GET", "/bkt").header("x-of-the-client", "1");
    let call = call.header("accept-encoding", "identity");
    call.send().await.expect_status(200);
    let dropped = call.wire().without("x-of-the-client").send().await;
    let refused = dropped.expect_error(403, "SignatureDoesNotMatch");
    let missing = refused.element("SignedHeadersMissing");
    assert_eq!(missing.as_deref(), Some("x-of-the-client"));
    assert!(
        message(&refused).contains("x-of-the-client"),
        "{}",
        message(&refused)
    );
    let changed = call
        .wire()
        .without("accept-encoding")
        .with("accept-encoding", "gzip, br");
    let refused = changed
        .send()
        .await
        .expect_error(403, "SignatureDoesNotMatch");
    let changed = refused.element("SignedHeaderChanged");
    assert_eq!(changed.as_deref(), Some("accept-encoding"));
}

/// curl 7.88 signs without it: its uploads failed, and the answer did not say why.
#[tokio::test(flavor = "multi_thread")]
async fn a_signature_without_the_digest_of_the_body_is_told_what_to_add() {
    let endpoint = Endpoint::start().await;
    let put = endpoint.call("PUT", "/bkt/key").body(b"hello").wire();
    let put = put.without("x-amz-content-sha256");
    let refused = put.send().await.expect_error(400, "InvalidRequest");
    let chunked = put.chunked().send().await;
    chunked.expect_error(400, "InvalidRequest");
    assert!(
        message(&refused).contains("x-amz-content-sha256"),
        "{}",
        message(&refused)
    );
    assert!(
        message(&refused).contains("UNSIGNED-PAYLOAD"),
        "{}",
        message(&refused)
    );
    let get = endpoint.call("GET", "/bkt").wire();
    let get = get.without("x-amz-content-sha256").send().await;
    let refused = get.expect_error(403, "SignatureDoesNotMatch");
    assert!(
        message(&refused).contains("x-amz-content-sha256"),
        "{}",
        message(&refused)
    );
}

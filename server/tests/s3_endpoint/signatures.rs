//! Almost correct signatures, in every part of a request that carries one.

use crate::harness::{Endpoint, Wire};

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

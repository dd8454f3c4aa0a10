//! If-Match and If-None-Match on CompleteMultipartUpload: they are decided at the commit, and a refused upload stays
//! open.

use crate::harness::{Call, Endpoint};
use crate::multipart::{complete_body, create, put_part};

const MISSING: &str = "\"00000000000000000000000000000000\"";
/// MD5 of "1".
const FIRST: &str = "\"c4ca4238a0b923820dcc509a6f75849b\"";

/// An upload to `key` with one part, and its Complete, still without a condition.
async fn uploaded<'a>(endpoint: &'a Endpoint, key: &str, body: &[u8]) -> Call<'a> {
    let upload = create(endpoint, key).await;
    let etag = put_part(endpoint, key, &upload, 1, body).await;
    let document = complete_body(&[(1, etag)]);
    endpoint
        .call("POST", &format!("/bkt/{key}?uploadId={upload}"))
        .body(document.as_bytes())
}

#[tokio::test(flavor = "multi_thread")]
async fn if_none_match_keeps_an_object_that_is_there() {
    let endpoint = Endpoint::start().await;
    endpoint.put("key", b"1").await.expect_status(200);
    let complete = uploaded(&endpoint, "key", b"2").await;
    let refused = complete.clone().header("if-none-match", "*");
    refused.send().await.expect_error(412, "PreconditionFailed");
    assert_eq!(endpoint.get("key").await.expect_status(200).body, b"1");
    // S3 has only `*`; an ETag there is refused rather than ignored.
    let tag = complete.clone().header("if-none-match", MISSING);
    tag.send().await.expect_error(501, "NotImplemented");
    assert_eq!(endpoint.get("key").await.expect_status(200).body, b"1");
    // The upload still exists, and the same Complete succeeds once the object has gone.
    let deleted = endpoint.call("DELETE", "/bkt/key").send().await;
    deleted.expect_status(204);
    refused.send().await.expect_status(200);
    assert_eq!(endpoint.get("key").await.expect_status(200).body, b"2");
    // A repeated Complete gets its own answer again, although the object now exists.
    refused.send().await.expect_status(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn if_match_replaces_only_the_object_it_names() {
    let endpoint = Endpoint::start().await;
    let complete = uploaded(&endpoint, "key", b"2").await;
    let named = complete.clone().header("if-match", FIRST);
    named.send().await.expect_error(404, "NoSuchKey");
    endpoint.get("key").await.expect_error(404, "NoSuchKey");
    endpoint.put("key", b"1").await.expect_status(200);
    for (value, status, code) in [
        (MISSING, 412, "PreconditionFailed"),
        ("\"00\"", 412, "PreconditionFailed"),
        ("*", 501, "NotImplemented"),
    ] {
        let other = complete.clone().header("if-match", value);
        other.send().await.expect_error(status, code);
        assert_eq!(endpoint.get("key").await.expect_status(200).body, b"1");
    }
    let both = named.clone().header("if-none-match", "*");
    both.send().await.expect_error(501, "NotImplemented");
    named.send().await.expect_status(200);
    assert_eq!(endpoint.get("key").await.expect_status(200).body, b"2");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_two_conditional_completes_wins() {
    let endpoint = Endpoint::start().await;
    let first = uploaded(&endpoint, "key", b"1").await;
    let second = uploaded(&endpoint, "key", b"2").await;
    let first = first.header("if-none-match", "*");
    let second = second.header("if-none-match", "*");
    let (one, two) = tokio::join!(first.send(), second.send());
    let mut statuses = [one.status, two.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 412]);
    let winner: &[u8] = if one.status == 200 { b"1" } else { b"2" };
    assert_eq!(endpoint.get("key").await.expect_status(200).body, winner);
}

//! Objects: bytes, headers, ranges, conditions, keys, deletes.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest, Md5};

use crate::harness::{Endpoint, Reply};

/// Bytes in which every position differs from its neighbours.
pub(crate) fn pattern(len: usize) -> Vec<u8> {
    (0..len)
        .map(|at| u8::try_from((at / 251 + at) % 256).expect("below 256"))
        .collect()
}

/// Headers that a PUT sets and a GET returns unchanged.
const KEPT: [(&str, &str); 8] = [
    ("content-type", "application/x-etcd"),
    ("content-disposition", "attachment; filename=\"a b\""),
    ("content-language", "de"),
    ("cache-control", "no-store"),
    ("expires", "Thu, 01 Dec 2033 16:00:00 GMT"),
    ("x-amz-meta-revision", "111147"),
    ("x-amz-meta-name", "Full snapshot"),
    ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
];

#[tokio::test(flavor = "multi_thread")]
async fn bytes_and_headers_round_trip() {
    let endpoint = Endpoint::start().await;
    let body = pattern(700_001);
    let crc = STANDARD.encode(crc32fast::hash(&body).to_be_bytes());
    let etag = format!("\"{}\"", hex::encode(Md5::digest(&body)));
    let mut put = endpoint.call("PUT", "/bkt/dir/key").body(&body);
    for (name, value) in KEPT {
        put = put.header(name, value);
    }
    let put = put
        .header("content-encoding", "gzip")
        .header("x-amz-tagging", "a=1&b=2")
        .header("x-amz-acl", "private")
        .header("content-md5", STANDARD.encode(Md5::digest(&body)))
        .header("x-amz-checksum-crc32", crc.clone());
    let stored = put.send().await.expect_status(200);
    assert_eq!(stored.header("etag"), Some(etag.as_str()));
    assert_eq!(stored.header("x-amz-checksum-crc32"), Some(crc.as_str()));

    let with_checksum = |method| {
        endpoint
            .call(method, "/bkt/dir/key")
            .header("x-amz-checksum-mode", "ENABLED")
    };
    let got = with_checksum("GET").send().await.expect_status(200);
    let head = with_checksum("HEAD").send().await.expect_status(200);
    for reply in [&got, &head] {
        let more = [
            ("content-encoding", "gzip"),
            ("x-amz-tagging-count", "2"),
            ("x-amz-checksum-crc32", crc.as_str()),
            ("x-amz-checksum-type", "FULL_OBJECT"),
            ("accept-ranges", "bytes"),
            ("last-modified", "Sun, 22 Nov 2026 00:00:00 GMT"),
            ("content-length", "700001"),
            ("etag", etag.as_str()),
        ];
        for (name, value) in KEPT.into_iter().chain(more) {
            assert_eq!(reply.header(name), Some(value), "{name}");
        }
    }
    assert!(got.body == body && head.body.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_get_may_override_headers() {
    let endpoint = Endpoint::start().await;
    let put = endpoint
        .call("PUT", "/bkt/key")
        .header("x-amz-checksum-crc32", "AAAAAA==");
    put.send().await.expect_status(200);
    let plain = endpoint
        .get("key?response-content-type=text%2Fplain&response-cache-control=x")
        .await;
    assert_eq!(plain.header("content-type"), Some("text/plain"));
    assert_eq!(plain.header("cache-control"), Some("x"));
    assert_eq!(
        plain.header("x-amz-checksum-crc32"),
        None,
        "only when asked for"
    );
    let bad = endpoint.get("key?response-content-type=a%0Ab").await;
    bad.expect_error(400, "InvalidArgument");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_object_and_an_overwrite() {
    let endpoint = Endpoint::start().await;
    endpoint.put("key", b"first").await.expect_status(200);
    endpoint.put("key", b"").await.expect_status(200);
    let reply = endpoint.get("key").await.expect_status(200);
    assert_eq!(
        reply.header("etag"),
        Some("\"d41d8cd98f00b204e9800998ecf8427e\"")
    );
    assert_eq!(reply.header("content-type"), Some("binary/octet-stream"));
    assert_eq!(reply.header("content-length"), Some("0"));
    assert!(reply.body.is_empty());
    endpoint
        .call("GET", "/bkt/key")
        .header("range", "bytes=0-")
        .send()
        .await
        .expect_error(416, "InvalidRange");
}

/// Keys that other stores change, refuse or take for paths.
const ODD_KEYS: [&str; 20] = [
    "plain",
    "a//b",
    "/lead",
    "..",
    "../../etc/passwd",
    "a/../b",
    "a/./b",
    ".",
    "dir/",
    "a+b",
    "a b",
    "ä€𝄞",
    "%2e",
    "a%b",
    "q?x=y&z",
    "#frag",
    "\u{7f}\u{85}",
    "line\nfeed\r",
    "quote\"'<>&",
    "~-_.!*()",
];

#[tokio::test(flavor = "multi_thread")]
async fn keys_of_every_kind_are_their_own_objects() {
    let endpoint = Endpoint::start().await;
    let long = "k".repeat(1024);
    let keys: Vec<&str> = ODD_KEYS.into_iter().chain([long.as_str()]).collect();
    for key in &keys {
        endpoint
            .put(&escaped(key), key.as_bytes())
            .await
            .expect_status(200);
    }
    for key in &keys {
        let reply = endpoint.get(&escaped(key)).await.expect_status(200);
        assert_eq!(reply.body, key.as_bytes(), "{key:?}");
    }
    // The same keys as careless clients write them.
    for key in ["a+b", "a//b", "a/../b", "..", "~-_.!*()"] {
        assert_eq!(
            endpoint.get(key).await.expect_status(200).body,
            key.as_bytes(),
            "{key}"
        );
    }
    let listed = endpoint
        .call("GET", "/bkt?encoding-type=url")
        .send()
        .await
        .expect_status(200);
    let mut names: Vec<String> = listed
        .elements("Key")
        .iter()
        .map(|name| percent_decoded(name))
        .collect();
    names.sort();
    let mut expected: Vec<String> = keys.iter().map(|key| (*key).to_owned()).collect();
    expected.sort();
    assert_eq!(names, expected);
    endpoint
        .put(&"k".repeat(1025), b"")
        .await
        .expect_error(400, "KeyTooLongError");
    endpoint
        .put("%ff", b"")
        .await
        .expect_error(400, "InvalidURI");
}

/// Every byte escaped.
fn escaped(key: &str) -> String {
    let bytes: Vec<String> = key.bytes().map(|b| format!("%{b:02X}")).collect();
    bytes.concat()
}

fn percent_decoded(text: &str) -> String {
    percent_encoding::percent_decode_str(text)
        .decode_utf8()
        .expect("UTF-8")
        .into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn ranges_give_exactly_their_bytes() {
    let endpoint = Endpoint::start().await;
    let body = pattern(3_000_000);
    endpoint.put("key", &body).await.expect_status(200);
    let end = body.len() - 1;
    for (spec, from, to) in [
        ("bytes=0-0", 0, 0),
        ("bytes=262143-262144", 262_143, 262_144),
        ("bytes=1048570-2097160", 1_048_570, 2_097_160),
        ("bytes=2999999-", 2_999_999, end),
        ("bytes=-5", end - 4, end),
        ("bytes=0-99999999", 0, end),
    ] {
        let reply = endpoint
            .call("GET", "/bkt/key")
            .header("range", spec)
            .send()
            .await
            .expect_status(206);
        assert_eq!(
            reply.header("content-range"),
            Some(format!("bytes {from}-{to}/3000000").as_str()),
            "{spec}"
        );
        assert!(
            body.get(from..=to)
                .is_some_and(|expected| expected == reply.body),
            "{spec}"
        );
        let head = endpoint
            .call("HEAD", "/bkt/key")
            .header("range", spec)
            .send()
            .await
            .expect_status(206);
        assert_eq!(
            head.header("content-length"),
            Some((to - from + 1).to_string().as_str())
        );
    }
    for ignored in ["bytes=5-2", "bytes=0-1,5-6", "lines=1-2"] {
        let reply = endpoint
            .call("GET", "/bkt/key")
            .header("range", ignored)
            .send()
            .await
            .expect_status(200);
        assert_eq!(reply.body.len(), body.len());
    }
    let beyond = endpoint
        .call("GET", "/bkt/key")
        .header("range", "bytes=3000000-")
        .send()
        .await;
    assert_eq!(beyond.header("content-range"), Some("bytes */3000000"));
    beyond.expect_error(416, "InvalidRange");
    let changed = endpoint
        .call("GET", "/bkt/key")
        .header("range", "bytes=5-9")
        .header("if-range", "\"00\"");
    assert_eq!(
        changed.send().await.expect_status(200).body.len(),
        body.len()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn conditions_hold_on_reads_and_writes() {
    let endpoint = Endpoint::start().await;
    let put = |condition: &str, value: &str| {
        endpoint
            .call("PUT", "/bkt/key")
            .body(b"2")
            .header(condition, value)
    };
    put("if-match", "\"c4ca4238a0b923820dcc509a6f75849b\"")
        .send()
        .await
        .expect_error(404, "NoSuchKey");
    let first = endpoint
        .call("PUT", "/bkt/key")
        .body(b"1")
        .header("if-none-match", "*");
    first.send().await.expect_status(200);
    put("if-none-match", "*")
        .send()
        .await
        .expect_error(412, "PreconditionFailed");
    put("if-match", "\"00000000000000000000000000000000\"")
        .send()
        .await
        .expect_error(412, "PreconditionFailed");
    assert_eq!(endpoint.get("key").await.expect_status(200).body, b"1");
    put("if-match", "\"c4ca4238a0b923820dcc509a6f75849b\"")
        .send()
        .await
        .expect_status(200);
    assert_eq!(endpoint.get("key").await.expect_status(200).body, b"2");

    let etag = "\"c81e728d9d4c2f636f067f89cc14862c\"";
    let get =
        |condition: &str, value: &str| endpoint.call("GET", "/bkt/key").header(condition, value);
    let same = get("if-none-match", etag).send().await.expect_status(304);
    assert_eq!(same.header("etag"), Some(etag));
    assert!(same.body.is_empty());
    get("if-match", etag).send().await.expect_status(200);
    get("if-match", "\"c4ca4238a0b923820dcc509a6f75849b\"")
        .send()
        .await
        .expect_error(412, "PreconditionFailed");
    get("if-modified-since", "Sun, 22 Nov 2026 00:00:00 GMT")
        .send()
        .await
        .expect_status(304);
    get("if-unmodified-since", "Sat, 21 Nov 2026 00:00:00 GMT")
        .send()
        .await
        .expect_error(412, "PreconditionFailed");
}

#[tokio::test(flavor = "multi_thread")]
async fn lying_digests_store_nothing() {
    let endpoint = Endpoint::start().await;
    let put = || endpoint.call("PUT", "/bkt/key").body(b"hello");
    let wrong_md5 = put().header("content-md5", STANDARD.encode(Md5::digest(b"other")));
    wrong_md5.send().await.expect_error(400, "BadDigest");
    put()
        .header("content-md5", "nonsense")
        .send()
        .await
        .expect_error(400, "InvalidDigest");
    for (name, value) in [
        ("x-amz-checksum-crc32", "AAAAAA=="),
        ("x-amz-checksum-crc32c", "AAAAAA=="),
        ("x-amz-checksum-crc64nvme", "AAAAAAAAAAA="),
        ("x-amz-checksum-sha1", "AAAAAAAAAAAAAAAAAAAAAAAAAAA="),
        (
            "x-amz-checksum-sha256",
            "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
        ),
    ] {
        put()
            .header(name, value)
            .send()
            .await
            .expect_error(400, "BadDigest");
        put()
            .header(name, "AA==")
            .send()
            .await
            .expect_error(400, "InvalidRequest");
    }
    let mut body_changed = put().wire();
    body_changed.body = b"jello".to_vec();
    body_changed
        .send()
        .await
        .expect_error(400, "XAmzContentSHA256Mismatch");
    put()
        .header("x-amz-meta-large", "x".repeat(2048))
        .send()
        .await
        .expect_error(400, "MetadataTooLarge");
    put()
        .header("x-amz-storage-class", "GLACIER")
        .send()
        .await
        .expect_error(400, "InvalidStorageClass");
    endpoint.get("key").await.expect_error(404, "NoSuchKey");
}

#[tokio::test(flavor = "multi_thread")]
async fn deletes_one_by_one_and_many_at_once() {
    let endpoint = Endpoint::start().await;
    for key in ["a", "b", "c%26d", "e"] {
        endpoint.put(key, b"x").await.expect_status(200);
    }
    endpoint
        .call("DELETE", "/bkt/a")
        .send()
        .await
        .expect_status(204);
    endpoint
        .call("DELETE", "/bkt/a")
        .send()
        .await
        .expect_status(204);
    endpoint.get("a").await.expect_error(404, "NoSuchKey");

    let many = |body: &str| endpoint.call("POST", "/bkt?delete=").body(body.as_bytes());
    let body = "<Delete><Object><Key>b</Key></Object><Object><Key>c&amp;d</Key></Object><Object><Key>none</Key></Object></Delete>";
    let reply: Reply = many(body).send().await.expect_status(200);
    assert_eq!(reply.elements("Key"), ["b", "c&amp;d", "none"]);
    assert!(!reply.text().contains("<Error>"));
    endpoint.get("b").await.expect_error(404, "NoSuchKey");
    let quiet = many("<Delete><Quiet>true</Quiet><Object><Key>e</Key></Object></Delete>")
        .send()
        .await;
    assert!(quiet.expect_status(200).elements("Key").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_of_deletes_must_be_covered_and_well_formed() {
    let endpoint = Endpoint::start().await;
    let many = |body: &str| endpoint.call("POST", "/bkt?delete=").body(body.as_bytes());
    endpoint.put("e", b"x").await.expect_status(200);
    let uncovered =
        many("<Delete><Object><Key>e</Key></Object></Delete>").payload("UNSIGNED-PAYLOAD");
    uncovered.send().await.expect_error(400, "InvalidRequest");
    let covered = "<Delete><Object><Key>e</Key></Object></Delete>";
    let md5 = STANDARD.encode(Md5::digest(covered));
    many(covered)
        .payload("UNSIGNED-PAYLOAD")
        .header("content-md5", md5)
        .send()
        .await
        .expect_status(200);
    let crc = STANDARD.encode(crc32fast::hash(covered.as_bytes()).to_be_bytes());
    let with_crc = many(covered)
        .payload("UNSIGNED-PAYLOAD")
        .header("x-amz-checksum-crc32", crc);
    with_crc.send().await.expect_status(200);
    let wrong = many(covered).header("x-amz-checksum-crc32", "AAAAAA==");
    wrong.send().await.expect_error(400, "BadDigest");
    many("<Delete></Delete>")
        .send()
        .await
        .expect_error(400, "MalformedXML");
    many("<!DOCTYPE d [<!ENTITY x \"y\">]><Delete><Object><Key>&x;</Key></Object></Delete>")
        .send()
        .await
        .expect_error(400, "MalformedXML");
    let mut changed = many(covered).wire();
    changed.body = covered.replace('e', "f").into_bytes();
    changed
        .send()
        .await
        .expect_error(400, "XAmzContentSHA256Mismatch");
}

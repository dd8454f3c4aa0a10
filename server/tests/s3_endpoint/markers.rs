//! Listing markers that come without their second half.

use crate::harness::Endpoint;
use crate::multipart::{create, put_part};

/// Ids of the uploads of `a`, `b`, `b`, `c`, as a listing shows them.
async fn four_uploads(endpoint: &Endpoint) -> Vec<String> {
    for key in ["a", "b", "b", "c"] {
        create(endpoint, key).await;
    }
    let all = uploads(endpoint, "").await;
    assert_eq!(all.len(), 4);
    all
}

async fn uploads(endpoint: &Endpoint, query: &str) -> Vec<String> {
    let call = endpoint.call("GET", &format!("/bkt?uploads{query}"));
    call.send().await.expect_status(200).elements("UploadId")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_marker_alone_skips_all_uploads_of_its_key() {
    let endpoint = Endpoint::start().await;
    let all = four_uploads(&endpoint).await;
    let [_, first_b, second_b, c] = all.as_slice() else {
        panic!("four uploads")
    };
    for alone in ["&key-marker=b", "&key-marker=b&upload-id-marker="] {
        let after = uploads(&endpoint, alone).await;
        assert_eq!(after, std::slice::from_ref(c), "{alone}");
    }
    let between = uploads(&endpoint, "&key-marker=aa").await;
    assert_eq!(between, [first_b.clone(), second_b.clone(), c.clone()]);
    let with_both = format!("&key-marker=b&upload-id-marker={first_b}");
    assert_eq!(
        uploads(&endpoint, &with_both).await,
        [second_b.clone(), c.clone()]
    );
    let last = uploads(&endpoint, "&key-marker=c").await;
    assert!(last.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_marker_alone_says_nothing() {
    let endpoint = Endpoint::start().await;
    let all = four_uploads(&endpoint).await;
    let last = all.last().expect("four uploads");
    for alone in ["", "&key-marker="] {
        let query = format!("&upload-id-marker={last}{alone}");
        assert_eq!(uploads(&endpoint, &query).await, all, "{query}");
    }
    let bad = endpoint.call("GET", "/bkt?uploads&upload-id-marker=x");
    bad.send().await.expect_error(400, "InvalidArgument");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_marker_needs_no_page_size_and_no_such_part() {
    let endpoint = Endpoint::start().await;
    let upload = create(&endpoint, "key").await;
    for number in [2, 5, 9] {
        put_part(&endpoint, "key", &upload, number, b"part").await;
    }
    for (marker, left) in [
        ("", &["2", "5", "9"][..]),
        ("0", &["2", "5", "9"]),
        ("1", &["2", "5", "9"]),
        ("2", &["5", "9"]),
        ("4", &["5", "9"]),
        ("5", &["9"]),
        ("9", &[]),
        ("10000", &[]),
    ] {
        let target = format!("/bkt/key?uploadId={upload}&part-number-marker={marker}");
        let page = endpoint.call("GET", &target).send().await;
        let page = page.expect_status(200);
        assert_eq!(page.elements("PartNumber"), left, "after {marker:?}");
        assert_eq!(page.element("IsTruncated").as_deref(), Some("false"));
    }
    for bad in ["-1", "x", "10001"] {
        let target = format!("/bkt/key?uploadId={upload}&part-number-marker={bad}");
        let page = endpoint.call("GET", &target).send().await;
        page.expect_error(400, "InvalidArgument");
    }
    // Without an upload id it is not a listing of parts, and nothing has that name.
    let alone = endpoint.get("key?part-number-marker=2").await;
    alone.expect_error(404, "NoSuchKey");
}

/// Versions are not listed yet: a version marker must not turn the request into another operation.
#[tokio::test(flavor = "multi_thread")]
async fn a_version_marker_is_part_of_what_is_not_implemented() {
    let endpoint = Endpoint::start().await;
    endpoint.put("key", b"1").await.expect_status(200);
    for query in [
        "versions&version-id-marker=null",
        "versions&key-marker=a",
        "version-id-marker=null&versions",
    ] {
        let call = endpoint.call("GET", &format!("/bkt?{query}"));
        let reply = call.send().await.expect_error(501, "NotImplemented");
        let message = reply.element("Message").expect("a message");
        assert!(message.contains("ListObjectVersions"), "{query}: {message}");
    }
}

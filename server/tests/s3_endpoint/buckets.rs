//! Buckets, and requests that name something absent.

use crate::harness::Endpoint;

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_lives_from_create_to_delete() {
    let endpoint = Endpoint::start().await;
    let new = endpoint.call("PUT", "/new-bucket/");
    let configuration = b"<CreateBucketConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><LocationConstraint>eu-west-1</LocationConstraint></CreateBucketConfiguration>";
    let created = new
        .clone()
        .body(configuration)
        .send()
        .await
        .expect_status(200);
    assert_eq!(created.header("location"), Some("/new-bucket"));
    new.send().await.expect_status(200);
    let head = endpoint
        .call("HEAD", "/new-bucket")
        .send()
        .await
        .expect_status(200);
    assert_eq!(head.header("x-amz-bucket-region"), Some("us-east-1"));
    let location = endpoint
        .call("GET", "/new-bucket?location=")
        .send()
        .await
        .expect_status(200);
    assert!(location.text().ends_with("<LocationConstraint xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"></LocationConstraint>"));
    let versioning = endpoint
        .call("GET", "/new-bucket?versioning")
        .send()
        .await
        .expect_status(200);
    assert_eq!(versioning.element("Status"), None);
    let all = endpoint.call("GET", "/").send().await.expect_status(200);
    assert_eq!(all.elements("Name"), ["bkt", "new-bucket"]);
    assert_eq!(
        all.elements("CreationDate"),
        ["2026-11-22T00:00:00.000Z", "2026-11-22T00:00:00.000Z"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn only_an_empty_bucket_is_deleted() {
    let endpoint = Endpoint::start().await;
    endpoint
        .call("PUT", "/new-bucket")
        .send()
        .await
        .expect_status(200);
    endpoint
        .call("PUT", "/new-bucket/k")
        .body(b"1")
        .send()
        .await
        .expect_status(200);
    endpoint
        .call("DELETE", "/new-bucket")
        .send()
        .await
        .expect_error(409, "BucketNotEmpty");
    endpoint
        .call("DELETE", "/new-bucket/k")
        .send()
        .await
        .expect_status(204);
    endpoint
        .call("DELETE", "/new-bucket")
        .send()
        .await
        .expect_status(204);
    endpoint
        .call("DELETE", "/new-bucket")
        .send()
        .await
        .expect_error(404, "NoSuchBucket");
    endpoint
        .call("HEAD", "/new-bucket")
        .send()
        .await
        .expect_status(404);
    endpoint
        .call("PUT", "/new-bucket/k")
        .body(b"1")
        .send()
        .await
        .expect_error(404, "NoSuchBucket");
    endpoint
        .call("GET", "/new-bucket/k")
        .send()
        .await
        .expect_error(404, "NoSuchBucket");
    endpoint
        .call("GET", "/new-bucket")
        .send()
        .await
        .expect_error(404, "NoSuchBucket");
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_requests_on_buckets_get_their_codes() {
    let endpoint = Endpoint::start().await;
    endpoint
        .call("PUT", "/Bad_Name")
        .send()
        .await
        .expect_error(400, "InvalidBucketName");
    endpoint
        .call("PUT", "/xyz")
        .body(b"<Create")
        .send()
        .await
        .expect_error(400, "MalformedXML");
    let large = format!(
        "<CreateBucketConfiguration>{}</CreateBucketConfiguration>",
        " ".repeat(70_000)
    );
    let large = endpoint.call("PUT", "/xyz").body(large.as_bytes());
    large
        .send()
        .await
        .expect_error(400, "MaxMessageLengthExceeded");
    endpoint
        .call("HEAD", "/xyz")
        .send()
        .await
        .expect_status(404);
    endpoint
        .call("PATCH", "/bkt")
        .send()
        .await
        .expect_error(405, "MethodNotAllowed");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_implemented_says_its_name() {
    let endpoint = Endpoint::start().await;
    endpoint.put("key", b"kept").await.expect_status(200);
    for (method, target, name) in [
        ("GET", "/bkt?versions", "ListObjectVersions"),
        ("GET", "/bkt?object-lock", "GetObjectLockConfiguration"),
        ("GET", "/bkt/key?tagging", "GetObjectTagging"),
        ("PUT", "/bkt?lifecycle", "PutBucketLifecycleConfiguration"),
        ("DELETE", "/bkt/key?tagging", "DeleteObjectTagging"),
        (
            "DELETE",
            "/bkt/key?unheard-of",
            "The query parameter `unheard-of`",
        ),
        ("POST", "/bkt", "PostObject"),
    ] {
        let reply = endpoint
            .call(method, target)
            .send()
            .await
            .expect_error(501, "NotImplemented");
        let message = reply.element("Message").expect("a message");
        assert!(message.contains(name), "{method} {target}: {message}");
    }
    for (header, value) in [
        ("x-amz-object-lock-mode", "COMPLIANCE"),
        ("x-amz-server-side-encryption", "aws:kms"),
        ("x-amz-acl", "public-read"),
    ] {
        let put = endpoint
            .call("PUT", "/bkt/key")
            .body(b"lost")
            .header(header, value);
        put.send().await.expect_error(501, "NotImplemented");
    }
    assert_eq!(endpoint.get("key").await.expect_status(200).body, b"kept");
}

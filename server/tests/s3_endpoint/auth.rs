//! Authentication: signatures, clocks, unsigned headers, health without credentials.

use std::time::Duration;

use strongroom_server::clock::{Clock, UnixMillis};

use crate::harness::{Connection, Endpoint};

#[tokio::test(flavor = "multi_thread")]
async fn wrong_unknown_and_missing_signatures_are_refused() {
    let endpoint = Endpoint::start().await;
    let list = endpoint.call("GET", "/bkt");
    list.clone()
        .secret("another")
        .send()
        .await
        .expect_error(403, "SignatureDoesNotMatch");
    list.wire()
        .without("authorization")
        .send()
        .await
        .expect_error(403, "AccessDenied");
    let mut forged = list.wire();
    for (name, value) in &mut forged.headers {
        if name == "authorization" {
            *value = value.replace("operator", "nobody");
        }
    }
    forged.send().await.expect_error(403, "InvalidAccessKeyId");
    let mut moved = list.wire();
    moved.target = "/".to_owned();
    moved
        .send()
        .await
        .expect_error(403, "SignatureDoesNotMatch");
    let v2 = list
        .wire()
        .without("authorization")
        .with("authorization", "AWS operator:c2ln");
    v2.send().await.expect_error(400, "InvalidRequest");
    for region in ["us-east-1", "US", "auto", ""] {
        list.clone().region(region).send().await.expect_status(200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_skewed_clock_is_told_the_time() {
    let endpoint = Endpoint::start().await;
    let now = endpoint.clock.now();
    let behind = UnixMillis(now.0 - 16 * 60 * 1000);
    let reply = endpoint
        .call("GET", "/")
        .signed_at(behind)
        .send()
        .await
        .expect_error(403, "RequestTimeTooSkewed");
    assert_eq!(reply.header("date"), Some("Sun, 22 Nov 2026 00:00:00 GMT"));
    assert_eq!(
        reply.element("ServerTime").as_deref(),
        Some("2026-11-22T00:00:00Z")
    );
    let ahead = UnixMillis(now.0 + 16 * 60 * 1000);
    endpoint
        .call("GET", "/")
        .signed_at(ahead)
        .send()
        .await
        .expect_error(403, "RequestTimeTooSkewed");
    endpoint
        .call("GET", "/")
        .signed_at(UnixMillis(now.0 + 14 * 60 * 1000))
        .send()
        .await
        .expect_status(200);
    let head = endpoint
        .call("HEAD", "/bkt")
        .signed_at(behind)
        .send()
        .await
        .expect_status(403);
    assert!(head.body.is_empty() && head.header("date").is_some());
}

/// MinIO let an unsigned x-amz-copy-source through, so anybody with a signed PUT could read any object.
#[tokio::test(flavor = "multi_thread")]
async fn a_header_added_after_signing_is_refused() {
    let endpoint = Endpoint::start().await;
    endpoint.put("secret", b"secret").await.expect_status(200);
    let put = endpoint
        .call("PUT", "/bkt/copy")
        .wire()
        .with("x-amz-copy-source", "/bkt/secret");
    let reply = put.send().await.expect_error(403, "AccessDenied");
    assert_eq!(
        reply.element("HeadersNotSigned").as_deref(),
        Some("x-amz-copy-source")
    );
    let put = endpoint
        .call("PUT", "/bkt/copy")
        .body(b"x")
        .wire()
        .with("x-amz-meta-added", "1");
    put.send().await.expect_error(403, "AccessDenied");
    endpoint.get("copy").await.expect_error(404, "NoSuchKey");
    let signed = endpoint
        .call("PUT", "/bkt/copy")
        .header("x-amz-copy-source", "/bkt/secret");
    signed.send().await.expect_error(501, "NotImplemented");
}

#[tokio::test(flavor = "multi_thread")]
async fn continue_is_sent_after_authentication_only() {
    let endpoint = Endpoint::start().await;
    let wire = endpoint
        .call("PUT", "/bkt/key")
        .body(b"hello")
        .header("expect", "100-continue")
        .wire();

    let mut good = Connection::open(&endpoint.host).await;
    good.send_head(&wire).await;
    assert_eq!(good.interim().await, 100, "asked for the body");
    good.write(&wire.body).await;
    good.reply().await.expect("an answer").expect_status(200);

    let mut bad = Connection::open(&endpoint.host).await;
    let wire = wire
        .without("x-amz-date")
        .with("x-amz-date", "20261122T000001Z");
    bad.send_head(&wire).await;
    assert_eq!(bad.interim().await, 403, "and not 100 first");
    let mut bad = Connection::open(&endpoint.host).await;
    bad.send_head(&wire).await;
    let reply = bad.reply().await.expect("an answer");
    assert_eq!(reply.header("connection"), Some("close"));
    reply.expect_error(403, "SignatureDoesNotMatch");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_survives_a_refused_body() {
    let endpoint = Endpoint::start().await;
    let mut connection = Connection::open(&endpoint.host).await;
    let body = vec![1; 200_000];
    let refused = endpoint
        .call("PUT", "/bkt/key")
        .body(&body)
        .secret("another")
        .wire();
    let reply = connection.exchange(&refused).await.expect("an answer");
    assert_eq!(reply.header("connection"), None);
    reply.expect_error(403, "SignatureDoesNotMatch");
    let good = endpoint.call("PUT", "/bkt/key").body(&body).wire();
    connection
        .exchange(&good)
        .await
        .expect("on the same connection")
        .expect_status(200);

    let huge = endpoint
        .call("PUT", "/bkt/key")
        .body(&vec![1; 40_000_000])
        .secret("another")
        .wire();
    let reply = connection.exchange(&huge).await.expect("an answer");
    assert_eq!(reply.header("connection"), Some("close"));
    reply.expect_error(403, "SignatureDoesNotMatch");
}

#[tokio::test(flavor = "multi_thread")]
async fn health_needs_no_credentials() {
    let endpoint = Endpoint::start().await;
    let anonymous = |method: &str, target: &str| {
        let wire = endpoint.call(method, target).wire();
        wire.without("authorization")
            .without("x-amz-date")
            .without("x-amz-content-sha256")
    };
    let paths = ["live", "ready", "cluster", "cluster/read"];
    let paths = paths.map(|path| format!("/minio/health/{path}"));
    for method in ["GET", "HEAD"] {
        for path in &paths {
            let reply = anonymous(method, path).send().await;
            reply.expect_status(200);
        }
    }
    // A full disk: backups are refused, restores go on.
    endpoint.readiness.set_disk(Some("it is full".to_owned()));
    for (path, status) in paths.iter().zip([200, 503, 503, 200]) {
        let reply = anonymous("GET", path).send().await;
        reply.expect_status(status);
    }
    endpoint.readiness.set_disk(None);
    anonymous("POST", "/minio/health/live")
        .send()
        .await
        .expect_error(405, "MethodNotAllowed");
    anonymous("GET", "/minio/admin/v3/info")
        .send()
        .await
        .expect_error(501, "NotImplemented");
    endpoint.readiness.stop();
    anonymous("GET", "/minio/health/ready")
        .send()
        .await
        .expect_status(503);
    for (path, status) in paths.iter().zip([200, 503, 503, 503]) {
        let reply = anonymous("GET", path).send().await;
        reply.expect_status(status);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn finished_requests_are_counted() {
    let endpoint = Endpoint::start().await;
    endpoint.put("key", b"hello").await.expect_status(200);
    endpoint.get("key").await.expect_status(200);
    endpoint.get("none").await.expect_error(404, "NoSuchKey");
    // The last request is counted when its answer is dropped, which may be after the test has read it.
    let counted = async {
        while !all_counted(&endpoint.metrics.encode().expect("metrics encode")) {
            tokio::task::yield_now().await;
        }
    };
    let counted = tokio::time::timeout(Duration::from_secs(10), counted).await;
    assert!(
        counted.is_ok(),
        "{}",
        endpoint.metrics.encode().expect("metrics encode")
    );
}

fn all_counted(text: &str) -> bool {
    [
        "strongroom_s3_requests_total{api=\"PutObject\",code=\"200\"} 1",
        "strongroom_s3_requests_total{api=\"GetObject\",code=\"200\"} 1",
        "strongroom_s3_requests_total{api=\"GetObject\",code=\"404\"} 1",
        "strongroom_s3_received_bytes_total{api=\"PutObject\"} 5",
        "strongroom_s3_requests_in_flight{api=\"GetObject\"} 0",
    ]
    .iter()
    .all(|line| text.lines().any(|l| l == *line))
}

//! Error paths of S3 calls against a scripted server: overload, cuts, silence, skewed clocks, lies.

use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;

use super::scripted::{Reply, Scripted, answer, refusal};
use super::*;
use crate::clock::Clock;
use crate::exit::ExitCode;

const UPLOAD: &str = "<R><UploadId>u1</UploadId></R>";

#[tokio::test]
async fn overload_is_waited_out() {
    let server = Scripted::start(|n, _| match n {
        0 => refusal("503 Service Unavailable", "SlowDown"),
        1 => refusal("500 Internal Server Error", "InternalError"),
        _ => answer("200 OK", &[("ETag", "\"abc\"")], ""),
    })
    .await;
    let client = server.client(Clock::system());
    let body = Bytes::from_static(b"x");
    let put = client
        .put_object("bkt", "k", body, &PutOptions::default())
        .await;
    assert_eq!(put.expect("the third try succeeds").etag, "abc");
    let seen = server.seen();
    assert_eq!(seen.len(), 3);
    assert_eq!(seen[2].headers["x-amz-checksum-crc32"], "jNwWgw==");
    assert_eq!(seen[2].body, b"x");
}

#[tokio::test]
async fn tries_end_and_the_last_answer_is_told() {
    let server = Scripted::start(|_, _| refusal("503 Service Unavailable", "SlowDown")).await;
    let client = server.client(Clock::system());
    let error = client
        .delete_object("bkt", "k")
        .await
        .expect_err("never succeeds");
    assert_eq!((error.attempts(), server.seen().len()), (3, 3));
    assert_eq!(
        (error.exit_code(), error.code()),
        (ExitCode::Network, Some("SlowDown"))
    );
    let text = error.to_string();
    assert!(
        text.contains("s3://bkt/k") && text.contains("tried 3 times") && text.contains("R1"),
        "{text}"
    );
}

#[tokio::test]
async fn a_refusal_is_told_at_once() {
    let server = Scripted::start(|_, seen| match seen.method.as_str() {
        "GET" => refusal("404 Not Found", "NoSuchKey"),
        "HEAD" => answer("404 Not Found", &[], ""),
        _ => refusal("403 Forbidden", "SignatureDoesNotMatch"),
    })
    .await;
    let client = server.client(Clock::system());
    let missing = client
        .get_object("bkt", "k", None)
        .await
        .expect_err("is missing");
    assert_eq!(
        (missing.is_not_found(), missing.code()),
        (true, Some("NoSuchKey"))
    );
    assert!(
        client
            .head_bucket("bkt")
            .await
            .expect_err("is missing")
            .is_not_found()
    );
    let denied = client
        .delete_object("bkt", "k")
        .await
        .expect_err("is denied");
    assert_eq!(denied.exit_code(), ExitCode::Auth);
    assert_eq!((client.clock_offset_secs(), server.seen().len()), (None, 3));
}

#[tokio::test]
async fn nobody_listening_is_a_network_failure() {
    let server = Scripted::start(|_, _| Reply::Silence).await;
    let mut config = server.client(Clock::system()).config().clone();
    // Port 1 is reserved and closed.
    config.endpoint = url::Url::parse("http://127.0.0.1:1").expect("valid");
    let client = S3Client::new(config).expect("valid");
    let error = client
        .create_upload("bkt", "k", &PutOptions::default())
        .await
        .expect_err("nobody is there");
    assert_eq!((error.kind(), error.attempts()), (&S3ErrorKind::Network, 3));
    assert!(
        crate::causes::chain(&error).contains("refused"),
        "{}",
        crate::causes::chain(&error)
    );
}

#[tokio::test]
async fn host_names_work_through_the_pure_resolver() {
    let server = Scripted::start(|_, _| answer("200 OK", &[], "")).await;
    let mut config = server.client(Clock::system()).config().clone();
    config.endpoint.set_host(Some("localhost")).expect("a host");
    S3Client::new(config)
        .expect("valid")
        .head_bucket("bkt")
        .await
        .expect("localhost is reached");
    assert!(server.seen()[0].headers["host"].starts_with("localhost:"));
}

#[tokio::test]
async fn silence_has_a_limit() {
    let server = Scripted::start(|_, _| Reply::Silence).await;
    let error = server
        .client(Clock::system())
        .list_buckets()
        .await
        .expect_err("no answer");
    assert!(
        matches!(
            error.kind(),
            S3ErrorKind::Timeout {
                awaited: "answer",
                ..
            }
        ),
        "{error}"
    );
    let body = Scripted::start(|_, _| {
        Reply::Bytes(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc".to_vec())
    })
    .await;
    let mut got = body
        .client(Clock::system())
        .get_object("bkt", "k", None)
        .await
        .expect("a header");
    assert_eq!(
        got.body
            .next()
            .await
            .expect("a piece")
            .expect("good")
            .as_ref(),
        b"abc"
    );
    let cut = got.body.next().await.expect("an error").expect_err("cut");
    assert_eq!(cut.exit_code(), ExitCode::Network);
    assert!(cut.to_string().contains("s3://bkt/k"), "{cut}");
    assert!(got.body.next().await.is_none());
}

#[tokio::test]
async fn a_listing_that_is_cut_is_asked_for_again() {
    let page =
        "<ListBucketResult><Contents><Key>a</Key><Size>1</Size></Contents></ListBucketResult>";
    let server = Scripted::start(move |n, _| match n {
        0 => Reply::Bytes(
            format!(
                "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n<List",
                page.len()
            )
            .into_bytes(),
        ),
        _ => answer("200 OK", &[], page),
    })
    .await;
    let objects = server
        .client(Clock::system())
        .list_all("bkt", "p/", 10)
        .await
        .expect("the second try");
    assert_eq!(objects.len(), 1);
    let target = &server.seen()[1].target;
    assert_eq!(target, "/bkt?list-type=2&encoding-type=url&prefix=p%2F");
}

#[tokio::test]
async fn listings_that_lie_end() {
    let page = |next: &str| {
        format!(
            "<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>{next}</NextContinuationToken>\
             <Contents><Key>a</Key><Size>1</Size></Contents></ListBucketResult>"
        )
    };
    let same = Scripted::start(move |_, _| answer("200 OK", &[], &page("t"))).await;
    let error = same
        .client(Clock::system())
        .list_all("bkt", "", 1_000)
        .await
        .expect_err("never ends");
    assert!(
        matches!(error.kind(), S3ErrorKind::Malformed { .. }),
        "{error}"
    );
    assert_eq!(same.seen().len(), 2);
    let growing = Scripted::start(move |n, _| answer("200 OK", &[], &page(&n.to_string()))).await;
    let error = growing
        .client(Clock::system())
        .list_all("bkt", "", 5)
        .await
        .expect_err("too many");
    assert_eq!(
        error.kind(),
        &S3ErrorKind::Invalid(InvalidInput::TooManyObjects { limit: 5 })
    );
    let endless = format!(
        "HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n{}",
        " ".repeat(9 * 1024 * 1024)
    );
    let long = Scripted::start(move |_, _| Reply::Bytes(endless.clone().into_bytes())).await;
    let error = long
        .client(Clock::system())
        .list_all("bkt", "", 5)
        .await
        .expect_err("too long");
    assert!(
        matches!(error.kind(), S3ErrorKind::Malformed { .. }),
        "{error}"
    );
}

/// Answers as S3 does: 403 beyond 15 minutes, with its own time in `Date`.
fn checks_the_clock(_: usize, seen: &super::scripted::Seen) -> Reply {
    let format = time::macros::format_description!("[year][month][day]T[hour][minute][second]Z");
    let signed = time::PrimitiveDateTime::parse(&seen.headers["x-amz-date"], format)
        .expect("a date")
        .assume_utc();
    let now = Clock::system().unix_secs();
    if (signed.unix_timestamp() - now).abs() <= 900 {
        return answer("200 OK", &[], "");
    }
    let date = time::OffsetDateTime::from_unix_timestamp(now)
        .expect("in range")
        .format(&time::format_description::well_known::Rfc2822)
        .expect("formats")
        .replace("+0000", "GMT");
    let body = if seen.method == "HEAD" {
        ""
    } else {
        "<Error><Code>RequestTimeTooSkewed</Code></Error>"
    };
    answer("403 Forbidden", &[("Date", &date)], body)
}

#[tokio::test]
async fn a_wrong_clock_is_learned_once_and_told() {
    for (shift, head) in [(-7_200, true), (86_400 * 365, false)] {
        let server = Scripted::start(checks_the_clock).await;
        let client = server.client(Clock::shifted_by_secs(shift));
        assert_eq!(client.clock_offset_secs(), None);
        if head {
            client
                .head_bucket("bkt")
                .await
                .expect("signed with the server's time");
        } else {
            client
                .delete_object("bkt", "k")
                .await
                .expect("signed with the server's time");
        }
        let offset = client.clock_offset_secs().expect("learned");
        assert!((offset + shift).abs() <= 2, "{offset}");
        client
            .clone()
            .head_bucket("bkt")
            .await
            .expect("known by now");
        assert_eq!(server.seen().len(), 3);
    }
}

#[tokio::test]
async fn a_clock_that_cannot_be_learned_is_told_as_such() {
    let date = "Sun, 22 Nov 2020 09:44:13 GMT";
    let body = "<Error><Code>RequestTimeTooSkewed</Code></Error>";
    let server =
        Scripted::start(move |_, _| answer("403 Forbidden", &[("Date", date)], body)).await;
    let error = server
        .client(Clock::system())
        .delete_object("bkt", "k")
        .await
        .expect_err("never succeeds");
    assert!(
        matches!(
            error.kind(),
            S3ErrorKind::ClockSkew {
                server_unix_secs: 1_606_038_253,
                ..
            }
        ),
        "{error}"
    );
    assert_eq!(
        (error.exit_code(), server.seen().len()),
        (ExitCode::Auth, 2)
    );
}

#[tokio::test]
async fn beginning_an_upload_is_not_repeated_in_doubt() {
    let server = Scripted::start(|_, _| Reply::Bytes(Vec::new())).await;
    let client = server.client(Clock::system());
    let error = client
        .create_upload("bkt", "k", &PutOptions::default())
        .await
        .expect_err("no answer");
    assert_eq!(
        (error.kind(), server.seen().len()),
        (&S3ErrorKind::Network, 1)
    );
    client
        .abort_upload("bkt", "k", &upload_id().await)
        .await
        .expect_err("no answer");
    assert_eq!(server.seen().len(), 4);
}

async fn upload_id() -> UploadId {
    let server = Scripted::start(|_, _| answer("200 OK", &[], UPLOAD)).await;
    server
        .client(Clock::system())
        .create_upload("bkt", "k", &PutOptions::default())
        .await
        .expect("an id")
}

#[tokio::test]
async fn a_completion_whose_answer_was_lost_is_settled_by_looking() {
    let settled = "\"59adb24ef3cdbe0297f05b395827453f-1\"";
    for (stored, good) in [(settled, true), ("\"other-1\"", false)] {
        let completed = AtomicBool::new(false);
        let server = Scripted::start(move |_, seen| match seen.method.as_str() {
            "PUT" => answer(
                "200 OK",
                &[("ETag", "\"d41d8cd98f00b204e9800998ecf8427e\"")],
                "",
            ),
            "HEAD" => answer("200 OK", &[("ETag", stored)], ""),
            _ if completed.swap(true, Ordering::Relaxed) => {
                refusal("404 Not Found", "NoSuchUpload")
            }
            // The late failure of a 200, as S3 documents it.
            _ => answer(
                "200 OK",
                &[],
                "\n <Error><Code>InternalError</Code></Error>",
            ),
        })
        .await;
        let client = server.client(Clock::system());
        let upload = upload_id().await;
        let part = client
            .upload_part("bkt", "k", &upload, 1, Bytes::new())
            .await
            .expect("stored");
        let outcome = client.complete_upload("bkt", "k", &upload, &[part]).await;
        match outcome {
            Ok(result) => assert!(good && settled.contains(&result.etag), "{result:?}"),
            Err(error) => assert!(!good && error.code() == Some("NoSuchUpload"), "{error}"),
        }
        client
            .abort_upload("bkt", "k", &upload)
            .await
            .expect("gone is as good as aborted");
    }
}

#[tokio::test]
async fn a_range_that_is_ignored_is_refused() {
    let server = Scripted::start(
        |_, seen| match seen.headers.get("range").map(String::as_str) {
            Some("bytes=2-3") => answer(
                "206 Partial Content",
                &[("x-amz-meta-a", "1"), ("ETag", "\"e\"")],
                "cd",
            ),
            _ => answer("200 OK", &[], "abcdef"),
        },
    )
    .await;
    let client = server.client(Clock::system());
    let got = client
        .get_object_if_match("bkt", "k", Some(2..=3), "e")
        .await
        .expect("a range");
    assert_eq!(
        (got.len, got.etag.as_str(), got.metadata["a"].as_str()),
        (2, "e", "1")
    );
    assert_eq!(
        got.body.collect(2).await.expect("two bytes").as_ref(),
        b"cd"
    );
    assert_eq!(server.seen()[0].headers["if-match"], "\"e\"");
    let ignored = client
        .get_object("bkt", "k", Some(0..=1))
        .await
        .expect_err("the whole object came");
    assert!(
        matches!(ignored.kind(), S3ErrorKind::Malformed { .. }),
        "{ignored}"
    );
    let whole = client.get_object("bkt", "k", None).await.expect("all");
    assert_eq!(
        whole
            .body
            .collect(5)
            .await
            .expect_err("six bytes")
            .exit_code(),
        ExitCode::Integrity
    );
}

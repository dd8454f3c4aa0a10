//! Error paths of S3 calls with a scripted server: overload, cut connections, silence, skewed clocks, wrong answers.

use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use strongroom_tests::fake_s3::{FakeS3, Reply, Request};

use super::scripted::{answer, client_of};
use super::*;
use crate::clock::Clock;
use crate::exit::ExitCode;

const UPLOAD: &str = "<R><UploadId>u1</UploadId></R>";

#[tokio::test]
async fn overload_is_waited_out() {
    let server = FakeS3::script(|n, _| match n {
        0 => Reply::error(503, "SlowDown"),
        1 => Reply::error(500, "InternalError"),
        _ => answer(200, &[("ETag", "\"abc\"")], ""),
    });
    let client = client_of(&server, Clock::system());
    let body = Bytes::from_static(b"x");
    let part = client
        .upload_part("bkt", "k", &upload_id().await, 1, body)
        .await;
    assert_eq!(part.expect("the third try succeeds").etag(), "abc");
    let seen = server.seen();
    assert_eq!(seen.len(), 3);
    assert_eq!(seen[2].headers["x-amz-checksum-crc32"], "jNwWgw==");
    assert_eq!(seen[2].body, b"x");
}

#[tokio::test]
async fn tries_end_and_the_last_answer_is_told() {
    let server = FakeS3::script(|_, _| Reply::error(503, "SlowDown"));
    let client = client_of(&server, Clock::system());
    let error = client
        .get_object("bkt", "k", None)
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
    let server = FakeS3::script(|_, seen| match seen.method.as_str() {
        "GET" => Reply::error(404, "NoSuchKey"),
        "HEAD" => answer(404, &[], ""),
        _ => Reply::error(403, "SignatureDoesNotMatch"),
    });
    let client = client_of(&server, Clock::system());
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
        .abort_upload("bkt", "k", &upload_id().await)
        .await
        .expect_err("is denied");
    assert_eq!(denied.exit_code(), ExitCode::Auth);
    assert_eq!((client.clock_offset_secs(), server.seen().len()), (None, 3));
}

#[tokio::test]
async fn nobody_listening_is_a_network_failure() {
    let server = FakeS3::script(|_, _| Reply::silence());
    let mut config = client_of(&server, Clock::system()).config().clone();
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
    let server = FakeS3::script(|_, _| answer(200, &[], ""));
    let mut config = client_of(&server, Clock::system()).config().clone();
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
    let server = FakeS3::script(|_, _| Reply::silence());
    let error = client_of(&server, Clock::system())
        .head_bucket("bkt")
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
    let body = FakeS3::script(|_, _| {
        Reply::raw(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc".to_vec())
    });
    let mut got = client_of(&body, Clock::system())
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
    let server = FakeS3::script(move |n, _| match n {
        0 => Reply::raw(
            format!(
                "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n<List",
                page.len()
            )
            .into_bytes(),
        ),
        _ => answer(200, &[], page),
    });
    let objects = client_of(&server, Clock::system())
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
    let same = FakeS3::script(move |_, _| answer(200, &[], &page("t")));
    let error = client_of(&same, Clock::system())
        .list_all("bkt", "", 1_000)
        .await
        .expect_err("never ends");
    assert!(
        matches!(error.kind(), S3ErrorKind::Malformed { .. }),
        "{error}"
    );
    assert_eq!(same.seen().len(), 2);
    let growing = FakeS3::script(move |n, _| answer(200, &[], &page(&n.to_string())));
    let error = client_of(&growing, Clock::system())
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
    let long = FakeS3::script(move |_, _| Reply::raw(endless.clone().into_bytes()));
    let error = client_of(&long, Clock::system())
        .list_all("bkt", "", 5)
        .await
        .expect_err("too long");
    assert!(
        matches!(error.kind(), S3ErrorKind::Malformed { .. }),
        "{error}"
    );
}

/// Answers like S3: 403 above 15 minutes, with its own time in `Date`.
fn checks_the_clock(_: usize, seen: &Request) -> Reply {
    let format = time::macros::format_description!("[year][month][day]T[hour][minute][second]Z");
    let signed = time::PrimitiveDateTime::parse(&seen.headers["x-amz-date"], format)
        .expect("a date")
        .assume_utc();
    let now = Clock::system().unix_secs();
    if (signed.unix_timestamp() - now).abs() <= 900 {
        return answer(200, &[], "");
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
    answer(403, &[("Date", &date)], body)
}

#[tokio::test]
async fn a_wrong_clock_is_learned_once_and_told() {
    for (shift, head) in [(-7_200, true), (80_000, false)] {
        let server = FakeS3::script(checks_the_clock);
        let client = client_of(&server, Clock::shifted_by_secs(shift));
        assert_eq!(client.clock_offset_secs(), None);
        if head {
            client
                .head_bucket("bkt")
                .await
                .expect("signed with the server's time");
        } else {
            client
                .get_object("bkt", "k", None)
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
    let server = FakeS3::script(move |_, _| answer(403, &[("Date", date)], body));
    let client = client_of(&server, Clock::system());
    let error = client
        .get_object("bkt", "k", None)
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
        (ExitCode::Auth, 1)
    );
    assert_eq!(
        client.clock_offset_secs(),
        None,
        "a forged date is not used"
    );
}

#[tokio::test]
async fn beginning_an_upload_is_not_repeated_in_doubt() {
    let server = FakeS3::script(|_, _| Reply::raw(Vec::new()));
    let client = client_of(&server, Clock::system());
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
    let server = FakeS3::script(|_, _| answer(200, &[], UPLOAD));
    client_of(&server, Clock::system())
        .create_upload("bkt", "k", &PutOptions::default())
        .await
        .expect("an id")
}

#[tokio::test]
async fn a_completion_whose_answer_was_lost_is_settled_by_looking() {
    let settled = "\"59adb24ef3cdbe0297f05b395827453f-1\"";
    for (stored, good) in [(settled, true), ("\"other-1\"", false)] {
        let completed = AtomicBool::new(false);
        let server = FakeS3::script(move |_, seen| match seen.method.as_str() {
            "PUT" => answer(200, &[("ETag", "\"d41d8cd98f00b204e9800998ecf8427e\"")], ""),
            "HEAD" => answer(200, &[("ETag", stored)], ""),
            _ if completed.swap(true, Ordering::Relaxed) => Reply::error(404, "NoSuchUpload"),
            // A late failure after status 200, as documented by S3.
            _ => answer(200, &[], "\n <Error><Code>InternalError</Code></Error>"),
        });
        let client = client_of(&server, Clock::system());
        let upload = upload_id().await;
        let part = client
            .upload_part("bkt", "k", &upload, 1, Bytes::new())
            .await
            .expect("stored");
        let outcome = client
            .complete_upload("bkt", "k", &upload, &[part], Existing::Keep)
            .await;
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
async fn an_existing_object_is_kept_also_by_servers_without_conditions() {
    let part = PartTag::new(1, "opaque".to_owned(), 0);
    let result =
        "<CompleteMultipartUploadResult><ETag>\"e\"</ETag></CompleteMultipartUploadResult>";
    for (exists, conditional) in [(true, true), (true, false), (false, true), (false, false)] {
        let server = FakeS3::script(move |_, seen| {
            match (seen.method.as_str(), seen.headers.get("if-none-match")) {
                ("HEAD", _) if exists => answer(200, &[("ETag", "\"x\"")], ""),
                ("HEAD", _) => answer(404, &[], ""),
                (_, Some(_)) if !conditional => Reply::error(501, "NotImplemented"),
                (_, Some(star)) if exists => {
                    assert_eq!(star, "*");
                    Reply::error(412, "PreconditionFailed")
                }
                _ => answer(200, &[], result),
            }
        });
        let client = client_of(&server, Clock::system());
        let upload = upload_id().await;
        let parts = std::slice::from_ref(&part);
        let outcome = client
            .complete_upload("bkt", "k", &upload, parts, Existing::Keep)
            .await;
        assert_eq!(
            outcome.err().is_some_and(|error| error.is_taken()),
            exists,
            "conditional {conditional}"
        );
    }
}

#[tokio::test]
async fn what_a_proxy_answers_is_told_as_such() {
    let page = "<html><body>Request Entity Too Large</body></html>";
    let server = FakeS3::script(move |_, seen| match seen.method.as_str() {
        "PUT" => answer(
            413,
            &[("Server", "nginx"), ("Content-Type", "text/html")],
            page,
        ),
        "HEAD" => answer(302, &[("Location", "https://sso.example/")], ""),
        "POST" => answer(403, &[], page),
        "GET" if seen.is_list() => answer(502, &[], page),
        _ => answer(200, &[("Content-Type", "text/html; charset=utf-8")], page),
    });
    let client = client_of(&server, Clock::system());
    let says = |error: S3Error, code: ExitCode, text: &str| {
        assert_eq!(error.exit_code(), code, "{error}");
        assert!(error.to_string().contains(text), "{error}");
    };
    let upload = upload_id().await;
    let part = client.upload_part("bkt", "k", &upload, 1, Bytes::new());
    says(
        part.await.expect_err("413"),
        ExitCode::Failed,
        "nginx answered 413",
    );
    let bucket = client.head_bucket("bkt").await.expect_err("302");
    says(bucket, ExitCode::Failed, "https://sso.example/");
    let options = PutOptions::default();
    let created = client.create_upload("bkt", "k", &options);
    says(
        created.await.expect_err("403"),
        ExitCode::Auth,
        "403 Forbidden",
    );
    let listed = client.list_all("bkt", "", 9).await.expect_err("502");
    assert_eq!(listed.attempts(), 3, "{listed}");
    says(listed, ExitCode::Network, "does not reach the store");
    let object = client.get_object("bkt", "k", None).await.expect_err("200");
    says(object, ExitCode::Failed, "a web page");
}

#[tokio::test]
async fn a_range_that_is_ignored_is_refused() {
    let server = FakeS3::script(
        |_, seen| match seen.headers.get("range").map(String::as_str) {
            Some("bytes=2-3") => answer(206, &[("x-amz-meta-a", "1"), ("ETag", "\"e\"")], "cd"),
            _ => answer(200, &[], "abcdef"),
        },
    );
    let client = client_of(&server, Clock::system());
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

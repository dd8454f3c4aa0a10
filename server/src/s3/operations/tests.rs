//! Checks of the table row by row, and requests of real clients against it.

use std::collections::BTreeSet;

use hyper::Request;
use hyper::header::HeaderValue;

use super::*;
use crate::s3::addressing::by_path;

/// A request's head.
fn head(method: &str, target: &str, headers: &[(&str, &str)]) -> Head {
    let mut request = Request::builder().method(method).uri(target);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let (parts, ()) = request.body(()).expect("a request").into_parts();
    let query = Query::parse(parts.uri.query().unwrap_or("")).expect("a query");
    Head::new(parts, query)
}

fn selected(head: &Head) -> Result<&'static Operation, S3Error> {
    let level = by_path(head.raw_path())?.level();
    select(level, head.method(), head.query(), head.headers())
}

/// Selects the operation, and checks the rest of the request.
fn accepted(head: &Head) -> Result<&'static Operation, S3Error> {
    let operation = selected(head)?;
    operation.check(head)?;
    Ok(operation)
}

fn path(level: Level) -> &'static str {
    match level {
        Level::Service => "/",
        Level::Bucket => "/bkt",
        Level::Object => "/bkt/key",
    }
}

fn method(verb: Verb) -> &'static str {
    match verb {
        Verb::Get => "GET",
        Verb::Head => "HEAD",
        Verb::Put => "PUT",
        Verb::Post => "POST",
        Verb::Delete => "DELETE",
    }
}

/// Queries that select a row: each of its parameters, without and with a value.
fn queries(row: &Operation) -> Vec<String> {
    let spelled = |part: &QueryPart| match part {
        QueryPart::Name(name) => vec![(*name).to_owned(), format!("{name}="), format!("{name}=1")],
        QueryPart::Value(name, value) => vec![format!("{name}={value}")],
    };
    let mut all: Vec<String> = row.selector.query.iter().flat_map(spelled).collect();
    if all.is_empty() {
        all.push(String::new());
    }
    all
}

fn header(row: &Operation) -> Vec<(&'static str, &'static str)> {
    let selecting = row.selector.header.iter();
    selecting.map(|name| (*name, "/bkt/other")).collect()
}

/// The requests that a row describes, with `more` appended to their query.
fn requests(row: &Operation, more: &str) -> Vec<Head> {
    let (method, path) = (method(row.verb), path(row.level));
    let targets = queries(row).into_iter().map(|query| {
        let separator = if query.is_empty() || more.is_empty() {
            ""
        } else {
            "&"
        };
        format!("{path}?{query}{separator}{more}")
    });
    targets
        .map(|target| head(method, &target, &header(row)))
        .collect()
}

#[test]
fn each_row_is_reached_by_the_request_that_it_describes() {
    for row in all() {
        for request in requests(row, "") {
            let reached = selected(&request).expect(row.name);
            assert!(
                std::ptr::eq(reached, row),
                "{request:?} reaches {} instead of {}",
                reached.name,
                row.name
            );
        }
    }
}

#[test]
fn rows_have_names_of_their_own_and_handlers_of_their_level() {
    let names: BTreeSet<&str> = all().map(|row| row.name).collect();
    assert_eq!(names.len(), all().count(), "each name stands once");
    for row in all() {
        let fits = matches!(
            (row.handler, row.level),
            (Handler::Service(_), Level::Service)
                | (Handler::Bucket(_), Level::Bucket)
                | (Handler::Object(_), Level::Object)
                | (Handler::Later, _)
        );
        assert!(fits, "{} is served on another level", row.name);
        let known = row
            .action
            .0
            .split_once(':')
            .is_some_and(|(service, _)| ["s3", "s3express", "sts"].contains(&service));
        assert!(known, "{} does {}", row.name, row.action.0);
        assert!(OPERATION_NAMES.contains(&row.label()), "{}", row.name);
    }
    let labels: BTreeSet<&str> = OPERATION_NAMES.iter().copied().collect();
    assert_eq!(labels.len(), OPERATION_NAMES.len());
    assert_eq!(labels.len(), 20, "19 operations are served");
}

#[test]
fn what_is_not_served_says_its_name() {
    for row in all().filter(|row| !row.is_served()) {
        for request in requests(row, "") {
            let error = accepted(&request).map(|row| row.name);
            let error = error.expect_err(row.name);
            assert_eq!(error.code(), S3ErrorCode::NotImplemented);
            assert!(error.message().contains(row.name), "{error}");
        }
    }
}

#[test]
fn an_unknown_parameter_is_refused_unless_a_read_can_ignore_it() {
    for row in all().filter(|row| row.is_served()) {
        let code = |more: &str| {
            let request = requests(row, more).pop().expect("one at least");
            accepted(&request).map(|row| row.name).map_err(|e| e.code())
        };
        assert_eq!(code(""), Ok(row.name));
        assert_eq!(code("x-id=Name&X-Amz-Meta=1"), Ok(row.name));
        let (empty, valued) = (code("unheard-of"), code("unheard-of=1"));
        if row.level == Level::Service {
            assert_eq!((empty, valued), (Ok(row.name), Ok(row.name)));
            continue;
        }
        let refused = Err(S3ErrorCode::NotImplemented);
        assert_eq!(empty, refused, "{}", row.name);
        let reads = matches!(row.verb, Verb::Get | Verb::Head);
        let expected = if reads { Ok(row.name) } else { refused };
        assert_eq!(valued, expected, "{}", row.name);
        for parameter in row.parameters {
            assert!(code(&format!("{parameter}=")).is_ok(), "{parameter}");
        }
    }
}

/// Every parameter that selects an operation, beside every other operation of any level: each either selects another row or is
/// refused, and never falls through to the operation that has none.
#[test]
fn a_parameter_that_selects_an_operation_is_never_ignored() {
    let selecting = || all().flat_map(|row| row.selector.query.iter().map(|part| part.name()));
    let selecting: BTreeSet<&str> = selecting().collect();
    assert!(selecting.len() > 20, "{selecting:?}");
    for row in all().filter(|row| row.is_served()) {
        for parameter in &selecting {
            if row.selector.names(parameter) || row.parameters.contains(parameter) {
                continue;
            }
            for value in ["", "=", "=1", "=2"] {
                let request = requests(row, &format!("{parameter}{value}")).pop();
                let request = request.expect("one at least");
                let given = accepted(&request).map(|row| row.name);
                assert_ne!(
                    given.ok(),
                    Some(row.name),
                    "{} with {parameter}{value}",
                    row.name
                );
            }
        }
    }
}

#[test]
fn a_header_that_an_operation_takes_is_readable_and_single() {
    for row in all().filter(|row| row.is_served()) {
        for name in row.headers.iter().copied().flatten() {
            let request = |values: &[&'static [u8]]| {
                let mut request = Request::builder().method(method(row.verb)).uri(format!(
                    "{}?{}",
                    path(row.level),
                    queries(row).join("&")
                ));
                for value in values {
                    let value = HeaderValue::from_bytes(value).expect("a header value");
                    request = request.header(*name, value);
                }
                let (parts, ()) = request.body(()).expect("a request").into_parts();
                let query = Query::parse(parts.uri.query().unwrap_or("")).expect("a query");
                Head::new(parts, query)
            };
            for values in [&[&b"private"[..], b"private"][..], &[b"\xff"]] {
                let error = accepted(&request(values)).map(|row| row.name);
                let error = error.expect_err(name);
                assert_eq!(
                    error.code(),
                    S3ErrorCode::InvalidArgument,
                    "{} {name}",
                    row.name
                );
                assert!(error.message().contains(name), "{error}");
            }
            let once = accepted(&request(&[b"private"]));
            assert!(once.is_ok(), "{} {name}", row.name);
        }
    }
}

#[test]
fn promises_that_cannot_be_kept_are_refused() {
    for row in all().filter(|row| row.is_served()) {
        let path = format!("{}?{}", path(row.level), queries(row).join("&"));
        let code = |name: &str, value: &str| {
            let request = head(method(row.verb), &path, &[(name, value)]);
            let answer = accepted(&request).map(|row| row.name);
            answer.map_err(|error| error.code())
        };
        let refused = Err(S3ErrorCode::NotImplemented);
        let taken: Vec<&str> = row.headers.iter().copied().flatten().copied().collect();
        for name in arguments_check::DEMANDS {
            let expected = if taken.contains(name) {
                Ok(row.name)
            } else {
                refused
            };
            assert_eq!(code(name, "true"), expected, "{} {name}", row.name);
        }
        // What is the case anyway may be asked for.
        for (name, value) in [
            ("x-amz-bucket-object-lock-enabled", "false"),
            ("x-amz-bucket-object-lock-enabled", "False"),
            ("x-amz-object-lock-legal-hold", "OFF"),
            ("x-minio-force-delete", "false"),
        ] {
            assert_eq!(code(name, value), Ok(row.name), "{} {name}", row.name);
        }
        assert_eq!(code("x-amz-object-lock-mode", ""), refused);
        for name in arguments_check::DELETE_CONDITIONS {
            let expected = if row.verb == Verb::Delete {
                refused
            } else {
                Ok(row.name)
            };
            assert_eq!(code(name, "1"), expected, "{} {name}", row.name);
        }
        assert_eq!(code("x-amz-acl", "public-read"), refused, "{}", row.name);
        assert_eq!(code("x-amz-acl", "private"), Ok(row.name));
    }
}

#[test]
fn requests_of_clients_map_to_operations_by_name() {
    let upload = "uploadId=00112233445566778899aabbccddeeff";
    let part = format!("/bkt/key?partNumber=1&{upload}");
    let of_upload = format!("/bkt/key?{upload}");
    let parts = format!("/bkt/key?{upload}&max-parts=7");
    for (method, target, name) in [
        ("GET", "/", "ListBuckets"),
        ("GET", "/?x-id=ListBuckets", "ListBuckets"),
        ("PUT", "/bkt", "CreateBucket"),
        ("PUT", "/bkt/", "CreateBucket"),
        ("HEAD", "/bkt", "HeadBucket"),
        ("DELETE", "/bkt?x-id=DeleteBucket", "DeleteBucket"),
        ("GET", "/bkt/?location=", "GetBucketLocation"),
        ("GET", "/bkt?versioning", "GetBucketVersioning"),
        (
            "GET",
            "/bkt?delimiter=&prefix=&encoding-type=url",
            "ListObjects",
        ),
        ("GET", "/bkt?list-type=1", "ListObjects"),
        (
            "GET",
            "/bkt/?list-type=2&fetch-owner=true&metadata=true",
            "ListObjectsV2",
        ),
        ("GET", "/bkt/?uploads=&prefix=a", "ListMultipartUploads"),
        ("POST", "/bkt/?delete=", "DeleteObjects"),
        ("PUT", "/bkt/key?x-id=PutObject", "PutObject"),
        (
            "GET",
            "/bkt/key?response-content-type=text/plain",
            "GetObject",
        ),
        ("HEAD", "/bkt/key?versionId=null", "HeadObject"),
        ("DELETE", "/bkt/key", "DeleteObject"),
        ("POST", "/bkt/key?uploads", "CreateMultipartUpload"),
        ("PUT", part.as_str(), "UploadPart"),
        ("POST", of_upload.as_str(), "CompleteMultipartUpload"),
        ("DELETE", of_upload.as_str(), "AbortMultipartUpload"),
        ("GET", parts.as_str(), "ListParts"),
    ] {
        let operation = accepted(&head(method, target, &[]));
        let operation = operation.unwrap_or_else(|error| panic!("{method} {target}: {error}"));
        assert_eq!(operation.name, name, "{method} {target}");
    }
}

#[test]
fn subresources_that_are_not_served_never_fall_through() {
    for (method, target, name) in [
        ("DELETE", "/bkt/key?tagging", "DeleteObjectTagging"),
        ("GET", "/bkt/key?tagging", "GetObjectTagging"),
        ("GET", "/bkt?location&acl", "GetBucketAcl"),
        ("PUT", "/bkt/key?acl", "PutObjectAcl"),
        ("PUT", "/bkt?versioning", "PutBucketVersioning"),
        ("DELETE", "/bkt?policy", "DeleteBucketPolicy"),
        ("DELETE", "/bkt?acl", "The query parameter `acl`"),
        (
            "DELETE",
            "/bkt?versioning",
            "The query parameter `versioning`",
        ),
        ("DELETE", "/bkt?uploads", "The query parameter `uploads`"),
        (
            "DELETE",
            "/bkt/key?uploads",
            "The query parameter `uploads`",
        ),
        (
            "DELETE",
            "/bkt/key?partNumber=1",
            "The query parameter `partNumber`",
        ),
        ("PUT", "/bkt?location", "The query parameter `location`"),
        ("PUT", "/bkt?prefix=a", "The query parameter `prefix`"),
        ("PUT", "/bkt/key?uploads", "The query parameter `uploads`"),
        (
            "GET",
            "/?list-type=2&prefix=a",
            "The query parameter `list-type`",
        ),
        (
            "GET",
            "/?prefix=a&delimiter=%2F",
            "The query parameter `prefix`",
        ),
        ("GET", "/?location", "The query parameter `location`"),
        ("GET", "/?uploads", "The query parameter `uploads`"),
        ("DELETE", "/bkt/key?acl=1", "The query parameter `acl`"),
        ("GET", "/bkt?object-lock=", "GetObjectLockConfiguration"),
        ("GET", "/bkt?versions", "ListObjectVersions"),
        ("POST", "/bkt", "PostObject"),
        (
            "POST",
            "/bkt/key?select&select-type=2",
            "SelectObjectContent",
        ),
        ("GET", "/bkt/key?select=1", "The query parameter `select`"),
        (
            "DELETE",
            "/bkt/key?something=1",
            "The query parameter `something`",
        ),
        ("GET", "/bkt?something", "The query parameter `something`"),
        ("GET", "/bkt/key?partNumber=1", "GetObject with partNumber"),
        ("POST", "/?Action=AssumeRole", "STS"),
    ] {
        let error = accepted(&head(method, target, &[])).map(|row| row.name);
        let error = error.expect_err(target);
        assert_eq!(error.code(), S3ErrorCode::NotImplemented, "{target}");
        assert!(
            error.message().starts_with(name),
            "{method} {target}: {error}"
        );
    }
}

#[test]
fn methods_without_a_row_are_not_allowed() {
    for (method, target) in [
        ("PATCH", "/bkt/key"),
        ("PATCH", "/bkt"),
        ("POST", "/bkt/key"),
        ("HEAD", "/"),
        ("PUT", "/"),
        ("POST", "/"),
    ] {
        let error = accepted(&head(method, target, &[])).map(|row| row.name);
        assert_eq!(
            error.expect_err(target).code(),
            S3ErrorCode::MethodNotAllowed,
            "{method} {target}"
        );
    }
    let versioned = head("DELETE", "/bkt/key?versionId=x", &[]);
    let error = accepted(&versioned).map(|row| row.name);
    assert_eq!(
        error.expect_err("no version").code(),
        S3ErrorCode::InvalidArgument
    );
}

//! Targets over the head of a request: request line, Authorization, and every other header that is read.
//!
//! Input is text as on the wire: a request line `METHOD target`, then `Name: value` lines. Lines that are not headers
//! are skipped, since hyper rejects them.

use std::time::{Duration, UNIX_EPOCH};

use aws_sigv4::sign::v4::{calculate_signature, generate_signing_key};
use hyper::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue, RANGE};
use hyper::http::request::Parts;
use hyper::{Method, Request};

use super::{refused, told};
use crate::clock::UnixMillis;
use crate::model::ETag;
use crate::s3::addressing::{Resource, by_path};
use crate::s3::authentication::{Authenticated, authenticate};
use crate::s3::error::{S3Error, S3ErrorCode};
use crate::s3::head::{Head, Headers};
use crate::s3::identity::{Credentials, Identities, Identity};
use crate::s3::operations;
use crate::s3::own_paths::own_path;
use crate::s3::payload::PayloadMode;
use crate::s3::payload::expect::{Checksums, Length, expected};
use crate::s3::query::{Query, decode_path, encode_path};
use crate::s3::{conditions, http_date, object_headers, range};

const USER: &str = "AKIAIOSFODNN7EXAMPLE";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

/// The time of AWS' published examples: 24 May 2013.
const NOW: UnixMillis = UnixMillis(1_369_353_600_000);

/// Authentication by header, first as sent and then with the right signature.
pub(super) fn sigv4(data: &[u8]) {
    let Some(mut parts) = head(data) else { return };
    let Ok(query) = Query::parse(parts.uri.query().unwrap_or("")) else {
        return;
    };
    let identities = Identities::of_root(Credentials::new(USER, SECRET));
    let sent = Head::new(parts.clone(), query.clone());
    let error = match authenticate(&sent, &identities, NOW) {
        Ok(authenticated) => return behind(&sent, &authenticated),
        Err(error) => error,
    };
    refused(&error);
    if error.code() != S3ErrorCode::SignatureDoesNotMatch || !sign(&mut parts, &error) {
        return;
    }
    let signed = Head::new(parts, query);
    match authenticate(&signed, &identities, NOW) {
        Ok(authenticated) => behind(&signed, &authenticated),
        Err(error) => panic!("AWS' own signature is refused: {error}"),
    }
}

/// Replaces a wrong signature with the right one. `false` for a signature that covers itself, which has no right one.
fn sign(parts: &mut Parts, error: &S3Error) -> bool {
    let to_sign = told(error, "StringToSign").expect("the client is told what to sign");
    let mut lines = to_sign.lines().skip(1);
    let (time, scope) = (lines.next().unwrap_or(""), lines.next().unwrap_or(""));
    let time = http_date::parse_iso_basic(time).expect("the time that was signed");
    let region = scope
        .rsplit('/')
        .nth(2)
        .expect("date/region/s3/aws4_request");
    let time = UNIX_EPOCH + Duration::from_secs(time.secs());
    let key = generate_signing_key(SECRET, time, region, "s3");
    let signature = calculate_signature(key, to_sign.as_bytes());

    let value = parts
        .headers
        .get(AUTHORIZATION)
        .expect("it was read before");
    let value = value.to_str().expect("it was read before");
    if value.to_ascii_lowercase().contains("authorization") {
        return false;
    }
    let signed: Vec<String> = value
        .trim()
        .split(',')
        .map(|part| match part.split_once("Signature=") {
            Some((before, _))
                if before.trim().is_empty() || before.trim() == "AWS4-HMAC-SHA256" =>
            {
                format!("{before}Signature={signature}")
            }
            _ => part.to_owned(),
        })
        .collect();
    let value = HeaderValue::from_str(&signed.join(",")).expect("hex in place of text");
    parts.headers.insert(AUTHORIZATION, value);
    true
}

/// Reads the rest of a head that has a right signature.
fn behind(head: &Head, authenticated: &Authenticated) {
    let signed = authenticated.chunks.is_some();
    assert_eq!(
        signed,
        matches!(authenticated.identity, Identity::Root(_)),
        "only a signature makes a sender known"
    );
    let headers = head.headers();
    let mode = authenticated.payload;
    let _ = expected(headers, mode, Length::Required, Checksums::OfBody).inspect_err(refused);
}

/// Path and query: routing, decoding, and the canonical forms that are signed.
pub(super) fn request_uri(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (method, target) = text.split_once(' ').unwrap_or(("GET", &text));
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let _ = own_path(path);
    if let Ok(decoded) = decode_path(path) {
        let again = decode_path(&encode_path(&decoded));
        assert_eq!(
            again.ok(),
            Some(decoded),
            "an encoded path decodes to itself"
        );
    }
    let query = match Query::parse(query) {
        Ok(query) => query,
        Err(error) => return refused(&error),
    };
    let canonical = query.canonical();
    let again = Query::parse(&canonical).expect("the canonical query is a query");
    assert_eq!(
        again.canonical(),
        canonical,
        "the canonical query of itself"
    );
    let sent = Method::from_bytes(method.as_bytes()).unwrap_or_default();
    for method in [sent, Method::GET, Method::PUT, Method::POST, Method::DELETE] {
        route(&method, path, &query);
    }
}

fn route(method: &Method, path: &str, query: &Query) {
    let resource = match by_path(path) {
        Ok(resource) => resource,
        Err(error) => return refused(&error),
    };
    if let Resource::Object(bucket, key) = &resource {
        let path = format!("/{bucket}/{}", encode_path(key.as_str()));
        let again = by_path(&path);
        assert_eq!(again.ok().as_ref(), Some(&resource), "by way of {path}");
    }
    let headers = HeaderMap::new();
    let headers = Headers::new(&headers);
    let operation = operations::select(resource.level(), method, query, headers);
    if let Err(error) = operation {
        refused(&error);
    }
}

/// Ranges, conditions, dates, object headers, the length and digests of the body.
pub(super) fn request_headers(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (size, lines) = text.split_once('\n').unwrap_or((&text, ""));
    let size = size.trim().parse().unwrap_or(1000);
    let map = header_lines(lines.as_bytes());
    let headers = Headers::new(&map);
    byte_range(headers, size);
    preconditions(headers, &map, size);
    written(headers);
    let mode = headers.text("x-amz-content-sha256").unwrap_or_default();
    let mode = PayloadMode::parse(mode.unwrap_or("")).inspect_err(refused);
    let modes = [PayloadMode::Unsigned, PayloadMode::UnsignedChunks];
    for mode in mode.into_iter().chain(modes) {
        for length in [Length::Required, Length::Optional] {
            for checksums in [Checksums::OfBody, Checksums::OfObject] {
                let _ = expected(headers, mode, length, checksums).inspect_err(refused);
            }
        }
    }
}

fn byte_range(headers: Headers<'_>, size: u64) {
    let Ok(wanted) = headers.text(RANGE.as_str()).inspect_err(refused) else {
        return;
    };
    match range::parse(wanted, size) {
        Ok(None) => {}
        Ok(Some(range)) => {
            assert!(
                range.start < range.end && range.end <= size,
                "{range:?} of {size}"
            );
            let _ = range::content_range(&range, size);
        }
        Err(error) => {
            refused(&error);
            assert_eq!(error.code(), S3ErrorCode::InvalidRange);
        }
    }
}

fn preconditions(headers: Headers<'_>, map: &HeaderMap, size: u64) {
    let (etag, modified) = (ETag::whole([7; 16]), UnixMillis(size));
    let _ = conditions::check_read(headers, etag, modified).inspect_err(refused);
    let _ = conditions::range_applies(headers, etag, modified).inspect_err(refused);
    let _ = conditions::for_write(headers).inspect_err(refused);
    for value in map.values().filter_map(|value| value.to_str().ok()) {
        if let Some(date) = http_date::parse_http(value) {
            assert_eq!(
                http_date::parse_http(&http_date::http(date)),
                Some(date),
                "{value}"
            );
        }
        if let Some(etag) = ETag::parse(value) {
            assert_eq!(ETag::parse(&etag.to_string()), Some(etag), "{value}");
        }
    }
}

/// Headers that a write stores must come back unchanged from a read.
fn written(sent: Headers<'_>) {
    let _ = object_headers::storage_class(sent).inspect_err(refused);
    let _ = object_headers::tags(sent).inspect_err(refused);
    let mut answer = HeaderMap::new();
    match object_headers::content(sent) {
        Ok(mut content) => {
            let query = Query::default();
            object_headers::write_content(&mut answer, &content, &query)
                .expect("it came in headers");
            content
                .content_type
                .get_or_insert("binary/octet-stream".to_owned());
            let again = object_headers::content(Headers::new(&answer));
            assert_eq!(again.ok(), Some(content));
        }
        Err(error) => refused(&error),
    }
    match object_headers::metadata(sent) {
        Ok(metadata) => {
            object_headers::write_metadata(&mut answer, &metadata);
            let again = object_headers::metadata(Headers::new(&answer));
            assert_eq!(again.ok(), Some(metadata));
        }
        Err(error) => refused(&error),
    }
}

/// A request's head, if hyper would accept the request line.
fn head(data: &[u8]) -> Option<Parts> {
    let line_end = data
        .iter()
        .position(|byte| *byte == b'\n')
        .unwrap_or(data.len());
    let (line, rest) = data.split_at(line_end);
    let line = std::str::from_utf8(line).ok()?;
    let mut words = line.split_ascii_whitespace();
    let method = Method::from_bytes(words.next()?.as_bytes()).ok()?;
    let request = Request::builder().method(method).uri(words.next()?);
    let (mut parts, ()) = request.body(()).ok()?.into_parts();
    parts.headers = header_lines(rest);
    Some(parts)
}

fn header_lines(text: &[u8]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in text.split(|byte| *byte == b'\n') {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else {
            continue;
        };
        let (name, value) = line.split_at(colon);
        let value = value.get(1..).unwrap_or_default().trim_ascii();
        if let (Ok(name), Ok(value)) =
            (HeaderName::from_bytes(name), HeaderValue::from_bytes(value))
        {
            headers.append(name, value);
        }
    }
    headers
}

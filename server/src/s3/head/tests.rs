//! A header has one readable value or gives an error; the host may be in several places.

use hyper::Request;
use hyper::header::HeaderValue;

use super::*;

fn of(pairs: &[(&'static str, &[u8])]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in pairs {
        let value = HeaderValue::from_bytes(value).expect("a header value");
        map.append(HeaderName::from_static(name), value);
    }
    map
}

#[test]
fn a_header_is_read_once_or_refused_by_name() {
    let map = of(&[
        ("if-match", b" \"a\" "),
        ("range", b"bytes=0-1"),
        ("range", b"bytes=2-3"),
        ("content-language", b"d\xc3\xa4"),
        ("expires", b"\xff"),
        ("cache-control", b"no-store"),
        ("cache-control", b"private"),
    ]);
    let headers = Headers::new(&map);
    assert_eq!(headers.text("if-match").ok(), Some(Some("\"a\"")));
    assert_eq!(headers.text("if-none-match").ok(), Some(None));
    assert_eq!(headers.utf8("content-language").ok(), Some(Some("dä")));
    assert_eq!(
        headers.list("cache-control").expect("a list").as_deref(),
        Some("no-store,private")
    );
    assert_eq!(headers.list("pragma").ok(), Some(None));
    for (name, refusal) in [
        ("range", headers.text("range").err()),
        ("range", headers.utf8("range").err()),
        ("content-language", headers.text("content-language").err()),
        ("expires", headers.text("expires").err()),
        ("expires", headers.utf8("expires").err()),
        ("expires", headers.list("expires").err()),
    ] {
        let error = refusal.expect(name);
        assert_eq!(error.code(), S3ErrorCode::InvalidArgument);
        assert!(error.message().contains(name), "{error}");
    }
}

fn head(uri: &str, version: Version, hosts: &[&'static str]) -> Head {
    let mut request = Request::builder().uri(uri).version(version);
    for host in hosts {
        request = request.header(HOST, *host);
    }
    let (parts, ()) = request.body(()).expect("a request").into_parts();
    Head::new(parts, Query::default())
}

#[test]
fn the_host_stands_in_its_header_or_in_the_authority() {
    let of = |uri, version, hosts: &[&'static str]| {
        let head = head(uri, version, hosts);
        let host = head.host().map(|host| host.map(str::to_owned));
        host.map_err(|error| error.code())
    };
    let (one, two) = (Version::HTTP_11, Version::HTTP_2);
    assert_eq!(of("/b", one, &["h:1"]), Ok(Some("h:1".to_owned())));
    assert_eq!(of("/b", one, &[]), Ok(None));
    assert_eq!(of("/b", one, &["h", "h"]), Err(S3ErrorCode::InvalidRequest));
    assert_eq!(of("https://h:1/b", two, &[]), Ok(Some("h:1".to_owned())));
    assert_eq!(of("https://h/b", two, &["H"]), Ok(Some("H".to_owned())));
    assert_eq!(
        of("https://h/b", two, &["evil"]),
        Err(S3ErrorCode::InvalidRequest)
    );
}

#[test]
fn an_expectation_that_cannot_be_read_is_one() {
    let waits = |pairs: &[(&'static str, &[u8])]| {
        let mut head = head("/b", Version::HTTP_11, &["h"]);
        head.parts.headers = of(pairs);
        head.waits_for_continue()
    };
    assert!(!waits(&[]));
    assert!(!waits(&[("expect", b"200-ok")]));
    assert!(waits(&[("expect", b"100-Continue")]));
    assert!(waits(&[("expect", b"x"), ("expect", b"y")]));
}

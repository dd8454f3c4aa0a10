//! AWS' published examples, AWS' own signer as an independent check, and requests that must be refused.

use std::time::{Duration, UNIX_EPOCH};

use aws_credential_types::Credentials as AwsCredentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings,
    UriPathNormalizationMode, sign,
};
use aws_sigv4::sign::v4;
use hyper::header::{AUTHORIZATION, HeaderName, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Method, Request, Version};

use super::*;
use crate::s3::addressing::{Addressing, Resource};
use crate::s3::authorisation::{Action, authorize};
use crate::s3::identity::Credentials;
use crate::s3::operations;
use crate::s3::query::Query;

const USER: &str = "AKIAIOSFODNN7EXAMPLE";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
/// 2013-05-24T00:00:00Z, the date of the published examples.
const NOW: UnixMillis = UnixMillis(1_369_353_600_000);

fn parts(method: &str, target: &str, headers: &[(&str, &str)]) -> Parts {
    let method: Method = method.parse().expect("a method");
    let mut request = Request::builder().method(method).uri(target);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(()).expect("a request").into_parts().0
}

fn check(parts: &Parts) -> Result<Authenticated, S3ErrorCode> {
    check_for(USER, parts).map_err(|error| error.code())
}

/// Authenticates a request to a server whose user is `user`.
fn check_for(user: &str, parts: &Parts) -> Result<Authenticated, S3Error> {
    let query = Query::parse(parts.uri.query().unwrap_or("")).expect("a query");
    let head = Head::new(parts.clone(), query);
    let identities = Identities::of_root(Credentials::new(user, SECRET));
    let sender = authenticate(&head, &identities, NOW)?;
    authorize(&sender.identity, Action("s3:GetObject"), &Resource::Service)?;
    Ok(sender)
}

fn authorization(signed_headers: &str, signature: &str) -> String {
    format!(
        "AWS4-HMAC-SHA256 Credential={USER}/20130524/us-east-1/s3/aws4_request,SignedHeaders={signed_headers},Signature={signature}"
    )
}

/// "Examples: Signature Calculations" of the Amazon S3 API reference.
#[test]
fn the_published_examples_are_accepted() {
    let host = ("host", "examplebucket.s3.amazonaws.com");
    let empty = ("x-amz-content-sha256", EMPTY_SHA256);
    let date = ("x-amz-date", "20130524T000000Z");
    let get = authorization(
        "host;range;x-amz-content-sha256;x-amz-date",
        "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
    );
    let range = ("range", "bytes=0-9");
    check(&parts(
        "GET",
        "/test.txt",
        &[host, range, empty, date, ("authorization", &get)],
    ))
    .expect("GET Object");

    let put = authorization(
        "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
        "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
    );
    let digest = "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072";
    let put = parts(
        "PUT",
        "/test$file.text",
        &[
            host,
            date,
            ("date", "Fri, 24 May 2013 00:00:00 GMT"),
            ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
            ("x-amz-content-sha256", digest),
            ("authorization", &put),
        ],
    );
    let accepted = check(&put).expect("PUT Object, whose path only the re-encoded spelling signs");
    assert!(
        matches!(accepted.payload, PayloadMode::Signed { sha256 } if hex::encode(sha256) == digest)
    );

    let lifecycle = authorization(
        "host;x-amz-content-sha256;x-amz-date",
        "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
    );
    check(&parts(
        "GET",
        "/?lifecycle",
        &[host, empty, date, ("authorization", &lifecycle)],
    ))
    .expect("GET lifecycle");

    let list = authorization(
        "host;x-amz-content-sha256;x-amz-date",
        "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
    );
    check(&parts(
        "GET",
        "/?max-keys=2&prefix=J",
        &[host, empty, date, ("authorization", &list)],
    ))
    .expect("List Objects");
}

/// The seed request of the published chunked upload.
#[test]
fn the_published_chunked_example_is_accepted() {
    let signed = "content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class";
    let value = authorization(
        signed,
        "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9",
    );
    let put = parts(
        "PUT",
        "/examplebucket/chunkObject.txt",
        &[
            ("host", "s3.amazonaws.com"),
            ("x-amz-date", "20130524T000000Z"),
            ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
            ("x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"),
            ("content-encoding", "aws-chunked"),
            ("x-amz-decoded-content-length", "66560"),
            ("content-length", "66824"),
            ("authorization", &value),
        ],
    );
    let accepted = check(&put).expect("AWS' own signature");
    assert!(matches!(accepted.payload, PayloadMode::SignedChunks { .. }));
}

struct Signed {
    method: &'static str,
    target: &'static str,
    region: &'static str,
    at: UnixMillis,
    secret: &'static str,
    headers: Vec<(&'static str, &'static str)>,
}

impl Signed {
    fn get(target: &'static str) -> Signed {
        let headers = vec![("host", "127.0.0.1:9000")];
        Signed {
            method: "GET",
            target,
            region: "us-east-1",
            at: NOW,
            secret: SECRET,
            headers,
        }
    }

    /// The request as AWS' Rust SDK would send it.
    fn parts(&self) -> Parts {
        let identity = AwsCredentials::new(USER, self.secret, None, None, "test").into();
        let mut settings = SigningSettings::default();
        settings.percent_encoding_mode = PercentEncodingMode::Single;
        settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(self.region)
            .name("s3")
            .time(UNIX_EPOCH + Duration::from_secs(self.at.secs()))
            .settings(settings)
            .build()
            .expect("complete")
            .into();
        let url = format!("http://127.0.0.1:9000{}", self.target);
        let signable = SignableRequest::new(
            self.method,
            &url,
            self.headers.iter().copied(),
            SignableBody::UnsignedPayload,
        )
        .expect("signable");
        let (instructions, _) = sign(signable, &params).expect("signed").into_parts();
        let mut parts = parts(self.method, self.target, &self.headers);
        for (name, value) in instructions.headers() {
            parts.headers.insert(
                HeaderName::try_from(name).expect("a name"),
                HeaderValue::try_from(value).expect("a value"),
            );
        }
        parts
    }
}

#[test]
fn an_independent_signer_is_accepted_for_every_kind_of_target_and_region() {
    for target in [
        "/",
        "/bucket/key",
        "/bucket/a%2Bb%20c//d/../%E2%82%AC~%7Fx",
        "/bucket?prefix=a%20b%2Fc&list-type=2&delimiter=&max-keys=5",
        "/bucket/key?uploads",
        "/bucket/key?partNumber=3&uploadId=00112233445566778899aabbccddeeff",
    ] {
        for region in ["us-east-1", "US", "auto", ""] {
            let request = Signed {
                region,
                ..Signed::get(target)
            };
            if let Err(code) = check(&request.parts()) {
                panic!("{target} in {region:?}: {code:?}");
            }
        }
    }
}

#[test]
fn folded_and_repeated_headers_are_accepted() {
    let mut request = Signed::get("/bucket/key");
    request.headers.push(("x-amz-meta-a", "one two"));
    let mut parts = request.parts();
    parts
        .headers
        .insert("x-amz-meta-a", HeaderValue::from_static("one    two "));
    check(&parts).expect("folded");

    let mut request = Signed::get("/bucket/key");
    request.headers.push(("x-amz-meta-b", "1,2"));
    let mut parts = request.parts();
    parts.headers.remove("x-amz-meta-b");
    parts
        .headers
        .append("x-amz-meta-b", HeaderValue::from_static("1"));
    parts
        .headers
        .append("x-amz-meta-b", HeaderValue::from_static("2"));
    check(&parts).expect("joined");
}

/// A change to a request after it was signed.
#[derive(Debug, Clone, Copy)]
enum Change {
    Target(&'static str),
    Method(&'static str),
    Set(&'static str, &'static str),
    Add(&'static str, &'static str),
    Remove(&'static str),
}

impl Change {
    fn apply(self, parts: &mut Parts) {
        let value = HeaderValue::from_static;
        match self {
            Change::Target(target) => parts.uri = target.parse().expect("a target"),
            Change::Method(method) => parts.method = method.parse().expect("a method"),
            Change::Set(name, text) => {
                parts.headers.insert(name, value(text));
            }
            Change::Add(name, text) => {
                parts.headers.append(name, value(text));
            }
            Change::Remove(name) => {
                parts.headers.remove(name);
            }
        }
    }
}

#[test]
fn anything_changed_after_signing_is_found() {
    use Change::{Add, Method, Remove, Set, Target};
    use S3ErrorCode::{
        AccessDenied, AuthorizationHeaderMalformed, InvalidArgument, InvalidRequest,
        SignatureDoesNotMatch,
    };
    let changes = [
        (Target("/bucket/other"), SignatureDoesNotMatch),
        (Target("/bucket/key?acl"), SignatureDoesNotMatch),
        (Method("DELETE"), SignatureDoesNotMatch),
        (Set("host", "evil"), SignatureDoesNotMatch),
        (
            Set("x-amz-content-sha256", EMPTY_SHA256),
            SignatureDoesNotMatch,
        ),
        (Set("x-amz-copy-source", "/other/secret"), AccessDenied),
        (Set("x-amz-grant-read", "x"), AccessDenied),
        (Add("host", "evil"), InvalidRequest),
        (Add("x-amz-date", "20130524T000000Z"), InvalidArgument),
        (Add("x-amz-content-sha256", EMPTY_SHA256), InvalidArgument),
        (Add("authorization", "x"), AuthorizationHeaderMalformed),
        (Remove("x-amz-date"), AccessDenied),
        (Remove("authorization"), AccessDenied),
    ];
    for (change, code) in changes {
        let mut parts = Signed::get("/bucket/key").parts();
        change.apply(&mut parts);
        assert_eq!(check(&parts).map(|_| "accepted"), Err(code), "{change:?}");
    }
    let mut request = Signed::get("/bucket/key");
    request.headers.push(("x-amz-security-token", "forged"));
    assert_eq!(
        check(&request.parts()).expect_err("a token"),
        S3ErrorCode::InvalidToken
    );
    let mut request = Signed::get("/bucket/key");
    request.headers.push(("x-amz-security-token", ""));
    check(&request.parts()).expect("some clients send an empty token for none");
}

#[test]
fn wrong_keys_and_clocks_get_their_codes() {
    let wrong = Signed {
        secret: "another",
        ..Signed::get("/bucket/key")
    };
    assert_eq!(
        check(&wrong.parts()).expect_err("a wrong secret"),
        S3ErrorCode::SignatureDoesNotMatch
    );

    let known = Signed::get("/bucket/key").parts();
    let error = check_for("other", &known).expect_err("an unknown user");
    assert_eq!(error.code(), S3ErrorCode::InvalidAccessKeyId);

    let minutes = |m: u64| m * 60_000;
    for at in [NOW.0 - minutes(16), NOW.0 + minutes(16)] {
        let request = Signed {
            at: UnixMillis(at),
            ..Signed::get("/bucket/key")
        };
        assert_eq!(
            check(&request.parts()).expect_err("skewed"),
            S3ErrorCode::RequestTimeTooSkewed
        );
    }
    for at in [NOW.0 - minutes(15), NOW.0 + minutes(15)] {
        let request = Signed {
            at: UnixMillis(at),
            ..Signed::get("/bucket/key")
        };
        check(&request.parts()).expect("within fifteen minutes");
    }
}

#[test]
fn signatures_in_the_query_are_refused_by_name() {
    let v4 = parts(
        "GET",
        "/b/k?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=x&X-Amz-Signature=y",
        &[("host", "h")],
    );
    assert_eq!(
        check(&v4).expect_err("presigned"),
        S3ErrorCode::NotImplemented
    );
    let v2 = parts(
        "GET",
        "/b/k?AWSAccessKeyId=x&Signature=y&Expires=1",
        &[("host", "h")],
    );
    assert_eq!(
        check(&v2).expect_err("presigned by SigV2"),
        S3ErrorCode::InvalidRequest
    );
}

#[test]
fn a_scope_of_another_day_is_refused() {
    let value = authorization("host;x-amz-date", "00").replace("20130524", "20130523");
    let request = parts(
        "GET",
        "/",
        &[
            ("host", "h"),
            ("x-amz-date", "20130524T000000Z"),
            ("authorization", &value),
        ],
    );
    assert_eq!(
        check(&request).expect_err("another day"),
        S3ErrorCode::AuthorizationHeaderMalformed
    );
}

/// Only the whole signature counts: no shorter, longer or similar one is accepted.
#[test]
fn a_signature_is_compared_whole() {
    let good = Signed::get("/bucket/key").parts();
    let value = good.headers.get(AUTHORIZATION).expect("signed");
    let value = value.to_str().expect("ASCII").to_owned();
    let (before, right) = value.split_once("Signature=").expect("a signature");
    let cut = (0..64).filter_map(|len| right.get(..len).map(str::to_owned));
    let tails = (1..64).filter_map(|from| right.get(from..).map(str::to_owned));
    let zeros = (0..=65).map(|len| "0".repeat(len));
    let longer = ["0", "f", right].map(|more| format!("{right}{more}"));
    let odd = [right.to_uppercase(), format!("0x{right}")];
    let forged = cut.chain(tails).chain(zeros).chain(longer).chain(odd);
    for signature in forged {
        let mut parts = good.clone();
        let value = HeaderValue::try_from(format!("{before}Signature={signature}"));
        parts
            .headers
            .insert(AUTHORIZATION, value.expect("a header value"));
        assert_eq!(
            check(&parts).map(|_| "accepted"),
            Err(S3ErrorCode::SignatureDoesNotMatch),
            "{signature:?}"
        );
    }
    check(&good).expect("the right one");
}

/// HTTP/2 names the host in `:authority`, and its requests have no `Host`.
#[test]
fn a_head_of_http_2_routes_and_authenticates() {
    let signed = Signed::get("/bucket/key?versionId=null").parts();
    let over_http_2 = |authority: &str| {
        let mut parts = signed.clone();
        parts.headers.remove(HOST);
        parts.version = Version::HTTP_2;
        let uri = format!("http://{authority}/bucket/key?versionId=null");
        parts.uri = uri.parse().expect("a target");
        parts
    };
    let parts = over_http_2("127.0.0.1:9000");
    let query = Query::parse(parts.uri.query().unwrap_or("")).expect("a query");
    let head = Head::new(parts.clone(), query);
    let resource = Addressing::path_style().resource(&head).expect("a path");
    let operation = operations::select(
        resource.level(),
        head.method(),
        head.query(),
        head.headers(),
    );
    assert_eq!(operation.expect("an operation").name, "GetObject");
    assert!(
        !head.owns_connection(),
        "no stream may close the connection"
    );
    let sender = check(&parts).expect("AWS' signature over the authority");
    assert!(matches!(sender.identity, Identity::Root(_)));
    assert_eq!(
        check(&over_http_2("evil:9000")).expect_err("another host"),
        S3ErrorCode::SignatureDoesNotMatch
    );
    let mut twice = over_http_2("127.0.0.1:9000");
    twice.headers.insert(HOST, HeaderValue::from_static("evil"));
    assert_eq!(
        check(&twice).expect_err("two hosts"),
        S3ErrorCode::InvalidRequest
    );
}

/// A request without a signature has a sender without permissions; nothing in it is treated as signed.
#[test]
fn a_request_without_signature_is_a_strangers() {
    for mode in ["UNSIGNED-PAYLOAD", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"] {
        let parts = parts("PUT", "/b/k", &[("host", "h"), (CONTENT_SHA256, mode)]);
        let head = Head::new(parts.clone(), Query::default());
        let identities = Identities::of_root(Credentials::new(USER, SECRET));
        let sender = authenticate(&head, &identities, NOW).expect("a stranger");
        assert_eq!(sender.identity, Identity::Anonymous);
        assert!(sender.chunks.is_none());
        let refused = check(&parts).expect_err("a stranger");
        assert_eq!(refused, S3ErrorCode::AccessDenied);
    }
    let nonsense = parts("PUT", "/b/k", &[("host", "h"), (CONTENT_SHA256, "x")]);
    assert_eq!(
        check(&nonsense).expect_err("a stranger"),
        S3ErrorCode::AccessDenied
    );
}

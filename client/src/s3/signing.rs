//! Builds a signed HTTP request for one S3 call. Pure: the time is an argument.
//!
//! Every header that is sent is signed, including `user-agent` and `content-length`; `authorization` contains the signature.

use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings,
    UriPathNormalizationMode, sign,
};
use aws_sigv4::sign::v4;
use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{CONTENT_LENGTH, HOST, HeaderName, HeaderValue, USER_AGENT};
use hyper::{Method, Request};
use url::Url;

use super::config::{Addressing, S3Config};
use super::encode;
use super::error::InvalidInput;

/// S3's own limit for a key.
const KEY_BYTES: std::ops::RangeInclusive<usize> = 1..=crate::uri::KEY_BYTES_MAX;
/// The name of this client in server logs.
const AGENT: &str = concat!("strongroom/", env!("CARGO_PKG_VERSION"));

/// The bytes of a request, and how the signature covers them.
#[derive(Debug, Clone)]
pub(super) struct Payload {
    pub(super) bytes: Bytes,
    pub(super) hash: PayloadHash,
}

/// How the signature covers the payload.
#[derive(Debug, Clone)]
pub(super) enum PayloadHash {
    /// Hash the bytes while signing: for short payloads.
    OfBytes,
    /// Lowercase hex SHA-256, computed off the event loop.
    Known(String),
    /// Not covered: TLS and the signed CRC32 header protect the bytes.
    Unsigned,
}

impl Payload {
    pub(super) fn empty() -> Self {
        Self::short(Bytes::new())
    }

    pub(super) fn short(bytes: Bytes) -> Self {
        Self {
            bytes,
            hash: PayloadHash::OfBytes,
        }
    }
}

/// The parts of a request, without server and credentials.
#[derive(Debug, Clone)]
pub(super) struct Parts<'a> {
    pub(super) method: Method,
    pub(super) bucket: Option<&'a str>,
    pub(super) key: Option<&'a str>,
    pub(super) query: Vec<(&'a str, &'a str)>,
    pub(super) headers: Vec<(HeaderName, String)>,
    pub(super) payload: Payload,
}

/// Builds and signs a request; fails only if the input is not valid in a request.
pub(super) fn request(
    config: &S3Config,
    credentials: &Credentials,
    time: SystemTime,
    parts: &Parts<'_>,
) -> Result<Request<Full<Bytes>>, InvalidInput> {
    let (authority, path) = address(&config.endpoint, config.addressing, parts.bucket, parts.key)?;
    let query = encode::query(&parts.query);
    let question = if query.is_empty() { "" } else { "?" };
    let uri = format!(
        "{}://{authority}{path}{question}{query}",
        config.endpoint.scheme()
    );

    let mut request = Request::builder()
        .method(parts.method.clone())
        .uri(&uri)
        .body(Full::new(parts.payload.bytes.clone()))
        .map_err(|_| InvalidInput::Endpoint {
            endpoint: config.endpoint.to_string(),
        })?;
    let headers = request.headers_mut();
    headers.insert(HOST, header_value(&HOST, &authority)?);
    headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
    if !parts.payload.bytes.is_empty() || matches!(parts.method, Method::PUT | Method::POST) {
        headers.insert(CONTENT_LENGTH, HeaderValue::from(parts.payload.bytes.len()));
    }
    for (name, value) in &parts.headers {
        headers.insert(name, header_value(name, value)?);
    }
    add_signature(
        config,
        credentials,
        time,
        &uri,
        &parts.payload,
        &mut request,
    )?;
    Ok(request)
}

fn add_signature(
    config: &S3Config,
    credentials: &Credentials,
    time: SystemTime,
    uri: &str,
    payload: &Payload,
    request: &mut Request<Full<Bytes>>,
) -> Result<(), InvalidInput> {
    let mut settings = SigningSettings::default();
    settings.percent_encoding_mode = PercentEncodingMode::Single;
    settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
    settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
    settings.excluded_headers = None;
    let identity = credentials.clone().into();
    let signing = v4::SigningParams::builder()
        .identity(&identity)
        .region(&config.region)
        .name("s3")
        .time(time)
        .settings(settings)
        .build()
        .expect("every required signing parameter is set above")
        .into();
    let body = match &payload.hash {
        PayloadHash::OfBytes => SignableBody::Bytes(&payload.bytes),
        PayloadHash::Known(hex) => SignableBody::Precomputed(hex.clone()),
        PayloadHash::Unsigned => SignableBody::UnsignedPayload,
    };
    let refused = || InvalidInput::HeaderValue {
        name: "a signed header".to_owned(),
    };
    let headers: Vec<(&str, &str)> = request
        .headers()
        .iter()
        .map(|(name, value)| Ok((name.as_str(), value.to_str().map_err(|_| refused())?)))
        .collect::<Result<_, InvalidInput>>()?;
    let signable = SignableRequest::new(request.method().as_str(), uri, headers.into_iter(), body)
        .map_err(|_| InvalidInput::Endpoint {
            endpoint: config.endpoint.to_string(),
        })?;
    let (instructions, _signature) = sign(signable, &signing)
        .map_err(|_| refused())?
        .into_parts();
    instructions.apply_to_request_http1x(request);
    Ok(())
}

/// The authority and the encoded path of a bucket and key.
fn address(
    endpoint: &Url,
    addressing: Addressing,
    bucket: Option<&str>,
    key: Option<&str>,
) -> Result<(String, String), InvalidInput> {
    let host = endpoint.host_str().ok_or_else(|| InvalidInput::Endpoint {
        endpoint: endpoint.to_string(),
    })?;
    let port = endpoint
        .port()
        .map_or_else(String::new, |port| format!(":{port}"));
    let base = endpoint.path().trim_end_matches('/');
    if let Some(key) = key.filter(|key| !KEY_BYTES.contains(&key.len())) {
        return Err(InvalidInput::KeyLength { bytes: key.len() });
    }
    let key = key.map_or_else(String::new, encode::key);
    let Some(bucket) = bucket else {
        return Ok((format!("{host}{port}"), format!("{base}/")));
    };
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    if bucket.is_empty() || matches!(bucket, "." | "..") || !bucket.bytes().all(plain) {
        return Err(InvalidInput::Bucket {
            bucket: bucket.to_owned(),
        });
    }
    match addressing {
        Addressing::VirtualHost => Ok((format!("{bucket}.{host}{port}"), format!("{base}/{key}"))),
        Addressing::PathStyle if key.is_empty() => {
            Ok((format!("{host}{port}"), format!("{base}/{bucket}")))
        }
        Addressing::PathStyle => Ok((format!("{host}{port}"), format!("{base}/{bucket}/{key}"))),
    }
}

fn header_value(name: &HeaderName, value: &str) -> Result<HeaderValue, InvalidInput> {
    let visible = value.bytes().all(|byte| (0x20..0x7f).contains(&byte));
    HeaderValue::from_str(value)
        .ok()
        .filter(|_| visible)
        .ok_or_else(|| InvalidInput::HeaderValue {
            name: name.as_str().to_owned(),
        })
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;
    use crate::s3::Secret;

    fn config(endpoint: &str) -> S3Config {
        S3Config::new(
            Url::parse(endpoint).expect("valid"),
            "AKIDEXAMPLE",
            Secret::new("secret"),
        )
    }

    fn signed(config: &S3Config, parts: &Parts<'_>) -> Result<Request<Full<Bytes>>, InvalidInput> {
        let credentials = Credentials::new(
            "AKIDEXAMPLE",
            "secret",
            Some("the-token".to_owned()),
            None,
            "test",
        );
        request(
            config,
            &credentials,
            UNIX_EPOCH + Duration::from_secs(1_440_938_161),
            parts,
        )
    }

    fn get<'a>(bucket: Option<&'a str>, key: Option<&'a str>) -> Parts<'a> {
        Parts {
            method: Method::GET,
            bucket,
            key,
            query: Vec::new(),
            headers: Vec::new(),
            payload: Payload::empty(),
        }
    }

    #[test]
    fn every_header_that_is_sent_is_signed() {
        let mut parts = get(Some("b"), Some("k"));
        parts.method = Method::PUT;
        parts.headers = vec![(HeaderName::from_static("x-amz-meta-a"), "1".to_owned())];
        parts.payload = Payload::short(Bytes::from_static(b"body"));
        let request = signed(&config("http://h:9000"), &parts).expect("signs");
        let header = |name: &str| request.headers()[name].to_str().expect("text").to_owned();
        let authorization = header("authorization");
        let list = authorization
            .split("SignedHeaders=")
            .nth(1)
            .and_then(|rest| rest.split(',').next());
        let list: Vec<&str> = list.expect("a list").split(';').collect();
        for name in request
            .headers()
            .keys()
            .filter(|name| name.as_str() != "authorization")
        {
            assert!(
                list.contains(&name.as_str()),
                "{name} is not among {list:?}"
            );
        }
        assert!(
            authorization.contains("Credential=AKIDEXAMPLE/20150830/us-east-1/s3/aws4_request")
        );
        assert_eq!(header("x-amz-security-token"), "the-token");
        assert_eq!(header("content-length"), "4");
        assert_eq!(header("host"), "h:9000");
    }

    #[test]
    fn keys_stay_as_they_are_in_the_path() {
        let request = signed(
            &config("http://h:9000/"),
            &get(Some("b"), Some("/a//b/../c +")),
        )
        .expect("signs");
        assert_eq!(
            request.uri().to_string(),
            "http://h:9000/b//a//b/../c%20%2B"
        );
    }

    #[test]
    fn both_addressing_styles_and_a_base_path() {
        let endpoint = |text: &str| Url::parse(text).expect("valid");
        let path = |text: &str, style, bucket, key| {
            address(&endpoint(text), style, bucket, key).expect("valid")
        };
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(
            path("https://h", Addressing::PathStyle, None, None),
            pair("h", "/")
        );
        assert_eq!(
            path("https://h:443", Addressing::PathStyle, Some("b"), None),
            pair("h", "/b")
        );
        assert_eq!(
            path(
                "http://[::1]:9000/s3/",
                Addressing::PathStyle,
                Some("b"),
                Some("k")
            ),
            pair("[::1]:9000", "/s3/b/k")
        );
        assert_eq!(
            path(
                "https://h:8443",
                Addressing::VirtualHost,
                Some("b"),
                Some("k")
            ),
            pair("b.h:8443", "/k")
        );
    }

    #[test]
    fn input_that_would_change_the_request_is_refused() {
        let config = config("http://h");
        let long = "k".repeat(1025);
        assert_eq!(
            signed(&config, &get(Some("b"), Some(&long))).err(),
            Some(InvalidInput::KeyLength { bytes: 1025 })
        );
        for bucket in ["", "..", "a/b", "a b", "a?b", "a@b"] {
            let refused = signed(&config, &get(Some(bucket), None)).err();
            assert_eq!(
                refused,
                Some(InvalidInput::Bucket {
                    bucket: bucket.to_owned()
                })
            );
        }
        let mut parts = get(Some("b"), Some("k"));
        parts.headers = vec![(
            HeaderName::from_static("x-amz-meta-a"),
            "ü\r\nx: y".to_owned(),
        )];
        assert!(matches!(
            signed(&config, &parts),
            Err(InvalidInput::HeaderValue { .. })
        ));
    }
}

//! Who sends a request: Signature Version 4 by header.
//!
//! [`authenticate`] looks at the head of a request only, so it runs before the body is asked for. Knows no operation
//! and no store. Invariants: `host` and every `x-amz-*` header present are signed (the content hash is covered by the
//! signature itself), so nothing can be added on the way; all comparisons with a secret take constant time; neither
//! secret nor signing key is ever printed.

mod canonical;
mod header;
mod signing;

pub(crate) use header::Scope;
pub(crate) use signing::{ChunkSigner, SigningKey};

use std::time::Duration;

use hyper::header::{AUTHORIZATION, DATE, HOST};
use hyper::http::request::Parts;

use crate::clock::UnixMillis;
use crate::s3::error::{S3Error, S3ErrorCode};
use crate::s3::http_date;
use crate::s3::identity::Credentials;
use crate::s3::payload::PayloadMode;
use crate::s3::query::{Query, decode_path, encode_path};
use canonical::{CanonicalRequest, string_to_sign};
use header::{ALGORITHM, Authorization, malformed, unsupported_mechanism};

/// How far a client's clock may be off; S3's own limit.
const SKEW_MAX: Duration = Duration::from_mins(15);

/// The header that says how the body is signed.
const CONTENT_SHA256: &str = "x-amz-content-sha256";

/// SHA-256 of nothing: what a client without `x-amz-content-sha256` signed (curl, old signers), and so the only body it may send.
const EMPTY_SHA256: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// A request whose head was signed by the user.
#[derive(Debug)]
pub(crate) struct Authenticated {
    /// How the body comes.
    pub(crate) payload: PayloadMode,
    /// Verifies signed chunks; the first link of their chain is the request's own signature.
    pub(crate) chunks: ChunkSigner,
}

/// Checks the signature of a request's head.
///
/// # Errors
/// `AccessDenied` without a signature or with unsigned headers, `InvalidAccessKeyId`, `RequestTimeTooSkewed`,
/// `SignatureDoesNotMatch`, and malformed or unsupported forms by name.
pub(crate) fn authenticate(
    parts: &Parts,
    query: &Query,
    credentials: &Credentials,
    now: UnixMillis,
) -> Result<Authenticated, S3Error> {
    refuse_query_signatures(query)?;
    let value = authorization_header(parts)?;
    let authorization = Authorization::parse(value)?;
    if !credentials.is_user(&authorization.access_key) {
        return Err(S3Error::new(
            S3ErrorCode::InvalidAccessKeyId,
            "The AWS Access Key Id you provided does not exist in our records.",
        )
        .with_field("AWSAccessKeyId", authorization.access_key));
    }
    let signed_at = request_time(parts, &authorization)?;
    check_skew(signed_at, now)?;
    check_signed_headers(parts, &authorization)?;
    refuse_session_token(parts)?;
    let declared = content_sha256(parts)?;
    let payload = PayloadMode::parse(declared)?;

    let timestamp = http_date::iso_basic(signed_at);
    if !timestamp.starts_with(&authorization.scope.date) {
        return Err(malformed(
            "the date in the Credential is not the date of the request",
        ));
    }
    let key = SigningKey::derive(credentials, signed_at, &authorization.scope);
    let signature = verify(parts, query, &authorization, &key, &timestamp, declared)?;
    let chunks = ChunkSigner::new(key, timestamp, authorization.scope.text(), signature);
    Ok(Authenticated { payload, chunks })
}

/// Tries the path as it came, and as a signer that encodes the decoded path would have written it.
fn verify(
    parts: &Parts,
    query: &Query,
    authorization: &Authorization,
    key: &SigningKey,
    timestamp: &str,
    payload_hash: &str,
) -> Result<String, S3Error> {
    let canonical_query = query.canonical();
    let request = CanonicalRequest {
        method: parts.method.as_str(),
        canonical_query: &canonical_query,
        headers: &parts.headers,
        signed_headers: &authorization.signed_headers,
        payload_hash,
    };
    let raw_path = parts.uri.path();
    let scope = authorization.scope.text();
    let raw = request.bytes(raw_path);
    let raw_to_sign = string_to_sign(ALGORITHM, timestamp, &scope, &raw);
    if let Some(signature) = key.accepts(&raw_to_sign, &authorization.signature) {
        return Ok(signature);
    }
    let reencoded = decode_path(raw_path)
        .map(|path| encode_path(&path))
        .ok()
        .filter(|path| path != raw_path);
    if let Some(path) = reencoded {
        let to_sign = string_to_sign(ALGORITHM, timestamp, &scope, &request.bytes(&path));
        if let Some(signature) = key.accepts(&to_sign, &authorization.signature) {
            return Ok(signature);
        }
    }
    Err(S3Error::new(
        S3ErrorCode::SignatureDoesNotMatch,
        "The request signature we calculated does not match the signature you provided. Check your key and signing method.",
    )
    .with_field("AWSAccessKeyId", &authorization.access_key)
    .with_field("StringToSign", raw_to_sign)
    .with_field("SignatureProvided", &authorization.signature)
    .with_field("CanonicalRequest", String::from_utf8_lossy(&raw)))
}

fn refuse_query_signatures(query: &Query) -> Result<(), S3Error> {
    if query.names().any(|name| {
        name.eq_ignore_ascii_case("X-Amz-Signature")
            || name.eq_ignore_ascii_case("X-Amz-Credential")
    }) {
        return Err(S3Error::not_implemented(
            "A presigned URL (X-Amz-Signature in the query)",
        ));
    }
    if query.has("AWSAccessKeyId") {
        return Err(unsupported_mechanism());
    }
    Ok(())
}

fn authorization_header(parts: &Parts) -> Result<&str, S3Error> {
    let mut values = parts.headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else {
        return Err(S3Error::new(
            S3ErrorCode::AccessDenied,
            "Access Denied. Sign the request; there is no anonymous access.",
        ));
    };
    if values.next().is_some() {
        return Err(malformed("there is more than one"));
    }
    value
        .to_str()
        .map_err(|_| malformed("it holds characters outside ASCII"))
}

/// `x-amz-date`, or `Date` where a client signs that.
fn request_time(parts: &Parts, authorization: &Authorization) -> Result<UnixMillis, S3Error> {
    let text = |name: &str| {
        parts
            .headers
            .get(name)
            .and_then(|value| value.to_str().ok())
    };
    let time = match text("x-amz-date") {
        Some(date) => http_date::parse_iso_basic(date),
        None if authorization
            .signed_headers
            .iter()
            .any(|name| name == DATE.as_str()) =>
        {
            text(DATE.as_str()).and_then(|date| {
                http_date::parse_http(date).or_else(|| http_date::parse_iso_basic(date))
            })
        }
        None => None,
    };
    time.ok_or_else(|| {
        S3Error::new(
            S3ErrorCode::AccessDenied,
            "AWS authentication requires a valid Date or x-amz-date header",
        )
    })
}

fn check_skew(signed_at: UnixMillis, now: UnixMillis) -> Result<(), S3Error> {
    if now.since(signed_at).max(signed_at.since(now)) <= SKEW_MAX {
        return Ok(());
    }
    Err(S3Error::new(
        S3ErrorCode::RequestTimeTooSkewed,
        "The difference between the request time and the server's time is too large.",
    )
    .with_field("RequestTime", http_date::iso_basic(signed_at))
    .with_field("ServerTime", http_date::iso_seconds(now))
    .with_field(
        "MaxAllowedSkewMilliseconds",
        SKEW_MAX.as_millis().to_string(),
    ))
}

/// Nothing that steers a request may be added to it after it was signed.
fn check_signed_headers(parts: &Parts, authorization: &Authorization) -> Result<(), S3Error> {
    let signed = |name: &str| {
        authorization
            .signed_headers
            .binary_search_by(|n| n.as_str().cmp(name))
            .is_ok()
    };
    if parts.headers.get_all(HOST).iter().count() != 1 {
        return Err(S3Error::new(
            S3ErrorCode::InvalidRequest,
            "The request must have exactly one Host header.",
        ));
    }
    if !signed(HOST.as_str()) {
        return Err(malformed("the Host header must be signed"));
    }
    let unsigned: Vec<&str> = parts
        .headers
        .keys()
        .map(hyper::header::HeaderName::as_str)
        .filter(|name| name.starts_with("x-amz-") && *name != CONTENT_SHA256 && !signed(name))
        .collect();
    if unsigned.is_empty() {
        return Ok(());
    }
    Err(S3Error::new(
        S3ErrorCode::AccessDenied,
        "There were headers present in the request which were not signed",
    )
    .with_field("HeadersNotSigned", unsigned.join(", ")))
}

/// There are no temporary credentials, so a token can only be wrong.
fn refuse_session_token(parts: &Parts) -> Result<(), S3Error> {
    match parts.headers.get("x-amz-security-token") {
        Some(token) if !token.is_empty() => Err(S3Error::new(
            S3ErrorCode::InvalidToken,
            "The provided token is malformed or otherwise not valid: this server issues no session tokens.",
        )),
        _ => Ok(()),
    }
}

fn content_sha256(parts: &Parts) -> Result<&str, S3Error> {
    let mut values = parts.headers.get_all(CONTENT_SHA256).iter();
    let Some(value) = values.next() else {
        return Ok(EMPTY_SHA256);
    };
    match (value.to_str(), values.next()) {
        (Ok(text), None) => Ok(text.trim()),
        _ => Err(S3Error::new(
            S3ErrorCode::InvalidArgument,
            "The x-amz-content-sha256 header must appear once, in ASCII.",
        )),
    }
}

#[cfg(test)]
mod tests;

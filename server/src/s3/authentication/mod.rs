//! Proof of who sends a request: Signature Version 4 in the `Authorization` header.
//!
//! [`authenticate`] looks only at the head of a request, so it runs before the body is read. Knows no operation and no
//! store. Invariants: the host and every `x-amz-*` header present are signed (the signature itself covers the content
//! hash), so nobody can add one in transit; all comparisons with a secret take constant time; neither a secret nor a
//! signing key is ever printed.

mod canonical;
mod claim;
mod header;
mod mismatch;
mod signing;

pub(crate) use header::Scope;
pub(crate) use signing::{ChunkSigner, SigningKey};

use std::time::Duration;

use hyper::header::HOST;

use crate::clock::UnixMillis;
use crate::s3::authorisation::access_denied;
use crate::s3::error::{S3Error, S3ErrorCode};
use crate::s3::head::{Head, one_host};
use crate::s3::http_date;
use crate::s3::identity::{Identities, Identity};
use crate::s3::payload::PayloadMode;
use crate::s3::query::{decode_path, encode_path};
use canonical::{CanonicalRequest, string_to_sign};
use claim::Claim;
use header::{ALGORITHM, malformed};

/// Maximum clock difference of a client; S3's own limit.
const SKEW_MAX: Duration = Duration::from_mins(15);

/// The header that says how the body is signed.
const CONTENT_SHA256: &str = "x-amz-content-sha256";

/// SHA-256 of an empty body. Clients that send no `x-amz-content-sha256` (curl, old signers) sign this digest, so their
/// body must be empty.
const EMPTY_SHA256: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// For the log: the access key that a request names, if it is known. An unknown one may be a secret in the wrong place.
pub(crate) fn named_key(head: &Head, identities: &Identities) -> Option<String> {
    let claim = Claim::read(head).ok().flatten()?;
    let known = identities.find(&claim.access_key).is_some();
    Some(if known {
        claim.access_key
    } else {
        "unknown".to_owned()
    })
}

/// The sender of a request, and how its body is signed.
#[derive(Debug)]
pub(crate) struct Authenticated {
    /// The sender.
    pub(crate) identity: Identity,
    /// How the body is signed and framed.
    pub(crate) payload: PayloadMode,
    /// Verifies signed chunks; their chain starts at the request's own signature. `None` for a request without a
    /// signature.
    pub(crate) chunks: Option<ChunkSigner>,
}

/// Checks the signature of a request's head.
///
/// # Errors
/// `AccessDenied` with unsigned headers, `InvalidAccessKeyId`, `RequestTimeTooSkewed`, `SignatureDoesNotMatch`, and
/// malformed or unsupported forms by name.
pub(crate) fn authenticate(
    head: &Head,
    identities: &Identities,
    now: UnixMillis,
) -> Result<Authenticated, S3Error> {
    let Some(claim) = Claim::read(head)? else {
        return anonymous(head);
    };
    let Some((identity, credentials)) = identities.find(&claim.access_key) else {
        return Err(S3Error::new(
            S3ErrorCode::InvalidAccessKeyId,
            "The AWS Access Key Id you provided does not exist in our records.",
        )
        .with_field("AWSAccessKeyId", claim.access_key));
    };
    check_skew(claim.signed_at, now)?;
    check_signed_headers(head, &claim)?;
    refuse_session_token(head)?;
    let payload = PayloadMode::parse(&claim.payload)?;
    mismatch::check_content_digest(head)?;

    let timestamp = http_date::iso_basic(claim.signed_at);
    if !timestamp.starts_with(&claim.scope.date) {
        return Err(malformed(
            "the date in the Credential is not the date of the request",
        ));
    }
    let key = SigningKey::derive(credentials, claim.signed_at, &claim.scope);
    let signature = verify(head, &claim, &key, &timestamp)?;
    let chunks = ChunkSigner::new(key, timestamp, claim.scope.text(), signature);
    Ok(Authenticated {
        identity,
        payload,
        chunks: Some(chunks),
    })
}

/// A request without a signature. Its sender is told to sign it, whatever else is wrong.
fn anonymous(head: &Head) -> Result<Authenticated, S3Error> {
    let declared = head.headers().text(CONTENT_SHA256);
    let payload = match declared.map_err(|_| access_denied())? {
        None => PayloadMode::Unsigned,
        Some(declared) => PayloadMode::parse(declared).map_err(|_| access_denied())?,
    };
    Ok(Authenticated {
        identity: Identity::Anonymous,
        payload,
        chunks: None,
    })
}

/// Tries the path as it was sent, and as a signer would write it that encodes the decoded path.
fn verify(
    head: &Head,
    claim: &Claim,
    key: &SigningKey,
    timestamp: &str,
) -> Result<String, S3Error> {
    let canonical_query = head.query().canonical();
    let request = CanonicalRequest {
        method: head.method().as_str(),
        canonical_query: &canonical_query,
        headers: head.headers(),
        host: head.host()?,
        signed_headers: &claim.signed_headers,
        payload_hash: &claim.payload,
        instead: None,
    };
    let scope = claim.scope.text();
    let reencoded = decode_path(head.raw_path()).map(|path| encode_path(&path).into_owned());
    let reencoded = reencoded.ok().filter(|path| path != head.raw_path());
    let to_sign = |request: &CanonicalRequest<'_>, path: &str| {
        string_to_sign(ALGORITHM, timestamp, &scope, &request.bytes(path))
    };
    let accepted = |request: &CanonicalRequest<'_>| {
        let paths = [Some(head.raw_path()), reencoded.as_deref()];
        let mut paths = paths.into_iter().flatten();
        paths.find_map(|path| key.accepts(&to_sign(request, path), &claim.signature))
    };
    if let Some(signature) = accepted(&request) {
        return Ok(signature);
    }
    let would_match = |name: &str, value: &str| {
        let instead = Some((name, value));
        accepted(&CanonicalRequest { instead, ..request }).is_some()
    };
    let raw = request.bytes(head.raw_path());
    Err(mismatch::refusal(head, claim, would_match)
        .with_field("AWSAccessKeyId", &claim.access_key)
        .with_field("StringToSign", to_sign(&request, head.raw_path()))
        .with_field("SignatureProvided", &claim.signature)
        .with_field("CanonicalRequest", String::from_utf8_lossy(&raw)))
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

/// Checks that no header that changes a request was added after signing.
fn check_signed_headers(head: &Head, claim: &Claim) -> Result<(), S3Error> {
    if head.host()?.is_none() {
        return Err(one_host());
    }
    if !claim.signs(HOST.as_str()) {
        return Err(malformed("the Host header must be signed"));
    }
    let steers = |name: &&str| name.starts_with("x-amz-") && *name != CONTENT_SHA256;
    let headers = head.headers().names().filter(steers);
    let unsigned: Vec<&str> = headers.filter(|name| !claim.signs(name)).collect();
    if unsigned.is_empty() {
        return Ok(());
    }
    Err(S3Error::new(
        S3ErrorCode::AccessDenied,
        "There were headers present in the request which were not signed",
    )
    .with_field("HeadersNotSigned", unsigned.join(", ")))
}

/// This server issues no temporary credentials, so no token is valid.
fn refuse_session_token(head: &Head) -> Result<(), S3Error> {
    match head.headers().text("x-amz-security-token")? {
        Some(token) if !token.is_empty() => Err(S3Error::new(
            S3ErrorCode::InvalidToken,
            "The provided token is malformed or otherwise not valid: this server issues no session tokens.",
        )),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;

//! Why a signature may not match: what a signer left out, or what a proxy changed on the way.
//!
//! It only explains a refusal. Nothing here makes a request acceptable.

use hyper::header::{ACCEPT_ENCODING, CONTENT_LENGTH, EXPECT, HOST, TRANSFER_ENCODING};

use super::CONTENT_SHA256;
use super::claim::Claim;
use crate::s3::error::{S3Error, S3ErrorCode};
use crate::s3::head::{Head, Headers};

/// Headers in which proxies pass on the host that the client named.
const FORWARDED_HOST: [&str; 3] = ["x-forwarded-host", "x-original-host", "x-forwarded-server"];

/// What SDKs send as `Accept-Encoding`, which some proxies replace.
const ENCODINGS: [&str; 4] = ["identity", "gzip", "gzip, deflate", ""];

const NO_MATCH: &str = "The request signature we calculated does not match the signature you provided. Check your key and \
                        signing method.";

/// What to add to a request that does not say how its body is signed.
const ADD_DIGEST: &str = "add and sign the header x-amz-content-sha256, with the body's SHA-256 in hex or UNSIGNED-PAYLOAD \
                          (curl: -H 'x-amz-content-sha256: UNSIGNED-PAYLOAD')";

/// Refuses a body without the header that says how it is signed. Signers that leave it out (curl) sign different things.
///
/// # Errors
/// `InvalidRequest`, with what to add.
pub(super) fn check_content_digest(head: &Head) -> Result<(), S3Error> {
    let headers = head.headers();
    let length = headers.text(CONTENT_LENGTH.as_str())?.unwrap_or("0");
    let has_body = length != "0" || headers.has(TRANSFER_ENCODING.as_str());
    if !has_body || headers.has(CONTENT_SHA256) {
        return Ok(());
    }
    Err(S3Error::new(
        S3ErrorCode::InvalidRequest,
        format!(
            "Missing required header for this request: x-amz-content-sha256. Please {ADD_DIGEST}."
        ),
    ))
}

/// `SignatureDoesNotMatch`, with the signed headers that did not arrive or arrived with another value, as far as that can
/// be found out. `would_match` tells whether the signature is right with another value of a header.
pub(super) fn refusal(
    head: &Head,
    claim: &Claim,
    would_match: impl Fn(&str, &str) -> bool,
) -> S3Error {
    let headers = head.headers();
    let mut sentences = vec![NO_MATCH.to_owned()];
    let missing = missing(headers, claim);
    if !missing.is_empty() {
        let names = missing.join(", ");
        sentences.push(format!(
            "Signed headers that did not arrive: {names}. A proxy in between must pass them on."
        ));
    }
    let changed = changed(head, claim, would_match);
    if let Some((name, signed)) = &changed {
        sentences.push(format!(
            "The signed header {name} was changed on the way: the client signed `{signed}`. A proxy in between must pass it on \
             unchanged."
        ));
    }
    if !headers.has(CONTENT_SHA256) {
        sentences.push(format!(
            "Without x-amz-content-sha256 the empty body is expected to be signed; {ADD_DIGEST}."
        ));
    }
    let message = sentences.join(" ");
    let error = S3Error::new(S3ErrorCode::SignatureDoesNotMatch, message);
    let error = match changed {
        Some((name, _)) => error.with_field("SignedHeaderChanged", name),
        None => error,
    };
    if missing.is_empty() {
        return error;
    }
    error.with_field("SignedHeadersMissing", missing.join(", "))
}

fn missing<'a>(headers: Headers<'_>, claim: &'a Claim) -> Vec<&'a str> {
    // These two have a value of their own when they are absent.
    let known =
        |name: &&str| headers.has(name) || *name == HOST.as_str() || *name == EXPECT.as_str();
    let signed = claim.signed_headers.iter().map(String::as_str);
    signed.filter(|name| !known(name)).collect()
}

/// A signed header and the value with which the signature is right.
fn changed(
    head: &Head,
    claim: &Claim,
    would_match: impl Fn(&str, &str) -> bool,
) -> Option<(&'static str, String)> {
    let hosts = hosts(head).into_iter().map(|host| ("host", host));
    let encodings = ENCODINGS.map(|coding| ("accept-encoding", coding.to_owned()));
    let signed = claim.signs(ACCEPT_ENCODING.as_str());
    let encodings = encodings.into_iter().filter(|_| signed);
    let mut candidates = hosts.chain(encodings);
    candidates.find(|(name, value)| would_match(name, value))
}

/// The hosts that the client may have named: those that a proxy tells, and the one that arrived with and without a port.
fn hosts(head: &Head) -> Vec<String> {
    let told = FORWARDED_HOST.into_iter();
    let told = told.filter_map(|name| head.headers().text(name).ok().flatten());
    let arrived = head.host().ok().flatten();
    let mut hosts: Vec<String> = Vec::new();
    for host in told.chain(arrived) {
        let host = host.split(',').next().unwrap_or(host).trim();
        let bare = host.rsplit_once(':').map_or(host, |(name, _)| name);
        for port in ["", ":80", ":443", ":9000"] {
            hosts.push(format!("{bare}{port}"));
        }
        hosts.push(host.to_owned());
    }
    hosts
}

//! The signature of a request and what it covers, as the client states it.
//!
//! Today the `Authorization` header is the only source. A query or a form will be another source of the same [`Claim`].
//! Parsing only: [`super::authenticate`] checks the claim.

use hyper::header::{AUTHORIZATION, DATE};

use super::header::{Authorization, Scope, malformed, unsupported_mechanism};
use super::{CONTENT_SHA256, EMPTY_SHA256};
use crate::clock::UnixMillis;
use crate::s3::error::{S3Error, S3ErrorCode};
use crate::s3::head::{Head, Headers};
use crate::s3::http_date;
use crate::s3::query::Query;

/// A signature and the coverage that it claims.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Claim {
    pub(super) access_key: String,
    pub(super) scope: Scope,
    /// Lower case, sorted, without duplicates.
    pub(super) signed_headers: Vec<String>,
    /// As sent; never cut, padded or case-folded.
    pub(super) signature: String,
    pub(super) signed_at: UnixMillis,
    /// The digest of the body, or the name of its signing method.
    pub(super) payload: String,
}

impl Claim {
    /// Reads the claim of a request; `None` when it is not signed.
    ///
    /// # Errors
    /// Malformed and unsupported forms, by name.
    pub(super) fn read(head: &Head) -> Result<Option<Claim>, S3Error> {
        refuse_query_signatures(head.query())?;
        let headers = head.headers();
        if !headers.has(AUTHORIZATION.as_str()) {
            return Ok(None);
        }
        let value = headers.text(AUTHORIZATION.as_str());
        let value = value.map_err(|error| malformed(error.message()))?;
        let authorization = Authorization::parse(value.unwrap_or(""))?;
        let signed_at = request_time(headers, &authorization)?;
        let payload = headers.text(CONTENT_SHA256)?.unwrap_or(EMPTY_SHA256);
        Ok(Some(Claim {
            access_key: authorization.access_key,
            scope: authorization.scope,
            signed_headers: authorization.signed_headers,
            signature: authorization.signature,
            signed_at,
            payload: payload.to_owned(),
        }))
    }

    /// Whether the signature covers this header.
    pub(super) fn signs(&self, name: &str) -> bool {
        signs(&self.signed_headers, name)
    }
}

fn signs(signed_headers: &[String], name: &str) -> bool {
    let found = signed_headers.binary_search_by(|signed| signed.as_str().cmp(name));
    found.is_ok()
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

/// `x-amz-date`, or `Date` if the client signs that instead.
fn request_time(
    headers: Headers<'_>,
    authorization: &Authorization,
) -> Result<UnixMillis, S3Error> {
    let time = match headers.text("x-amz-date")? {
        Some(date) => http_date::parse_iso_basic(date),
        None if signs(&authorization.signed_headers, DATE.as_str()) => {
            let date = headers.text(DATE.as_str())?;
            date.and_then(|date| {
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

//! The head of one request: request line, host, query, headers.
//!
//! [`Headers`] is the only way to a request's headers. Invariants: a header that cannot be read, or is repeated where
//! S3 allows one value, gives an error that names it and never counts as absent; nothing here requires features of
//! HTTP/1.1 alone (HTTP/2 names the host in `:authority`).

use hyper::header::{EXPECT, HOST, HeaderMap, HeaderName, USER_AGENT};
use hyper::http::request::Parts;
use hyper::http::uri::Authority;
use hyper::{Method, Version};

use crate::s3::error::{S3Error, S3ErrorCode};
use crate::s3::query::Query;

/// Characters of a `User-Agent` that are logged: SDKs send up to about 200, and a log line is not theirs to fill.
const USER_AGENT_CHARS_MAX: usize = 256;

/// The head of one request.
#[derive(Debug)]
pub(crate) struct Head {
    parts: Parts,
    query: Query,
}

impl Head {
    /// Combines a head and its decoded query.
    pub(crate) fn new(parts: Parts, query: Query) -> Head {
        Head { parts, query }
    }

    /// The method.
    pub(crate) fn method(&self) -> &Method {
        &self.parts.method
    }

    /// The path as the client wrote it.
    pub(crate) fn raw_path(&self) -> &str {
        self.parts.uri.path()
    }

    /// The parameters.
    pub(crate) fn query(&self) -> &Query {
        &self.query
    }

    /// The headers.
    pub(crate) fn headers(&self) -> Headers<'_> {
        Headers(&self.parts.headers)
    }

    /// The host in the request: HTTP/1.1's `Host`, HTTP/2's `:authority`.
    ///
    /// # Errors
    /// `InvalidRequest` when there are two.
    pub(crate) fn host(&self) -> Result<Option<&str>, S3Error> {
        let header = self
            .headers()
            .text(HOST.as_str())
            .map_err(|error| one_host().caused_by(error))?;
        let authority = self.parts.uri.authority().map(Authority::as_str);
        match (header, authority) {
            (Some(header), Some(authority))
                if self.parts.version == Version::HTTP_2
                    && !header.eq_ignore_ascii_case(authority) =>
            {
                Err(one_host())
            }
            (Some(header), _) => Ok(Some(header)),
            (None, authority) => Ok(authority),
        }
    }

    /// The client's name of itself, for the log: cut, and without bytes that are not text.
    pub(crate) fn user_agent(&self) -> Option<String> {
        let name = self.headers().raw_values(USER_AGENT.as_str()).next()?;
        let name = String::from_utf8_lossy(name);
        Some(name.chars().take(USER_AGENT_CHARS_MAX).collect())
    }

    /// Whether the connection carries only this request and can be closed after its answer.
    pub(crate) fn owns_connection(&self) -> bool {
        self.parts.version < Version::HTTP_2
    }

    /// Whether the client sends its body only after `100 Continue`.
    pub(crate) fn waits_for_continue(&self) -> bool {
        match self.headers().text(EXPECT.as_str()) {
            Ok(None) => false,
            Ok(Some(text)) => text.eq_ignore_ascii_case("100-continue"),
            // The expectation is unclear, so the client may be waiting.
            Err(_) => true,
        }
    }
}

/// A request without a host, or with two.
pub(crate) fn one_host() -> S3Error {
    S3Error::new(
        S3ErrorCode::InvalidRequest,
        "The request must have exactly one Host header.",
    )
}

/// The headers of a request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Headers<'a>(&'a HeaderMap);

impl<'a> Headers<'a> {
    /// These headers.
    #[cfg(any(test, feature = "fuzzing"))]
    pub(crate) fn new(map: &'a HeaderMap) -> Headers<'a> {
        Headers(map)
    }

    /// Whether a header is present, with any value.
    pub(crate) fn has(self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// Names of all headers, in lower case.
    pub(crate) fn names(self) -> impl Iterator<Item = &'a str> {
        self.0.keys().map(HeaderName::as_str)
    }

    /// Every value of a header as sent; signatures cover these bytes.
    pub(crate) fn raw_values(self, name: &str) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let values = self.0.get_all(name).iter();
        values.map(hyper::header::HeaderValue::as_bytes)
    }

    /// The only value of a header, in ASCII, without surrounding spaces.
    ///
    /// # Errors
    /// `InvalidArgument` for a repeated header and for other characters.
    pub(crate) fn text(self, name: &str) -> Result<Option<&'a str>, S3Error> {
        let readable = |text: &&str| {
            text.bytes()
                .all(|b| b == b'\t' || (b' '..=b'~').contains(&b))
        };
        match self.utf8(name)? {
            Some(text) if !readable(&text) => {
                Err(unreadable(name, text.as_bytes(), "is not ASCII"))
            }
            text => Ok(text.map(str::trim)),
        }
    }

    /// The only value of a header, in UTF-8.
    ///
    /// # Errors
    /// `InvalidArgument` for a repeated header and for other bytes.
    pub(crate) fn utf8(self, name: &str) -> Result<Option<&'a str>, S3Error> {
        let mut values = self.raw_values(name);
        match (values.next(), values.next()) {
            (None, _) => Ok(None),
            (Some(value), None) => utf8(name, value).map(Some),
            (Some(_), Some(again)) => Err(unreadable(name, again, "appears more than once")),
        }
    }

    /// All values of a header that is a list, joined by commas, in UTF-8.
    ///
    /// # Errors
    /// `InvalidArgument` for other bytes.
    pub(crate) fn list(self, name: &str) -> Result<Option<String>, S3Error> {
        let values: Result<Vec<&str>, S3Error> = self
            .raw_values(name)
            .map(|value| utf8(name, value))
            .collect();
        let values = values?;
        Ok((!values.is_empty()).then(|| values.join(",")))
    }
}

fn utf8<'a>(name: &str, value: &'a [u8]) -> Result<&'a str, S3Error> {
    std::str::from_utf8(value).map_err(|_| unreadable(name, value, "is not UTF-8"))
}

fn unreadable(name: &str, value: &[u8], why: &'static str) -> S3Error {
    S3Error::invalid_argument(
        name,
        &value.escape_ascii().to_string(),
        format!("The header {name} {why}."),
    )
}

#[cfg(test)]
mod tests;

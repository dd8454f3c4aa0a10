//! The query string: decoded for routing, encoded again for the canonical request.
//!
//! In a query `+` is a space; in a path it is a plus. Empty values of `prefix`, `delimiter` and others mean "absent"
//! (rclone and restic send them); [`Query::nonempty`] treats them so.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};

use crate::s3::error::{S3Error, S3ErrorCode};

/// Characters that SigV4 does not encode: RFC 3986's unreserved ones.
const SIGV4_QUERY: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// The same for paths; the slash is not encoded either.
const SIGV4_PATH: &AsciiSet = &SIGV4_QUERY.remove(b'/');

/// Parameters in the order they were sent.
#[derive(Debug, Clone, Default)]
pub(crate) struct Query {
    pairs: Vec<(String, String)>,
}

impl Query {
    /// Decodes a raw query string.
    ///
    /// # Errors
    /// `InvalidURI` on a bad escape or bytes that are not UTF-8.
    pub(crate) fn parse(raw: &str) -> Result<Query, S3Error> {
        let mut pairs = Vec::new();
        for pair in raw.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            pairs.push((decode_query(name)?, decode_query(value)?));
        }
        Ok(Query { pairs })
    }

    /// The first value of a parameter.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.pairs
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, value)| value.as_str())
    }

    /// The first value of a parameter; `None` when it is empty.
    pub(crate) fn nonempty(&self, name: &str) -> Option<&str> {
        self.get(name).filter(|value| !value.is_empty())
    }

    /// Whether a parameter is present, with or without a value.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Names of all parameters.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.pairs.iter().map(|(name, _)| name.as_str())
    }

    /// All pairs, decoded.
    pub(crate) fn into_pairs(self) -> Vec<(String, String)> {
        self.pairs
    }

    /// SigV4's canonical query string.
    pub(crate) fn canonical(&self) -> String {
        let mut pairs: Vec<(String, String)> = self
            .pairs
            .iter()
            .map(|(name, value)| (encode_query(name), encode_query(value)))
            .collect();
        pairs.sort();
        let pairs: Vec<String> = pairs
            .into_iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        pairs.join("&")
    }
}

/// Decodes a raw path, in which `+` is a plus.
///
/// # Errors
/// `InvalidURI` on a bad escape or bytes that are not UTF-8.
pub(crate) fn decode_path(raw: &str) -> Result<String, S3Error> {
    decode(raw.as_bytes()).ok_or_else(|| invalid_uri(raw))
}

/// Encodes a decoded path as SigV4 signers do.
pub(crate) fn encode_path(path: &str) -> Cow<'_, str> {
    percent_encode(path.as_bytes(), SIGV4_PATH).into()
}

/// Encodes a value as SigV4 signers and `encoding-type=url` do.
pub(crate) fn encode_query(value: &str) -> String {
    percent_encode(value.as_bytes(), SIGV4_QUERY).to_string()
}

fn decode_query(raw: &str) -> Result<String, S3Error> {
    let spaced = if raw.contains('+') {
        Cow::Owned(raw.replace('+', " "))
    } else {
        Cow::Borrowed(raw)
    };
    decode(spaced.as_bytes()).ok_or_else(|| invalid_uri(raw))
}

fn decode(raw: &[u8]) -> Option<String> {
    let mut out = Vec::with_capacity(raw.len());
    let mut rest = raw;
    while let Some((&byte, tail)) = rest.split_first() {
        if byte == b'%' {
            let (digits, tail) = tail.split_at_checked(2)?;
            let mut decoded = [0];
            hex::decode_to_slice(digits, &mut decoded).ok()?;
            out.extend_from_slice(&decoded);
            rest = tail;
        } else {
            out.push(byte);
            rest = tail;
        }
    }
    String::from_utf8(out).ok()
}

fn invalid_uri(raw: &str) -> S3Error {
    S3Error::new(S3ErrorCode::InvalidUri, "Couldn't parse the specified URI.")
        .with_field("URI", raw)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plus_is_a_space_in_queries_and_a_plus_in_paths() {
        let query = Query::parse("prefix=a+b%2Bc&delimiter=&versioning").expect("valid");
        assert_eq!(query.get("prefix"), Some("a b+c"));
        assert_eq!(query.get("delimiter"), Some(""));
        assert_eq!(query.nonempty("delimiter"), None);
        assert!(query.has("versioning"));
        assert_eq!(decode_path("/b/a+b%2Bc").expect("valid"), "/b/a+b+c");
    }

    #[test]
    fn canonical_query_is_sorted_and_strictly_encoded() {
        let query = Query::parse("b=2&a=1+%7e&a=&A=%2F*").expect("valid");
        assert_eq!(query.canonical(), "A=%2F%2A&a=&a=1%20~&b=2");
    }

    #[test]
    fn broken_escapes_and_bytes_are_refused() {
        for raw in ["%", "%1", "%zz", "%ff", "%c3%28"] {
            assert_eq!(
                decode_path(raw).expect_err(raw).code(),
                S3ErrorCode::InvalidUri
            );
            assert_eq!(
                Query::parse(raw).expect_err(raw).code(),
                S3ErrorCode::InvalidUri
            );
        }
    }
}

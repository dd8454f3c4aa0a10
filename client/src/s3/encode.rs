//! Percent-encoding for S3: the path and query exactly as they are signed and sent.
//!
//! In S3 the signed path is encoded once and never normalised, so `a//b`, `..` and `+` are sent unchanged. Rules: AWS SigV4
//! documentation, "UriEncode".

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// All characters except the unreserved ones of RFC 3986.
const QUERY: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');
/// The same, but the slashes of a key are kept.
const PATH: &AsciiSet = &QUERY.remove(b'/');

/// A key in the path.
pub(super) fn key(key: &str) -> String {
    utf8_percent_encode(key, PATH).to_string()
}

/// A query string without its question mark; a parameter without value is written `name=`, as it is signed.
pub(super) fn query(parameters: &[(&str, &str)]) -> String {
    let encoded: Vec<String> = parameters
        .iter()
        .map(|(name, value)| {
            format!(
                "{}={}",
                utf8_percent_encode(name, QUERY),
                utf8_percent_encode(value, QUERY)
            )
        })
        .collect();
    encoded.join("&")
}

/// A name from a listing with `encoding-type=url`; servers write a space as `+` or `%20`. `None` if the bytes are not UTF-8,
/// as S3 keys always are.
pub(super) fn decode_listed(text: &str) -> Option<String> {
    let spaced = text.replace('+', " ");
    percent_decode_str(&spaced)
        .decode_utf8()
        .ok()
        .map(std::borrow::Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, proptest};

    use super::*;

    #[test]
    fn keys_are_encoded_once_and_never_normalised() {
        assert_eq!(key("a//b/../c"), "a//b/../c");
        assert_eq!(key("a b+c%2F~é"), "a%20b%2Bc%252F~%C3%A9");
        assert_eq!(key("?#&=:@"), "%3F%23%26%3D%3A%40");
        assert_eq!(key("\u{1}\n"), "%01%0A");
    }

    #[test]
    fn query_values_encode_slashes_and_plus() {
        assert_eq!(
            query(&[("uploads", ""), ("prefix", "a/b +c")]),
            "uploads=&prefix=a%2Fb%20%2Bc"
        );
    }

    #[test]
    fn listed_names_accept_both_spellings_of_a_space() {
        assert_eq!(decode_listed("a+b%20c%2Bd").as_deref(), Some("a b c+d"));
        assert_eq!(decode_listed("%FF"), None);
    }

    proptest! {
        #[test]
        fn what_a_server_encodes_is_read_back(text in any::<String>()) {
            let encoded = utf8_percent_encode(&text, PATH).to_string();
            assert_eq!(decode_listed(&encoded), Some(text));
        }
    }
}

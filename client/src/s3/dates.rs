//! The two time formats in S3 answers: HTTP dates in headers, RFC 3339 in XML. Only parsing; no clock.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// `Sun, 06 Nov 1994 08:49:37 GMT`.
pub(super) fn from_http(text: &str) -> Option<OffsetDateTime> {
    let time = httpdate::parse_http_date(text.trim()).ok()?;
    Some(OffsetDateTime::from(time))
}

/// `2026-11-22T09:44:13.000Z`.
pub(super) fn from_xml(text: &str) -> Option<OffsetDateTime> {
    OffsetDateTime::parse(text.trim(), &Rfc3339).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_give_the_same_instant() {
        let http = from_http("Sun, 22 Nov 2026 09:44:13 GMT").expect("an HTTP date");
        let xml = from_xml("2026-11-22T09:44:13.000Z").expect("an XML date");
        assert_eq!(http, xml);
        assert_eq!(http.unix_timestamp(), 1_795_340_653);
    }

    #[test]
    fn nonsense_is_no_date() {
        for text in [
            "",
            "yesterday",
            "2026-13-01T00:00:00Z",
            "Sun, 99 Nov 2026 09:44:13 GMT",
        ] {
            assert!(
                from_http(text).is_none() && from_xml(text).is_none(),
                "{text}"
            );
        }
    }
}

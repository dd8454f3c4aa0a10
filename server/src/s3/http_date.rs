//! The dates of the protocol: HTTP's, SigV4's and the ISO form in XML answers.

use std::time::{Duration, UNIX_EPOCH};

use time::format_description::BorrowedFormatItem;
use time::format_description::well_known::Rfc2822;
use time::macros::format_description;
use time::{OffsetDateTime, PrimitiveDateTime};

use crate::clock::UnixMillis;

const ISO_MILLIS: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
const ISO_SECONDS: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z");
const ISO_BASIC: &[BorrowedFormatItem<'_>] =
    format_description!("[year][month][day]T[hour][minute][second]Z");

/// `Sun, 06 Nov 1994 08:49:37 GMT`
pub(crate) fn http(at: UnixMillis) -> String {
    let secs = u64::try_from(at.utc().unix_timestamp()).unwrap_or(0);
    httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(secs))
}

/// `1994-11-06T08:49:37.000Z`, in ASCII.
pub(crate) fn iso(at: UnixMillis) -> [u8; 24] {
    let mut text = [0; 24];
    at.utc()
        .format_into(&mut &mut text[..], ISO_MILLIS)
        .expect("years have four digits");
    text
}

/// `1994-11-06T08:49:37Z`
pub(crate) fn iso_seconds(at: UnixMillis) -> String {
    formatted(at, ISO_SECONDS)
}

/// `19941106T084937Z`
pub(crate) fn iso_basic(at: UnixMillis) -> String {
    formatted(at, ISO_BASIC)
}

/// Reads an HTTP date in each form of RFC 9110, or with an offset in place of `GMT`, as mail programs and Python write
/// it; `None` for invalid dates and dates before 1970.
pub(crate) fn parse_http(text: &str) -> Option<UnixMillis> {
    let text = text.trim();
    match httpdate::parse_http_date(text) {
        Ok(time) => {
            let since = time.duration_since(UNIX_EPOCH).ok()?;
            since.as_secs().checked_mul(1000).map(UnixMillis)
        }
        Err(_) => OffsetDateTime::parse(text, &Rfc2822)
            .ok()
            .and_then(to_millis),
    }
}

/// Reads SigV4's date.
pub(crate) fn parse_iso_basic(text: &str) -> Option<UnixMillis> {
    PrimitiveDateTime::parse(text.trim(), ISO_BASIC)
        .ok()
        .map(PrimitiveDateTime::assume_utc)
        .and_then(to_millis)
}

fn formatted(at: UnixMillis, format: &[BorrowedFormatItem<'_>]) -> String {
    at.utc()
        .format(format)
        .expect("a date in UTC has every component of these formats")
}

fn to_millis(at: OffsetDateTime) -> Option<UnixMillis> {
    u64::try_from(at.unix_timestamp())
        .ok()
        .and_then(|secs| secs.checked_mul(1000))
        .map(UnixMillis)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_round_trips() {
        let at = UnixMillis(784_111_777_000);
        assert_eq!(http(at), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(&iso(at), b"1994-11-06T08:49:37.000Z");
        assert_eq!(
            &iso(UnixMillis(784_111_777_123)),
            b"1994-11-06T08:49:37.123Z"
        );
        assert_eq!(&iso(UnixMillis(u64::MAX)), b"9999-12-31T23:59:59.000Z");
        assert_eq!(iso_seconds(at), "1994-11-06T08:49:37Z");
        assert_eq!(iso_basic(at), "19941106T084937Z");
        assert_eq!(parse_http("Sun, 06 Nov 1994 08:49:37 GMT"), Some(at));
        assert_eq!(parse_http("Sun, 06 Nov 1994 09:49:37 +0100"), Some(at));
        assert_eq!(parse_iso_basic("19941106T084937Z"), Some(at));
        for form in [
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
            "Sun, 06 Nov 1994 08:49:37 -0000",
        ] {
            assert_eq!(parse_http(form), Some(at), "{form}");
        }
        assert_eq!(parse_http("yesterday"), None);
        assert_eq!(parse_http("Sun, 06 Nov 1904 08:49:37 GMT"), None);
        assert_eq!(parse_iso_basic("1994-11-06"), None);
    }
    /// A time in a damaged row must not stop the server.
    #[test]
    fn times_beyond_the_calendar_are_cut_to_it() {
        let last = "Fri, 31 Dec 9999 23:59:59 GMT";
        assert_eq!(http(UnixMillis(u64::MAX)), last);
        assert_eq!(http(UnixMillis(0)), "Thu, 01 Jan 1970 00:00:00 GMT");
    }
}

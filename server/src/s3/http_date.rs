//! The dates of the protocol: HTTP's, SigV4's and the ISO form of XML answers.

use time::format_description::BorrowedFormatItem;
use time::format_description::well_known::Rfc2822;
use time::macros::format_description;
use time::{OffsetDateTime, PrimitiveDateTime};

use crate::clock::UnixMillis;

const IMF_FIXDATE: &[BorrowedFormatItem<'_>] = format_description!(
    "[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT"
);
const ISO_MILLIS: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
const ISO_SECONDS: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z");
const ISO_BASIC: &[BorrowedFormatItem<'_>] =
    format_description!("[year][month][day]T[hour][minute][second]Z");

/// `Sun, 06 Nov 1994 08:49:37 GMT`
pub(crate) fn http(at: UnixMillis) -> String {
    formatted(at, IMF_FIXDATE)
}

/// `1994-11-06T08:49:37.000Z`
pub(crate) fn iso(at: UnixMillis) -> String {
    formatted(at, ISO_MILLIS)
}

/// `1994-11-06T08:49:37Z`
pub(crate) fn iso_seconds(at: UnixMillis) -> String {
    formatted(at, ISO_SECONDS)
}

/// `19941106T084937Z`
pub(crate) fn iso_basic(at: UnixMillis) -> String {
    formatted(at, ISO_BASIC)
}

/// Reads an HTTP date; `None` when it is none, or lies before 1970.
pub(crate) fn parse_http(text: &str) -> Option<UnixMillis> {
    let text = text.trim();
    let parsed = PrimitiveDateTime::parse(text, IMF_FIXDATE)
        .map(PrimitiveDateTime::assume_utc)
        .or_else(|_| OffsetDateTime::parse(text, &Rfc2822));
    parsed.ok().and_then(to_millis)
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
        assert_eq!(iso(at), "1994-11-06T08:49:37.000Z");
        assert_eq!(iso_seconds(at), "1994-11-06T08:49:37Z");
        assert_eq!(iso_basic(at), "19941106T084937Z");
        assert_eq!(parse_http("Sun, 06 Nov 1994 08:49:37 GMT"), Some(at));
        assert_eq!(parse_http("Sun, 06 Nov 1994 09:49:37 +0100"), Some(at));
        assert_eq!(parse_iso_basic("19941106T084937Z"), Some(at));
        assert_eq!(parse_http("yesterday"), None);
        assert_eq!(parse_iso_basic("1994-11-06"), None);
    }
}

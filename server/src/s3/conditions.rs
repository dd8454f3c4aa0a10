//! Conditional requests: RFC 9110's preconditions on reads, and S3's on writes.

use hyper::header::{
    ETAG, HeaderName, HeaderValue, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE,
    IF_UNMODIFIED_SINCE, LAST_MODIFIED,
};

use crate::clock::UnixMillis;
use crate::model::ETag;
use crate::objects::PutCondition;
use crate::s3::error::{S3Error, S3ErrorCode};
use crate::s3::head::Headers;
use crate::s3::http_date;

/// Checks the preconditions of a GET or HEAD, in the order of RFC 9110, 13.2.2.
///
/// # Errors
/// `PreconditionFailed`, or `NotModified`, which replaces the answer like an error.
pub(crate) fn check_read(
    headers: Headers<'_>,
    etag: ETag,
    modified: UnixMillis,
) -> Result<(), S3Error> {
    if let Some(list) = headers.text(IF_MATCH.as_str())? {
        if !matches(list, etag) {
            return Err(failed("If-Match"));
        }
    } else if date(headers, &IF_UNMODIFIED_SINCE)?
        .is_some_and(|since| modified.secs() > since.secs())
    {
        return Err(failed("If-Unmodified-Since"));
    }
    if let Some(list) = headers.text(IF_NONE_MATCH.as_str())? {
        if matches(list, etag) {
            return Err(not_modified(etag, modified));
        }
    } else if date(headers, &IF_MODIFIED_SINCE)?
        .is_some_and(|since| modified.secs() <= since.secs())
    {
        return Err(not_modified(etag, modified));
    }
    Ok(())
}

/// Whether `Range` applies: `If-Range` is absent or still matches the object.
///
/// # Errors
/// `InvalidArgument` for a header that cannot be read.
pub(crate) fn range_applies(
    headers: Headers<'_>,
    etag: ETag,
    modified: UnixMillis,
) -> Result<bool, S3Error> {
    let Some(validator) = headers.text(IF_RANGE.as_str())? else {
        return Ok(true);
    };
    Ok(match http_date::parse_http(validator) {
        Some(since) => since.secs() == modified.secs(),
        None => ETag::parse(validator) == Some(etag),
    })
}

/// Reads the condition of a write.
///
/// # Errors
/// `NotImplemented` for conditions that S3 does not support on writes either.
pub(crate) fn for_write(headers: Headers<'_>) -> Result<PutCondition, S3Error> {
    let none_match = headers.text(IF_NONE_MATCH.as_str())?;
    match (none_match, headers.text(IF_MATCH.as_str())?) {
        (None, None) => Ok(PutCondition::Always),
        (Some("*"), None) => Ok(PutCondition::IfAbsent),
        (None, Some(etag)) if etag != "*" => {
            // An ETag that this server never issued matches nothing.
            let known = ETag::parse(etag).map(PutCondition::IfMatch);
            Ok(known.unwrap_or(PutCondition::IfMatchOther))
        }
        _ => Err(S3Error::not_implemented(
            "A write with this If-Match or If-None-Match",
        )),
    }
}

/// An invalid date counts as absent, as RFC 9110 requires.
fn date(headers: Headers<'_>, name: &HeaderName) -> Result<Option<UnixMillis>, S3Error> {
    let text = headers.text(name.as_str())?;
    Ok(text.and_then(http_date::parse_http))
}

fn matches(list: &str, etag: ETag) -> bool {
    list.split(',').map(str::trim).any(|item| {
        item == "*" || ETag::parse(item.strip_prefix("W/").unwrap_or(item)) == Some(etag)
    })
}

fn failed(condition: &'static str) -> S3Error {
    S3Error::new(
        S3ErrorCode::PreconditionFailed,
        "At least one of the pre-conditions you specified did not hold",
    )
    .with_field("Condition", condition)
}

fn not_modified(etag: ETag, modified: UnixMillis) -> S3Error {
    let etag = HeaderValue::try_from(format!("\"{etag}\"")).expect("hex digits are a header value");
    let modified =
        HeaderValue::try_from(http_date::http(modified)).expect("a date is a header value");
    S3Error::new(S3ErrorCode::NotModified, "Not Modified")
        .with_header(ETAG, etag)
        .with_header(LAST_MODIFIED, modified)
}

#[cfg(test)]
mod tests {
    use hyper::HeaderMap;

    use super::*;

    const MODIFIED: UnixMillis = UnixMillis(784_111_777_999);
    const SAME: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
    const BEFORE: &str = "Sun, 06 Nov 1994 08:49:36 GMT";
    const TAG: &str = "\"07070707070707070707070707070707\"";

    fn headers(pairs: &[(HeaderName, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (name.clone(), HeaderValue::from_static(value)))
            .collect()
    }

    fn check(pairs: &[(HeaderName, &'static str)]) -> Option<S3ErrorCode> {
        check_read(
            Headers::new(&headers(pairs)),
            ETag::whole([7; 16]),
            MODIFIED,
        )
        .err()
        .map(|error| error.code())
    }

    #[test]
    fn reads_follow_the_order_of_the_rfc() {
        use S3ErrorCode::{NotModified, PreconditionFailed};
        assert_eq!(check(&[]), None);
        assert_eq!(check(&[(IF_MATCH, TAG)]), None);
        assert_eq!(check(&[(IF_MATCH, "*")]), None);
        assert_eq!(
            check(&[(IF_MATCH, "\"00\", 07070707070707070707070707070707")]),
            None
        );
        assert_eq!(check(&[(IF_MATCH, "\"00\"")]), Some(PreconditionFailed));
        assert_eq!(
            check(&[(IF_MATCH, TAG), (IF_UNMODIFIED_SINCE, BEFORE)]),
            None
        );
        assert_eq!(
            check(&[(IF_UNMODIFIED_SINCE, BEFORE)]),
            Some(PreconditionFailed)
        );
        assert_eq!(check(&[(IF_UNMODIFIED_SINCE, SAME)]), None);
        assert_eq!(check(&[(IF_NONE_MATCH, TAG)]), Some(NotModified));
        assert_eq!(
            check(&[(IF_NONE_MATCH, "W/\"07070707070707070707070707070707\"")]),
            Some(NotModified)
        );
        assert_eq!(
            check(&[(IF_NONE_MATCH, "\"00\""), (IF_MODIFIED_SINCE, SAME)]),
            None
        );
        assert_eq!(check(&[(IF_MODIFIED_SINCE, SAME)]), Some(NotModified));
        assert_eq!(check(&[(IF_MODIFIED_SINCE, BEFORE)]), None);
        assert_eq!(check(&[(IF_MODIFIED_SINCE, "yesterday")]), None);
    }

    #[test]
    fn writes_know_two_conditions() {
        let of = |pairs: &[(HeaderName, &'static str)]| {
            for_write(Headers::new(&headers(pairs))).map_err(|error| error.code())
        };
        assert_eq!(of(&[]), Ok(PutCondition::Always));
        assert_eq!(of(&[(IF_NONE_MATCH, "*")]), Ok(PutCondition::IfAbsent));
        assert_eq!(
            of(&[(IF_MATCH, TAG)]),
            Ok(PutCondition::IfMatch(ETag::whole([7; 16])))
        );
        assert_eq!(of(&[(IF_MATCH, "other")]), Ok(PutCondition::IfMatchOther));
        assert_eq!(of(&[(IF_MATCH, "*")]), Err(S3ErrorCode::NotImplemented));
        assert_eq!(
            of(&[(IF_NONE_MATCH, TAG)]),
            Err(S3ErrorCode::NotImplemented)
        );
        assert_eq!(
            of(&[(IF_MATCH, TAG), (IF_NONE_MATCH, "*")]),
            Err(S3ErrorCode::NotImplemented)
        );
    }

    #[test]
    fn if_range_guards_a_resumed_download() {
        let of = |pairs: &[(HeaderName, &'static str)]| {
            let map = headers(pairs);
            range_applies(Headers::new(&map), ETag::whole([7; 16]), MODIFIED).expect("readable")
        };
        assert!(of(&[]) && of(&[(IF_RANGE, TAG)]) && of(&[(IF_RANGE, SAME)]));
        assert!(!of(&[(IF_RANGE, "\"00\"")]) && !of(&[(IF_RANGE, BEFORE)]));
    }

    /// A condition with a byte outside ASCII made an overwrite unconditional; one sent twice counted once.
    #[test]
    fn a_condition_that_cannot_be_read_is_refused() {
        let byte = HeaderValue::from_bytes(b"\"\xff\"").expect("a header value");
        for name in [IF_MATCH, IF_NONE_MATCH] {
            let mut odd = HeaderMap::new();
            odd.append(&name, byte.clone());
            let mut twice = HeaderMap::new();
            twice.append(&name, HeaderValue::from_static(TAG));
            twice.append(&name, HeaderValue::from_static(TAG));
            for map in [odd, twice] {
                let headers = Headers::new(&map);
                let write = for_write(headers).expect_err("unreadable");
                assert_eq!(write.code(), S3ErrorCode::InvalidArgument, "{map:?}");
                let read = check_read(headers, ETag::whole([7; 16]), MODIFIED);
                let read = read.expect_err("unreadable");
                assert_eq!(read.code(), S3ErrorCode::InvalidArgument, "{map:?}");
            }
        }
    }
}

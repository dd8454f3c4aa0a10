//! The `Range` header: one range of bytes, as S3 serves it.
//!
//! What is no valid single range is ignored, as HTTP asks; what is valid and lies outside the object is `InvalidRange`.

use std::ops::Range;

use hyper::header::{CONTENT_RANGE, HeaderValue};

use crate::s3::error::{S3Error, S3ErrorCode};

/// The bytes asked for of an object of `size` bytes; `None` means all of them.
///
/// # Errors
/// `InvalidRange` when no byte of the range exists.
pub(crate) fn parse(
    header: Option<&HeaderValue>,
    size: u64,
) -> Result<Option<Range<u64>>, S3Error> {
    let Some(spec) = header.and_then(|value| value.to_str().ok()) else {
        return Ok(None);
    };
    let Some((first, last)) = split(spec) else {
        return Ok(None);
    };
    let range = match (first, last) {
        (Some(first), Some(last)) if first > last => return Ok(None),
        (Some(first), last) => first..last.map_or(size, |last| last.saturating_add(1).min(size)),
        (None, Some(suffix)) => size.saturating_sub(suffix)..size,
        (None, None) => return Ok(None),
    };
    if range.start < range.end {
        Ok(Some(range))
    } else {
        Err(unsatisfiable(spec, size))
    }
}

/// The value of `Content-Range`.
pub(crate) fn content_range(range: &Range<u64>, size: u64) -> String {
    format!(
        "bytes {}-{}/{size}",
        range.start,
        range.end.saturating_sub(1)
    )
}

fn split(spec: &str) -> Option<(Option<u64>, Option<u64>)> {
    let (unit, range) = spec.split_once('=')?;
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return None;
    }
    let (first, last) = range.trim().split_once('-')?;
    Some((number(first)?, number(last)?))
}

/// `Some(None)` for nothing, `None` for something that is no number. Numbers beyond `u64` lie beyond any object.
fn number(text: &str) -> Option<Option<u64>> {
    if text.is_empty() {
        return Some(None);
    }
    text.bytes()
        .all(|b| b.is_ascii_digit())
        .then(|| Some(text.parse().unwrap_or(u64::MAX)))
}

fn unsatisfiable(spec: &str, size: u64) -> S3Error {
    let value =
        HeaderValue::try_from(format!("bytes */{size}")).expect("digits are a header value");
    S3Error::new(
        S3ErrorCode::InvalidRange,
        "The requested range is not satisfiable",
    )
    .with_field("RangeRequested", spec)
    .with_field("ActualObjectSize", size.to_string())
    .with_header(CONTENT_RANGE, value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(spec: &str, size: u64) -> Result<Option<Range<u64>>, S3Error> {
        parse(Some(&HeaderValue::from_str(spec).expect("ASCII")), size)
    }

    #[test]
    fn single_ranges_are_cut_to_the_object() {
        let cases = [
            ("bytes=0-0", 10, 0..1),
            ("bytes=2-5", 10, 2..6),
            ("bytes=5-", 10, 5..10),
            ("bytes=5-99", 10, 5..10),
            ("bytes=-3", 10, 7..10),
            ("bytes=-99", 10, 0..10),
            ("Bytes=0-99999999999999999999999", 10, 0..10),
        ];
        for (spec, size, expected) in cases {
            assert_eq!(of(spec, size).expect(spec), Some(expected), "{spec}");
        }
    }

    #[test]
    fn what_is_no_single_range_is_ignored() {
        for spec in [
            "bytes=5-2",
            "bytes=a-b",
            "bytes=-",
            "bytes=0-1,3-4",
            "items=0-1",
            "bytes",
            "bytes=+1-2",
        ] {
            assert_eq!(of(spec, 10).expect(spec), None, "{spec}");
        }
        assert_eq!(parse(None, 10).expect("absent"), None);
    }

    #[test]
    fn ranges_outside_the_object_are_refused_with_its_size() {
        for (spec, size) in [
            ("bytes=10-", 10),
            ("bytes=-0", 10),
            ("bytes=0-0", 0),
            ("bytes=-5", 0),
            ("bytes=99999999999999999999-", 10),
        ] {
            let error = of(spec, size).expect_err(spec);
            assert_eq!(error.code(), S3ErrorCode::InvalidRange);
            let (_, value) = error.headers().first().expect("a Content-Range").clone();
            assert_eq!(value, format!("bytes */{size}").as_str());
        }
    }
}

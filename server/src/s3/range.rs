//! The `Range` header: one range of bytes, as S3 serves it.
//!
//! Anything except one valid range is ignored, as HTTP requires; a valid range outside the object is `InvalidRange`.

use std::ops::Range;

use hyper::header::{CONTENT_RANGE, HeaderValue};

use crate::s3::error::{S3Error, S3ErrorCode};

/// A range as written, before the object's size is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Spec {
    /// `first-`
    From(u64),
    /// `first-last`
    Between(u64, u64),
    /// `-length`
    Last(u64),
}

/// The requested bytes of an object of `size` bytes; `None` means all of them.
///
/// # Errors
/// `InvalidRange` when no byte of the range exists.
pub(crate) fn parse(wanted: Option<&str>, size: u64) -> Result<Option<Range<u64>>, S3Error> {
    let text = wanted.unwrap_or("");
    let range = match Spec::parse(text) {
        None => return Ok(None),
        Some(Spec::From(first)) => first..size,
        Some(Spec::Between(first, last)) => first..last.saturating_add(1).min(size),
        Some(Spec::Last(length)) => size.saturating_sub(length)..size,
    };
    if range.start < range.end {
        Ok(Some(range))
    } else {
        Err(unsatisfiable(text, size))
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

impl Spec {
    /// Reads a header's value; `None` for anything except a single valid range.
    fn parse(text: &str) -> Option<Spec> {
        let (unit, range) = text.split_once('=')?;
        if !unit.trim().eq_ignore_ascii_case("bytes") {
            return None;
        }
        match range.trim().split_once('-')? {
            ("", length) => Some(Spec::Last(number(length)?)),
            (first, "") => Some(Spec::From(number(first)?)),
            (first, last) => {
                let (first, last) = (number(first)?, number(last)?);
                (first <= last).then_some(Spec::Between(first, last))
            }
        }
    }
}

/// Numbers beyond `u64` are beyond the end of any object.
fn number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(u64::MAX))
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
    mod model;

    use super::*;

    fn of(spec: &str, size: u64) -> Result<Option<Range<u64>>, S3Error> {
        parse(Some(spec), size)
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

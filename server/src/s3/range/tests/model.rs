//! The `Range` header against a model that decides for each byte of a small object.

use proptest::prelude::*;

use super::*;

fn parsed(text: &str, size: u64) -> Result<Option<Range<u64>>, S3ErrorCode> {
    parse(Some(text), size).map_err(|error| error.code())
}

/// The bytes for which a predicate is true, as the answer must give them.
fn meant(size: u64, means: impl Fn(u64) -> bool) -> Result<Option<Range<u64>>, S3ErrorCode> {
    let bytes: Vec<u64> = (0..size).filter(|byte| means(*byte)).collect();
    match (bytes.first(), bytes.last()) {
        (Some(first), Some(last)) => Ok(Some(*first..last + 1)),
        _ => Err(S3ErrorCode::InvalidRange),
    }
}

/// Positions inside, around and far after a small object.
fn positions() -> impl Strategy<Value = u64> {
    prop_oneof![4 => 0..40_u64, 1 => any::<u64>(), 1 => Just(u64::MAX)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn every_form_means_the_bytes_it_says(first in positions(), last in positions(), size in 0..32_u64) {
        let between = if first <= last {
            meant(size, |byte| (first..=last).contains(&byte))
        } else {
            Ok(None)
        };
        prop_assert_eq!(parsed(&format!("bytes={first}-{last}"), size), between);
        prop_assert_eq!(parsed(&format!("bytes={first}-"), size), meant(size, |byte| byte >= first));
        let from_end = |byte| size - byte <= last;
        prop_assert_eq!(parsed(&format!(" BYTES = -{last}"), size), meant(size, from_end));
    }

    #[test]
    fn whatever_is_written_is_ignored_refused_or_within_the_object(
        text in prop_oneof!["bytes=[0-9 ,=+-]{0,24}", "[ -~]{0,24}"], size in prop_oneof![0..32_u64, any::<u64>()],
    ) {
        match parsed(&text, size) {
            Ok(Some(range)) => {
                prop_assert!(range.start < range.end && range.end <= size, "{:?} of {}", range, size);
                let shown = content_range(&range, size);
                prop_assert_eq!(shown, format!("bytes {}-{}/{}", range.start, range.end - 1, size));
            }
            Ok(None) => {}
            Err(code) => prop_assert_eq!(code, S3ErrorCode::InvalidRange),
        }
    }
}

//! `s3://bucket/prefix`: a location in a store. Parsing is pure and looks nothing up.
//!
//! The prefix is used as typed, without percent-decoding or normalisation, because S3 keys are arbitrary text. Only the joining
//! slash is handled here, so that `prefix` and `prefix/` are the same location and `cluster1` never includes `cluster10`.

use std::fmt;
use std::str::FromStr;

/// S3's own limit for a key, in bytes of UTF-8.
pub const KEY_BYTES_MAX: usize = 1024;
/// S3's own limits for a bucket name, in bytes.
const BUCKET_BYTES: std::ops::RangeInclusive<usize> = 3..=63;

/// A bucket and a key prefix in it (possibly empty).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct S3Uri {
    bucket: String,
    prefix: String,
}

/// Why a text is not an `s3://` URI.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UriError {
    /// Another scheme or none.
    #[error("{text:?} is not an S3 address: write s3://bucket/prefix")]
    Scheme {
        /// As given.
        text: String,
    },
    /// Nothing between `s3://` and the next slash.
    #[error("{text:?} names no bucket: write s3://bucket/prefix")]
    NoBucket {
        /// As given.
        text: String,
    },
    /// The bucket name is not valid in S3.
    #[error(
        "bucket name {bucket:?} is not valid: 3 to 63 characters of a-z, 0-9, '.' and '-', with a letter or digit at both ends"
    )]
    Bucket {
        /// The name.
        bucket: String,
    },
    /// The prefix is too long to add a name.
    #[error("the prefix is {bytes} bytes long; S3 keys end at {KEY_BYTES_MAX}")]
    PrefixTooLong {
        /// Its length.
        bytes: usize,
    },
}

impl S3Uri {
    /// Parses `s3://bucket[/prefix]`.
    ///
    /// # Errors
    /// If the scheme, the bucket or the prefix is wrong; the message shows the right form.
    pub fn parse(text: &str) -> Result<Self, UriError> {
        let rest = text.strip_prefix("s3://").ok_or_else(|| UriError::Scheme {
            text: text.to_owned(),
        })?;
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        if bucket.is_empty() {
            return Err(UriError::NoBucket {
                text: text.to_owned(),
            });
        }
        Self::from_parts(bucket, prefix)
    }

    /// A location from its two parts, which the restore tool gets from separate flags.
    ///
    /// # Errors
    /// If the bucket's name or the prefix is not valid.
    pub fn from_parts(bucket: &str, prefix: &str) -> Result<Self, UriError> {
        if !bucket_is_valid(bucket) {
            return Err(UriError::Bucket {
                bucket: bucket.to_owned(),
            });
        }
        if prefix.len() > KEY_BYTES_MAX {
            return Err(UriError::PrefixTooLong {
                bytes: prefix.len(),
            });
        }
        Ok(Self {
            bucket: bucket.to_owned(),
            prefix: prefix.to_owned(),
        })
    }

    /// The bucket's name.
    pub fn bucket(&self) -> &str {
        &self.bucket
    }

    /// The prefix as typed.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The prefix for a listing: empty, or with the final slash that distinguishes `cluster1` from `cluster10`.
    pub fn list_prefix(&self) -> String {
        if self.prefix.is_empty() || self.prefix.ends_with('/') {
            self.prefix.clone()
        } else {
            format!("{}/", self.prefix)
        }
    }

    /// The key of `name` under this location.
    pub fn join(&self, name: &str) -> String {
        format!("{}{name}", self.list_prefix())
    }
}

impl fmt::Display for S3Uri {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "s3://{}/{}", self.bucket, self.prefix)
    }
}

impl FromStr for S3Uri {
    type Err = UriError;

    fn from_str(text: &str) -> Result<Self, UriError> {
        Self::parse(text)
    }
}

fn bucket_is_valid(name: &str) -> bool {
    let alphanumeric = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = name.as_bytes();
    BUCKET_BYTES.contains(&bytes.len())
        && bytes
            .iter()
            .all(|byte| alphanumeric(byte) || matches!(byte, b'.' | b'-'))
        && bytes.first().is_some_and(alphanumeric)
        && bytes.last().is_some_and(alphanumeric)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bucket_and_prefix_are_taken_as_typed() {
        let uri = S3Uri::parse("s3://backups/prod/eu 1/%41").expect("valid");
        assert_eq!((uri.bucket(), uri.prefix()), ("backups", "prod/eu 1/%41"));
        assert_eq!(uri.to_string(), "s3://backups/prod/eu 1/%41");
        let bare = S3Uri::parse("s3://backups").expect("valid");
        assert_eq!(
            (bare.bucket(), bare.prefix(), bare.list_prefix().as_str()),
            ("backups", "", "")
        );
        assert_eq!(
            S3Uri::parse("s3://backups//x").expect("valid").prefix(),
            "/x"
        );
    }

    #[test]
    fn one_slash_joins_and_neighbours_stay_apart() {
        for text in ["s3://backups/cluster1", "s3://backups/cluster1/"] {
            let uri = S3Uri::parse(text).expect("valid");
            assert_eq!(uri.join("v2/Full-x"), "cluster1/v2/Full-x");
            assert!(!"cluster10/v2/Full-x".starts_with(&uri.list_prefix()));
        }
        assert_eq!(
            S3Uri::parse("s3://backups").expect("valid").join("v2/a"),
            "v2/a"
        );
    }

    #[test]
    fn wrong_forms_say_how_to_write_it() {
        for text in [
            "",
            "backups/x",
            "https://h/b",
            "S3://backups",
            "s3:/backups",
        ] {
            let error = S3Uri::parse(text).expect_err(text);
            assert!(matches!(error, UriError::Scheme { .. }), "{text}: {error}");
            assert!(error.to_string().contains("s3://bucket/prefix"), "{error}");
        }
        assert!(matches!(
            S3Uri::parse("s3:///x"),
            Err(UriError::NoBucket { .. })
        ));
        for bucket in [
            "ab",
            "Upper",
            "a_b",
            "-ab",
            "ab.",
            "a b",
            &"x".repeat(64),
            "bücket",
        ] {
            assert!(
                matches!(
                    S3Uri::parse(&format!("s3://{bucket}/x")),
                    Err(UriError::Bucket { .. })
                ),
                "{bucket}"
            );
        }
        let long = format!("s3://backups/{}", "p".repeat(1025));
        assert_eq!(
            S3Uri::parse(&long),
            Err(UriError::PrefixTooLong { bytes: 1025 })
        );
    }
}

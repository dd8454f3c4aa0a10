//! Buckets by name and by id.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A bucket's name by S3's rules: 3 to 63 of `a-z 0-9 . -`, a letter or digit at both ends, no `..`, no IP address.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BucketName(String);

/// Why a text is not a bucket name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BucketNameError {
    /// Shorter than 3 or longer than 63.
    #[error("a bucket name has 3 to 63 characters")]
    Length,
    /// A character outside the set, or a bad first or last one.
    #[error("a bucket name holds a-z, 0-9, '.' and '-' and starts and ends with a letter or digit")]
    Character,
    /// Two dots in a row, or a dot next to a hyphen.
    #[error("a bucket name has no empty label")]
    Label,
    /// Looks like an IPv4 address.
    #[error("a bucket name is not an IP address")]
    IpAddress,
    /// Used by the server's own paths.
    #[error("the bucket name `minio` is reserved for health and metrics paths")]
    Reserved,
}

/// The name that the server's own paths use.
pub const RESERVED_BUCKET: &str = "minio";

impl BucketName {
    /// Checks a name.
    ///
    /// # Errors
    /// The first rule that it breaks.
    pub fn parse(text: &str) -> Result<BucketName, BucketNameError> {
        if !(3..=63).contains(&text.len()) {
            return Err(BucketNameError::Length);
        }
        let alphanumeric = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        let ends = text.bytes().next().is_some_and(alphanumeric)
            && text.bytes().last().is_some_and(alphanumeric);
        if !ends
            || !text
                .bytes()
                .all(|b| alphanumeric(b) || b == b'.' || b == b'-')
        {
            return Err(BucketNameError::Character);
        }
        if text.contains("..") {
            return Err(BucketNameError::Label);
        }
        if text.parse::<std::net::Ipv4Addr>().is_ok() {
            return Err(BucketNameError::IpAddress);
        }
        if text == RESERVED_BUCKET {
            return Err(BucketNameError::Reserved);
        }
        Ok(BucketName(text.to_owned()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for BucketName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for BucketName {
    type Error = BucketNameError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        BucketName::parse(&text)
    }
}

impl From<BucketName> for String {
    fn from(name: BucketName) -> String {
        name.0
    }
}

/// Rows use this instead of a bucket's name. It is random, so a re-created bucket never sees rows of its predecessor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct BucketId(pub u64);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_rules_of_s3() {
        for good in ["abc", "etcd-backup", "a.b.c", "0ab", &"a".repeat(63)] {
            assert!(BucketName::parse(good).is_ok(), "{good}");
        }
        let bad = [
            ("ab", BucketNameError::Length),
            ("Abc", BucketNameError::Character),
            ("-abc", BucketNameError::Character),
            ("abc-", BucketNameError::Character),
            ("a_b", BucketNameError::Character),
            ("a..b", BucketNameError::Label),
            ("10.0.0.1", BucketNameError::IpAddress),
            ("minio", BucketNameError::Reserved),
        ];
        for (name, why) in bad {
            assert_eq!(BucketName::parse(name), Err(why), "{name}");
        }
        assert_eq!(
            BucketName::parse(&"a".repeat(64)),
            Err(BucketNameError::Length)
        );
    }
}

//! From host and path to bucket and key.
//!
//! Path style (`/bucket/key`) always works. With a configured domain, `bucket.domain` works too, and the path is the
//! key. Pure: knows no store. Invariant: names are checked here, once.

use crate::model::key::KEY_BYTES_MAX;
use crate::model::{BucketName, KeyError, ObjectKey};
use crate::s3::error::{S3Error, S3ErrorCode};
use crate::s3::head::Head;
use crate::s3::query::decode_path;
use crate::s3::xml::write::unrepresentable;

/// The target of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Resource {
    /// The server as a whole.
    Service,
    /// A bucket.
    Bucket(BucketName),
    /// An object.
    Object(BucketName, ObjectKey),
}

/// The kind of a [`Resource`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Level {
    Service,
    Bucket,
    Object,
}

impl Resource {
    /// Its kind.
    pub(crate) fn level(&self) -> Level {
        match self {
            Resource::Service => Level::Service,
            Resource::Bucket(_) => Level::Bucket,
            Resource::Object(..) => Level::Object,
        }
    }

    /// Its bucket.
    pub(crate) fn bucket(&self) -> Option<&BucketName> {
        match self {
            Resource::Service => None,
            Resource::Bucket(bucket) | Resource::Object(bucket, _) => Some(bucket),
        }
    }

    /// Its object key.
    pub(crate) fn key(&self) -> Option<&ObjectKey> {
        match self {
            Resource::Service | Resource::Bucket(_) => None,
            Resource::Object(_, key) => Some(key),
        }
    }
}

/// Forms in which requests may name buckets.
#[derive(Debug, Clone, Default)]
pub struct Addressing {
    /// In lower case.
    domains: Vec<String>,
}

impl Addressing {
    /// Only `/bucket/key`, on any host.
    pub fn path_style() -> Addressing {
        Addressing::default()
    }

    /// Also `bucket.domain` for each of these domains.
    pub fn with_domains<D: AsRef<str>>(domains: impl IntoIterator<Item = D>) -> Addressing {
        let domains = domains.into_iter();
        Addressing {
            domains: domains.map(|d| d.as_ref().to_ascii_lowercase()).collect(),
        }
    }

    /// The target of a request.
    ///
    /// # Errors
    /// The S3 error for an invalid host, name or key.
    pub(crate) fn resource(&self, head: &Head) -> Result<Resource, S3Error> {
        let in_host = match self.domains.as_slice() {
            // The host is ignored, so its errors do not matter here.
            [] => None,
            _ => head.host()?.and_then(|host| self.bucket_in(host)),
        };
        match in_host {
            Some(bucket) => in_bucket(&bucket, path_of(head.raw_path())),
            None => by_path(head.raw_path()),
        }
    }

    /// The part of a host before one of the domains.
    fn bucket_in(&self, host: &str) -> Option<String> {
        let host = host.to_ascii_lowercase();
        let name = match host.rsplit_once(':') {
            Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
            _ => host.as_str(),
        };
        let before = self
            .domains
            .iter()
            .filter_map(|domain| name.strip_suffix(domain.as_str())?.strip_suffix('.'));
        // If one domain ends in another, the longest wins.
        before
            .filter(|bucket| !bucket.is_empty())
            .min_by_key(|bucket| bucket.len())
            .map(str::to_owned)
    }
}

/// Reads a path in path style.
///
/// # Errors
/// The S3 error for an invalid name or key.
pub(crate) fn by_path(raw_path: &str) -> Result<Resource, S3Error> {
    let path = path_of(raw_path);
    if path.is_empty() {
        return Ok(Resource::Service);
    }
    let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
    in_bucket(&decode_path(bucket)?, key)
}

fn path_of(raw_path: &str) -> &str {
    raw_path.strip_prefix('/').unwrap_or(raw_path)
}

fn in_bucket(bucket: &str, raw_key: &str) -> Result<Resource, S3Error> {
    let bucket = parse_bucket(bucket)?;
    let key = decode_path(raw_key)?;
    if key.is_empty() {
        return Ok(Resource::Bucket(bucket));
    }
    Ok(Resource::Object(bucket, parse_key(&key)?))
}

/// Checks a bucket's name.
fn parse_bucket(name: &str) -> Result<BucketName, S3Error> {
    BucketName::parse(name).map_err(|why| {
        S3Error::new(
            S3ErrorCode::InvalidBucketName,
            format!("The specified bucket is not valid: {why}."),
        )
        .with_field("BucketName", name)
    })
}

/// Checks an object's key.
pub(crate) fn parse_key(key: &str) -> Result<ObjectKey, S3Error> {
    ObjectKey::parse(key).map_err(|why| match why {
        KeyError::TooLong(len) => S3Error::new(S3ErrorCode::KeyTooLong, "Your key is too long.")
            .with_field("Size", len.to_string())
            .with_field("MaxSizeAllowed", KEY_BYTES_MAX.to_string()),
        KeyError::Empty => S3Error::invalid_argument("Key", "", "An object key is not empty."),
    })
}

/// Checks the key of an object to be made. An answer in XML could not name it if XML 1.0 cannot represent it: listings
/// could not be parsed, and no client could delete what it cannot name. Keys of earlier versions can still be read and
/// deleted.
pub(crate) fn check_new_key(key: &ObjectKey) -> Result<(), S3Error> {
    match unrepresentable(key.as_str()) {
        None => Ok(()),
        Some(c) => Err(S3Error::invalid_argument(
            "Key",
            key.as_str(),
            format!(
                "The key contains the character U+{:04X}, which XML 1.0 cannot represent: no listing could name the object.",
                u32::from(c)
            ),
        )),
    }
}

#[cfg(test)]
mod tests {
    use hyper::Request;

    use super::*;
    use crate::s3::query::Query;

    fn located(addressing: &Addressing, host: &str, path: &str) -> Result<Resource, S3ErrorCode> {
        let request = Request::builder().uri(path).header("host", host).body(());
        let (parts, ()) = request.expect("a request").into_parts();
        let resource = addressing.resource(&Head::new(parts, Query::default()));
        resource.map_err(|error| error.code())
    }

    fn bucket(name: &str) -> Resource {
        Resource::Bucket(BucketName::parse(name).expect("a name"))
    }

    fn object(name: &str, key: &str) -> Resource {
        let key = ObjectKey::parse(key).expect("a key");
        Resource::Object(BucketName::parse(name).expect("a name"), key)
    }

    #[test]
    fn keys_are_any_utf8_of_the_path() {
        let long = "k".repeat(1024);
        let cases = [
            ("/bkt/a//b", "a//b"),
            ("/bkt//a", "/a"),
            ("/bkt/..", ".."),
            ("/bkt/a/../b", "a/../b"),
            ("/bkt/a+b%2Bc%20d", "a+b+c d"),
            ("/bkt/%00%01%7f", "\0\u{1}\u{7f}"),
            ("/bkt/dir/", "dir/"),
            ("/bkt/%E2%82%AC%2f", "€/"),
            (&format!("/bkt/{long}"), long.as_str()),
        ];
        for (path, key) in cases {
            assert_eq!(by_path(path).expect(path), object("bkt", key), "{path}");
        }
    }

    #[test]
    fn bad_names_get_their_codes() {
        let long = format!("/bkt/{}", "k".repeat(1025));
        for (path, code) in [
            ("/Bad_Bucket/key", S3ErrorCode::InvalidBucketName),
            ("//key", S3ErrorCode::InvalidBucketName),
            (long.as_str(), S3ErrorCode::KeyTooLong),
            ("/bkt/%ff", S3ErrorCode::InvalidUri),
        ] {
            assert_eq!(by_path(path).expect_err(path).code(), code);
        }
    }

    #[test]
    fn without_a_domain_the_host_says_nothing() {
        let addressing = Addressing::path_style();
        for host in ["bkt.s3.example.com", "localhost:9000", "[::1]:9000"] {
            assert_eq!(located(&addressing, host, "/"), Ok(Resource::Service));
            assert_eq!(located(&addressing, host, "/bkt/"), Ok(bucket("bkt")));
            assert_eq!(located(&addressing, host, "/bkt/k"), Ok(object("bkt", "k")));
        }
    }

    #[test]
    fn a_domain_gives_its_hosts_a_bucket() {
        let addressing = Addressing::with_domains(["S3.example.com", "eu.s3.example.com"]);
        for host in ["bkt.s3.example.com", "BKT.s3.EXAMPLE.com:9000"] {
            assert_eq!(located(&addressing, host, "/"), Ok(bucket("bkt")));
            assert_eq!(
                located(&addressing, host, "/a/b"),
                Ok(object("bkt", "a/b")),
                "{host}"
            );
        }
        let longer = located(&addressing, "my.bkt.eu.s3.example.com", "/k");
        assert_eq!(longer, Ok(object("my.bkt", "k")));
        for host in ["s3.example.com", "notS3.example.com", "10.0.0.1:9000"] {
            assert_eq!(located(&addressing, host, "/bkt"), Ok(bucket("bkt")));
        }
        assert_eq!(
            located(&addressing, "a_b.s3.example.com", "/"),
            Err(S3ErrorCode::InvalidBucketName)
        );
    }
}

//! Elements shared by several families of answers.

use std::borrow::Cow;
use std::io::Write;

use serde::{Serialize, Serializer};

use crate::clock::UnixMillis;
use crate::model::{Checksum, ChecksumAlgorithm, ETag, Owner};
use crate::s3::arguments::NameEncoding;
use crate::s3::http_date;
use crate::s3::object_headers::checksum_text;
use crate::s3::query::encode_path;

/// A user, as S3 writes one.
#[derive(Serialize)]
pub(super) struct OwnerElement<'a> {
    #[serde(rename = "ID")]
    id: &'a str,
    #[serde(rename = "DisplayName")]
    display_name: &'a str,
}

impl<'a> OwnerElement<'a> {
    pub(super) fn of(owner: &'a Owner) -> OwnerElement<'a> {
        OwnerElement {
            id: &owner.0,
            display_name: &owner.0,
        }
    }
}

/// `CommonPrefixes`; the prefix is already encoded.
#[derive(Serialize)]
pub(super) struct CommonPrefix<'a> {
    #[serde(rename = "Prefix")]
    pub(super) prefix: Cow<'a, str>,
}

/// A checksum's value, in an element that is named after its algorithm.
#[derive(Serialize)]
pub(super) enum ChecksumElement {
    #[serde(rename = "ChecksumCRC32")]
    Crc32(String),
    #[serde(rename = "ChecksumCRC32C")]
    Crc32c(String),
    #[serde(rename = "ChecksumCRC64NVME")]
    Crc64Nvme(String),
    #[serde(rename = "ChecksumSHA1")]
    Sha1(String),
    #[serde(rename = "ChecksumSHA256")]
    Sha256(String),
}

impl ChecksumElement {
    pub(super) fn all_of(checksums: &[Checksum]) -> Vec<ChecksumElement> {
        let element = |checksum: &Checksum| {
            let text = checksum_text(checksum);
            match checksum.algorithm {
                ChecksumAlgorithm::Crc32 => ChecksumElement::Crc32(text),
                ChecksumAlgorithm::Crc32c => ChecksumElement::Crc32c(text),
                ChecksumAlgorithm::Crc64Nvme => ChecksumElement::Crc64Nvme(text),
                ChecksumAlgorithm::Sha1 => ChecksumElement::Sha1(text),
                ChecksumAlgorithm::Sha256 => ChecksumElement::Sha256(text),
            }
        };
        checksums.iter().map(element).collect()
    }
}

/// A name in the encoding of the listing.
pub(super) fn name(encoding: NameEncoding, text: &str) -> Cow<'_, str> {
    match encoding {
        NameEncoding::Plain => Cow::Borrowed(text),
        NameEncoding::Url => encode_path(text),
    }
}

/// `EncodingType`, if the request asked for an encoding.
pub(super) fn encoding_type(encoding: NameEncoding) -> Option<&'static str> {
    match encoding {
        NameEncoding::Plain => None,
        NameEncoding::Url => Some("url"),
    }
}

/// An ETag in its quotes. Written on the stack, as times are: a page has a thousand of both.
pub(super) struct QuotedETag(pub(super) ETag);

impl Serialize for QuotedETag {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut text = [0; QUOTED_ETAG_BYTES_MAX];
        let mut rest = &mut text[..];
        write!(rest, "\"{}\"", self.0).expect("the longest one fits");
        let free = rest.len();
        serializer.serialize_str(ascii(&text[..QUOTED_ETAG_BYTES_MAX - free]))
    }
}

/// `"`, 32 digits, `-10000`, `"`.
const QUOTED_ETAG_BYTES_MAX: usize = 40;

/// A time, as `1994-11-06T08:49:37.000Z`.
pub(super) struct IsoTime(pub(super) UnixMillis);

impl Serialize for IsoTime {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(ascii(&http_date::iso(self.0)))
    }
}

fn ascii(text: &[u8]) -> &str {
    str::from_utf8(text).expect("ETags and times are ASCII")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_etag_fits() {
        let etag = QuotedETag(ETag {
            md5: [0xff; 16],
            parts: u16::MAX,
        });
        let text = quick_xml::se::to_string_with_root("ETag", &etag).expect("it fits");
        assert_eq!(text.len(), "<ETag></ETag>".len() + QUOTED_ETAG_BYTES_MAX);
    }
}

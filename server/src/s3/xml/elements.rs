//! Elements that several families of answers share.

use serde::Serialize;

use crate::model::{Checksum, ChecksumAlgorithm, ETag, Owner};
use crate::s3::arguments::NameEncoding;
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

/// `CommonPrefixes`; the prefix is encoded already.
#[derive(Serialize)]
pub(super) struct CommonPrefix {
    #[serde(rename = "Prefix")]
    pub(super) prefix: String,
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

/// A name as a listing of this encoding writes names.
pub(super) fn name(encoding: NameEncoding, text: &str) -> String {
    match encoding {
        NameEncoding::Plain => text.to_owned(),
        NameEncoding::Url => encode_path(text),
    }
}

/// `EncodingType`, where one was asked for.
pub(super) fn encoding_type(encoding: NameEncoding) -> Option<&'static str> {
    match encoding {
        NameEncoding::Plain => None,
        NameEncoding::Url => Some("url"),
    }
}

/// An ETag in its quotes.
pub(super) fn quoted(etag: ETag) -> String {
    format!("\"{etag}\"")
}

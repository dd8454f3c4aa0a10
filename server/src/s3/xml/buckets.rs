//! Documents about buckets: their list, creation, location and versioning.

use serde::Serialize;

use super::elements::{IsoTime, OwnerElement};
use super::read::XmlReader;
use super::write::answer;
use crate::model::{BucketName, Owner};
use crate::s3::error::S3Error;
use crate::tables::{BucketRow, Versioning};

/// Reads `CreateBucketConfiguration`; every region name means this server's region.
///
/// # Errors
/// `MalformedXML`.
pub(crate) fn create_bucket(body: &[u8]) -> Result<(), S3Error> {
    if body.is_empty() {
        return Ok(());
    }
    let mut xml = XmlReader::open(body, "CreateBucketConfiguration")?;
    while xml.child()?.is_some() {
        xml.skip()?;
    }
    xml.end()
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ListAllMyBucketsResult<'a> {
    owner: OwnerElement<'a>,
    buckets: Buckets<'a>,
}

#[derive(Serialize)]
struct Buckets<'a> {
    #[serde(rename = "Bucket")]
    buckets: Vec<Bucket<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Bucket<'a> {
    name: &'a str,
    creation_date: IsoTime,
}

/// ListBuckets.
pub(crate) fn list_buckets(user: &Owner, buckets: &[(BucketName, BucketRow)]) -> Vec<u8> {
    let fields = ListAllMyBucketsResult {
        owner: OwnerElement::of(user),
        buckets: Buckets {
            buckets: buckets
                .iter()
                .map(|(name, row)| Bucket {
                    name: name.as_str(),
                    creation_date: IsoTime(row.created),
                })
                .collect(),
        },
    };
    answer("ListAllMyBucketsResult", &fields)
}

#[derive(Serialize)]
struct LocationConstraint {}

/// GetBucketLocation: empty, which is us-east-1.
pub(crate) fn location() -> Vec<u8> {
    answer("LocationConstraint", &LocationConstraint {})
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct VersioningConfiguration {
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'static str>,
}

/// GetBucketVersioning: empty if versioning was never enabled.
pub(crate) fn versioning(state: Versioning) -> Vec<u8> {
    let status = match state {
        Versioning::Unversioned => None,
        Versioning::Enabled => Some("Enabled"),
        Versioning::Suspended => Some("Suspended"),
    };
    answer(
        "VersioningConfiguration",
        &VersioningConfiguration { status },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_region_is_accepted_at_creation() {
        let body = "<CreateBucketConfiguration><LocationConstraint>eu-west-3</LocationConstraint></CreateBucketConfiguration>";
        create_bucket(body.as_bytes()).expect("valid");
        create_bucket(b"").expect("no body at all");
        assert!(create_bucket(b"<Other/>").is_err());
    }
}

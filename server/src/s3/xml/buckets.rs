//! Documents about buckets: their list, creation, location and versioning.

use super::listing::owner;
use super::read::XmlReader;
use super::write::XmlWriter;
use crate::model::{BucketName, Owner};
use crate::s3::error::S3Error;
use crate::s3::http_date;
use crate::schema::{BucketRow, Versioning};

/// Reads `CreateBucketConfiguration`; any region is this one.
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

/// ListBuckets.
pub(crate) fn list_buckets(user: &Owner, buckets: &[(BucketName, BucketRow)]) -> Vec<u8> {
    let mut xml = XmlWriter::document();
    xml.open_root("ListAllMyBucketsResult");
    owner(&mut xml, "Owner", user);
    xml.open("Buckets");
    for (bucket, row) in buckets {
        xml.open("Bucket");
        xml.text("Name", bucket.as_str());
        xml.text("CreationDate", &http_date::iso(row.created));
        xml.close("Bucket");
    }
    xml.close("Buckets");
    xml.close("ListAllMyBucketsResult");
    xml.finish()
}

/// GetBucketLocation: empty, which is us-east-1.
pub(crate) fn location() -> Vec<u8> {
    let mut xml = XmlWriter::document();
    xml.open_root("LocationConstraint");
    xml.close("LocationConstraint");
    xml.finish()
}

/// GetBucketVersioning: empty where versioning was never switched on.
pub(crate) fn versioning(state: Versioning) -> Vec<u8> {
    let mut xml = XmlWriter::document();
    xml.open_root("VersioningConfiguration");
    match state {
        Versioning::Unversioned => {}
        Versioning::Enabled => xml.text("Status", "Enabled"),
        Versioning::Suspended => xml.text("Status", "Suspended"),
    }
    xml.close("VersioningConfiguration");
    xml.finish()
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

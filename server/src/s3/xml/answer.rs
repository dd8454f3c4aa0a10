//! Answers other than listings of objects.

use super::listing::{common_prefix, name, owner};
use super::request::{DeleteTarget, Reporting};
use super::write::XmlWriter;
use crate::model::{
    BucketName, Checksum, ChecksumAlgorithm, ObjectKey, Owner, PartNumber, UploadId,
};
use crate::objects::{Deleted, PutDone, UploadEntry};
use crate::s3::arguments::{ListParts, ListUploads, NameEncoding};
use crate::s3::error::S3Error;
use crate::s3::http_date;
use crate::s3::object_headers::{checksum_text, checksum_type};
use crate::schema::{BucketRow, PartRow, UploadChecksumKind, UploadRow, Versioning};

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

/// DeleteObjects, one result for each target, in order.
pub(crate) fn deleted(
    results: &[(DeleteTarget, Result<Deleted, S3Error>)],
    reporting: Reporting,
) -> Vec<u8> {
    let mut xml = XmlWriter::document();
    xml.open_root("DeleteResult");
    for (target, result) in results {
        match result {
            Ok(_) if reporting == Reporting::Quiet => {}
            Ok(done) => {
                xml.open("Deleted");
                xml.text("Key", target.key.as_str());
                if let Some(version) = &target.version_text {
                    xml.text("VersionId", version);
                }
                if done.marker {
                    xml.value("DeleteMarker", true);
                    if let Some(version) = &done.version {
                        xml.text("DeleteMarkerVersionId", version);
                    }
                }
                xml.close("Deleted");
            }
            Err(error) => {
                xml.open("Error");
                xml.text("Key", target.key.as_str());
                if let Some(version) = &target.version_text {
                    xml.text("VersionId", version);
                }
                xml.text("Code", error.code().wire());
                xml.text("Message", error.message());
                xml.close("Error");
            }
        }
    }
    xml.close("DeleteResult");
    xml.finish()
}

/// CreateMultipartUpload.
pub(crate) fn upload_created(bucket: &BucketName, key: &ObjectKey, upload: UploadId) -> Vec<u8> {
    let mut xml = XmlWriter::document();
    xml.open_root("InitiateMultipartUploadResult");
    xml.text("Bucket", bucket.as_str());
    xml.text("Key", key.as_str());
    xml.value("UploadId", upload);
    xml.close("InitiateMultipartUploadResult");
    xml.finish()
}

/// CompleteMultipartUpload; `location` is the object's path.
pub(crate) fn upload_completed(
    bucket: &BucketName,
    key: &ObjectKey,
    location: &str,
    done: &PutDone,
) -> Vec<u8> {
    let mut xml = XmlWriter::document();
    xml.open_root("CompleteMultipartUploadResult");
    xml.text("Location", location);
    xml.text("Bucket", bucket.as_str());
    xml.text("Key", key.as_str());
    xml.text("ETag", &format!("\"{}\"", done.etag));
    checksums(&mut xml, &done.checksums);
    for checksum in &done.checksums {
        xml.text("ChecksumType", checksum_type(checksum.kind));
    }
    xml.close("CompleteMultipartUploadResult");
    xml.finish()
}

/// One page of ListParts.
pub(crate) struct PartsPage<'a> {
    pub(crate) bucket: &'a BucketName,
    pub(crate) key: &'a ObjectKey,
    pub(crate) upload: &'a UploadRow,
    pub(crate) parts: &'a [(PartNumber, PartRow)],
    pub(crate) more: bool,
}

/// ListParts.
pub(crate) fn list_parts(asked: &ListParts, page: &PartsPage<'_>) -> Vec<u8> {
    let mut xml = XmlWriter::document();
    xml.open_root("ListPartsResult");
    xml.text("Bucket", page.bucket.as_str());
    xml.text("Key", &name(asked.encoding, page.key.as_str()));
    xml.value("UploadId", asked.upload);
    owner(&mut xml, "Initiator", &page.upload.attributes.owner);
    owner(&mut xml, "Owner", &page.upload.attributes.owner);
    xml.text("StorageClass", &page.upload.attributes.class.0);
    if let Some((algorithm, kind)) = page.upload.checksum {
        xml.text("ChecksumAlgorithm", algorithm.name());
        xml.text("ChecksumType", upload_checksum_type(kind));
    }
    xml.value("PartNumberMarker", asked.after.map_or(0, PartNumber::get));
    if let Some((last, _)) = page.parts.last() {
        xml.value("NextPartNumberMarker", last.get());
    }
    xml.value("MaxParts", asked.max_parts);
    xml.value("IsTruncated", page.more);
    for (number, part) in page.parts {
        xml.open("Part");
        xml.value("PartNumber", number.get());
        xml.text("LastModified", &http_date::iso(part.time));
        xml.text("ETag", &format!("\"{}\"", part.etag));
        xml.value("Size", part.size);
        checksums(&mut xml, &part.checksums);
        xml.close("Part");
    }
    xml.close("ListPartsResult");
    xml.finish()
}

/// ListMultipartUploads. A delimiter rolls up within the page.
pub(crate) fn list_uploads(
    bucket: &BucketName,
    asked: &ListUploads,
    uploads: &[UploadEntry],
    more: bool,
) -> Vec<u8> {
    let encoded = |text: &str| name(asked.encoding, text);
    let mut xml = XmlWriter::document();
    xml.open_root("ListMultipartUploadsResult");
    xml.text("Bucket", bucket.as_str());
    xml.text(
        "KeyMarker",
        &encoded(asked.key_marker.as_deref().unwrap_or("")),
    );
    xml.text(
        "UploadIdMarker",
        &asked
            .upload_marker
            .map(|id| id.to_string())
            .unwrap_or_default(),
    );
    if let (Some(last), true) = (uploads.last(), more) {
        xml.text("NextKeyMarker", &encoded(last.key.as_str()));
        xml.value("NextUploadIdMarker", last.upload);
    }
    xml.text("Prefix", &encoded(asked.prefix.as_deref().unwrap_or("")));
    if let Some(delimiter) = &asked.delimiter {
        xml.text("Delimiter", &encoded(delimiter));
    }
    if asked.encoding == NameEncoding::Url {
        xml.text("EncodingType", "url");
    }
    xml.value("MaxUploads", asked.max_uploads);
    xml.value("IsTruncated", more);
    let mut prefixes: Vec<&str> = Vec::new();
    for entry in uploads {
        match rolled_up(asked, entry.key.as_str()) {
            Some(prefix) if prefixes.last() == Some(&prefix) => {}
            Some(prefix) => prefixes.push(prefix),
            None => upload(&mut xml, asked.encoding, entry),
        }
    }
    for prefix in prefixes {
        common_prefix(&mut xml, &encoded(prefix));
    }
    xml.close("ListMultipartUploadsResult");
    xml.finish()
}

fn rolled_up<'a>(asked: &ListUploads, key: &'a str) -> Option<&'a str> {
    let delimiter = asked.delimiter.as_deref()?;
    let prefix = asked.prefix.as_deref().unwrap_or("");
    let at = key.strip_prefix(prefix)?.find(delimiter)?;
    key.get(..prefix.len() + at + delimiter.len())
}

fn upload(xml: &mut XmlWriter, encoding: NameEncoding, entry: &UploadEntry) {
    xml.open("Upload");
    xml.text("Key", &name(encoding, entry.key.as_str()));
    xml.value("UploadId", entry.upload);
    owner(xml, "Initiator", &entry.row.attributes.owner);
    owner(xml, "Owner", &entry.row.attributes.owner);
    xml.text("StorageClass", &entry.row.attributes.class.0);
    xml.text("Initiated", &http_date::iso(entry.row.initiated));
    if let Some((algorithm, kind)) = entry.row.checksum {
        xml.text("ChecksumAlgorithm", algorithm.name());
        xml.text("ChecksumType", upload_checksum_type(kind));
    }
    xml.close("Upload");
}

/// S3's name for what an upload's checksum will cover.
pub(crate) fn upload_checksum_type(kind: UploadChecksumKind) -> &'static str {
    match kind {
        UploadChecksumKind::FullObject => "FULL_OBJECT",
        UploadChecksumKind::Composite => "COMPOSITE",
    }
}

fn checksums(xml: &mut XmlWriter, checksums: &[Checksum]) {
    for checksum in checksums {
        xml.text(element(checksum.algorithm), &checksum_text(checksum));
    }
}

fn element(algorithm: ChecksumAlgorithm) -> &'static str {
    match algorithm {
        ChecksumAlgorithm::Crc32 => "ChecksumCRC32",
        ChecksumAlgorithm::Crc32c => "ChecksumCRC32C",
        ChecksumAlgorithm::Crc64Nvme => "ChecksumCRC64NVME",
        ChecksumAlgorithm::Sha1 => "ChecksumSHA1",
        ChecksumAlgorithm::Sha256 => "ChecksumSHA256",
    }
}

//! Documents about multipart uploads.

use bytes::Bytes;

use super::listing::{common_prefix, name, owner};
use super::read::{XmlReader, malformed_request};
use super::write::XmlWriter;
use crate::model::upload::PARTS_MAX;
use crate::model::{
    BucketName, Checksum, ChecksumAlgorithm, ETag, ObjectKey, PartNumber, UploadId,
};
use crate::objects::{CompletePart, PutDone, UploadEntry};
use crate::s3::arguments::{ListParts, ListUploads, NameEncoding};
use crate::s3::error::{S3Error, S3ErrorCode};
use crate::s3::http_date;
use crate::s3::object_headers::{checksum_text, checksum_type};
use crate::s3::payload::expect::parse_checksum;
use crate::schema::{PartRow, UploadChecksumKind, UploadRow};

/// Reads `CompleteMultipartUpload`.
///
/// # Errors
/// `MalformedXML`, also for no part or more than S3 allows; `InvalidPart` for an ETag that was never given.
pub(crate) fn complete_upload(body: &[u8]) -> Result<Vec<CompletePart>, S3Error> {
    let mut xml = XmlReader::open(body, "CompleteMultipartUpload")?;
    let mut parts = Vec::new();
    while let Some(name) = xml.child()? {
        match name.as_str() {
            "Part" => parts.push(part(&mut xml)?),
            _ => xml.skip()?,
        }
        if parts.len() > usize::from(PARTS_MAX) {
            return Err(malformed_request("more than 10000 parts"));
        }
    }
    xml.end()?;
    if parts.is_empty() {
        return Err(malformed_request("no part"));
    }
    Ok(parts)
}

fn part(xml: &mut XmlReader<'_>) -> Result<CompletePart, S3Error> {
    let (mut number, mut etag, mut checksums) =
        (None, None, Vec::<(ChecksumAlgorithm, Bytes)>::new());
    while let Some(name) = xml.child()? {
        match name.as_str() {
            "PartNumber" => number = Some(xml.text()?),
            "ETag" => etag = Some(xml.text()?),
            name => match name
                .strip_prefix("Checksum")
                .and_then(ChecksumAlgorithm::parse)
            {
                Some(algorithm) => {
                    let text = xml.text()?;
                    if !text.is_empty() {
                        checksums.push((algorithm, parse_checksum(algorithm, &text)?));
                    }
                }
                None => xml.skip()?,
            },
        }
    }
    let number = number.ok_or_else(|| malformed_request("a part without number"))?;
    let number = number
        .trim()
        .parse()
        .ok()
        .and_then(PartNumber::new)
        .ok_or_else(|| {
            S3Error::invalid_argument(
                "PartNumber",
                &number,
                "PartNumber must be >= 1 and <= 10000",
            )
        })?;
    let etag = etag.ok_or_else(|| malformed_request("a part without ETag"))?;
    let etag =
        ETag::parse(&etag).ok_or_else(|| invalid_part(number.get()).with_field("ETag", etag))?;
    Ok(CompletePart {
        number,
        etag,
        checksums,
    })
}

/// A part that Complete names is not there, or not as named.
pub(crate) fn invalid_part(number: u16) -> S3Error {
    S3Error::new(
        S3ErrorCode::InvalidPart,
        "One or more of the specified parts could not be found. The part might not have been uploaded, or the specified \
         entity tag or checksum might not have matched the part's.",
    )
    .with_field("PartNumber", number.to_string())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_carry_number_etag_and_checksums() {
        let etag = ETag::whole([7; 16]);
        let body = format!(
            "<CompleteMultipartUpload><Part><ETag>&quot;{etag}&quot;</ETag><PartNumber>2</PartNumber>\
             <ChecksumCRC32>NhCmhg==</ChecksumCRC32></Part></CompleteMultipartUpload>"
        );
        let parts = complete_upload(body.as_bytes()).expect("valid");
        let checksums = vec![(
            ChecksumAlgorithm::Crc32,
            Bytes::from_static(&[0x36, 0x10, 0xa6, 0x86]),
        )];
        let number = PartNumber::new(2).expect("in range");
        assert_eq!(
            parts,
            [CompletePart {
                number,
                etag,
                checksums
            }]
        );
        for (body, code) in [
            ("<CompleteMultipartUpload/>", S3ErrorCode::MalformedXml),
            (
                "<CompleteMultipartUpload><Part><PartNumber>0</PartNumber><ETag>x</ETag></Part></CompleteMultipartUpload>",
                S3ErrorCode::InvalidArgument,
            ),
            (
                "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>x</ETag></Part></CompleteMultipartUpload>",
                S3ErrorCode::InvalidPart,
            ),
        ] {
            assert_eq!(
                complete_upload(body.as_bytes()).expect_err(body).code(),
                code
            );
        }
    }
}

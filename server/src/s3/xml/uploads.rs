//! Documents about multipart uploads.

use bytes::Bytes;
use std::borrow::Cow;

use serde::Serialize;

use super::elements::{
    ChecksumElement, CommonPrefix, IsoTime, OwnerElement, QuotedETag, encoding_type, name,
};
use super::read::{XmlReader, malformed_request};
use super::write::answer;
use crate::model::upload::PARTS_MAX;
use crate::model::{BucketName, ChecksumAlgorithm, ETag, ObjectKey, PartNumber, UploadId};
use crate::objects::{CompletePart, PutDone, UploadEntry, UploadListing};
use crate::s3::arguments::{ListParts, ListUploads, NameEncoding};
use crate::s3::error::{S3Error, S3ErrorCode};
use crate::s3::failure::checksum_mismatch;
use crate::s3::object_headers::checksum_type;
use crate::s3::payload::expect::parse_checksum;
use crate::tables::{PartRow, UploadChecksumKind, UploadRow};

/// Reads `CompleteMultipartUpload`.
///
/// # Errors
/// `MalformedXML`, also for no part or more than S3 allows; `InvalidPart` for an ETag that was never issued, and
/// `BadDigest` for a checksum that cannot be one.
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
                        let value = parse_checksum(algorithm, &text);
                        let value = value.map_err(|_| checksum_mismatch(algorithm.name()))?;
                        checksums.push((algorithm, value));
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

/// The error when Complete names a part that does not exist or has another ETag.
pub(crate) fn invalid_part(number: u16) -> S3Error {
    S3Error::new(
        S3ErrorCode::InvalidPart,
        "One or more of the specified parts could not be found. The part might not have been uploaded, or the specified \
         entity tag or checksum might not have matched the part's.",
    )
    .with_field("PartNumber", number.to_string())
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct InitiateMultipartUploadResult<'a> {
    bucket: &'a str,
    key: &'a str,
    upload_id: String,
}

/// CreateMultipartUpload.
pub(crate) fn upload_created(bucket: &BucketName, key: &ObjectKey, upload: UploadId) -> Vec<u8> {
    let fields = InitiateMultipartUploadResult {
        bucket: bucket.as_str(),
        key: key.as_str(),
        upload_id: upload.to_string(),
    };
    answer("InitiateMultipartUploadResult", &fields)
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct CompleteMultipartUploadResult<'a> {
    location: &'a str,
    bucket: &'a str,
    key: &'a str,
    #[serde(rename = "ETag")]
    etag: QuotedETag,
    #[serde(rename = "$value")]
    checksums: Vec<ChecksumElement>,
    checksum_type: Vec<&'static str>,
}

/// CompleteMultipartUpload; `location` is the object's path.
pub(crate) fn upload_completed(
    bucket: &BucketName,
    key: &ObjectKey,
    location: &str,
    done: &PutDone,
) -> Vec<u8> {
    let kinds = done.checksums.iter().map(|checksum| checksum.kind);
    let fields = CompleteMultipartUploadResult {
        location,
        bucket: bucket.as_str(),
        key: key.as_str(),
        etag: QuotedETag(done.etag),
        checksums: ChecksumElement::all_of(&done.checksums),
        checksum_type: kinds.map(checksum_type).collect(),
    };
    answer("CompleteMultipartUploadResult", &fields)
}

/// One page of ListParts.
pub(crate) struct PartsPage<'a> {
    pub(crate) bucket: &'a BucketName,
    pub(crate) key: &'a ObjectKey,
    pub(crate) upload: &'a UploadRow,
    pub(crate) parts: &'a [(PartNumber, PartRow)],
    pub(crate) more: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ListPartsResult<'a> {
    bucket: &'a str,
    key: Cow<'a, str>,
    upload_id: String,
    initiator: OwnerElement<'a>,
    owner: OwnerElement<'a>,
    storage_class: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    checksum_algorithm: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    checksum_type: Option<&'static str>,
    part_number_marker: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_part_number_marker: Option<u16>,
    max_parts: u32,
    is_truncated: bool,
    #[serde(rename = "Part")]
    parts: Vec<PartElement>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct PartElement {
    part_number: u16,
    last_modified: IsoTime,
    #[serde(rename = "ETag")]
    etag: QuotedETag,
    size: u64,
    #[serde(rename = "$value")]
    checksums: Vec<ChecksumElement>,
}

/// ListParts.
pub(crate) fn list_parts(asked: &ListParts, page: &PartsPage<'_>) -> Vec<u8> {
    let attributes = &page.upload.attributes;
    let (algorithm, kind) = page.upload.checksum.unzip();
    let part = |(number, row): &(PartNumber, PartRow)| PartElement {
        part_number: number.get(),
        last_modified: IsoTime(row.time),
        etag: QuotedETag(row.etag),
        size: row.size,
        checksums: ChecksumElement::all_of(&row.checksums),
    };
    let fields = ListPartsResult {
        bucket: page.bucket.as_str(),
        key: name(asked.encoding, page.key.as_str()),
        upload_id: asked.upload.to_string(),
        initiator: OwnerElement::of(&attributes.owner),
        owner: OwnerElement::of(&attributes.owner),
        storage_class: &attributes.class.0,
        checksum_algorithm: algorithm.map(ChecksumAlgorithm::name),
        checksum_type: kind.map(upload_checksum_type),
        part_number_marker: asked.after.map_or(0, PartNumber::get),
        next_part_number_marker: page.parts.last().map(|(last, _)| last.get()),
        max_parts: asked.max_parts,
        is_truncated: page.more,
        parts: page.parts.iter().map(part).collect(),
    };
    answer("ListPartsResult", &fields)
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ListMultipartUploadsResult<'a> {
    bucket: &'a str,
    key_marker: Cow<'a, str>,
    upload_id_marker: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_key_marker: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_upload_id_marker: Option<String>,
    prefix: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    delimiter: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    encoding_type: Option<&'static str>,
    max_uploads: u32,
    is_truncated: bool,
    #[serde(rename = "Upload")]
    uploads: Vec<UploadElement<'a>>,
    common_prefixes: Vec<CommonPrefix<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct UploadElement<'a> {
    key: Cow<'a, str>,
    upload_id: String,
    initiator: OwnerElement<'a>,
    owner: OwnerElement<'a>,
    storage_class: &'a str,
    initiated: IsoTime,
    #[serde(skip_serializing_if = "Option::is_none")]
    checksum_algorithm: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    checksum_type: Option<&'static str>,
}

/// ListMultipartUploads.
pub(crate) fn list_uploads(
    bucket: &BucketName,
    asked: &ListUploads,
    page: &UploadListing,
) -> Vec<u8> {
    let encoded = |text| name(asked.encoding, text);
    let (key_marker, upload_marker) = page.next.as_ref().map(|(key, id)| (key, id)).unzip();
    let fields = ListMultipartUploadsResult {
        bucket: bucket.as_str(),
        key_marker: encoded(asked.key_marker.as_deref().unwrap_or("")),
        upload_id_marker: asked
            .upload_marker
            .map(|id| id.to_string())
            .unwrap_or_default(),
        next_key_marker: key_marker.map(|key| encoded(key)),
        // After a common prefix it is empty: all uploads below it have been listed.
        next_upload_id_marker: upload_marker
            .map(|id| id.map(|id| id.to_string()).unwrap_or_default()),
        prefix: encoded(asked.prefix.as_deref().unwrap_or("")),
        delimiter: asked.delimiter.as_deref().map(encoded),
        encoding_type: encoding_type(asked.encoding),
        max_uploads: asked.max_uploads,
        is_truncated: page.next.is_some(),
        uploads: page
            .entries
            .iter()
            .map(|entry| upload(asked.encoding, entry))
            .collect(),
        common_prefixes: page
            .prefixes
            .iter()
            .map(|prefix| CommonPrefix {
                prefix: encoded(prefix),
            })
            .collect(),
    };
    answer("ListMultipartUploadsResult", &fields)
}

fn upload(encoding: NameEncoding, entry: &UploadEntry) -> UploadElement<'_> {
    let attributes = &entry.row.attributes;
    let (algorithm, kind) = entry.row.checksum.unzip();
    UploadElement {
        key: name(encoding, entry.key.as_str()),
        upload_id: entry.upload.to_string(),
        initiator: OwnerElement::of(&attributes.owner),
        owner: OwnerElement::of(&attributes.owner),
        storage_class: &attributes.class.0,
        initiated: IsoTime(entry.row.initiated),
        checksum_algorithm: algorithm.map(ChecksumAlgorithm::name),
        checksum_type: kind.map(upload_checksum_type),
    }
}

/// S3's name for the checksum type of an upload.
pub(crate) fn upload_checksum_type(kind: UploadChecksumKind) -> &'static str {
    match kind {
        UploadChecksumKind::FullObject => "FULL_OBJECT",
        UploadChecksumKind::Composite => "COMPOSITE",
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
            (
                "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>x</ETag><ChecksumCRC32>bad</ChecksumCRC32></Part></CompleteMultipartUpload>",
                S3ErrorCode::BadDigest,
            ),
        ] {
            assert_eq!(
                complete_upload(body.as_bytes()).expect_err(body).code(),
                code
            );
        }
    }
}

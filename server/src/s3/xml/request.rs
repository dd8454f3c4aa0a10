//! The XML bodies that clients send, as values.

use bytes::Bytes;

use super::read::XmlReader;
use crate::model::upload::PARTS_MAX;
use crate::model::{ChecksumAlgorithm, ETag, ObjectKey, PartNumber};
use crate::objects::{CompletePart, VersionSelector};
use crate::s3::addressing::parse_key;
use crate::s3::arguments::parse_version;
use crate::s3::error::{S3Error, S3ErrorCode};
use crate::s3::payload::expect::parse_checksum;

/// Objects of one DeleteObjects; S3's own limit.
const DELETES_MAX: usize = 1000;

/// What DeleteObjects asks.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct DeleteRequest {
    pub(crate) targets: Vec<DeleteTarget>,
    pub(crate) reporting: Reporting,
}

/// Whether an answer lists what went well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reporting {
    /// It does.
    Verbose,
    /// Errors only.
    Quiet,
}

/// One object to delete.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct DeleteTarget {
    pub(crate) key: ObjectKey,
    pub(crate) version: VersionSelector,
    /// As sent, to be repeated in the answer.
    pub(crate) version_text: Option<String>,
}

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

/// Reads `Delete`.
///
/// # Errors
/// `MalformedXML`, also for no object or more than S3 allows; the error of a key that is none.
pub(crate) fn delete_objects(body: &[u8]) -> Result<DeleteRequest, S3Error> {
    let mut xml = XmlReader::open(body, "Delete")?;
    let mut request = DeleteRequest {
        targets: Vec::new(),
        reporting: Reporting::Verbose,
    };
    while let Some(name) = xml.child()? {
        match name.as_str() {
            "Object" => request.targets.push(delete_target(&mut xml)?),
            "Quiet" if xml.text()?.trim().eq_ignore_ascii_case("true") => {
                request.reporting = Reporting::Quiet;
            }
            "Quiet" => {}
            _ => xml.skip()?,
        }
        if request.targets.len() > DELETES_MAX {
            return Err(malformed("more than 1000 objects"));
        }
    }
    xml.end()?;
    if request.targets.is_empty() {
        return Err(malformed("no object to delete"));
    }
    Ok(request)
}

fn delete_target(xml: &mut XmlReader<'_>) -> Result<DeleteTarget, S3Error> {
    let (mut key, mut version_text) = (None, None);
    while let Some(name) = xml.child()? {
        match name.as_str() {
            "Key" => key = Some(xml.text()?),
            "VersionId" => version_text = Some(xml.text()?).filter(|text| !text.is_empty()),
            // Conditions on what is deleted: ignoring them would delete what the client wants kept.
            "ETag" | "LastModifiedTime" | "Size" => {
                return Err(S3Error::not_implemented(format!(
                    "A conditional delete ({name} in Delete)"
                )));
            }
            _ => xml.skip()?,
        }
    }
    let key = parse_key(&key.ok_or_else(|| malformed("an object without key"))?)?;
    let version = version_text
        .as_deref()
        .map_or(Ok(VersionSelector::Current), parse_version)?;
    Ok(DeleteTarget {
        key,
        version,
        version_text,
    })
}

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
            return Err(malformed("more than 10000 parts"));
        }
    }
    xml.end()?;
    if parts.is_empty() {
        return Err(malformed("no part"));
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
    let number = number.ok_or_else(|| malformed("a part without number"))?;
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
    let etag = etag.ok_or_else(|| malformed("a part without ETag"))?;
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

fn malformed(why: &'static str) -> S3Error {
    S3Error::new(
        S3ErrorCode::MalformedXml,
        format!(
            "The XML you provided was not well-formed or did not validate against our published schema: {why}."
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deletes_name_keys_of_any_kind() {
        let body = "<Delete xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Quiet>true</Quiet>\
                    <Object><Key> a&amp;b&#10;</Key></Object><Object><Key>c</Key><VersionId>null</VersionId></Object></Delete>";
        let request = delete_objects(body.as_bytes()).expect("valid");
        assert_eq!(request.reporting, Reporting::Quiet);
        let keys: Vec<&str> = request
            .targets
            .iter()
            .map(|target| target.key.as_str())
            .collect();
        assert_eq!(keys, [" a&b\n", "c"]);
        let versions: Vec<VersionSelector> = request
            .targets
            .iter()
            .map(|target| target.version)
            .collect();
        assert_eq!(versions, [VersionSelector::Current, VersionSelector::Null]);
    }

    #[test]
    fn bad_deletes_get_their_codes() {
        let objects = "<Object><Key>k</Key></Object>".repeat(DELETES_MAX + 1);
        let long = "k".repeat(1025);
        let cases = [
            ("<Delete/>".to_owned(), S3ErrorCode::MalformedXml),
            (
                format!("<Delete>{objects}</Delete>"),
                S3ErrorCode::MalformedXml,
            ),
            (
                "<Delete><Object/></Delete>".to_owned(),
                S3ErrorCode::MalformedXml,
            ),
            (
                format!("<Delete><Object><Key>{long}</Key></Object></Delete>"),
                S3ErrorCode::KeyTooLong,
            ),
            (
                "<Delete><Object><Key>k</Key><ETag>e</ETag></Object></Delete>".to_owned(),
                S3ErrorCode::NotImplemented,
            ),
            (
                "<Delete><Object><Key>k</Key><VersionId>x</VersionId></Object></Delete>".to_owned(),
                S3ErrorCode::InvalidArgument,
            ),
        ];
        for (body, code) in cases {
            assert_eq!(
                delete_objects(body.as_bytes()).expect_err("refused").code(),
                code
            );
        }
    }

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

    #[test]
    fn any_region_is_accepted_at_creation() {
        let body = "<CreateBucketConfiguration><LocationConstraint>eu-west-3</LocationConstraint></CreateBucketConfiguration>";
        create_bucket(body.as_bytes()).expect("valid");
        create_bucket(b"").expect("no body at all");
        assert!(create_bucket(b"<Other/>").is_err());
    }
}

//! The documents of DeleteObjects.

use serde::Serialize;

use super::read::{XmlReader, malformed_request};
use super::write::answer;
use crate::model::ObjectKey;
use crate::objects::{Deleted, VersionSelector};
use crate::s3::addressing::parse_key;
use crate::s3::arguments::parse_version;
use crate::s3::error::S3Error;

/// Maximum number of objects in one DeleteObjects; S3's own limit.
const DELETES_MAX: usize = 1000;

/// The request of DeleteObjects.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct DeleteRequest {
    pub(crate) targets: Vec<DeleteTarget>,
    pub(crate) reporting: Reporting,
}

/// Whether an answer lists successes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reporting {
    /// It lists them.
    Verbose,
    /// It lists only errors.
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

/// Reads `Delete`.
///
/// # Errors
/// `MalformedXML`, also for no object or more than S3 allows; the error of an invalid key.
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
            return Err(malformed_request("more than 1000 objects"));
        }
    }
    xml.end()?;
    if request.targets.is_empty() {
        return Err(malformed_request("no object to delete"));
    }
    Ok(request)
}

fn delete_target(xml: &mut XmlReader<'_>) -> Result<DeleteTarget, S3Error> {
    let (mut key, mut version_text) = (None, None);
    while let Some(name) = xml.child()? {
        match name.as_str() {
            "Key" => key = Some(xml.text()?),
            "VersionId" => version_text = Some(xml.text()?).filter(|text| !text.is_empty()),
            // A delete that ignored its conditions could delete objects that the client wants to keep.
            "ETag" | "LastModifiedTime" | "Size" => {
                return Err(S3Error::not_implemented(format!(
                    "A conditional delete ({name} in Delete)"
                )));
            }
            _ => xml.skip()?,
        }
    }
    let key = parse_key(&key.ok_or_else(|| malformed_request("an object without key"))?)?;
    let version = version_text
        .as_deref()
        .map_or(Ok(VersionSelector::Current), parse_version)?;
    Ok(DeleteTarget {
        key,
        version,
        version_text,
    })
}

#[derive(Serialize)]
struct DeleteResult<'a> {
    #[serde(rename = "$value")]
    entries: Vec<DeleteEntry<'a>>,
}

#[derive(Serialize)]
enum DeleteEntry<'a> {
    Deleted(DeletedElement<'a>),
    Error(ErrorElement<'a>),
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct DeletedElement<'a> {
    key: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    version_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    delete_marker: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    delete_marker_version_id: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ErrorElement<'a> {
    key: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    version_id: Option<&'a str>,
    code: &'static str,
    message: &'a str,
}

/// DeleteObjects, one result for each target, in order.
pub(crate) fn deleted(
    results: &[(DeleteTarget, Result<Deleted, S3Error>)],
    reporting: Reporting,
) -> Vec<u8> {
    let entries = results
        .iter()
        .filter_map(|(target, result)| entry(target, result, reporting))
        .collect();
    answer("DeleteResult", &DeleteResult { entries })
}

fn entry<'a>(
    target: &'a DeleteTarget,
    result: &'a Result<Deleted, S3Error>,
    reporting: Reporting,
) -> Option<DeleteEntry<'a>> {
    let (key, version_id) = (target.key.as_str(), target.version_text.as_deref());
    match result {
        Ok(_) if reporting == Reporting::Quiet => None,
        Ok(done) => {
            let marker = done.marker.then_some(done.version.as_deref());
            Some(DeleteEntry::Deleted(DeletedElement {
                key,
                version_id,
                delete_marker: marker.map(|_| true),
                delete_marker_version_id: marker.flatten(),
            }))
        }
        Err(error) => Some(DeleteEntry::Error(ErrorElement {
            key,
            version_id,
            code: error.code().wire(),
            message: error.message(),
        })),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::s3::error::S3ErrorCode;

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
}

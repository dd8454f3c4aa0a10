//! Query parameters of single operations as typed arguments.
//!
//! Pure. Empty values in listings count as absent.

use crate::model::{PartNumber, UploadId, VersionId};
use crate::objects::VersionSelector;
use crate::s3::error::{S3Error, S3ErrorCode};
use crate::s3::query::Query;

/// Maximum number of keys, prefixes, uploads or parts in one answer; S3's own limit.
const PAGE_ENTRIES_MAX: u32 = 1000;

/// The encoding of names in a listing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NameEncoding {
    /// As XML text.
    Plain,
    /// Percent-encoded, then as XML text.
    Url,
}

/// The two versions of ListObjects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ListVersion {
    /// `marker`
    V1 {
        /// Keys and prefixes after this text.
        marker: Option<String>,
    },
    /// `list-type=2`
    V2 {
        /// Keys after this text.
        start_after: Option<String>,
        /// The token of the previous answer, as sent; an empty one is repeated, and asks for the first page.
        continuation_token: Option<String>,
        /// Whether owners are shown.
        fetch_owner: bool,
    },
}

/// Arguments of ListObjects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ListObjects {
    pub(crate) version: ListVersion,
    pub(crate) prefix: Option<String>,
    pub(crate) delimiter: Option<String>,
    pub(crate) encoding: NameEncoding,
    pub(crate) max_keys: u32,
}

/// Arguments of ListMultipartUploads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ListUploads {
    pub(crate) prefix: Option<String>,
    pub(crate) delimiter: Option<String>,
    pub(crate) key_marker: Option<String>,
    pub(crate) upload_marker: Option<UploadId>,
    pub(crate) encoding: NameEncoding,
    pub(crate) max_uploads: u32,
}

/// Arguments of ListParts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ListParts {
    pub(crate) upload: UploadId,
    pub(crate) after: Option<PartNumber>,
    pub(crate) encoding: NameEncoding,
    pub(crate) max_parts: u32,
}

pub(crate) fn list_objects(query: &Query) -> Result<ListObjects, S3Error> {
    let owned = |name| query.nonempty(name).map(str::to_owned);
    let version = match query.nonempty("list-type") {
        Some("2") => ListVersion::V2 {
            start_after: owned("start-after"),
            continuation_token: query.get("continuation-token").map(str::to_owned),
            fetch_owner: query
                .get("fetch-owner")
                .is_some_and(|value| value.eq_ignore_ascii_case("true")),
        },
        None | Some("1") => ListVersion::V1 {
            marker: owned("marker"),
        },
        Some(other) => {
            return Err(S3Error::invalid_argument(
                "list-type",
                other,
                "Invalid List Type specified in Request",
            ));
        }
    };
    Ok(ListObjects {
        version,
        prefix: owned("prefix"),
        delimiter: owned("delimiter"),
        encoding: encoding(query)?,
        max_keys: page_size(query, "max-keys")?,
    })
}

pub(crate) fn list_uploads(query: &Query) -> Result<ListUploads, S3Error> {
    let owned = |name| query.nonempty(name).map(str::to_owned);
    let upload_marker = match query.nonempty("upload-id-marker") {
        None => None,
        Some(text) => Some(UploadId::parse(text).ok_or_else(|| {
            S3Error::invalid_argument("upload-id-marker", text, "Invalid uploadId marker")
        })?),
    };
    Ok(ListUploads {
        prefix: owned("prefix"),
        delimiter: owned("delimiter"),
        key_marker: owned("key-marker"),
        upload_marker,
        encoding: encoding(query)?,
        max_uploads: page_size(query, "max-uploads")?,
    })
}

pub(crate) fn list_parts(query: &Query) -> Result<ListParts, S3Error> {
    let name = "part-number-marker";
    let after = match query.nonempty(name) {
        None | Some("0") => None,
        Some(text) => Some(text.parse().ok().and_then(PartNumber::new).ok_or_else(|| {
            S3Error::invalid_argument(name, text, "Argument part-number-marker must be an integer")
        })?),
    };
    Ok(ListParts {
        upload: upload_id(query)?,
        after,
        encoding: encoding(query)?,
        max_parts: page_size(query, "max-parts")?,
    })
}

fn encoding(query: &Query) -> Result<NameEncoding, S3Error> {
    match query.nonempty("encoding-type") {
        None => Ok(NameEncoding::Plain),
        Some(url) if url.eq_ignore_ascii_case("url") => Ok(NameEncoding::Url),
        Some(other) => Err(S3Error::invalid_argument(
            "encoding-type",
            other,
            "Invalid Encoding Method specified in Request",
        )),
    }
}

fn page_size(query: &Query, name: &'static str) -> Result<u32, S3Error> {
    let Some(text) = query.nonempty(name) else {
        return Ok(PAGE_ENTRIES_MAX);
    };
    let message = format!("Provided {name} not an integer or within integer range");
    let number: i32 = text
        .parse()
        .map_err(|_| S3Error::invalid_argument(name, text, message))?;
    let number = u32::try_from(number).map_err(|_| {
        S3Error::invalid_argument(
            name,
            text,
            format!("Argument {name} must be a non-negative integer"),
        )
    })?;
    Ok(number.min(PAGE_ENTRIES_MAX))
}

pub(crate) fn upload_id(query: &Query) -> Result<UploadId, S3Error> {
    let text = query.get("uploadId").unwrap_or("");
    UploadId::parse(text).ok_or_else(|| no_such_upload(text))
}

pub(crate) fn part_number(query: &Query) -> Result<PartNumber, S3Error> {
    let text = query.get("partNumber").unwrap_or("");
    text.parse().ok().and_then(PartNumber::new).ok_or_else(|| {
        S3Error::invalid_argument(
            "partNumber",
            text,
            "Part number must be an integer between 1 and 10000, inclusive",
        )
    })
}

/// The version named by a request.
///
/// # Errors
/// `InvalidArgument`.
pub(crate) fn version(query: &Query) -> Result<VersionSelector, S3Error> {
    query
        .nonempty("versionId")
        .map_or(Ok(VersionSelector::Current), parse_version)
}

/// Parses a VersionId from a client.
pub(crate) fn parse_version(text: &str) -> Result<VersionSelector, S3Error> {
    if text == "null" {
        return Ok(VersionSelector::Null);
    }
    VersionId::parse(text)
        .map(VersionSelector::Id)
        .ok_or_else(|| S3Error::invalid_argument("versionId", text, "Invalid version id specified"))
}

/// The error of an upload that does not exist.
pub(crate) fn no_such_upload(id: &str) -> S3Error {
    S3Error::new(
        S3ErrorCode::NoSuchUpload,
        "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.",
    )
    .with_field("UploadId", id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(text: &str) -> Query {
        Query::parse(text).expect("a query")
    }

    #[test]
    fn empty_arguments_of_listings_are_absent() {
        let asked = query("delimiter=&prefix=&marker=&max-keys=&encoding-type=");
        let expected = ListObjects {
            version: ListVersion::V1 { marker: None },
            prefix: None,
            delimiter: None,
            encoding: NameEncoding::Plain,
            max_keys: PAGE_ENTRIES_MAX,
        };
        assert_eq!(list_objects(&asked).expect("valid"), expected);
    }

    #[test]
    fn bad_arguments_get_their_codes() {
        use S3ErrorCode::{InvalidArgument, NoSuchUpload};
        for bad in [
            "max-keys=x",
            "max-keys=-1",
            "encoding-type=base64",
            "list-type=3",
        ] {
            let error = list_objects(&query(bad)).expect_err(bad);
            assert_eq!(error.code(), InvalidArgument, "{bad}");
        }
        for bad in ["partNumber=0", "partNumber=10001", "partNumber=", ""] {
            let error = part_number(&query(bad)).expect_err(bad);
            assert_eq!(error.code(), InvalidArgument, "{bad}");
        }
        for bad in ["uploadId=nonsense", "uploadId=", ""] {
            let error = upload_id(&query(bad)).expect_err(bad);
            assert_eq!(error.code(), NoSuchUpload, "{bad}");
        }
        let error = version(&query("versionId=x")).expect_err("no version");
        assert_eq!(error.code(), InvalidArgument);
    }
}

//! Query parameters of single operations, as their arguments.

use super::no_such_upload;
use super::operation::{ListObjects, ListParts, ListUploads, ListVersion, NameEncoding};
use crate::model::{PartNumber, UploadId};
use crate::s3::error::S3Error;
use crate::s3::query::Query;

/// Most keys, prefixes, uploads or parts in one answer; S3's own limit.
pub(super) const PAGE_ENTRIES_MAX: u32 = 1000;

pub(super) fn list_objects(query: &Query) -> Result<ListObjects, S3Error> {
    let owned = |name| query.nonempty(name).map(str::to_owned);
    let version = match query.nonempty("list-type") {
        Some("2") => ListVersion::V2 {
            start_after: owned("start-after"),
            continuation_token: owned("continuation-token"),
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

pub(super) fn list_uploads(query: &Query) -> Result<ListUploads, S3Error> {
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

pub(super) fn list_parts(query: &Query) -> Result<ListParts, S3Error> {
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

pub(super) fn upload_id(query: &Query) -> Result<UploadId, S3Error> {
    let text = query.get("uploadId").unwrap_or("");
    UploadId::parse(text).ok_or_else(|| no_such_upload(text))
}

pub(super) fn part_number(query: &Query) -> Result<PartNumber, S3Error> {
    let text = query.get("partNumber").unwrap_or("");
    text.parse().ok().and_then(PartNumber::new).ok_or_else(|| {
        S3Error::invalid_argument(
            "partNumber",
            text,
            "Part number must be an integer between 1 and 10000, inclusive",
        )
    })
}

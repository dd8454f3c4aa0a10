//! ListObjects, versions 1 and 2.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hyper::StatusCode;

use crate::model::BucketName;
use crate::objects::ListQuery;
use crate::s3::arguments::{ListVersion, list_objects};
use crate::s3::call::{Answer, Call};
use crate::s3::error::S3Error;
use crate::s3::reply;
use crate::s3::xml::listing;

/// The kind of a continuation token, its first byte. A later kind gets another number.
const TOKEN_KIND: u8 = 1;

/// ListObjects and ListObjectsV2.
pub(crate) async fn objects(call: &mut Call<'_>, bucket: &BucketName) -> Answer {
    let asked = list_objects(call.query())?;
    let after = match &asked.version {
        ListVersion::V1 { marker } => marker.clone(),
        ListVersion::V2 {
            continuation_token: Some(token),
            ..
        } if !token.is_empty() => Some(read_token(token)?),
        ListVersion::V2 { start_after, .. } => start_after.clone(),
    };
    let query = ListQuery {
        prefix: asked.prefix.clone().unwrap_or_default(),
        delimiter: asked.delimiter.clone(),
        after,
        max: usize::try_from(asked.max_keys).unwrap_or(usize::MAX),
    };
    let page = call.objects().list(bucket, query).await?;
    let token = page.next.as_deref().map(write_token);
    Ok(reply::xml(
        StatusCode::OK,
        listing::list_objects(bucket, &asked, &page, token.as_deref()),
    ))
}

/// The start of the next page, opaque to clients.
fn write_token(after: &str) -> String {
    let mut bytes = vec![TOKEN_KIND];
    bytes.extend_from_slice(after.as_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

fn read_token(token: &str) -> Result<String, S3Error> {
    let bytes = URL_SAFE_NO_PAD.decode(token).ok();
    let after = bytes
        .as_deref()
        .and_then(|bytes| bytes.strip_prefix(&[TOKEN_KIND]));
    let text = after
        .and_then(|after| std::str::from_utf8(after).ok())
        .filter(|text| !text.is_empty());
    text.map(str::to_owned).ok_or_else(|| {
        S3Error::invalid_argument(
            "continuation-token",
            token,
            "The continuation token provided is incorrect",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_round_trip_and_foreign_ones_are_refused() {
        for after in ["a", "dir/", "ä\u{1}"] {
            assert_eq!(read_token(&write_token(after)).expect("ours"), after);
        }
        for token in ["", "a", "!!", "AAAA", "Ag", "AQ"] {
            assert!(read_token(token).is_err(), "{token}");
        }
    }
}

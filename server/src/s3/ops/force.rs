//! `x-strongroom-force: true` with a PUT or DELETE of an object: what cannot be read of the key is given up first.
//!
//! Without it, a damaged version can be neither replaced nor deleted: its row may have held a lock.

use hyper::header::{HeaderName, HeaderValue};

use crate::model::{BucketName, ObjectKey};
use crate::s3::call::Call;
use crate::s3::error::S3Error;

/// The request header; in an answer, the number of rows that were given up.
pub(crate) const HEADER: &str = "x-strongroom-force";

/// The header of an answer.
pub(super) fn header(rows: HeaderValue) -> (Option<HeaderName>, HeaderValue) {
    (Some(HeaderName::from_static(HEADER)), rows)
}

/// Gives up the unreadable rows of the key if the request asks for it. Returns how many there were,
/// if any.
pub(super) async fn give_up_unreadable(
    call: &Call<'_>,
    bucket: &BucketName,
    key: &ObjectKey,
) -> Result<Option<HeaderValue>, S3Error> {
    match call.headers().text(HEADER)? {
        None | Some("false") => return Ok(None),
        Some("true") => {}
        Some(other) => {
            return Err(S3Error::invalid_argument(
                HEADER,
                other,
                "This header is true or false.",
            ));
        }
    }
    let rows = call.objects().give_up_unreadable(bucket, key).await?;
    if rows == 0 {
        return Ok(None);
    }
    tracing::warn!(%bucket, %key, rows, "given up by force: rows of this object that could not be read");
    Ok(Some(HeaderValue::from(rows)))
}

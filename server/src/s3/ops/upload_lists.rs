//! The listings of uploads and of their parts.

use hyper::StatusCode;

use crate::model::{BucketName, ObjectKey, PartNumber};
use crate::objects::ListUploadsQuery;
use crate::s3::addressing::parse_key;
use crate::s3::arguments::{list_parts, list_uploads};
use crate::s3::call::{Answer, Call};
use crate::s3::reply;
use crate::s3::xml::uploads as xml;

/// ListParts.
pub(crate) async fn parts(call: &mut Call<'_>, bucket: &BucketName, key: &ObjectKey) -> Answer {
    let asked = list_parts(call.query())?;
    let objects = call.objects();
    let (_, row) = objects.upload(bucket, key, asked.upload).await?;
    let after = asked.after.map_or(0, PartNumber::get);
    let max = usize::try_from(asked.max_parts).unwrap_or(usize::MAX);
    let (parts, more) = objects
        .list_parts(bucket, key, asked.upload, after, max)
        .await?;
    let page = xml::PartsPage {
        bucket,
        key,
        upload: &row,
        parts: &parts,
        more,
    };
    let body = xml::list_parts(&asked, &page);
    Ok(reply::xml(StatusCode::OK, body))
}

/// ListMultipartUploads.
pub(crate) async fn uploads(call: &mut Call<'_>, bucket: &BucketName) -> Answer {
    let asked = list_uploads(call.query())?;
    let after = match &asked.key_marker {
        None => None,
        Some(key) => Some((parse_key(key)?, asked.upload_marker)),
    };
    let query = ListUploadsQuery {
        prefix: asked.prefix.clone().unwrap_or_default(),
        delimiter: asked.delimiter.clone(),
        after,
        max: usize::try_from(asked.max_uploads).unwrap_or(usize::MAX),
    };
    let page = call.objects().list_uploads(bucket, query).await?;
    let body = xml::list_uploads(bucket, &asked, &page);
    Ok(reply::xml(StatusCode::OK, body))
}

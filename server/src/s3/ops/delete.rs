//! DeleteObject and DeleteObjects.

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream;
use hyper::StatusCode;
use hyper::body::Body;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};

use super::document::{self, DOCUMENT_BYTES_MAX};
use crate::model::{BucketName, ObjectKey};
use crate::objects::{Deleted, VersionSelector};
use crate::s3::error::{S3Error, S3ErrorCode};
use crate::s3::service::{Answer, Call};
use crate::s3::xml::{answer, request};
use crate::s3::{object_headers, reply};
use crate::store::gate::READ_PERMITS;

/// Conditions of a delete: ignoring them would delete what the client wants kept.
const CONDITIONS: [&str; 3] = [
    "if-match",
    "x-amz-if-match-last-modified-time",
    "x-amz-if-match-size",
];

/// Deletes of one request that are under way at a time: they share syncs, and leave most permits to the reads of others.
const DELETES_AT_ONCE: usize = READ_PERMITS / 4;

/// DeleteObject; what is not there is deleted as well.
pub(crate) async fn one<B>(
    call: &Call<'_, B>,
    bucket: &BucketName,
    key: &ObjectKey,
    version: VersionSelector,
) -> Answer {
    if let Some(condition) = CONDITIONS
        .iter()
        .find(|name| call.parts.headers.contains_key(**name))
    {
        return Err(S3Error::not_implemented(format!(
            "A conditional delete (the header {condition})"
        )));
    }
    let done = call
        .service
        .layers
        .objects
        .delete(bucket, key, version, &call.service.owner)
        .await?;
    let mut response = reply::empty(StatusCode::NO_CONTENT);
    write_deleted(response.headers_mut(), &done);
    Ok(response)
}

/// DeleteObjects. Each object is deleted on its own: one that cannot be is told about, the others are gone.
pub(crate) async fn many<B>(call: &mut Call<'_, B>, bucket: &BucketName) -> Answer
where
    B: Body<Data = Bytes> + Unpin + Send,
    B::Error: std::error::Error + Send + Sync + 'static,
{
    let document = document::read(call, DOCUMENT_BYTES_MAX).await?;
    if !document.covered {
        return Err(S3Error::new(
            S3ErrorCode::InvalidRequest,
            "Missing required header for this request: Content-MD5 or x-amz-checksum-*",
        ));
    }
    let request = request::delete_objects(&document.bytes)?;
    let objects = &call.service.layers.objects;
    objects.bucket(bucket).await?;
    let owner = &call.service.owner;
    let deletes = request.targets.into_iter().map(|target| async move {
        let done = objects.delete(bucket, &target.key, target.version, owner);
        let done = done.await.map_err(S3Error::from);
        (target, done)
    });
    // Side by side, so that they share syncs; the answer keeps the request's order.
    let results: Vec<_> = stream::iter(deletes)
        .buffered(DELETES_AT_ONCE)
        .collect()
        .await;
    Ok(reply::xml(
        StatusCode::OK,
        answer::deleted(&results, request.reporting),
    ))
}

fn write_deleted(out: &mut HeaderMap, done: &Deleted) {
    if let Some(version) = &done.version {
        object_headers::insert(out, HeaderName::from_static("x-amz-version-id"), version);
    }
    if done.marker {
        out.insert(
            HeaderName::from_static("x-amz-delete-marker"),
            HeaderValue::from_static("true"),
        );
    }
}

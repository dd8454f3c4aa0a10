//! DeleteObject and DeleteObjects.

use futures_util::StreamExt as _;
use futures_util::stream;
use hyper::StatusCode;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};

use crate::model::{BucketName, ObjectKey};
use crate::objects::Deleted;
use crate::s3::arguments::version;
use crate::s3::call::{Answer, Call};
use crate::s3::error::{S3Error, S3ErrorCode};
use crate::s3::ops::force;
use crate::s3::xml::deletes as xml;
use crate::s3::{object_headers, reply};
use crate::store::blocking_pool::DECISION_PERMITS;

/// Concurrent deletes of one request. They share syncs and leave most permits to other requests.
const DELETES_AT_ONCE: usize = DECISION_PERMITS / 2;

/// DeleteObject. Deleting a missing object succeeds.
pub(crate) async fn one(call: &mut Call<'_>, bucket: &BucketName, key: &ObjectKey) -> Answer {
    let version = version(call.query())?;
    let given_up = force::give_up_unreadable(call, bucket, key).await?;
    let done = call
        .objects()
        .delete(bucket, key, version, call.owner)
        .await?;
    let mut response = reply::empty(StatusCode::NO_CONTENT);
    write_deleted(response.headers_mut(), &done);
    response.headers_mut().extend(given_up.map(force::header));
    Ok(response)
}

/// DeleteObjects. Each object is deleted on its own; the answer lists the errors.
pub(crate) async fn many(call: &mut Call<'_>, bucket: &BucketName) -> Answer {
    if !call.document.covered {
        return Err(S3Error::new(
            S3ErrorCode::InvalidRequest,
            "Missing required header for this request: Content-MD5 or x-amz-checksum-*",
        ));
    }
    let request = xml::delete_objects(&call.document.bytes)?;
    let objects = call.objects();
    objects.bucket(bucket).await?;
    let owner = call.owner;
    let deletes = request.targets.into_iter().map(|target| async move {
        let done = objects.delete(bucket, &target.key, target.version, owner);
        let done = done.await.map_err(S3Error::from);
        (target, done)
    });
    // Concurrently, so that they share syncs; the answer keeps the request's order.
    let results: Vec<_> = stream::iter(deletes)
        .buffered(DELETES_AT_ONCE)
        .collect()
        .await;
    for (target, result) in &results {
        tell(bucket, target, result.as_ref().err());
    }
    Ok(reply::xml(
        StatusCode::OK,
        xml::deleted(&results, request.reporting),
    ))
}

/// Logs one object of many: the request's own line names none.
fn tell(bucket: &BucketName, target: &xml::DeleteTarget, refused: Option<&S3Error>) {
    tracing::info!(
        bucket = bucket.as_str(),
        key = target.key.as_str(),
        version = target.version_text,
        code = refused.map_or("", |error| error.code().wire()),
        "s3 delete of one object"
    );
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

//! Buckets: create, look, delete, list, location, versioning.

use bytes::Bytes;
use hyper::StatusCode;
use hyper::body::Body;
use hyper::header::{HeaderName, HeaderValue, LOCATION};

use super::document;
use crate::model::BucketName;
use crate::objects::NewBucket;
use crate::s3::object_headers::insert;
use crate::s3::reply;
use crate::s3::service::{Answer, Call};
use crate::s3::xml::{answer, request};

/// Largest `CreateBucketConfiguration`: a region and some tags.
const CONFIGURATION_BYTES_MAX: u64 = 64 * 1024;

/// The region this server says it is in: clients that ask sign for it, others may sign for any.
const REGION: HeaderValue = HeaderValue::from_static("us-east-1");

/// ListBuckets.
pub(crate) async fn list<B>(call: &Call<'_, B>) -> Answer {
    let buckets = call.service.layers.objects.list_buckets().await?;
    Ok(reply::xml(
        StatusCode::OK,
        answer::list_buckets(&call.service.owner, &buckets),
    ))
}

/// CreateBucket; 200 also for one that is there, as in us-east-1: writers call it blindly before each upload.
pub(crate) async fn create<B>(call: &mut Call<'_, B>, bucket: &BucketName) -> Answer
where
    B: Body<Data = Bytes> + Unpin + Send,
    B::Error: std::error::Error + Send + Sync + 'static,
{
    let document = document::read(call, CONFIGURATION_BYTES_MAX).await?;
    request::create_bucket(&document.bytes)?;
    let new = NewBucket::plain(call.service.owner.clone());
    call.service
        .layers
        .objects
        .create_bucket(bucket, new)
        .await?;
    let mut response = reply::empty(StatusCode::OK);
    insert(response.headers_mut(), LOCATION, &format!("/{bucket}"));
    Ok(response)
}

/// HeadBucket.
pub(crate) async fn head<B>(call: &Call<'_, B>, bucket: &BucketName) -> Answer {
    call.service.layers.objects.bucket(bucket).await?;
    let mut response = reply::empty(StatusCode::OK);
    response
        .headers_mut()
        .insert(HeaderName::from_static("x-amz-bucket-region"), REGION);
    Ok(response)
}

/// DeleteBucket.
pub(crate) async fn delete<B>(call: &Call<'_, B>, bucket: &BucketName) -> Answer {
    call.service.layers.objects.delete_bucket(bucket).await?;
    Ok(reply::empty(StatusCode::NO_CONTENT))
}

/// GetBucketLocation.
pub(crate) async fn location<B>(call: &Call<'_, B>, bucket: &BucketName) -> Answer {
    call.service.layers.objects.bucket(bucket).await?;
    Ok(reply::xml(StatusCode::OK, answer::location()))
}

/// GetBucketVersioning.
pub(crate) async fn versioning<B>(call: &Call<'_, B>, bucket: &BucketName) -> Answer {
    let row = call.service.layers.objects.bucket(bucket).await?;
    Ok(reply::xml(
        StatusCode::OK,
        answer::versioning(row.versioning),
    ))
}

//! Operations on buckets: create, head, delete, list, location, versioning.

use hyper::StatusCode;
use hyper::header::{HeaderName, HeaderValue, LOCATION};

use crate::model::BucketName;
use crate::objects::NewBucket;
use crate::s3::call::{Answer, Call};
use crate::s3::object_headers::insert;
use crate::s3::reply;
use crate::s3::xml::buckets as xml;

/// The region that this server reports. Clients that ask for it use it to sign; others may sign for any region.
const REGION: HeaderValue = HeaderValue::from_static("us-east-1");

/// ListBuckets.
pub(crate) async fn list(call: &mut Call<'_>) -> Answer {
    let buckets = call.objects().list_buckets().await?;
    Ok(reply::xml(
        StatusCode::OK,
        xml::list_buckets(call.owner, &buckets),
    ))
}

/// CreateBucket. It answers 200 for an existing bucket, as in us-east-1: some writers call it before each upload.
pub(crate) async fn create(call: &mut Call<'_>, bucket: &BucketName) -> Answer {
    xml::create_bucket(&call.document.bytes)?;
    let new = NewBucket::plain(call.owner.clone());
    call.objects().create_bucket(bucket, new).await?;
    let mut response = reply::empty(StatusCode::OK);
    insert(response.headers_mut(), LOCATION, &format!("/{bucket}"));
    Ok(response)
}

/// HeadBucket.
pub(crate) async fn head(call: &mut Call<'_>, bucket: &BucketName) -> Answer {
    call.objects().bucket(bucket).await?;
    let mut response = reply::empty(StatusCode::OK);
    response
        .headers_mut()
        .insert(HeaderName::from_static("x-amz-bucket-region"), REGION);
    Ok(response)
}

/// DeleteBucket.
pub(crate) async fn delete(call: &mut Call<'_>, bucket: &BucketName) -> Answer {
    call.objects().delete_bucket(bucket).await?;
    Ok(reply::empty(StatusCode::NO_CONTENT))
}

/// GetBucketLocation.
pub(crate) async fn location(call: &mut Call<'_>, bucket: &BucketName) -> Answer {
    call.objects().bucket(bucket).await?;
    Ok(reply::xml(StatusCode::OK, xml::location()))
}

/// GetBucketVersioning.
pub(crate) async fn versioning(call: &mut Call<'_>, bucket: &BucketName) -> Answer {
    let versioning = call.objects().versioning(bucket).await?;
    Ok(reply::xml(StatusCode::OK, xml::versioning(versioning)))
}

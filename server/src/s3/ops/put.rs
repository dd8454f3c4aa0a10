//! PutObject, and taking a body in for it and for UploadPart.

use bytes::Bytes;
use hyper::StatusCode;
use hyper::body::Body;
use hyper::header::{ETAG, HeaderMap, HeaderName};

use crate::ingest::digests::ChecksumValue;
use crate::ingest::{BodyTarget, Expected};
use crate::model::{
    BucketName, Checksum, ChecksumAlgorithm, ETag, LegalHold, ObjectKey, VersionId,
};
use crate::objects::{Attributes, StoredBody};
use crate::s3::error::S3Error;
use crate::s3::payload::expect::{BodyPromise, PromisedChecksum};
use crate::s3::service::{Answer, Call};
use crate::s3::{conditions, object_headers, reply};

/// PutObject.
pub(crate) async fn object<B>(
    call: &mut Call<'_, B>,
    bucket: &BucketName,
    key: &ObjectKey,
) -> Answer
where
    B: Body<Data = Bytes> + Unpin + Send,
    B::Error: std::error::Error + Send + Sync + 'static,
{
    let condition = conditions::for_write(&call.parts.headers)?;
    let attributes = attributes(call)?;
    let promise = BodyPromise::read(&call.parts.headers, call.auth.payload)?;
    // Known now, a missing bucket costs the client no upload; the commit looks again.
    let row = call.service.layers.objects.bucket(bucket).await?;
    let target = BodyTarget {
        bucket: row.id,
        key: key.clone(),
        part: None,
    };
    let body = take(call, target, promise, None).await?;
    let done = call
        .service
        .layers
        .objects
        .put(bucket, key, body, attributes, condition)
        .await?;
    let mut response = reply::empty(StatusCode::OK);
    write_done(response.headers_mut(), done.etag, &done.checksums);
    write_version(response.headers_mut(), done.version);
    Ok(response)
}

/// What a new object carries beside its bytes.
pub(super) fn attributes<B>(call: &Call<'_, B>) -> Result<Attributes, S3Error> {
    let given = &call.parts.headers;
    Ok(Attributes {
        owner: call.service.owner.clone(),
        class: object_headers::storage_class(given)?,
        headers: object_headers::content(given)?,
        metadata: object_headers::metadata(given)?,
        tags: object_headers::tags(given)?,
        retention: None,
        hold: LegalHold::Off,
    })
}

/// Streams the body into packs. `wanted` is computed and kept when the client promises no checksum itself.
pub(super) async fn take<B>(
    call: &mut Call<'_, B>,
    target: BodyTarget,
    promise: BodyPromise,
    wanted: Option<ChecksumAlgorithm>,
) -> Result<StoredBody, S3Error>
where
    B: Body<Data = Bytes> + Unpin + Send,
    B::Error: std::error::Error + Send + Sync + 'static,
{
    let checksum = match &promise.checksum {
        Some(PromisedChecksum::Known(algorithm, value)) => {
            Some((*algorithm, ChecksumValue::Known(value.clone())))
        }
        Some(PromisedChecksum::InTrailer(algorithm)) => {
            Some((*algorithm, ChecksumValue::InTrailer))
        }
        None => wanted.map(|algorithm| (algorithm, ChecksumValue::Computed)),
    };
    let expected = Expected {
        length: Some(promise.length),
        md5: promise.md5,
        sha256: promise.sha256,
        checksum,
    };
    call.body
        .expect(call.auth.payload, &call.auth.chunks, promise.length);
    let mut taking = call.service.layers.ingest.begin(&target, expected);
    while let Some(bytes) = call.body.next().await? {
        taking.write(bytes).await?;
    }
    if let Some(promised @ PromisedChecksum::InTrailer(_)) = &promise.checksum {
        taking.trailer_checksum(promised.value(call.body.trailers())?);
    }
    Ok(taking.finish().await?)
}

/// ETag and checksums of what was stored.
pub(super) fn write_done(out: &mut HeaderMap, etag: ETag, checksums: &[Checksum]) {
    object_headers::insert(out, ETAG, &format!("\"{etag}\""));
    object_headers::write_checksums(out, checksums);
}

/// The version id, where there are versions.
pub(super) fn write_version(out: &mut HeaderMap, version: Option<VersionId>) {
    if let Some(version) = version {
        object_headers::insert(
            out,
            HeaderName::from_static("x-amz-version-id"),
            &version.to_string(),
        );
    }
}

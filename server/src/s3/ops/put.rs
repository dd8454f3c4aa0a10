//! PutObject, and the body of PutObject and UploadPart.

use hyper::StatusCode;
use hyper::header::{ETAG, HeaderMap, HeaderName};

use crate::bodies::incoming::digests::ChecksumValue;
use crate::bodies::incoming::{BodyTarget, Expected};
use crate::model::{BucketName, Checksum, ETag, LegalHold, ObjectKey, VersionId};
use crate::objects::{Attributes, StoredBody};
use crate::s3::addressing::check_new_key;
use crate::s3::call::{Answer, Call};
use crate::s3::error::S3Error;
use crate::s3::ops::force;
use crate::s3::payload::expect::{Checksums, Length, expected, trailer_value};
use crate::s3::{conditions, object_headers, reply};

/// PutObject.
pub(crate) async fn object(call: &mut Call<'_>, bucket: &BucketName, key: &ObjectKey) -> Answer {
    check_new_key(key)?;
    let condition = conditions::for_write(call.headers())?;
    let attributes = attributes(call)?;
    let expected = body_of(call)?;
    // An early check spares the client the upload to a missing bucket. The commit checks again.
    let row = call.objects().bucket(bucket).await?;
    let target = BodyTarget {
        bucket: row.id,
        key: key.clone(),
        part: None,
    };
    let body = take(call, target, expected).await?;
    let given_up = force::give_up_unreadable(call, bucket, key).await?;
    let done = call
        .objects()
        .put(bucket, key, body, attributes, condition)
        .await?;
    let mut response = reply::empty(StatusCode::OK);
    write_done(response.headers_mut(), done.etag, &done.checksums);
    write_version(response.headers_mut(), done.version);
    response.headers_mut().extend(given_up.map(force::header));
    Ok(response)
}

/// The attributes of a new object.
pub(super) fn attributes(call: &Call<'_>) -> Result<Attributes, S3Error> {
    let given = call.headers();
    Ok(Attributes {
        owner: call.owner.clone(),
        class: object_headers::storage_class(given)?,
        headers: object_headers::content(given)?,
        metadata: object_headers::metadata(given)?,
        tags: object_headers::tags(given)?,
        retention: None,
        hold: LegalHold::Off,
    })
}

/// The length and digests of the body, as stated by the request.
pub(super) fn body_of(call: &Call<'_>) -> Result<Expected, S3Error> {
    expected(
        call.headers(),
        call.payload,
        Length::Required,
        Checksums::OfBody,
    )
}

/// Streams the body into packs.
pub(super) async fn take(
    call: &mut Call<'_>,
    target: BodyTarget,
    expected: Expected,
) -> Result<StoredBody, S3Error> {
    call.body
        .expect(call.payload, call.chunks.as_ref(), &expected);
    let in_trailer = match &expected.checksum {
        Some((algorithm, ChecksumValue::InTrailer)) => Some(*algorithm),
        _ => None,
    };
    let mut taking = call.ingest().begin(&target, expected);
    while let Some(bytes) = call.body.next().await? {
        taking.write(bytes).await?;
    }
    if let Some(algorithm) = in_trailer {
        taking.trailer_checksum(trailer_value(algorithm, call.body.trailers())?);
    }
    Ok(taking.finish().await?)
}

/// The ETag and checksums of the stored body.
pub(super) fn write_done(out: &mut HeaderMap, etag: ETag, checksums: &[Checksum]) {
    object_headers::insert(out, ETAG, &format!("\"{etag}\""));
    object_headers::write_checksums(out, checksums);
}

/// The version id, if the bucket has versions.
pub(super) fn write_version(out: &mut HeaderMap, version: Option<VersionId>) {
    if let Some(version) = version {
        object_headers::insert(
            out,
            HeaderName::from_static("x-amz-version-id"),
            &version.to_string(),
        );
    }
}

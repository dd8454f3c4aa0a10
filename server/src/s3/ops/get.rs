//! GetObject and HeadObject.

use hyper::header::{
    ACCEPT_RANGES, CONTENT_RANGE, ETAG, HeaderMap, HeaderName, HeaderValue, LAST_MODIFIED, RANGE,
};
use hyper::{Response, StatusCode};

use crate::model::{BucketName, ObjectKey, StorageClass};
use crate::objects::Found;
use crate::s3::arguments::version;
use crate::s3::call::{Answer, Call};
use crate::s3::error::S3Error;
use crate::s3::reply::{S3Body, set_length};
use crate::s3::{conditions, http_date, object_headers, range};

/// GetObject.
pub(crate) async fn object(call: &mut Call<'_>, bucket: &BucketName, key: &ObjectKey) -> Answer {
    let version = version(call.query())?;
    let opened = call.reader().open(bucket, key, version).await?;
    let head = Head::of(call, &opened.found)?;
    let bytes = head.bytes.clone();
    let length = bytes.end - bytes.start;
    let body = S3Body::object(call.reader().stream(opened, bytes), length);
    Ok(head.into_response(body))
}

/// HeadObject.
pub(crate) async fn head(call: &mut Call<'_>, bucket: &BucketName, key: &ObjectKey) -> Answer {
    let version = version(call.query())?;
    let found = call.objects().lookup(bucket, key, version).await?;
    let head = Head::of(call, &found)?;
    Ok(head.into_response(S3Body::bytes(Vec::new())))
}

/// The head of an answer about an object.
struct Head {
    status: StatusCode,
    headers: HeaderMap,
    /// The bytes of the object that the answer covers.
    bytes: std::ops::Range<u64>,
}

impl Head {
    fn of(call: &Call<'_>, found: &Found) -> Result<Head, S3Error> {
        let (asked, data) = (call.headers(), &found.data);
        conditions::check_read(asked, data.etag, found.version.time)?;
        let wanted = match asked.text(RANGE.as_str())? {
            Some(wanted) if conditions::range_applies(asked, data.etag, found.version.time)? => {
                Some(wanted)
            }
            _ => None,
        };
        let range = range::parse(wanted, data.size)?;
        let mut headers = object_headers(call, found)?;
        let (status, bytes) = match range {
            None => (StatusCode::OK, 0..data.size),
            Some(range) => {
                object_headers::insert(
                    &mut headers,
                    CONTENT_RANGE,
                    &range::content_range(&range, data.size),
                );
                (StatusCode::PARTIAL_CONTENT, range)
            }
        };
        // A checksum over the whole object says nothing about a part of it.
        if status == StatusCode::OK
            && asked
                .text("x-amz-checksum-mode")?
                .is_some_and(|mode| mode.eq_ignore_ascii_case("ENABLED"))
        {
            object_headers::write_checksums(&mut headers, &data.checksums);
        }
        set_length(&mut headers, bytes.end - bytes.start);
        Ok(Head {
            status,
            headers,
            bytes,
        })
    }

    fn into_response(self, body: S3Body) -> Response<S3Body> {
        let mut response = Response::new(body);
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        response
    }
}

fn object_headers(call: &Call<'_>, found: &Found) -> Result<HeaderMap, S3Error> {
    let data = &found.data;
    let mut out = HeaderMap::new();
    object_headers::write_content(&mut out, &data.headers, call.query())?;
    object_headers::write_metadata(&mut out, &data.metadata);
    object_headers::insert(&mut out, ETAG, &format!("\"{}\"", data.etag));
    object_headers::insert(
        &mut out,
        LAST_MODIFIED,
        &http_date::http(found.version.time),
    );
    out.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    if data.class != StorageClass::default() {
        object_headers::insert(
            &mut out,
            HeaderName::from_static("x-amz-storage-class"),
            &data.class.0,
        );
    }
    if let Some(version) = found.shown_version() {
        object_headers::insert(
            &mut out,
            HeaderName::from_static("x-amz-version-id"),
            &version,
        );
    }
    let tags = found.version.tags.0.len();
    if tags > 0 {
        object_headers::insert(
            &mut out,
            HeaderName::from_static("x-amz-tagging-count"),
            &tags.to_string(),
        );
    }
    Ok(out)
}

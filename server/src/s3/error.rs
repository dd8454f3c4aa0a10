//! Every error that a client can get: its S3 code, its HTTP status, its XML body.
//!
//! [`S3ErrorCode`] has two exhaustive methods next to each other, wire code and status; nothing else decides them.
//! Invariants: external text never contains internals (an [`S3Error`] keeps its cause separately, for the log); a bad
//! request never becomes a 500, since SDKs retry those.

use std::borrow::Cow;
use std::error::Error;

use hyper::StatusCode;
use hyper::header::{HeaderName, HeaderValue};
use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};

use crate::s3::xml::write;

/// The S3 error codes of this server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(
    missing_docs,
    reason = "each variant is the S3 code of the same name, documented by AWS' error responses page"
)]
pub enum S3ErrorCode {
    AccessDenied,
    AuthorizationHeaderMalformed,
    BadDigest,
    BucketAlreadyExists,
    BucketNotEmpty,
    EntityTooLarge,
    EntityTooSmall,
    IncompleteBody,
    InternalError,
    InvalidAccessKeyId,
    InvalidArgument,
    InvalidBucketName,
    InvalidDigest,
    InvalidPart,
    InvalidPartOrder,
    InvalidRange,
    InvalidRequest,
    InvalidStorageClass,
    InvalidToken,
    InvalidUri,
    KeyTooLong,
    MalformedTrailer,
    MalformedXml,
    MaxMessageLengthExceeded,
    MetadataTooLarge,
    MethodNotAllowed,
    MissingContentLength,
    NoSuchBucket,
    NoSuchKey,
    NoSuchUpload,
    NoSuchVersion,
    NotImplemented,
    NotModified,
    OperationAborted,
    PreconditionFailed,
    RequestTimeTooSkewed,
    RequestTimeout,
    ServiceUnavailable,
    SignatureDoesNotMatch,
    SlowDown,
    TooManyBuckets,
    XAmzContentSha256Mismatch,
}

impl S3ErrorCode {
    /// The code that clients compare.
    pub fn wire(self) -> &'static str {
        match self {
            S3ErrorCode::AccessDenied => "AccessDenied",
            S3ErrorCode::AuthorizationHeaderMalformed => "AuthorizationHeaderMalformed",
            S3ErrorCode::BadDigest => "BadDigest",
            S3ErrorCode::BucketAlreadyExists => "BucketAlreadyExists",
            S3ErrorCode::BucketNotEmpty => "BucketNotEmpty",
            S3ErrorCode::EntityTooLarge => "EntityTooLarge",
            S3ErrorCode::EntityTooSmall => "EntityTooSmall",
            S3ErrorCode::IncompleteBody => "IncompleteBody",
            S3ErrorCode::InternalError => "InternalError",
            S3ErrorCode::InvalidAccessKeyId => "InvalidAccessKeyId",
            S3ErrorCode::InvalidArgument => "InvalidArgument",
            S3ErrorCode::InvalidBucketName => "InvalidBucketName",
            S3ErrorCode::InvalidDigest => "InvalidDigest",
            S3ErrorCode::InvalidPart => "InvalidPart",
            S3ErrorCode::InvalidPartOrder => "InvalidPartOrder",
            S3ErrorCode::InvalidRange => "InvalidRange",
            S3ErrorCode::InvalidRequest => "InvalidRequest",
            S3ErrorCode::InvalidStorageClass => "InvalidStorageClass",
            S3ErrorCode::InvalidToken => "InvalidToken",
            S3ErrorCode::InvalidUri => "InvalidURI",
            S3ErrorCode::KeyTooLong => "KeyTooLongError",
            S3ErrorCode::MalformedTrailer => "MalformedTrailerError",
            S3ErrorCode::MalformedXml => "MalformedXML",
            S3ErrorCode::MaxMessageLengthExceeded => "MaxMessageLengthExceeded",
            S3ErrorCode::MetadataTooLarge => "MetadataTooLarge",
            S3ErrorCode::MethodNotAllowed => "MethodNotAllowed",
            S3ErrorCode::MissingContentLength => "MissingContentLength",
            S3ErrorCode::NoSuchBucket => "NoSuchBucket",
            S3ErrorCode::NoSuchKey => "NoSuchKey",
            S3ErrorCode::NoSuchUpload => "NoSuchUpload",
            S3ErrorCode::NoSuchVersion => "NoSuchVersion",
            S3ErrorCode::NotImplemented => "NotImplemented",
            S3ErrorCode::NotModified => "NotModified",
            S3ErrorCode::OperationAborted => "OperationAborted",
            S3ErrorCode::PreconditionFailed => "PreconditionFailed",
            S3ErrorCode::RequestTimeTooSkewed => "RequestTimeTooSkewed",
            S3ErrorCode::RequestTimeout => "RequestTimeout",
            S3ErrorCode::ServiceUnavailable => "ServiceUnavailable",
            S3ErrorCode::SignatureDoesNotMatch => "SignatureDoesNotMatch",
            S3ErrorCode::SlowDown => "SlowDown",
            S3ErrorCode::TooManyBuckets => "TooManyBuckets",
            S3ErrorCode::XAmzContentSha256Mismatch => "XAmzContentSHA256Mismatch",
        }
    }

    /// The HTTP status of the code.
    pub fn status(self) -> StatusCode {
        match self {
            S3ErrorCode::NotModified => StatusCode::NOT_MODIFIED,
            S3ErrorCode::AuthorizationHeaderMalformed
            | S3ErrorCode::BadDigest
            | S3ErrorCode::EntityTooLarge
            | S3ErrorCode::EntityTooSmall
            | S3ErrorCode::IncompleteBody
            | S3ErrorCode::InvalidArgument
            | S3ErrorCode::InvalidBucketName
            | S3ErrorCode::InvalidDigest
            | S3ErrorCode::InvalidPart
            | S3ErrorCode::InvalidPartOrder
            | S3ErrorCode::InvalidRequest
            | S3ErrorCode::InvalidStorageClass
            | S3ErrorCode::InvalidToken
            | S3ErrorCode::InvalidUri
            | S3ErrorCode::KeyTooLong
            | S3ErrorCode::MalformedTrailer
            | S3ErrorCode::MalformedXml
            | S3ErrorCode::MaxMessageLengthExceeded
            | S3ErrorCode::MetadataTooLarge
            | S3ErrorCode::RequestTimeout
            | S3ErrorCode::TooManyBuckets
            | S3ErrorCode::XAmzContentSha256Mismatch => StatusCode::BAD_REQUEST,
            S3ErrorCode::AccessDenied
            | S3ErrorCode::InvalidAccessKeyId
            | S3ErrorCode::RequestTimeTooSkewed
            | S3ErrorCode::SignatureDoesNotMatch => StatusCode::FORBIDDEN,
            S3ErrorCode::NoSuchBucket
            | S3ErrorCode::NoSuchKey
            | S3ErrorCode::NoSuchUpload
            | S3ErrorCode::NoSuchVersion => StatusCode::NOT_FOUND,
            S3ErrorCode::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            S3ErrorCode::BucketAlreadyExists
            | S3ErrorCode::BucketNotEmpty
            | S3ErrorCode::OperationAborted => StatusCode::CONFLICT,
            S3ErrorCode::MissingContentLength => StatusCode::LENGTH_REQUIRED,
            S3ErrorCode::PreconditionFailed => StatusCode::PRECONDITION_FAILED,
            S3ErrorCode::InvalidRange => StatusCode::RANGE_NOT_SATISFIABLE,
            S3ErrorCode::InternalError => StatusCode::INTERNAL_SERVER_ERROR,
            S3ErrorCode::NotImplemented => StatusCode::NOT_IMPLEMENTED,
            S3ErrorCode::ServiceUnavailable | S3ErrorCode::SlowDown => {
                StatusCode::SERVICE_UNAVAILABLE
            }
        }
    }
}

/// A refusal or failure, ready to be sent.
#[derive(Debug, thiserror::Error)]
#[error("{}: {message}", code.wire())]
pub struct S3Error {
    code: S3ErrorCode,
    message: Cow<'static, str>,
    details: Box<Details>,
    #[source]
    cause: Option<Box<dyn Error + Send + Sync>>,
}

/// Additional data of an error besides code and message; boxed, since most errors have none.
#[derive(Debug, Default)]
struct Details {
    fields: Vec<(&'static str, String)>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl S3Error {
    /// An error of `code`, with a `message` for the client.
    pub fn new(code: S3ErrorCode, message: impl Into<Cow<'static, str>>) -> S3Error {
        S3Error {
            code,
            message: message.into(),
            details: Box::default(),
            cause: None,
        }
    }

    /// An error of the server: the client learns nothing about `cause`, the log gets all of it.
    pub fn internal(cause: impl Into<Box<dyn Error + Send + Sync>>) -> S3Error {
        S3Error::new(
            S3ErrorCode::InternalError,
            "We encountered an internal error. Please try again.",
        )
        .caused_by(cause)
    }

    /// A feature that S3 has and this server does not have yet, by its name.
    pub fn not_implemented(what: impl AsRef<str>) -> S3Error {
        S3Error::new(
            S3ErrorCode::NotImplemented,
            format!("{} is not implemented by this server.", what.as_ref()),
        )
        .with_field("Header", what.as_ref())
    }

    /// A header or query parameter with an invalid value.
    pub fn invalid_argument(
        name: &str,
        value: &str,
        message: impl Into<Cow<'static, str>>,
    ) -> S3Error {
        S3Error::new(S3ErrorCode::InvalidArgument, message)
            .with_field("ArgumentName", name)
            .with_field("ArgumentValue", value)
    }

    /// Adds an XML element next to code and message, such as `Region`.
    #[must_use]
    pub fn with_field(mut self, name: &'static str, value: impl Into<String>) -> S3Error {
        self.details.fields.push((name, value.into()));
        self
    }

    /// Adds a header to the answer.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> S3Error {
        self.details.headers.push((name, value));
        self
    }

    /// Keeps the cause, only for the log.
    #[must_use]
    pub fn caused_by(mut self, cause: impl Into<Box<dyn Error + Send + Sync>>) -> S3Error {
        self.cause = Some(cause.into());
        self
    }

    /// The S3 code.
    pub fn code(&self) -> S3ErrorCode {
        self.code
    }

    /// The message for the client.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The cause, if the error is the server's.
    pub fn cause(&self) -> Option<&(dyn Error + Send + Sync + 'static)> {
        self.cause.as_deref()
    }

    /// Headers that this error adds to the answer.
    pub fn headers(&self) -> &[(HeaderName, HeaderValue)] {
        &self.details.headers
    }

    /// The XML body; `resource` is the path as the client wrote it.
    pub fn body(&self, resource: &str, request_id: &str, host_id: &str) -> Vec<u8> {
        write::error(&ErrorElements {
            error: self,
            resource,
            request_id,
            host_id,
        })
    }
}

/// The elements of an error's body; each error has its own ones between message and resource.
struct ErrorElements<'a> {
    error: &'a S3Error,
    resource: &'a str,
    request_id: &'a str,
    host_id: &'a str,
}

impl Serialize for ErrorElements<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut elements = serializer.serialize_map(None)?;
        elements.serialize_entry("Code", self.error.code.wire())?;
        elements.serialize_entry("Message", &self.error.message)?;
        for (name, value) in &self.error.details.fields {
            elements.serialize_entry(name, value)?;
        }
        elements.serialize_entry("Resource", self.resource)?;
        elements.serialize_entry("RequestId", self.request_id)?;
        elements.serialize_entry("HostId", self.host_id)?;
        elements.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fuzzing sent a bucket name with control characters: the refusal repeated it with `&#x4;` and `&#x0;`, and no
    /// client could parse the answer.
    #[test]
    fn a_refusal_can_be_read_whatever_it_repeats() {
        let name = "m\u{4}\0\u{ffff}\t\n\u{7f}\u{e000}\u{1f512}";
        let body = S3Error::new(S3ErrorCode::InvalidBucketName, "no")
            .with_field("BucketName", name)
            .body("/\u{1}", "1", "h");
        let text = String::from_utf8(body).expect("XML is UTF-8");
        let shown = "m\u{fffd}\u{fffd}\u{fffd}&#x9;&#xa;&#x7f;\u{e000}\u{1f512}";
        assert!(
            text.contains(&format!("<BucketName>{shown}</BucketName>")),
            "{text}"
        );
        assert!(text.contains("<Resource>/\u{fffd}</Resource>"), "{text}");
    }

    #[test]
    fn body_names_code_resource_and_request() {
        let error = S3Error::new(S3ErrorCode::NoSuchKey, "The specified key does not exist.")
            .with_field("Key", "a<b&c");
        let body = String::from_utf8(error.body("/b/a%3Cb", "REQ", "HOST")).expect("XML is UTF-8");
        assert_eq!(
            body,
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>NoSuchKey</Code><Message>The specified key does not \
             exist.</Message><Key>a&lt;b&amp;c</Key><Resource>/b/a%3Cb</Resource><RequestId>REQ</RequestId>\
             <HostId>HOST</HostId></Error>"
        );
    }

    #[test]
    fn an_internal_cause_never_reaches_the_client() {
        let error = S3Error::internal("secret path /var/lib/x");
        assert_eq!(error.code().status(), StatusCode::INTERNAL_SERVER_ERROR);
        let body = String::from_utf8(error.body("/", "r", "h")).expect("XML is UTF-8");
        assert!(!body.contains("secret"), "{body}");
        assert!(
            error
                .cause()
                .expect("kept for the log")
                .to_string()
                .contains("secret path")
        );
    }
}

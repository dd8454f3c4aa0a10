//! The error of every S3 call: the action, its object, the server, and the reason.
//!
//! Callers decide by [`S3ErrorKind`], never by text. A server's text is truncated and stripped of control characters, because it
//! may be shown on a terminal.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use super::intermediary::Intermediary;
use super::skew::OFFSET_MAX_SECS;
use crate::exit::ExitCode;
use crate::tls::{PemError, TlsFault};

/// A longer text of a server is truncated; AWS' own messages have less than 200 bytes.
const SERVER_TEXT_CHARS_MAX: usize = 300;

/// S3's code for a conditional request whose condition is not met.
const PRECONDITION_FAILED: &str = "PreconditionFailed";

/// The call that was attempted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operation {
    /// Building the client.
    Configure,
    /// HeadBucket.
    HeadBucket,
    /// ListObjectsV2.
    ListObjects,
    /// GetObject.
    GetObject,
    /// HeadObject.
    HeadObject,
    /// CreateMultipartUpload.
    CreateUpload,
    /// UploadPart.
    UploadPart,
    /// CompleteMultipartUpload.
    CompleteUpload,
    /// AbortMultipartUpload.
    AbortUpload,
}

impl fmt::Display for Operation {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Configure => "setting up the S3 client",
            Self::HeadBucket => "looking at bucket",
            Self::ListObjects => "listing",
            Self::GetObject => "reading",
            Self::HeadObject => "looking at",
            Self::CreateUpload => "beginning the upload of",
            Self::UploadPart => "uploading a part of",
            Self::CompleteUpload => "completing the upload of",
            Self::AbortUpload => "aborting the upload of",
        })
    }
}

/// Why a request cannot be sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidInput {
    /// Neither http nor https, or without a host.
    #[error("the endpoint {endpoint:?} is no http:// or https:// address")]
    Endpoint {
        /// As given.
        endpoint: String,
    },
    /// TLS cannot be set up.
    #[error(transparent)]
    Tls(#[from] PemError),
    /// The key is empty or too long.
    #[error("a key has 1 to 1024 bytes, this one {bytes}")]
    KeyLength {
        /// Its length.
        bytes: usize,
    },
    /// The bucket name would change the path of the request.
    #[error("{bucket:?} is no bucket name")]
    Bucket {
        /// As given.
        bucket: String,
    },
    /// A header value (metadata, content type) is not valid in HTTP.
    #[error("the value of {name} holds characters that an HTTP header cannot carry")]
    HeaderValue {
        /// The header's name.
        name: String,
    },
    /// A part number or count is outside of S3's limits.
    #[error("part numbers run from 1 to 10000, got {number}")]
    PartNumber {
        /// As given.
        number: u32,
    },
    /// There are more objects under the prefix than the caller's limit.
    #[error("more than {limit} objects: name a longer prefix")]
    TooManyObjects {
        /// The caller's limit.
        limit: usize,
    },
}

/// Why a call failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum S3ErrorKind {
    /// The bucket, key or upload does not exist.
    #[error("not found ({code})")]
    NotFound {
        /// S3's code, such as NoSuchKey.
        code: String,
    },
    /// The server refuses these credentials.
    #[error("refused with {status} {code}: {message}{}", request_id_suffix(.request_id.as_deref()))]
    Auth {
        /// HTTP status.
        status: u16,
        /// S3's code, such as SignatureDoesNotMatch.
        code: String,
        /// The server's message.
        message: String,
        /// The id of the request, for the server's operator.
        request_id: Option<String>,
    },
    /// The server could not be reached, or the connection broke.
    #[error("network failure")]
    Network,
    /// TLS cannot be agreed on.
    #[error("TLS failed: {0}")]
    Tls(TlsFault),
    /// A named time limit was exceeded.
    #[error("no {awaited} within {} s", limit.as_secs())]
    Timeout {
        /// The awaited step.
        awaited: &'static str,
        /// The limit.
        limit: Duration,
    },
    /// Bytes or counts differ from the expected ones.
    #[error("{what}: expected {expected}, got {actual}")]
    Integrity {
        /// The compared value.
        what: &'static str,
        /// The expected value.
        expected: String,
        /// The actual value.
        actual: String,
    },
    /// The two clocks differ by more than S3 allows, and signing with the server's time did not help or would trust a date that
    /// is too far away.
    #[error(
        "this machine's clock and the server's differ too much (server minus here: {offset_secs} s; up to {} h are corrected)",
        OFFSET_MAX_SECS / 3_600
    )]
    ClockSkew {
        /// The server's time, seconds since 1970.
        server_unix_secs: i64,
        /// Server minus local.
        offset_secs: i64,
    },
    /// Any other answer that is not success.
    #[error("the server answered {status} {code}: {message}{}", request_id_suffix(.request_id.as_deref()))]
    Service {
        /// HTTP status.
        status: u16,
        /// S3's code, or the name of the status if the body has none.
        code: String,
        /// The server's message.
        message: String,
        /// The id of the request, for the server's operator.
        request_id: Option<String>,
    },
    /// A failure that something between here and the store told.
    #[error("{0}")]
    Intermediary(Intermediary),
    /// The answer is not from S3: a proxy, another service, or damage.
    #[error("the answer is not what an S3 server sends ({what})")]
    Malformed {
        /// The defect.
        what: &'static str,
    },
    /// The request cannot be sent.
    #[error(transparent)]
    Invalid(#[from] InvalidInput),
}

fn request_id_suffix(request_id: Option<&str>) -> String {
    request_id.map_or_else(String::new, |id| format!(" (request id {id})"))
}

/// The error of an S3 call; see [`S3Error::kind`].
#[derive(Debug)]
pub struct S3Error(Box<Inner>);

#[derive(Debug)]
struct Inner {
    kind: S3ErrorKind,
    operation: Operation,
    bucket: Option<String>,
    key: Option<String>,
    endpoint: String,
    attempts: u32,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl S3Error {
    pub(crate) fn new(kind: S3ErrorKind, operation: Operation, endpoint: &url::Url) -> Self {
        Self(Box::new(Inner {
            kind,
            operation,
            bucket: None,
            key: None,
            endpoint: endpoint.as_str().trim_end_matches('/').to_owned(),
            attempts: 1,
            source: None,
        }))
    }

    pub(crate) fn at(mut self, bucket: Option<&str>, key: Option<&str>) -> Self {
        self.0.bucket = bucket.map(str::to_owned);
        self.0.key = key.map(str::to_owned);
        self
    }

    pub(super) fn after(mut self, attempts: u32) -> Self {
        self.0.attempts = attempts;
        self
    }

    pub(super) fn caused_by(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Why it failed.
    pub fn kind(&self) -> &S3ErrorKind {
        &self.0.kind
    }

    /// The attempted action.
    pub fn operation(&self) -> Operation {
        self.0.operation
    }

    /// The bucket of the call.
    pub fn bucket(&self) -> Option<&str> {
        self.0.bucket.as_deref()
    }

    /// The key of the call.
    pub fn key(&self) -> Option<&str> {
        self.0.key.as_deref()
    }

    /// The server, without a slash at the end.
    pub fn endpoint(&self) -> &str {
        &self.0.endpoint
    }

    /// The number of attempts.
    pub fn attempts(&self) -> u32 {
        self.0.attempts
    }

    /// Whether the bucket, key or upload does not exist.
    pub fn is_not_found(&self) -> bool {
        matches!(self.0.kind, S3ErrorKind::NotFound { .. })
    }

    /// Whether the call would have replaced an object that must be kept.
    pub fn is_taken(&self) -> bool {
        matches!(
            self.code(),
            Some(PRECONDITION_FAILED | "ConditionalRequestConflict")
        )
    }

    /// The same call, refused because the object exists.
    pub(super) fn into_taken(mut self) -> Self {
        self.0.kind = S3ErrorKind::Service {
            status: 412,
            code: PRECONDITION_FAILED.to_owned(),
            message: "the object exists".to_owned(),
            request_id: None,
        };
        self
    }

    /// S3's error code, if the server returned one.
    pub fn code(&self) -> Option<&str> {
        match &self.0.kind {
            S3ErrorKind::NotFound { code }
            | S3ErrorKind::Auth { code, .. }
            | S3ErrorKind::Service { code, .. } => Some(code),
            _ => None,
        }
    }

    /// The program's exit code for this error.
    pub fn exit_code(&self) -> ExitCode {
        match &self.0.kind {
            S3ErrorKind::NotFound { .. } => ExitCode::NotFound,
            S3ErrorKind::Auth { .. } | S3ErrorKind::ClockSkew { .. } | S3ErrorKind::Tls(_) => {
                ExitCode::Auth
            }
            S3ErrorKind::Network | S3ErrorKind::Timeout { .. } => ExitCode::Network,
            S3ErrorKind::Integrity { .. } => ExitCode::Integrity,
            S3ErrorKind::Service { status, .. }
            | S3ErrorKind::Intermediary(Intermediary { status, .. })
                if *status >= 500 || *status == 429 =>
            {
                ExitCode::Network
            }
            S3ErrorKind::Intermediary(Intermediary {
                status: 401 | 403 | 407 | 511,
                ..
            }) => ExitCode::Auth,
            S3ErrorKind::Service { .. }
            | S3ErrorKind::Intermediary(_)
            | S3ErrorKind::Malformed { .. } => ExitCode::Failed,
            S3ErrorKind::Invalid(InvalidInput::Tls(error)) => error.exit_code(),
            S3ErrorKind::Invalid(_) => ExitCode::Usage,
        }
    }
}

impl fmt::Display for S3Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = &self.0;
        write!(out, "{}", inner.operation)?;
        match (&inner.bucket, &inner.key) {
            (Some(bucket), Some(key)) => write!(out, " s3://{bucket}/{}", key.escape_debug())?,
            (Some(bucket), None) => write!(out, " s3://{bucket}")?,
            _ => {}
        }
        write!(out, " at {}: {}", inner.endpoint, inner.kind)?;
        if inner.attempts > 1 {
            write!(out, " (tried {} times)", inner.attempts)?;
        }
        Ok(())
    }
}

impl Error for S3Error {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source.as_deref().map(|source| {
            let source: &(dyn Error + 'static) = source;
            source
        })
    }
}

/// A server's text, made safe for a terminal and a log line.
pub(super) fn server_text(text: &str) -> String {
    text.chars()
        .filter(|c| !c.is_control())
        .take(SERVER_TEXT_CHARS_MAX)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint() -> url::Url {
        url::Url::parse("http://127.0.0.1:9000").expect("valid")
    }

    #[test]
    fn the_message_names_operation_object_endpoint_and_tries() {
        let error = S3Error::new(S3ErrorKind::Network, Operation::UploadPart, &endpoint())
            .at(Some("b"), Some("p/\u{1b}[31mred"))
            .after(5)
            .caused_by(std::io::Error::other("reset"));
        assert_eq!(
            error.to_string(),
            "uploading a part of s3://b/p/\\u{1b}[31mred at http://127.0.0.1:9000: network failure (tried 5 times)"
        );
        assert_eq!(
            Error::source(&error).map(ToString::to_string).as_deref(),
            Some("reset")
        );
    }

    #[test]
    fn every_kind_has_its_exit_code() {
        let code = |kind| S3Error::new(kind, Operation::GetObject, &endpoint()).exit_code();
        let service = |status| S3ErrorKind::Service {
            status,
            code: "X".to_owned(),
            message: String::new(),
            request_id: None,
        };
        assert_eq!(
            code(S3ErrorKind::NotFound {
                code: "NoSuchKey".to_owned()
            }),
            ExitCode::NotFound
        );
        assert_eq!(
            code(S3ErrorKind::ClockSkew {
                server_unix_secs: 0,
                offset_secs: 9
            }),
            ExitCode::Auth
        );
        assert_eq!(code(S3ErrorKind::Network), ExitCode::Network);
        assert_eq!(code(service(503)), ExitCode::Network);
        assert_eq!(code(service(400)), ExitCode::Failed);
        assert_eq!(
            code(S3ErrorKind::Invalid(InvalidInput::KeyLength { bytes: 0 })),
            ExitCode::Usage
        );
    }

    #[test]
    fn server_text_is_cut_and_cleaned() {
        assert_eq!(server_text("a\u{1b}[2J\nb"), "a[2Jb");
        assert_eq!(server_text(&"x".repeat(1_000)).len(), SERVER_TEXT_CHARS_MAX);
    }
}

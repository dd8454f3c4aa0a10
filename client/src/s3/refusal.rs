//! What a server's refusal means: its status and code as one kind of error.

use super::error::S3ErrorKind;

/// The kind of a status and the code of its error document.
pub(super) fn kind_of(
    status: u16,
    code: String,
    message: String,
    request_id: Option<String>,
) -> S3ErrorKind {
    let about_credentials = matches!(
        code.as_str(),
        "InvalidAccessKeyId" | "ExpiredToken" | "InvalidToken" | "AuthorizationHeaderMalformed"
    );
    match status {
        404 => S3ErrorKind::NotFound { code },
        401 | 403 => S3ErrorKind::Auth {
            status,
            code,
            message,
            request_id,
        },
        _ if about_credentials => S3ErrorKind::Auth {
            status,
            code,
            message,
            request_id,
        },
        400 if matches!(code.as_str(), "BadDigest" | "XAmzContentSHA256Mismatch") => {
            S3ErrorKind::Integrity {
                what: "the server received other bytes than were sent",
                expected: "a matching digest".to_owned(),
                actual: format!("{code}: {message}"),
            }
        }
        _ => S3ErrorKind::Service {
            status,
            code,
            message,
            request_id,
        },
    }
}

//! Bodies on their way in: how they are framed and signed, what was promised about them, and reading them.
//!
//! [`PayloadMode`] is what `x-amz-content-sha256` says; [`expect`] is what other headers promise; [`chunked`] takes
//! aws-chunked framing off, as a pure state machine; [`body`] reads a request's body through it. Nothing here holds
//! more than one network read, whatever the client calls a chunk. Digests over the plain bytes are not computed here,
//! except the per-chunk SHA-256 that signed chunks need.

pub(crate) mod body;
pub(crate) mod chunked;
pub(crate) mod document;
pub(crate) mod expect;

use crate::s3::error::{S3Error, S3ErrorCode};

/// How a body is signed and framed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PayloadMode {
    /// One piece whose SHA-256 was signed.
    Signed {
        /// The digest promised.
        sha256: [u8; 32],
    },
    /// One piece that no signature covers.
    Unsigned,
    /// aws-chunked, each chunk signed.
    SignedChunks {
        /// Whether a signed trailer follows.
        trailer: TrailerRule,
    },
    /// aws-chunked without signatures; a trailer carries the checksum.
    UnsignedChunks,
}

/// Whether a body ends in a trailer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TrailerRule {
    /// None may come.
    Absent,
    /// One comes.
    Present,
}

impl PayloadMode {
    /// Reads `x-amz-content-sha256`.
    ///
    /// # Errors
    /// `NotImplemented` for SigV4a's modes, `InvalidArgument` for anything else that is no mode and no SHA-256.
    pub(crate) fn parse(text: &str) -> Result<PayloadMode, S3Error> {
        match text {
            "UNSIGNED-PAYLOAD" => Ok(PayloadMode::Unsigned),
            "STREAMING-AWS4-HMAC-SHA256-PAYLOAD" => Ok(PayloadMode::SignedChunks {
                trailer: TrailerRule::Absent,
            }),
            "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER" => Ok(PayloadMode::SignedChunks {
                trailer: TrailerRule::Present,
            }),
            "STREAMING-UNSIGNED-PAYLOAD-TRAILER" => Ok(PayloadMode::UnsignedChunks),
            streaming if streaming.starts_with("STREAMING-") => Err(S3Error::not_implemented(
                format!("The payload mode {streaming}"),
            )),
            digest => {
                let mut sha256 = [0; 32];
                hex::decode_to_slice(digest, &mut sha256).map_err(|_| {
                    S3Error::invalid_argument(
                        "x-amz-content-sha256",
                        digest,
                        "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, \
                         STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER or a valid sha256 value.",
                    )
                })?;
                Ok(PayloadMode::Signed { sha256 })
            }
        }
    }
}

/// The body is shorter, longer or otherwise framed than its headers say.
pub(crate) fn incomplete_body(why: impl std::fmt::Display) -> S3Error {
    S3Error::new(
        S3ErrorCode::IncompleteBody,
        format!(
            "You did not provide the number of bytes specified by the Content-Length HTTP header: {why}."
        ),
    )
}

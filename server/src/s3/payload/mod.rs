//! Request bodies: their framing and signatures, their stated length and digests, and how they are read.
//!
//! [`PayloadMode`] is the meaning of `x-amz-content-sha256`; [`expect`] reads the other headers; [`chunked`] decodes
//! aws-chunked framing, as a pure state machine; [`body`] reads a body through it; [`document`] reads a small body whole.
//! A streamed body holds one network read in memory, however large its chunks are. Digests over the plain bytes are computed
//! by the layer below, except the SHA-256 of signed chunks.

pub(crate) mod body;
pub(crate) mod chunked;
pub(crate) mod document;
pub(crate) mod expect;

use crate::s3::error::{S3Error, S3ErrorCode};

/// How a body is signed and framed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PayloadMode {
    /// One piece with a signed SHA-256.
    Signed {
        /// The signed digest.
        sha256: [u8; 32],
    },
    /// One piece without a signature.
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
    /// There must be none.
    Absent,
    /// There is one.
    Present,
}

impl PayloadMode {
    /// Reads `x-amz-content-sha256`.
    ///
    /// # Errors
    /// `NotImplemented` for SigV4a's modes, `InvalidArgument` for anything else that is neither a mode nor a SHA-256.
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

/// The body does not match its headers: too short, too long or badly framed.
pub(crate) fn incomplete_body(why: impl std::fmt::Display) -> S3Error {
    S3Error::new(
        S3ErrorCode::IncompleteBody,
        format!(
            "You did not provide the number of bytes specified by the Content-Length HTTP header: {why}."
        ),
    )
}

//! Why a body was refused.

use crate::model::ChecksumAlgorithm;
use crate::store::StoreError;

/// Errors that the S3 layer maps to S3's codes.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    /// `Content-MD5` does not match the body.
    #[error("the body's MD5 is {computed}, the request says {expected}")]
    Md5 {
        /// As sent, in hexadecimal.
        expected: String,
        /// As computed, in hexadecimal.
        computed: String,
    },
    /// `x-amz-content-sha256` does not match the body.
    #[error("the body's SHA-256 is {computed}, the request says {expected}")]
    Sha256 {
        /// As sent, in hexadecimal.
        expected: String,
        /// As computed, in hexadecimal.
        computed: String,
    },
    /// An `x-amz-checksum-*` does not match the body.
    #[error("the body's {} is not what the request says", algorithm.name())]
    Checksum {
        /// Which one.
        algorithm: ChecksumAlgorithm,
    },
    /// A checksum was announced for the trailer but did not come.
    #[error("the request announced a {} and sent none", algorithm.name())]
    ChecksumMissing {
        /// Which one.
        algorithm: ChecksumAlgorithm,
    },
    /// More or fewer bytes than announced.
    #[error("the body has {got} bytes, {expected} were announced")]
    Length {
        /// As announced.
        expected: u64,
        /// As received.
        got: u64,
    },
    /// Above S3's limit for one body.
    #[error("a body may have at most {max} bytes")]
    TooLarge {
        /// The limit.
        max: u64,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

//! The digests of one body, and the values that the client stated.

use bytes::Bytes;
use sha2::Digest as _;
use subtle::ConstantTimeEq;

use crate::bodies::incoming::IngestError;
use crate::bodies::incoming::serial_task::Stage;
use crate::model::checksum::Running;
use crate::model::{Checksum, ChecksumAlgorithm, ChecksumKind};

/// The values that a request states about its body.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Expected {
    /// Plain bytes.
    pub length: Option<u64>,
    /// `Content-MD5`.
    pub md5: Option<[u8; 16]>,
    /// `x-amz-content-sha256`, when it is a digest.
    pub sha256: Option<[u8; 32]>,
    /// The additional checksum to compute and keep; its value may come with the trailer.
    pub checksum: Option<(ChecksumAlgorithm, ChecksumValue)>,
}

/// The source of a checksum's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChecksumValue {
    /// Sent in a header.
    Known(Bytes),
    /// Announced for the trailer.
    InTrailer,
    /// Not sent: only computed and stored.
    Computed,
}

/// The digests that only some clients ask for. They are separate from the MD5 of every ETag, so that both are computed
/// in parallel.
pub(super) struct Asked {
    sha256: Option<sha2::Sha256>,
    checksum: Option<(ChecksumAlgorithm, Running)>,
}

/// Digests of a whole body that match the client's values.
pub(super) struct Verified {
    pub(super) md5: [u8; 16],
    pub(super) checksums: Vec<Checksum>,
}

impl Asked {
    /// None when only the ETag is needed.
    pub(super) fn new(expected: &Expected) -> Option<Asked> {
        let asked = Asked {
            sha256: expected.sha256.map(|_| sha2::Sha256::new()),
            checksum: expected
                .checksum
                .as_ref()
                .map(|(algorithm, _)| (*algorithm, Running::new(*algorithm))),
        };
        (asked.sha256.is_some() || asked.checksum.is_some()).then_some(asked)
    }
}

impl Stage for Asked {
    fn take(mut self, frames: &[Bytes]) -> Result<Asked, IngestError> {
        for frame in frames {
            if let Some(sha256) = &mut self.sha256 {
                sha256.update(frame);
            }
            if let Some((_, running)) = &mut self.checksum {
                running.update(frame);
            }
        }
        Ok(self)
    }
}

/// Compares the computed digests with the client's values.
pub(super) fn verify(
    md5: [u8; 16],
    asked: Option<Asked>,
    expected: &Expected,
) -> Result<Verified, IngestError> {
    if let Some(said) = expected.md5.filter(|said| !same(said, &md5)) {
        return Err(IngestError::Md5 {
            expected: hex::encode(said),
            computed: hex::encode(md5),
        });
    }
    let mut checksums = Vec::new();
    let Some(Asked { sha256, checksum }) = asked else {
        return Ok(Verified { md5, checksums });
    };
    if let (Some(said), Some(sha256)) = (expected.sha256, sha256) {
        let computed: [u8; 32] = sha256.finalize().into();
        if !same(&said, &computed) {
            return Err(IngestError::Sha256 {
                expected: hex::encode(said),
                computed: hex::encode(computed),
            });
        }
    }
    if let (Some((algorithm, running)), Some((_, said))) = (checksum, &expected.checksum) {
        let value = running.finish();
        match said {
            ChecksumValue::Known(said) if !same(said, &value) => {
                return Err(IngestError::Checksum { algorithm });
            }
            ChecksumValue::InTrailer => return Err(IngestError::ChecksumMissing { algorithm }),
            ChecksumValue::Known(_) | ChecksumValue::Computed => {}
        }
        checksums.push(Checksum {
            algorithm,
            kind: ChecksumKind::FullObject,
            value,
        });
    }
    Ok(Verified { md5, checksums })
}

fn same(a: &[u8], b: &[u8]) -> bool {
    a.ct_eq(b).into()
}

//! The digests of one body, and what the client says they are.

use bytes::Bytes;
use md5::Digest as _;
use subtle::ConstantTimeEq;

use crate::ingest::IngestError;
use crate::model::checksum::Running;
use crate::model::{Checksum, ChecksumAlgorithm, ChecksumKind};

/// What a request says about its body.
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

/// Where a checksum's value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChecksumValue {
    /// Sent ahead.
    Known(Bytes),
    /// Announced for the trailer.
    InTrailer,
    /// Not sent: computed and kept only.
    Computed,
}

/// Digests being computed.
pub(super) struct Digests {
    md5: md5::Md5,
    sha256: Option<sha2::Sha256>,
    checksum: Option<(ChecksumAlgorithm, Running)>,
}

/// Digests of a whole body that are what the client says.
pub(super) struct Verified {
    pub(super) md5: [u8; 16],
    pub(super) checksums: Vec<Checksum>,
}

impl Digests {
    pub(super) fn new(expected: &Expected) -> Digests {
        Digests {
            md5: md5::Md5::new(),
            sha256: expected.sha256.map(|_| sha2::Sha256::new()),
            checksum: expected
                .checksum
                .as_ref()
                .map(|(algorithm, _)| (*algorithm, Running::new(*algorithm))),
        }
    }

    pub(super) fn update(&mut self, bytes: &[u8]) {
        self.md5.update(bytes);
        if let Some(sha256) = &mut self.sha256 {
            sha256.update(bytes);
        }
        if let Some((_, running)) = &mut self.checksum {
            running.update(bytes);
        }
    }

    pub(super) fn verify(self, expected: &Expected) -> Result<Verified, IngestError> {
        let md5: [u8; 16] = self.md5.finalize().into();
        if let Some(said) = expected.md5.filter(|said| !same(said, &md5)) {
            return Err(IngestError::Md5 {
                expected: hex::encode(said),
                computed: hex::encode(md5),
            });
        }
        if let (Some(said), Some(sha256)) = (expected.sha256, self.sha256) {
            let computed: [u8; 32] = sha256.finalize().into();
            if !same(&said, &computed) {
                return Err(IngestError::Sha256 {
                    expected: hex::encode(said),
                    computed: hex::encode(computed),
                });
            }
        }
        let mut checksums = Vec::new();
        if let (Some((algorithm, running)), Some((_, said))) = (self.checksum, &expected.checksum) {
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
}

fn same(a: &[u8], b: &[u8]) -> bool {
    a.ct_eq(b).into()
}

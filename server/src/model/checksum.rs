//! S3's additional checksums.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// The checksum functions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ChecksumAlgorithm {
    /// ISO 3309 CRC-32.
    Crc32,
    /// Castagnoli CRC-32.
    Crc32c,
    /// CRC-64 of the NVMe specification.
    Crc64Nvme,
    /// SHA-1.
    Sha1,
    /// SHA-256.
    Sha256,
}

impl ChecksumAlgorithm {
    /// Every algorithm.
    pub const ALL: [ChecksumAlgorithm; 5] = [
        ChecksumAlgorithm::Crc32,
        ChecksumAlgorithm::Crc32c,
        ChecksumAlgorithm::Crc64Nvme,
        ChecksumAlgorithm::Sha1,
        ChecksumAlgorithm::Sha256,
    ];

    /// S3's name, as in `x-amz-checksum-algorithm`.
    pub fn name(self) -> &'static str {
        match self {
            ChecksumAlgorithm::Crc32 => "CRC32",
            ChecksumAlgorithm::Crc32c => "CRC32C",
            ChecksumAlgorithm::Crc64Nvme => "CRC64NVME",
            ChecksumAlgorithm::Sha1 => "SHA1",
            ChecksumAlgorithm::Sha256 => "SHA256",
        }
    }

    /// The header and trailer name, lower case.
    pub fn header(self) -> &'static str {
        match self {
            ChecksumAlgorithm::Crc32 => "x-amz-checksum-crc32",
            ChecksumAlgorithm::Crc32c => "x-amz-checksum-crc32c",
            ChecksumAlgorithm::Crc64Nvme => "x-amz-checksum-crc64nvme",
            ChecksumAlgorithm::Sha1 => "x-amz-checksum-sha1",
            ChecksumAlgorithm::Sha256 => "x-amz-checksum-sha256",
        }
    }

    /// Reads S3's name.
    pub fn parse(name: &str) -> Option<ChecksumAlgorithm> {
        ChecksumAlgorithm::ALL
            .into_iter()
            .find(|a| a.name().eq_ignore_ascii_case(name))
    }

    /// Length of a value in bytes.
    pub fn value_bytes(self) -> usize {
        match self {
            ChecksumAlgorithm::Crc32 | ChecksumAlgorithm::Crc32c => 4,
            ChecksumAlgorithm::Crc64Nvme => 8,
            ChecksumAlgorithm::Sha1 => 20,
            ChecksumAlgorithm::Sha256 => 32,
        }
    }
}

/// What a checksum of a multipart object covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ChecksumKind {
    /// All bytes of the object.
    FullObject,
    /// The parts' checksums, in order; shown as `value-N`.
    Composite {
        /// Number of parts.
        parts: u16,
    },
}

/// A checksum that was verified when the body arrived.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Checksum {
    /// The function.
    pub algorithm: ChecksumAlgorithm,
    /// What it covers.
    pub kind: ChecksumKind,
    /// Its value, big-endian for the CRCs.
    pub value: Bytes,
}

impl ChecksumAlgorithm {
    /// The checksum of bytes in memory.
    pub fn digest(self, bytes: &[u8]) -> Bytes {
        let mut running = Running::new(self);
        running.update(bytes);
        running.finish()
    }

    /// The checksum of two runs of bytes, from their two checksums; `second_len` is the length of the second run.
    /// `None` for the SHAs, which cannot be combined, and for values of a wrong length.
    pub fn combine(self, first: &Bytes, second: &Bytes, second_len: u64) -> Option<Bytes> {
        let (params, width) = match self {
            ChecksumAlgorithm::Crc32 => (crc_fast::CrcAlgorithm::Crc32IsoHdlc, 4),
            ChecksumAlgorithm::Crc32c => (crc_fast::CrcAlgorithm::Crc32Iscsi, 4),
            ChecksumAlgorithm::Crc64Nvme => (crc_fast::CrcAlgorithm::Crc64Nvme, 8),
            ChecksumAlgorithm::Sha1 | ChecksumAlgorithm::Sha256 => return None,
        };
        let number = |value: &Bytes| {
            let mut wide = [0; 8];
            wide.get_mut(8 - width..)?
                .copy_from_slice(value.get(..width).filter(|_| value.len() == width)?);
            Some(u64::from_be_bytes(wide))
        };
        let combined =
            crc_fast::checksum_combine(params, number(first)?, number(second)?, second_len);
        Some(Bytes::copy_from_slice(
            combined.to_be_bytes().get(8 - width..)?,
        ))
    }
}

/// A checksum being computed.
#[derive(Debug, Clone)]
pub enum Running {
    /// CRC-32 by crc32fast.
    Crc32(crc32fast::Hasher),
    /// The other CRCs, with the length of their value in bytes.
    Crc(crc_fast::Digest, usize),
    /// SHA-1.
    Sha1(sha1::Sha1),
    /// SHA-256.
    Sha256(sha2::Sha256),
}

impl Running {
    /// Starts with no bytes.
    pub fn new(algorithm: ChecksumAlgorithm) -> Running {
        match algorithm {
            ChecksumAlgorithm::Crc32 => Running::Crc32(crc32fast::Hasher::new()),
            ChecksumAlgorithm::Crc32c => {
                Running::Crc(crc_fast::Digest::new(crc_fast::CrcAlgorithm::Crc32Iscsi), 4)
            }
            ChecksumAlgorithm::Crc64Nvme => {
                Running::Crc(crc_fast::Digest::new(crc_fast::CrcAlgorithm::Crc64Nvme), 8)
            }
            ChecksumAlgorithm::Sha1 => Running::Sha1(sha1::Sha1::default()),
            ChecksumAlgorithm::Sha256 => Running::Sha256(sha2::Sha256::default()),
        }
    }

    /// Adds more bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        match self {
            Running::Crc32(hasher) => hasher.update(bytes),
            Running::Crc(digest, _) => digest.update(bytes),
            Running::Sha1(sha) => sha1::Digest::update(sha, bytes),
            Running::Sha256(sha) => sha2::Digest::update(sha, bytes),
        }
    }

    /// The value, big-endian for the CRCs.
    pub fn finish(self) -> Bytes {
        match self {
            Running::Crc32(hasher) => Bytes::copy_from_slice(&hasher.finalize().to_be_bytes()),
            Running::Crc(digest, width) => {
                let value = digest.finalize().to_be_bytes();
                Bytes::copy_from_slice(value.get(8 - width..).unwrap_or_default())
            }
            Running::Sha1(sha) => Bytes::copy_from_slice(&sha1::Digest::finalize(sha)),
            Running::Sha256(sha) => Bytes::copy_from_slice(&sha2::Digest::finalize(sha)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn check_values_of_the_catalogues() {
        // "123456789" is the check input of the CRC catalogue; SHA values from FIPS 180's examples of "abc".
        let check = |algorithm: ChecksumAlgorithm, input: &str| {
            hex::encode(algorithm.digest(input.as_bytes()))
        };
        assert_eq!(check(ChecksumAlgorithm::Crc32, "123456789"), "cbf43926");
        assert_eq!(check(ChecksumAlgorithm::Crc32c, "123456789"), "e3069283");
        assert_eq!(
            check(ChecksumAlgorithm::Crc64Nvme, "123456789"),
            "ae8b14860a799888"
        );
        assert_eq!(
            check(ChecksumAlgorithm::Sha1, "abc"),
            "a9993e364706816aba3e25717850c26c9cd0d89d"
        );
        assert!(check(ChecksumAlgorithm::Sha256, "abc").starts_with("ba7816bf8f01cfea"));
    }

    #[test]
    fn combined_checksums_equal_those_of_the_joined_bytes() {
        for algorithm in [
            ChecksumAlgorithm::Crc32,
            ChecksumAlgorithm::Crc32c,
            ChecksumAlgorithm::Crc64Nvme,
        ] {
            let (a, b) = (algorithm.digest(b"etcd "), algorithm.digest(b"snapshot"));
            assert_eq!(
                algorithm.combine(&a, &b, 8),
                Some(algorithm.digest(b"etcd snapshot"))
            );
            assert_eq!(algorithm.combine(&a, &Bytes::from_static(b"x"), 8), None);
        }
        let sha = ChecksumAlgorithm::Sha1.digest(b"");
        assert_eq!(ChecksumAlgorithm::Sha1.combine(&sha, &sha, 0), None);
    }
}

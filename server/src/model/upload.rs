//! Multipart uploads and their parts.

use std::fmt;

use serde::{Deserialize, Serialize};

/// S3's limit on parts of one upload.
pub const PARTS_MAX: u16 = 10_000;

/// S3's minimum size of a part, except the last one.
pub const PART_BYTES_MIN: u64 = 5 * 1024 * 1024;

/// S3's maximum size of a part and of a body put in one piece.
pub const PART_BYTES_MAX: u64 = 5 * 1024 * 1024 * 1024;

/// An upload's id: random.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct UploadId(pub [u8; 16]);

impl UploadId {
    /// Reads the text form: 32 hexadecimal digits.
    pub fn parse(text: &str) -> Option<UploadId> {
        let mut bytes = [0; 16];
        hex::decode_to_slice(text, &mut bytes).ok()?;
        Some(UploadId(bytes))
    }
}

impl fmt::Display for UploadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

/// A part's number, 1 to [`PARTS_MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PartNumber(u16);

impl PartNumber {
    /// Checks a number.
    pub fn new(number: u64) -> Option<PartNumber> {
        u16::try_from(number)
            .ok()
            .filter(|n| (1..=PARTS_MAX).contains(n))
            .map(PartNumber)
    }

    /// The number.
    pub fn get(self) -> u16 {
        self.0
    }
}

//! Versions of an object.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A version's position among the versions of its key; counts from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct VersionNumber(pub u64);

/// S3's VersionId: the number, so that a lookup needs no search, and a nonce, so that no id is used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct VersionId {
    /// Which version of the key.
    pub number: VersionNumber,
    /// Random.
    pub nonce: u64,
}

impl VersionId {
    /// Reads the text form: 32 hexadecimal digits.
    pub fn parse(text: &str) -> Option<VersionId> {
        let mut bytes = [0; 16];
        hex::decode_to_slice(text, &mut bytes).ok()?;
        let both = u128::from_be_bytes(bytes);
        let number = VersionNumber(u64::try_from(both >> 64).ok()?);
        let nonce = u64::try_from(both & u128::from(u64::MAX)).ok()?;
        Some(VersionId { number, nonce })
    }
}

impl fmt::Display for VersionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}{:016x}", self.number.0, self.nonce)
    }
}

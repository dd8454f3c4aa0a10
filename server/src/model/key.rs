//! Object keys: any UTF-8 of 1 to 1024 bytes. They never touch the file system.

use std::fmt;

use serde::{Deserialize, Serialize};

/// S3's limit on a key, in bytes.
pub const KEY_BYTES_MAX: usize = 1024;

/// The name of an object within its bucket.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ObjectKey(String);

/// Why a text is not a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The empty text.
    #[error("an object key is not empty")]
    Empty,
    /// More than [`KEY_BYTES_MAX`] bytes.
    #[error("an object key has at most 1024 bytes, this one has {0}")]
    TooLong(usize),
}

impl ObjectKey {
    /// Checks a key.
    ///
    /// # Errors
    /// When it is empty or too long.
    pub fn parse(text: &str) -> Result<ObjectKey, KeyError> {
        match text.len() {
            0 => Err(KeyError::Empty),
            1..=KEY_BYTES_MAX => Ok(ObjectKey(text.to_owned())),
            len => Err(KeyError::TooLong(len)),
        }
    }

    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl TryFrom<String> for ObjectKey {
    type Error = KeyError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        ObjectKey::parse(&text)
    }
}

impl From<ObjectKey> for String {
    fn from(key: ObjectKey) -> String {
        key.0
    }
}

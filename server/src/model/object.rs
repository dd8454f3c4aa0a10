//! What an object carries besides its bytes.

use serde::{Deserialize, Serialize};

use crate::clock::UnixMillis;

/// The content headers that a PUT sets and a GET returns.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ContentHeaders {
    /// `Content-Type`.
    pub content_type: Option<String>,
    /// `Cache-Control`.
    pub cache_control: Option<String>,
    /// `Content-Disposition`.
    pub content_disposition: Option<String>,
    /// `Content-Encoding`, without `aws-chunked`.
    pub content_encoding: Option<String>,
    /// `Content-Language`.
    pub content_language: Option<String>,
    /// `Expires`, as given.
    pub expires: Option<String>,
}

/// `x-amz-meta-*`: names in lower case without the prefix, and values, in the order given.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct UserMetadata(pub Vec<(String, String)>);

/// Object tags.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Tags(pub Vec<(String, String)>);

/// The user whose access key put an object.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Owner(pub String);

/// `x-amz-storage-class`; stored and shown, without effect.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct StorageClass(pub String);

impl Default for StorageClass {
    fn default() -> Self {
        StorageClass("STANDARD".to_owned())
    }
}

/// How strict a retention is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum RetentionMode {
    /// Can be bypassed with permission.
    Governance,
    /// Nobody can bypass it.
    Compliance,
}

/// A period in which a version must not be deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retention {
    /// How strict.
    pub mode: RetentionMode,
    /// Its end.
    pub until: UnixMillis,
}

/// A hold without an end, independent of any retention.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum LegalHold {
    /// None.
    #[default]
    Off,
    /// The version may not be deleted.
    On,
}

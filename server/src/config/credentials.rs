//! Root credentials. Easily guessed ones are refused.

use std::fmt;
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde::{Deserialize, Deserializer};

use crate::config::ConfigError;
use crate::config::settings::{Given, Source};

/// Shortest user, as in MinIO.
const USER_CHARS_MIN: usize = 3;

/// Longest user: AWS allows access keys of 128 characters.
const USER_CHARS_MAX: usize = 128;

/// Shortest password, as in MinIO.
const PASSWORD_CHARS_MIN: usize = 8;

/// Longest password: more than any generator produces, so that a wrong file is noticed.
const PASSWORD_CHARS_MAX: usize = 1024;

/// Largest credential file in bytes: the longest credential in UTF-8 and a line end.
const FILE_BYTES_MAX: u64 = 4 * 1024 + 2;

/// Passwords from manuals, examples and images of S3 servers, in lower case: scanners try these first.
const WELL_KNOWN: [&str; 19] = [
    "minioadmin",
    "minio123",
    "minio-secret-key-change-me",
    "miniosecret",
    "miniostorage",
    "changeme",
    "changeme123",
    "change-me",
    "password",
    "password123",
    "passw0rd",
    "12345678",
    "123456789",
    "rustfsadmin",
    "secretkey",
    "secret-key",
    "strongroom",
    "strongroomadmin",
    "wjalrxutnfemi/k7mdeng/bpxrficyexamplekey",
];

/// A text that `Debug` does not print.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret.
    pub fn new(text: String) -> Secret {
        Secret(text)
    }

    /// The secret itself, for signing.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl<'de> Deserialize<'de> for Secret {
    /// Goes through a TOML value, because serde's own message for a wrong type would quote the secret.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Secret, D::Error> {
        match toml::Value::deserialize(deserializer)? {
            toml::Value::String(text) => Ok(Secret(text)),
            _ => Err(serde::de::Error::custom("a password is a string in quotes")),
        }
    }
}

/// The root key pair, which is allowed everything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RootCredentials {
    /// The access key id.
    pub user: String,
    /// The secret access key.
    pub password: Secret,
}

/// Refuses credentials that are missing, malformed or easy to guess; adds what looks like a mistake to `warnings`.
pub(super) fn check(
    user: Option<Given<String>>,
    password: Option<Given<Secret>>,
    warnings: &mut Vec<String>,
) -> Result<RootCredentials, ConfigError> {
    let (user, password) = match (user, password) {
        (Some(user), Some(password)) => (user, password),
        (None, None) => return Err(ConfigError::NoCredentials),
        (Some(given), None) => {
            return Err(ConfigError::HalfCredentials {
                have: given.from,
                lack: "password",
            });
        }
        (None, Some(given)) => {
            return Err(ConfigError::HalfCredentials {
                have: given.from,
                lack: "user",
            });
        }
    };
    let user_chars = user.value.chars().count();
    if !(USER_CHARS_MIN..=USER_CHARS_MAX).contains(&user_chars) {
        return Err(ConfigError::UserLength {
            source_of: user.from,
            min: USER_CHARS_MIN,
            max: USER_CHARS_MAX,
        });
    }
    // `/` separates the parts of a credential scope, `,` and `=` those of the Authorization header.
    let parts_headers =
        |c: char| matches!(c, '/' | ',' | '=') || c.is_whitespace() || c.is_control();
    if user.value.contains(parts_headers) {
        return Err(ConfigError::UserCharacter {
            source_of: user.from,
        });
    }
    let text = password.value.expose();
    let password_chars = text.chars().count();
    if !(PASSWORD_CHARS_MIN..=PASSWORD_CHARS_MAX).contains(&password_chars) {
        let (min, max) = (PASSWORD_CHARS_MIN, PASSWORD_CHARS_MAX);
        return Err(ConfigError::PasswordLength {
            source_of: password.from,
            min,
            max,
        });
    }
    if text == user.value {
        return Err(ConfigError::PasswordIsUser {
            source_of: password.from,
        });
    }
    if WELL_KNOWN.contains(&text.to_lowercase().as_str()) {
        return Err(ConfigError::WellKnownPassword {
            source_of: password.from,
        });
    }
    if text.trim() != text || text.contains(char::is_control) {
        warnings.push(format!(
            "{}: the root password begins or ends with a blank, or holds a line end; it belongs to the password, so clients \
             must send it, too",
            password.from
        ));
    }
    Ok(RootCredentials {
        user: user.value,
        password: password.value,
    })
}

/// The permission bit that lets everybody read.
const READABLE_BY_OTHERS: u32 = 0o004;

/// A warning about a file with a password that everybody may read.
pub(super) fn readable_by_others(path: &Path) -> Option<String> {
    let metadata = fs::metadata(path).ok()?;
    let readable = metadata.permissions().mode() & READABLE_BY_OTHERS != 0;
    readable.then(|| {
        let path = path.display();
        format!("{path} holds the root password and everyone may read it: chmod 0600 {path}")
    })
}

/// Reads a credential from the first line of a file, without its line end.
pub(super) fn read_file(path: &Path, from: &Source) -> Result<String, ConfigError> {
    let unreadable = |source| ConfigError::CredentialFile {
        path: path.to_owned(),
        source_of: from.clone(),
        source,
    };
    let mut text = String::new();
    let file = File::open(path).map_err(unreadable)?;
    file.take(FILE_BYTES_MAX + 1)
        .read_to_string(&mut text)
        .map_err(unreadable)?;
    let (line, _) = text.split_once('\n').unwrap_or((&text, ""));
    Ok(line.strip_suffix('\r').unwrap_or(line).to_owned())
}

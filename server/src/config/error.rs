//! Why the server does not start with this configuration.

use std::io;
use std::path::PathBuf;

use crate::config::settings::Source;
use crate::model::BucketNameError;
use crate::telemetry::log::LogFilterError;

/// A setting that is missing or wrong. No message holds a credential.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The configuration file cannot be read.
    #[error("the configuration file {} cannot be read: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The configuration file is no configuration file.
    #[error("the configuration file {} is larger than {max} bytes", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The limit.
        max: u64,
    },
    /// The configuration file has an unknown key, a wrong type or no TOML.
    #[error("{}:{line}: {message}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// The parser's words, which name the key.
        message: String,
    },
    /// Two keys that say the same.
    #[error("{}: `{one}` and `{other}` exclude each other", path.display())]
    Both {
        /// The file.
        path: PathBuf,
        /// One key.
        one: &'static str,
        /// The other.
        other: &'static str,
    },
    /// A variable is no UTF-8.
    #[error("the variable {name} is not UTF-8")]
    NotText {
        /// The variable.
        name: &'static str,
    },
    /// Nobody said where the store lies.
    #[error(
        "no data directory is given: neither --data-dir nor STRONGROOM_DATA_DIR nor `data_dir` in a file"
    )]
    NoDataDir,
    /// An address does not parse.
    #[error(
        "{source_of}: `{value}` is no address: write IP:PORT, [IPv6]:PORT, localhost:PORT or :PORT"
    )]
    Address {
        /// What was given.
        value: String,
        /// By whom.
        source_of: Source,
    },
    /// No credentials at all.
    #[error(
        "no root credentials: set STRONGROOM_ROOT_USER and STRONGROOM_ROOT_PASSWORD \
         (MINIO_ROOT_USER and MINIO_ROOT_PASSWORD are understood, too)"
    )]
    NoCredentials,
    /// One half of the pair.
    #[error("{have} is set, but the root {lack} is missing")]
    HalfCredentials {
        /// Where the half came from.
        have: Source,
        /// The missing half.
        lack: &'static str,
    },
    /// A file that should hold a credential.
    #[error("{source_of}: {} cannot be read: {source}", path.display())]
    CredentialFile {
        /// The file.
        path: PathBuf,
        /// Who named it.
        source_of: Source,
        /// Why.
        source: io::Error,
    },
    /// The user is too short or too long.
    #[error("{source_of}: the root user must have {min} to {max} characters")]
    UserLength {
        /// Where it came from.
        source_of: Source,
        /// Least.
        min: usize,
        /// Most.
        max: usize,
    },
    /// The user holds a character that parts headers.
    #[error("{source_of}: the root user must not contain `/`, `,`, `=` or blanks")]
    UserCharacter {
        /// Where it came from.
        source_of: Source,
    },
    /// The password is too short or too long.
    #[error("{source_of}: the root password must have {min} to {max} characters")]
    PasswordLength {
        /// Where it came from.
        source_of: Source,
        /// Shortest.
        min: usize,
        /// Longest.
        max: usize,
    },
    /// User and password are the same.
    #[error("{source_of}: the root password equals the root user")]
    PasswordIsUser {
        /// Where the password came from.
        source_of: Source,
    },
    /// A password that everybody knows.
    #[error("{source_of}: the root password is a well-known default, which scanners try first")]
    WellKnownPassword {
        /// Where it came from.
        source_of: Source,
    },
    /// A bucket to create has no bucket's name.
    #[error("{source_of}: `{name}`: {why}")]
    Bucket {
        /// The name.
        name: String,
        /// Who gave it.
        source_of: Source,
        /// The broken rule.
        #[source]
        why: BucketNameError,
    },
    /// The log filter does not parse.
    #[error("{source_of}: `{value}` is no log filter: {why}")]
    LogFilter {
        /// What was given.
        value: String,
        /// By whom.
        source_of: Source,
        /// The parser's words.
        #[source]
        why: LogFilterError,
    },
    /// The log format is unknown.
    #[error("{source_of}: `{value}` is no log format: write auto, json or text")]
    LogFormat {
        /// What was given.
        value: String,
        /// By whom.
        source_of: Source,
    },
    /// A time or size is no number in range.
    #[error("{source_of}: `{value}` is no {what}: write {min} to {max} {unit}")]
    Number {
        /// What it would be.
        what: &'static str,
        /// What the number counts.
        unit: &'static str,
        /// What was given.
        value: String,
        /// By whom.
        source_of: Source,
        /// Shortest.
        min: u64,
        /// Longest.
        max: u64,
    },
}

impl ConfigError {
    /// What to type next.
    pub fn next_command(&self) -> String {
        match self {
            ConfigError::Unreadable { path, .. } | ConfigError::TooLarge { path, .. } => {
                format!("ls -l {}", path.display())
            }
            ConfigError::Syntax { path, line, .. } => {
                format!("${{EDITOR:-vi}} +{line} {}", path.display())
            }
            ConfigError::Both { path, .. } => format!("${{EDITOR:-vi}} {}", path.display()),
            ConfigError::CredentialFile { path, .. } => format!("ls -l {}", path.display()),
            ConfigError::NoDataDir => {
                "strongroom-server serve --data-dir /var/lib/strongroom".to_owned()
            }
            ConfigError::NoCredentials
            | ConfigError::HalfCredentials { .. }
            | ConfigError::UserLength { .. }
            | ConfigError::UserCharacter { .. }
            | ConfigError::PasswordLength { .. }
            | ConfigError::PasswordIsUser { .. }
            | ConfigError::WellKnownPassword { .. } => "export STRONGROOM_ROOT_USER=backup-admin \
                 STRONGROOM_ROOT_PASSWORD=\"$(head -c 24 /dev/urandom | base64)\""
                .to_owned(),
            _ => "strongroom-server serve --help".to_owned(),
        }
    }
}

//! Errors of the configuration, each with the next command to type.

use std::io;
use std::path::PathBuf;

use crate::config::settings::Source;
use crate::model::BucketNameError;
use crate::telemetry::log::LogFilterError;

/// A setting that is missing or wrong. No message contains a credential.
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
    /// The configuration file is larger than the limit.
    #[error("the configuration file {} is larger than {max} bytes", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The limit.
        max: u64,
    },
    /// The configuration file is not TOML, or has an unknown key or a wrong type.
    #[error("{}:{line}: {message}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// The parser's message, which names the key.
        message: String,
    },
    /// Two keys for the same setting.
    #[error("{}: `{one}` and `{other}` exclude each other", path.display())]
    Both {
        /// The file.
        path: PathBuf,
        /// One key.
        one: &'static str,
        /// The other.
        other: &'static str,
    },
    /// A variable is not UTF-8.
    #[error("the variable {name} is not UTF-8")]
    NotText {
        /// The variable.
        name: &'static str,
    },
    /// No data directory is configured.
    #[error(
        "no data directory is given: neither --data-dir nor STRONGROOM_DATA_DIR nor `data_dir` in a file"
    )]
    NoDataDir,
    /// An address cannot be parsed.
    #[error(
        "{source_of}: `{value}` is no address: write IP:PORT, [IPv6]:PORT, localhost:PORT or :PORT"
    )]
    Address {
        /// The value.
        value: String,
        /// The source of the value.
        source_of: Source,
    },
    /// There are no credentials.
    #[error(
        "no root credentials: set STRONGROOM_ROOT_USER and STRONGROOM_ROOT_PASSWORD \
         (MINIO_ROOT_USER and MINIO_ROOT_PASSWORD are understood, too)"
    )]
    NoCredentials,
    /// The credentials have the names that MinIO gave up.
    #[error(
        "no root credentials: {names} are not read; their names are MINIO_ROOT_USER and MINIO_ROOT_PASSWORD now \
         (or STRONGROOM_ROOT_USER and STRONGROOM_ROOT_PASSWORD)"
    )]
    OldCredentials {
        /// Those that are set.
        names: String,
    },
    /// Half of the key pair is missing.
    #[error("{have} is set, but the root {lack} is missing")]
    HalfCredentials {
        /// The source of the half that is set.
        have: Source,
        /// The missing half.
        lack: &'static str,
    },
    /// The file of a credential cannot be read.
    #[error("{source_of}: {} cannot be read: {source}", path.display())]
    CredentialFile {
        /// The file.
        path: PathBuf,
        /// The setting that names it.
        source_of: Source,
        /// Why.
        source: io::Error,
    },
    /// The user is too short or too long.
    #[error("{source_of}: the root user must have {min} to {max} characters")]
    UserLength {
        /// The source of the value.
        source_of: Source,
        /// Minimum.
        min: usize,
        /// Maximum.
        max: usize,
    },
    /// The user contains a character that separates parts of headers.
    #[error("{source_of}: the root user must not contain `/`, `,`, `=` or blanks")]
    UserCharacter {
        /// The source of the value.
        source_of: Source,
    },
    /// The password is too short or too long.
    #[error("{source_of}: the root password must have {min} to {max} characters")]
    PasswordLength {
        /// The source of the value.
        source_of: Source,
        /// Minimum.
        min: usize,
        /// Maximum.
        max: usize,
    },
    /// User and password are the same.
    #[error("{source_of}: the root password equals the root user")]
    PasswordIsUser {
        /// The source of the password.
        source_of: Source,
    },
    /// The password is well known.
    #[error("{source_of}: the root password is a well-known default, which scanners try first")]
    WellKnownPassword {
        /// The source of the value.
        source_of: Source,
    },
    /// The name of a bucket to create is not valid.
    #[error("{source_of}: `{name}`: {why}")]
    Bucket {
        /// The name.
        name: String,
        /// The source of the name.
        source_of: Source,
        /// The broken rule.
        #[source]
        why: BucketNameError,
    },
    /// The log filter cannot be parsed.
    #[error("{source_of}: `{value}` is no log filter: {why}")]
    LogFilter {
        /// The value.
        value: String,
        /// The source of the value.
        source_of: Source,
        /// The parser's message.
        #[source]
        why: LogFilterError,
    },
    /// The log format is unknown.
    #[error("{source_of}: `{value}` is no log format: write auto, json or text")]
    LogFormat {
        /// The value.
        value: String,
        /// The source of the value.
        source_of: Source,
    },
    /// It is not known who may change the log.
    #[error("{source_of}: `{value}` is nobody who may change the log: write root or anyone")]
    LogChanges {
        /// The value.
        value: String,
        /// The source of the value.
        source_of: Source,
    },
    /// A time or size is not a number in its range.
    #[error("{source_of}: `{value}` is no {what}: write {min} to {max} {unit}")]
    Number {
        /// The setting.
        what: &'static str,
        /// The unit of the number.
        unit: &'static str,
        /// The value.
        value: String,
        /// The source of the value.
        source_of: Source,
        /// Minimum.
        min: u64,
        /// Maximum.
        max: u64,
    },
}

impl ConfigError {
    /// The next command to type.
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
            ConfigError::OldCredentials { .. } => {
                "export MINIO_ROOT_USER=\"$MINIO_ACCESS_KEY\" MINIO_ROOT_PASSWORD=\"$MINIO_SECRET_KEY\"".to_owned()
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

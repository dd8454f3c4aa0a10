//! Everything that can end the command badly, its exit code, and the next command to type.

use std::io;
use std::path::PathBuf;

use crate::etcd::{EtcdError, Skipped};
use crate::exit::ExitCode;
use crate::s3::{S3Error, S3ErrorKind};
use crate::save::SaveError;
use crate::uri::UriError;

/// The end of a command that did not succeed.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// Flags and environment do not make a plan.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The save failed.
    #[error(transparent)]
    Save(#[from] SaveError),
    /// An S3 call failed.
    #[error(transparent)]
    S3(#[from] S3Error),
    /// This process cannot run at all.
    #[error("the process cannot set itself up")]
    Runtime(#[source] io::Error),
    /// Standard output cannot be written.
    #[error("the result cannot be printed")]
    Output(#[source] io::Error),
}

/// What is wrong with the flags or the environment.
#[derive(Debug, thiserror::Error)]
pub(super) enum SettingsError {
    #[error("no S3 server is named: give --s3-endpoint URL or set STRONGROOM_S3_ENDPOINT")]
    NoS3Endpoint,
    #[error("{name} is not set: S3 calls must be signed")]
    NoCredential { name: &'static str },
    #[error(
        "the S3 endpoint {text:?} (from {from}) is no URL: write http://host:port or https://host:port"
    )]
    S3Endpoint { text: String, from: String },
    #[error(transparent)]
    Uri(#[from] UriError),
    #[error("cannot read {} (from {from})", path.display())]
    File {
        path: PathBuf,
        from: &'static str,
        source: io::Error,
    },
    #[error("--cert and --key belong together; {missing} is missing")]
    HalfPair { missing: &'static str },
    #[error("the key file {} is not text in PEM form", path.display())]
    KeyFile { path: PathBuf },
    #[error(
        "user {user:?} needs a password: write --user NAME:PASSWORD, set ETCDCTL_PASSWORD, or run on a terminal"
    )]
    NoPassword { user: String },
    #[error("--user is empty")]
    EmptyUser,
}

impl Failure {
    pub(super) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Settings(_) => ExitCode::Usage,
            Self::Save(error) => error.exit_code(),
            Self::S3(error) => error.exit_code(),
            Self::Runtime(_) | Self::Output(_) => ExitCode::Failed,
        }
    }

    /// What to type next, where that is known.
    pub(super) fn next_step(&self) -> Option<String> {
        match self {
            Self::Save(SaveError::S3(error)) | Self::S3(error) => s3_step(error),
            Self::Save(SaveError::Etcd(error)) => etcd_step(error),
            Self::Save(SaveError::Snapshot { .. } | SaveError::NoTrailer { .. }) => Some(
                "save once more; if it repeats, check that member's disk and ask another one with --endpoints".to_owned(),
            ),
            Self::Save(SaveError::File { path, source, .. }) if source.kind() == io::ErrorKind::StorageFull => {
                Some(format!("df -h {}", path.parent().unwrap_or(path).display()))
            }
            Self::Settings(_) => Some("strongroom snapshot save --help".to_owned()),
            _ => None,
        }
    }
}

fn s3_step(error: &S3Error) -> Option<String> {
    let endpoint = error.endpoint();
    match error.kind() {
        S3ErrorKind::NotFound { code } if code == "NoSuchBucket" || error.key().is_none() => {
            let bucket = error.bucket().unwrap_or("BUCKET");
            Some(format!(
                "aws --endpoint-url {endpoint} s3 mb s3://{bucket}   (or check the bucket's name)"
            ))
        }
        S3ErrorKind::Auth { .. } => Some(
            "check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and what this key may do"
                .to_owned(),
        ),
        S3ErrorKind::Network | S3ErrorKind::Timeout { .. } => Some(format!(
            "curl -sS -m 5 -o /dev/null -w '%{{http_code}}\\n' {endpoint}/minio/health/live"
        )),
        S3ErrorKind::Tls => Some(format!(
            "openssl s_client -connect {} </dev/null",
            authority(endpoint)
        )),
        S3ErrorKind::ClockSkew { .. } => {
            Some("timedatectl   (and set this machine's clock)".to_owned())
        }
        _ => None,
    }
}

fn authority(endpoint: &str) -> &str {
    endpoint
        .split_once("://")
        .map_or(endpoint, |(_, authority)| authority)
}

fn etcd_step(error: &EtcdError) -> Option<String> {
    match error {
        EtcdError::Corrupt { endpoint, .. } => Some(format!(
            "etcdctl --endpoints {endpoint} endpoint hashkv --cluster   (find the odd member, mend it, disarm the alarm)"
        )),
        EtcdError::NoneFit { skipped } if skipped.iter().any(|skipped| matches!(skipped, Skipped::Unfit { .. })) => {
            Some("etcdctl endpoint status --cluster -w table   (and name a voting member with a leader)".to_owned())
        }
        EtcdError::NoneFit { skipped } => skipped.iter().find_map(|skipped| match skipped {
            Skipped::Failed(error) => etcd_step(error),
            Skipped::Unfit { .. } => None,
        }),
        EtcdError::Unreachable { endpoint, .. } | EtcdError::Timeout { endpoint, .. } => {
            Some(format!("etcdctl --endpoints {endpoint} endpoint health   (with the same --cacert, --cert, --key)"))
        }
        EtcdError::Distrusted { .. } => {
            Some("check --cacert, --cert and --key against the certificates that etcd runs with".to_owned())
        }
        EtcdError::Denied { .. } => Some("name a user with the role root: --user NAME:PASSWORD".to_owned()),
        EtcdError::StreamBroken { .. } | EtcdError::StreamShort { .. } => Some("run the same command again".to_owned()),
        _ => None,
    }
}

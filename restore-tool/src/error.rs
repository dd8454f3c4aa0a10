//! What can go wrong, as data: each error knows what failed where and why, its exit code, and the next command.
//!
//! Families follow the questions of an operator: is my command wrong ([`PlanError`]), can the snapshot be had
//! ([`SourceError`]), is it whole ([`Damage`]), may the directory be built ([`TargetError`]). Decisions are made on
//! variants, never on text. No credential and no contents of keys ever get in.

use std::{
    error::Error,
    io,
    path::{Path, PathBuf},
};

use strongroom_client::{
    exit::ExitCode,
    s3::{S3Error, S3ErrorKind},
    uri::UriError,
};
use strongroom_etcd_format::{
    bolt::BoltError, inspect::InspectError, membership::MembershipError, snapshot::SnapshotError,
};

use crate::{intake::ForeignPacking, interrupt::Interrupted};

/// Why there is no restored directory.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// The command line, environment or credentials file is wrong.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The snapshot cannot be had.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The snapshot is not whole.
    #[error("the snapshot is damaged: {0}")]
    Damage(#[from] Damage),
    /// The snapshot is packed in a way that this version does not read.
    #[error("the snapshot is packed as {packing:?}, which this version does not unpack")]
    ForeignPacking {
        /// How it is packed.
        packing: ForeignPacking,
    },
    /// The directory cannot be built.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// A signal came.
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
    /// The program itself could not start (threads, signal handlers).
    #[error("cannot start: {0}")]
    Start(#[source] io::Error),
}

/// A wrong command line, environment or credentials file.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// Neither a file nor a store.
    #[error(
        "no snapshot is named: give --snapshot FILE, or --storage-provider=ECS|S3 with --store-container"
    )]
    NoSource,
    /// A store without a bucket.
    #[error("no bucket is named: give --store-container, or set STORAGE_CONTAINER")]
    NoContainer,
    /// A bucket or prefix that S3 does not know.
    #[error(transparent)]
    Place(#[from] UriError),
    /// A setting of the store is in none of its places.
    #[error("{setting} is not set: the environment needs {variables}")]
    Missing {
        /// What is missing.
        setting: &'static str,
        /// Where it would be read.
        variables: &'static str,
    },
    /// The endpoint is no URL.
    #[error("the endpoint {value:?} is not an address like http://10.6.212.13:9000")]
    Endpoint {
        /// As given.
        value: String,
        /// What the parser says.
        source: url::ParseError,
    },
    /// A flag in the environment that is neither true nor false.
    #[error("{name} must be true or false")]
    NotABool {
        /// The variable or key.
        name: &'static str,
    },
    /// A credentials file cannot be read.
    #[error("cannot read {path}", path = path.display())]
    CredentialsFile {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A credentials file is no JSON object with plain values. The text is not shown: it may hold secrets.
    #[error("{path} is not a JSON object of plain values (line {line}, column {column})", path = path.display())]
    CredentialsJson {
        /// The file.
        path: PathBuf,
        /// Where the parser stopped.
        line: usize,
        /// Where the parser stopped.
        column: usize,
    },
    /// A setting that would be needed to read the store and is not supported.
    #[error("the credentials set {key}, which this version does not support")]
    Unsupported {
        /// The key.
        key: &'static str,
    },
    /// Names and URLs do not fit together.
    #[error(transparent)]
    Membership(#[from] MembershipError),
}

/// The snapshot cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The file is not there.
    #[error("snapshot file {path} does not exist", path = path.display())]
    NoFile {
        /// As given.
        path: PathBuf,
    },
    /// A directory or device.
    #[error("{path} is not a regular file", path = path.display())]
    NotAFile {
        /// As given.
        path: PathBuf,
    },
    /// The file cannot be read.
    #[error("cannot read {path} at byte {offset}", path = path.display())]
    File {
        /// As given.
        path: PathBuf,
        /// How far it was read.
        offset: u64,
        /// Why.
        source: io::Error,
    },
    /// The store failed or refused.
    #[error("cannot {doing} the snapshot")]
    Store {
        /// find or fetch.
        doing: &'static str,
        /// What the client says.
        source: S3Error,
    },
    /// Nothing to restore there.
    #[error(
        "no full snapshot below s3://{bucket}/{prefix}{}",
        elsewhere_suffix(.elsewhere)
    )]
    NoSnapshot {
        /// The bucket.
        bucket: String,
        /// The listed prefix.
        prefix: String,
        /// Prefixes of the bucket that do hold full snapshots.
        elsewhere: Vec<String>,
    },
    /// More objects than any chain has.
    #[error("more than {limit} objects below s3://{bucket}/{prefix}")]
    TooMany {
        /// The bucket.
        bucket: String,
        /// The listed prefix.
        prefix: String,
        /// The limit.
        limit: u64,
    },
    /// The body ended early or went on.
    #[error("s3://{bucket}/{key} has {expected} bytes, but {received} came")]
    Length {
        /// The bucket.
        bucket: String,
        /// The object.
        key: String,
        /// By the listing or the header.
        expected: u64,
        /// Counted.
        received: u64,
    },
}

fn elsewhere_suffix(elsewhere: &[String]) -> String {
    if elsewhere.is_empty() {
        return String::new();
    }
    let shown: Vec<_> = elsewhere
        .iter()
        .map(|prefix| format!("{prefix:?}"))
        .collect();
    format!(
        "; this bucket holds full snapshots of the prefixes {}",
        shown.join(", ")
    )
}

/// The snapshot's bytes are not what they should be.
#[derive(Debug, thiserror::Error)]
pub enum Damage {
    /// Length or trailer.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    /// A database without the hash that etcd appends.
    #[error(
        "its {len} bytes end without the SHA-256 that etcd appends: the upload was cut short, or this is a copy of a \
         database file instead of a saved snapshot"
    )]
    NoTrailer {
        /// Unpacked length.
        len: u64,
    },
    /// The gzip stream is broken or ends early.
    #[error("its gzip stream breaks after {unpacked} unpacked bytes")]
    Gzip {
        /// How far it went.
        unpacked: u64,
        /// What the decoder says.
        source: io::Error,
    },
    /// The pages.
    #[error(transparent)]
    Bolt(#[from] BoltError),
    /// The records.
    #[error(transparent)]
    Records(#[from] InspectError),
    /// What was written does not read back: the target's disk or memory is failing.
    #[error("reading back what was written: {what} is {actual}, not {expected}")]
    ReadBack {
        /// What was compared.
        what: &'static str,
        /// As intended.
        expected: String,
        /// As read.
        actual: String,
    },
}

/// The directory cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// Data is there already.
    #[error("{path} exists already; a restore never overwrites data", path = path.display())]
    MemberExists {
        /// The `member` entry.
        path: PathBuf,
    },
    /// An etcd has the database open.
    #[error("a running etcd holds {path}", path = path.display())]
    EtcdHolds {
        /// The database.
        path: PathBuf,
    },
    /// An etcd answers where this member would.
    #[error("an etcd is running on this machine: {evidence}")]
    EtcdAnswers {
        /// Where and how.
        evidence: String,
    },
    /// Another restore works here.
    #[error("another restore works on {path}", path = path.display())]
    Busy {
        /// The data directory.
        path: PathBuf,
    },
    /// No space, or a quota.
    #[error("{path}: not enough free space{}", space_suffix(*.needed, *.free), path = path.display())]
    DiskFull {
        /// Where.
        path: PathBuf,
        /// Bytes wanted, reserve included.
        needed: Option<u64>,
        /// Bytes free.
        free: Option<u64>,
    },
    /// Permissions, a read-only file system, a file in place of a directory.
    #[error("{action} {path} is not possible", path = path.display())]
    Forbidden {
        /// What was attempted.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Any other failure of the file system.
    #[error("{action} {path} failed", path = path.display())]
    Io {
        /// What was attempted.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

fn space_suffix(needed: Option<u64>, free: Option<u64>) -> String {
    match (needed, free) {
        (Some(needed), Some(free)) => format!(" ({needed} bytes needed, {free} free)"),
        _ => String::new(),
    }
}

impl TargetError {
    /// Sorts a failure of the file system by what an operator can do about it.
    pub(crate) fn io(action: &'static str, path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::StorageFull
            | io::ErrorKind::QuotaExceeded
            | io::ErrorKind::FileTooLarge => Self::DiskFull {
                path,
                needed: None,
                free: None,
            },
            io::ErrorKind::PermissionDenied
            | io::ErrorKind::ReadOnlyFilesystem
            | io::ErrorKind::NotADirectory
            | io::ErrorKind::AlreadyExists
            | io::ErrorKind::NotFound
            | io::ErrorKind::Unsupported => Self::Forbidden {
                action,
                path,
                source,
            },
            _ => Self::Io {
                action,
                path,
                source,
            },
        }
    }
}

impl RestoreError {
    /// The process' exit code.
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::Plan(_) => ExitCode::Usage,
            Self::Source(error) => error.exit_code(),
            Self::Damage(_) => ExitCode::Integrity,
            Self::Target(TargetError::Busy { .. }) => ExitCode::HeldElsewhere,
            Self::Target(TargetError::Io { .. }) | Self::ForeignPacking { .. } | Self::Start(_) => {
                ExitCode::Failed
            }
            Self::Target(_) => ExitCode::Precondition,
            Self::Interrupted(_) => ExitCode::Interrupted,
        }
    }

    /// The message with all its causes, on one line.
    pub fn full_message(&self) -> String {
        let mut message = self.to_string();
        let mut cause = self.source();
        while let Some(error) = cause {
            let text = error.to_string();
            if !message.ends_with(&text) {
                message.push_str(": ");
                message.push_str(&text);
            }
            cause = error.source();
        }
        message
    }

    /// The next command to type.
    pub fn next_step(&self) -> Option<String> {
        match self {
            Self::Plan(_) => Some("strongroom-restore --help".to_owned()),
            Self::Source(error) => error.next_step(),
            Self::Damage(Damage::ReadBack { .. }) => {
                Some("check this machine's disk and memory: dmesg".to_owned())
            }
            Self::Damage(Damage::NoTrailer { .. } | Damage::Snapshot(_) | Damage::Gzip { .. }) => {
                Some(
                    "restore another snapshot, or fetch this one again and compare: sha256sum FILE"
                        .to_owned(),
                )
            }
            Self::Damage(_) => {
                Some("restore another snapshot: strongroom-restore --snapshot FILE ...".to_owned())
            }
            Self::ForeignPacking { packing } => Some(format!(
                "unpack it first ({}), then strongroom-restore --snapshot FILE ...",
                match packing {
                    ForeignPacking::Zlib => "zlib-flate -uncompress <IN >FILE",
                    ForeignPacking::Zstd => "zstd -d IN -o FILE",
                    ForeignPacking::Zip => "unzip IN",
                    ForeignPacking::Age => "age -d -i KEY -o FILE IN",
                }
            )),
            Self::Target(error) => error.next_step(),
            Self::Interrupted(_) => {
                Some("nothing was changed: run the same command again".to_owned())
            }
            Self::Start(_) => None,
        }
    }
}

impl SourceError {
    fn exit_code(&self) -> ExitCode {
        match self {
            Self::NoFile { .. } | Self::NoSnapshot { .. } => ExitCode::NotFound,
            Self::NotAFile { .. } => ExitCode::Usage,
            Self::File { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
                ExitCode::Precondition
            }
            Self::File { .. } | Self::TooMany { .. } => ExitCode::Failed,
            Self::Store { source, .. } => source.exit_code(),
            Self::Length { .. } => ExitCode::Integrity,
        }
    }

    fn next_step(&self) -> Option<String> {
        match self {
            Self::NoFile { path } => {
                Some(format!("ls -l {}", path.parent().unwrap_or(path).display()))
            }
            Self::NoSnapshot { elsewhere, .. } if !elsewhere.is_empty() => Some(format!(
                "run the same command with --store-prefix={}",
                elsewhere.first()?
            )),
            Self::NoSnapshot { bucket, .. } => {
                Some(format!("strongroom snapshot list s3://{bucket}/"))
            }
            Self::TooMany { bucket, .. } => Some(format!(
                "strongroom snapshot list s3://{bucket}/, then --snapshot"
            )),
            Self::Store { source, .. } => store_next_step(source),
            Self::Length { .. } => Some("run the same command again".to_owned()),
            Self::NotAFile { .. } | Self::File { .. } => None,
        }
    }
}

fn store_next_step(error: &S3Error) -> Option<String> {
    let next = match error.kind() {
        S3ErrorKind::NotFound { .. } => {
            "check --store-container and the endpoint: aws --endpoint-url ENDPOINT s3 ls"
        }
        S3ErrorKind::Auth { .. } => "check the access key and secret key in the environment",
        S3ErrorKind::ClockSkew { .. } => "set this machine's clock: chronyc makestep, or date -s",
        S3ErrorKind::Network | S3ErrorKind::Timeout { .. } => {
            "check that the endpoint answers (curl -i ENDPOINT/minio/health/live), then run the same command again"
        }
        S3ErrorKind::Tls => "give the endpoint's CA: AWS_CA_BUNDLE=/path/ca.pem",
        S3ErrorKind::Integrity { .. } => "run the same command again",
        _ => return None,
    };
    Some(next.to_owned())
}

impl TargetError {
    fn next_step(&self) -> Option<String> {
        match self {
            Self::MemberExists { path } => Some(format!(
                "keep the old data under another name until the restore has proved itself: mv {0} {0}.old",
                path.display()
            )),
            Self::EtcdHolds { .. } | Self::EtcdAnswers { .. } => Some(
                "stop etcd first (kubeadm: move etcd.yaml out of /etc/kubernetes/manifests; systemd: systemctl stop \
                 etcd), then run the same command again"
                    .to_owned(),
            ),
            Self::Busy { .. } => Some("wait for it, or find it: pgrep -a strongroom-rest".to_owned()),
            Self::DiskFull { path, .. } => Some(format!("df -h {}", path.parent().unwrap_or(path).display())),
            Self::Forbidden { path, .. } | Self::Io { path, .. } => Some(format!("namei -l {}", path.display())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_and_a_forbidden_path_are_preconditions() {
        for kind in [
            io::ErrorKind::StorageFull,
            io::ErrorKind::QuotaExceeded,
            io::ErrorKind::ReadOnlyFilesystem,
        ] {
            let error =
                RestoreError::from(TargetError::io("writing", Path::new("/x"), kind.into()));
            assert_eq!(error.exit_code(), ExitCode::Precondition, "{error}");
        }
        let broken = RestoreError::from(TargetError::io(
            "writing",
            Path::new("/x"),
            io::Error::other("EIO"),
        ));
        assert_eq!(broken.exit_code(), ExitCode::Failed);
    }

    #[test]
    fn the_message_tells_every_cause_once() {
        let error = RestoreError::from(TargetError::Io {
            action: "writing",
            path: "/x".into(),
            source: io::Error::other("device gone"),
        });
        assert_eq!(error.full_message(), "writing /x failed: device gone");
        let nothing = RestoreError::from(SourceError::NoSnapshot {
            bucket: "b".into(),
            prefix: "v2/".into(),
            elsewhere: vec!["east".into()],
        });
        assert_eq!(nothing.exit_code(), ExitCode::NotFound);
        assert!(nothing.full_message().contains("east"), "{nothing}");
        assert_eq!(
            nothing.next_step().as_deref(),
            Some("run the same command with --store-prefix=east")
        );
    }
}

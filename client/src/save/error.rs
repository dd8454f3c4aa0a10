//! Reasons why a snapshot was not saved, and their exit codes.

use std::io;
use std::path::PathBuf;

use strongroom_etcd_format::bolt::BoltError;
use strongroom_etcd_format::inspect::InspectError;
use strongroom_etcd_format::snapshot::SnapshotError;

use crate::etcd::EtcdError;
use crate::exit::ExitCode;
use crate::s3::S3Error;

/// Why a snapshot was not saved.
#[derive(Debug, thiserror::Error)]
pub enum SaveError {
    /// An error of etcd.
    #[error(transparent)]
    Etcd(#[from] EtcdError),
    /// An error of the store.
    #[error(transparent)]
    S3(#[from] S3Error),
    /// The stream ended, but its bytes are not a valid snapshot.
    #[error("the snapshot from {endpoint} is damaged")]
    Snapshot {
        /// The endpoint.
        endpoint: String,
        /// The defect.
        source: SnapshotError,
    },
    /// The stream ended without the SHA-256 that etcd sends at the end.
    #[error(
        "the snapshot from {endpoint} ended after {bytes} bytes without etcd's SHA-256 trailer: it cannot be trusted"
    )]
    NoTrailer {
        /// The endpoint.
        endpoint: String,
        /// Its length.
        bytes: u64,
    },
    /// All bytes arrived correctly, but the member's database is damaged.
    #[error("the snapshot from {endpoint} is damaged on that member's side")]
    Database {
        /// The endpoint.
        endpoint: String,
        /// The defect.
        source: InspectError,
    },
    /// A file operation failed.
    #[error("cannot {action} {}", path.display())]
    File {
        /// The attempted action.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Another save writes to the same file.
    #[error("another process is writing {}", path.display())]
    Held {
        /// The part file.
        path: PathBuf,
    },
    /// The path exists and is not a regular file.
    #[error("{} exists and is no regular file", path.display())]
    InTheWay {
        /// The path.
        path: PathBuf,
    },
    /// The path leads to an open file of a process, such as /dev/stdout.
    #[error(
        "{} is a stream: a snapshot gets its name only after it was checked, which needs a file",
        path.display()
    )]
    Stream {
        /// The path.
        path: PathBuf,
    },
    /// A signal was received.
    #[error("interrupted: nothing was saved")]
    Interrupted,
}

impl SaveError {
    /// The program's exit code for this error.
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::Etcd(error) => error.exit_code(),
            Self::S3(error) => error.exit_code(),
            // Data that was just written cannot be read: the disk is the cause.
            Self::Database {
                source: InspectError::Bolt(BoltError::Read { .. }),
                ..
            } => ExitCode::Failed,
            Self::Snapshot { .. } | Self::NoTrailer { .. } | Self::Database { .. } => {
                ExitCode::Integrity
            }
            Self::File { source, .. } => file_exit_code(source.kind()),
            Self::InTheWay { .. } => ExitCode::Precondition,
            Self::Stream { .. } => ExitCode::Usage,
            Self::Held { .. } => ExitCode::HeldElsewhere,
            Self::Interrupted => ExitCode::Interrupted,
        }
    }
}

fn file_exit_code(kind: io::ErrorKind) -> ExitCode {
    match kind {
        io::ErrorKind::NotFound
        | io::ErrorKind::NotADirectory
        | io::ErrorKind::PermissionDenied
        | io::ErrorKind::StorageFull
        | io::ErrorKind::QuotaExceeded
        | io::ErrorKind::ReadOnlyFilesystem => ExitCode::Precondition,
        _ => ExitCode::Failed,
    }
}

//! Reasons why a snapshot was not saved, and their exit codes.

use std::io;
use std::path::PathBuf;

use strongroom_etcd_format::bolt::BoltError;
use strongroom_etcd_format::inspect::InspectError;
use strongroom_etcd_format::snapshot::SnapshotError;

use crate::etcd::EtcdError;
use crate::exit::ExitCode;
use crate::s3::S3Error;

/// A save that did not happen.
#[derive(Debug, thiserror::Error)]
pub enum SaveError {
    /// etcd's side.
    #[error(transparent)]
    Etcd(#[from] EtcdError),
    /// The store's side.
    #[error(transparent)]
    S3(#[from] S3Error),
    /// The stream ended, but its bytes are no sound snapshot.
    #[error("the snapshot from {endpoint} is damaged")]
    Snapshot {
        /// Where it came from.
        endpoint: String,
        /// The defect.
        source: SnapshotError,
    },
    /// The stream ended without the SHA-256 that etcd sends last.
    #[error(
        "the snapshot from {endpoint} ended after {bytes} bytes without etcd's SHA-256 trailer: it cannot be trusted"
    )]
    NoTrailer {
        /// Where it came from.
        endpoint: String,
        /// How long it was.
        bytes: u64,
    },
    /// All bytes came as they were sent, but the member's database is damaged.
    #[error("the snapshot from {endpoint} is damaged on that member's side")]
    Database {
        /// Where it came from.
        endpoint: String,
        /// The defect.
        source: InspectError,
    },
    /// A file operation failed.
    #[error("cannot {action} {}", path.display())]
    File {
        /// The attempted action.
        action: &'static str,
        /// On which file.
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
    /// Something that is no regular file is in the way.
    #[error("{} exists and is no regular file", path.display())]
    InTheWay {
        /// The path.
        path: PathBuf,
    },
    /// A signal came.
    #[error("interrupted: nothing was saved")]
    Interrupted,
}

impl SaveError {
    /// The exit code a program ends with after this error.
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::Etcd(error) => error.exit_code(),
            Self::S3(error) => error.exit_code(),
            // What was just written cannot be read: the disk's fault.
            Self::Database {
                source: InspectError::Bolt(BoltError::Read { .. }),
                ..
            } => ExitCode::Failed,
            Self::Snapshot { .. } | Self::NoTrailer { .. } | Self::Database { .. } => {
                ExitCode::Integrity
            }
            Self::File { source, .. } => file_exit_code(source.kind()),
            Self::InTheWay { .. } => ExitCode::Precondition,
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

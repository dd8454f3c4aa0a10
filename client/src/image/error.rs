//! Reasons why a snapshot cannot be inspected, and their exit codes.

use std::io;

use strongroom_snapshot_io::{image, intake::IntakeError, scratch::ScratchError};

use crate::exit::ExitCode;
use crate::s3::S3Error;

/// Why a snapshot cannot be inspected.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// An error of the store.
    #[error(transparent)]
    S3(#[from] S3Error),
    /// The file cannot be opened.
    #[error("cannot open {name}")]
    Open {
        /// The file.
        name: String,
        /// Why.
        source: io::Error,
    },
    /// It is a folder, a pipe or a device.
    #[error("{name} is no regular file")]
    NotAFile {
        /// The name as given.
        name: String,
    },
    /// There is no space for fetched or decompressed bytes.
    #[error(transparent)]
    Scratch(#[from] ScratchError),
    /// It cannot be read or decompressed, or it is not a snapshot.
    #[error("cannot look into {name}")]
    Snapshot {
        /// The file or object.
        name: String,
        /// Why.
        source: IntakeError,
    },
    /// The inspection was stopped by the caller.
    #[error("stopped looking into {name}")]
    Stopped {
        /// The file or object.
        name: String,
    },
}

impl ImageError {
    pub(super) fn of(name: String, error: image::ImageError) -> Self {
        match error {
            image::ImageError::Intake(source) => Self::Snapshot { name, source },
            image::ImageError::Scratch(error) => Self::Scratch(error),
            image::ImageError::Stopped => Self::Stopped { name },
        }
    }

    /// The program's exit code for this error.
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::S3(error) => error.exit_code(),
            Self::Open { source, .. } => match source.kind() {
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => ExitCode::NotFound,
                io::ErrorKind::PermissionDenied => ExitCode::Precondition,
                _ => ExitCode::Failed,
            },
            Self::NotAFile { .. } | Self::Scratch(_) => ExitCode::Precondition,
            Self::Snapshot { source, .. } => match source {
                IntakeError::Foreign(_) | IntakeError::Read { .. } | IntakeError::Thread(_) => {
                    ExitCode::Failed
                }
                IntakeError::Unpack { .. }
                | IntakeError::TooLarge { .. }
                | IntakeError::NotADatabase(_)
                | IntakeError::Snapshot(_) => ExitCode::Integrity,
            },
            Self::Stopped { .. } => ExitCode::Interrupted,
        }
    }
}

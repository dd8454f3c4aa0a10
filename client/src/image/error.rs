//! Reasons why a snapshot cannot be looked into, and their exit codes.

use std::io;

use strongroom_snapshot_io::{image, intake::IntakeError, scratch::ScratchError};

use crate::exit::ExitCode;
use crate::s3::S3Error;

/// A snapshot that cannot be looked into.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// The store's side.
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
    /// A folder, a pipe or a device.
    #[error("{name} is no regular file")]
    NotAFile {
        /// As named.
        name: String,
    },
    /// There is no room for fetched or unpacked bytes.
    #[error(transparent)]
    Scratch(#[from] ScratchError),
    /// It cannot be read or unpacked, or it is no snapshot.
    #[error("cannot look into {name}")]
    Snapshot {
        /// The file or object.
        name: String,
        /// Why.
        source: IntakeError,
    },
    /// The look was ended from outside.
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

    /// The exit code a program ends with after this error.
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
                IntakeError::Foreign { .. } | IntakeError::Read { .. } | IntakeError::Thread(_) => {
                    ExitCode::Failed
                }
                IntakeError::Unpack { .. }
                | IntakeError::TooLarge { .. }
                | IntakeError::Snapshot(_) => ExitCode::Integrity,
            },
            Self::Stopped { .. } => ExitCode::Interrupted,
        }
    }
}

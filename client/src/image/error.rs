//! Why a snapshot could not be brought to hand, and what that means for the exit code.

use std::io;
use std::path::PathBuf;

use strongroom_etcd_format::snapshot::SnapshotError;
use strongroom_snapshot_io::packing::{ForeignPacking, Packing};

use super::unpack::UNPACKED_BYTES_MAX;
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
        /// What was named.
        name: String,
    },
    /// Reading failed.
    #[error("cannot read {name} at offset {offset}")]
    Read {
        /// The file or object.
        name: String,
        /// Where.
        offset: u64,
        /// Why.
        source: io::Error,
    },
    /// The place for unpacked and fetched bytes refuses them.
    #[error("cannot {action} a temporary file in {}", folder.display())]
    Scratch {
        /// What was attempted.
        action: &'static str,
        /// In which folder.
        folder: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The packed bytes are damaged.
    #[error("{name} is damaged: its {packing} stream breaks after {unpacked} unpacked bytes")]
    Unpack {
        /// The file or object.
        name: String,
        /// How it is packed.
        packing: Packing,
        /// Bytes that came out before.
        unpacked: u64,
        /// The decoder's own words.
        source: io::Error,
    },
    /// More came out than any etcd holds.
    #[error(
        "{name} unpacks to more than {UNPACKED_BYTES_MAX} bytes: that is no snapshot of an etcd"
    )]
    TooLarge {
        /// The file or object.
        name: String,
    },
    /// Packed in a way that this program does not read.
    #[error("{name} is {packing}, which this program does not unpack")]
    Foreign {
        /// The file or object.
        name: String,
        /// What it is.
        packing: ForeignPacking,
    },
    /// It is no snapshot, or not the one that was saved.
    #[error("{name} is damaged or no snapshot")]
    Snapshot {
        /// The file or object.
        name: String,
        /// What is wrong with it.
        source: SnapshotError,
    },
}

impl ImageError {
    /// The exit code a program ends with after this error.
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::S3(error) => error.exit_code(),
            Self::Open { source, .. } => match source.kind() {
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => ExitCode::NotFound,
                io::ErrorKind::PermissionDenied => ExitCode::Precondition,
                _ => ExitCode::Failed,
            },
            Self::Read { .. } | Self::Foreign { .. } => ExitCode::Failed,
            Self::NotAFile { .. } | Self::Scratch { .. } => ExitCode::Precondition,
            Self::Unpack { .. } | Self::TooLarge { .. } | Self::Snapshot { .. } => {
                ExitCode::Integrity
            }
        }
    }
}

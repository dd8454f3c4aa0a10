//! A snapshot in a local file.

use std::{
    fs::File,
    io::{self, BufReader, ErrorKind, Read},
    path::{Path, PathBuf},
};

use indicatif::ProgressBar;

use super::{Found, Origin};
use crate::{
    arrival::wrap_source_error,
    error::{RestoreError, SourceError},
};

/// Buffer size for decoders; reads of plain bytes bypass the buffer.
const BUFFER_BYTES: usize = 256 * 1024;

/// An open file.
pub(super) struct SnapshotFile {
    file: File,
    path: PathBuf,
}

/// Reads the file from the start and updates the progress bar.
pub(super) struct Reading {
    file: File,
    path: PathBuf,
    offset: u64,
    progress: ProgressBar,
}

pub(super) fn find(path: &Path) -> Result<Found, RestoreError> {
    let failed = |source: io::Error| match source.kind() {
        ErrorKind::NotFound => SourceError::NoFile {
            path: path.to_owned(),
        },
        _ => SourceError::File {
            path: path.to_owned(),
            offset: 0,
            source,
        },
    };
    // Check before opening: opening a pipe would wait for a writer.
    let metadata = std::fs::metadata(path).map_err(failed)?;
    if !metadata.is_file() {
        return Err(SourceError::NotAFile {
            path: path.to_owned(),
        }
        .into());
    }
    let file = File::open(path).map_err(failed)?;
    let shown = path
        .file_name()
        .unwrap_or(path.as_os_str())
        .to_string_lossy()
        .into_owned();
    Ok(Found {
        shown,
        place: path.display().to_string(),
        bytes: metadata.len(),
        newer_deltas: None,
        next_older: None,
        origin: Origin::File(SnapshotFile {
            file,
            path: path.to_owned(),
        }),
    })
}

impl SnapshotFile {
    pub(super) fn open(&self, progress: ProgressBar) -> Result<BufReader<Reading>, RestoreError> {
        let file = self.file.try_clone().map_err(|source| SourceError::File {
            path: self.path.clone(),
            offset: 0,
            source,
        })?;
        let reading = Reading {
            file,
            path: self.path.clone(),
            offset: 0,
            progress,
        };
        Ok(BufReader::with_capacity(BUFFER_BYTES, reading))
    }
}

impl Read for Reading {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self.file.read(buf) {
            Ok(read) => {
                self.offset += u64::try_from(read).expect("a buffer's length fits 64 bits");
                self.progress.set_position(self.offset);
                Ok(read)
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => Err(error),
            Err(source) => Err(wrap_source_error(SourceError::File {
                path: self.path.clone(),
                offset: self.offset,
                source,
            })),
        }
    }
}

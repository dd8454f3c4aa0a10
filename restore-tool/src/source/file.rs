//! A snapshot in a local file.

use std::{
    fs::File,
    io::{ErrorKind, Read as _},
    path::{Path, PathBuf},
};

use indicatif::ProgressBar;

use super::{Found, Origin};
use crate::{
    error::{RestoreError, SourceError},
    intake::Intake,
};

/// Large enough that system calls cost nothing, small enough to stay in a cache.
const BUFFER_BYTES: usize = 1024 * 1024;

/// An open file.
pub(super) struct SnapshotFile {
    file: File,
    path: PathBuf,
}

pub(super) fn find(path: &Path) -> Result<Found, RestoreError> {
    let failed = |source: std::io::Error| match source.kind() {
        ErrorKind::NotFound => SourceError::NoFile {
            path: path.to_owned(),
        },
        _ => SourceError::File {
            path: path.to_owned(),
            offset: 0,
            source,
        },
    };
    // Looked at before it is opened: opening a pipe would wait for a writer.
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
        origin: Origin::File(SnapshotFile {
            file,
            path: path.to_owned(),
        }),
    })
}

impl SnapshotFile {
    pub(super) fn fetch(
        &mut self,
        intake: &mut Intake,
        progress: &ProgressBar,
    ) -> Result<(), RestoreError> {
        let mut buffer = vec![0_u8; BUFFER_BYTES];
        let mut offset = 0;
        loop {
            let read = match self.file.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(read) => read,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(source) => {
                    return Err(SourceError::File {
                        path: self.path.clone(),
                        offset,
                        source,
                    }
                    .into());
                }
            };
            intake.push(
                buffer
                    .get(..read)
                    .expect("read returns at most the buffer's length"),
            )?;
            offset += u64::try_from(read).expect("a buffer's length fits 64 bits");
            progress.set_position(offset);
        }
    }
}

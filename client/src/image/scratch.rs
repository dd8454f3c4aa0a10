//! Temporary files without a name.
//!
//! A snapshot holds every secret of a cluster: the file is created for its owner only, under a name that did not exist, and
//! loses that name at once. The kernel frees it with the last handle, whatever ends the process.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use super::error::ImageError;
use crate::clock::Clock;

/// Names tried before giving up: each differs by process, time and number.
const NAME_TRIES: u32 = 16;
const MODE: u32 = 0o600;

/// The folder where temporary files are made.
#[derive(Debug, Clone)]
pub struct Scratch {
    folder: PathBuf,
}

impl Scratch {
    /// Files are made in this folder.
    pub fn in_folder(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
        }
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// A new file for reading and writing.
    ///
    /// # Errors
    /// The folder refuses it.
    pub fn file(&self) -> Result<File, ImageError> {
        let unique = Clock::system().unix_secs();
        for number in 0..NAME_TRIES {
            let name = format!(
                ".strongroom-{}-{unique}-{}-{number}",
                std::process::id(),
                Clock::system().jitter_per_mille()
            );
            let path = self.folder.join(name);
            let opened = OpenOptions::new()
                .read(true)
                .write(true)
                .create_new(true)
                .mode(MODE)
                .open(&path);
            match opened {
                Ok(file) => {
                    fs::remove_file(&path)
                        .map_err(|source| self.failed("take the name from", source))?;
                    return Ok(file);
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(source) => return Err(self.failed("create", source)),
            }
        }
        Err(self.failed("create", io::ErrorKind::AlreadyExists.into()))
    }

    pub(super) fn failed(&self, action: &'static str, source: io::Error) -> ImageError {
        ImageError::Scratch {
            action,
            folder: self.folder.clone(),
            source,
        }
    }
}

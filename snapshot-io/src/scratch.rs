//! Temporary files without a name.
//!
//! A snapshot contains all secrets of a cluster. So the file is created for its owner only, under a new and unguessable name,
//! and is unlinked immediately. The kernel frees it with the last handle, however the process ends.

use std::{
    fs::{self, File, OpenOptions},
    hash::{BuildHasher as _, RandomState},
    io,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

/// Names tried before giving up; each has a random number of 64 bits.
const NAME_TRIES: u32 = 16;
const MODE: u32 = 0o600;

/// The folder for temporary files.
#[derive(Debug, Clone)]
pub struct Scratch {
    folder: PathBuf,
}

/// A temporary file cannot be created, written or read.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} a temporary file in {}", folder.display())]
pub struct ScratchError {
    /// The attempted action.
    pub action: &'static str,
    /// The folder.
    pub folder: PathBuf,
    /// Why.
    pub source: io::Error,
}

impl Scratch {
    /// Creates files in this folder.
    pub fn in_folder(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
        }
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Creates a file for reading and writing.
    ///
    /// # Errors
    /// The file cannot be created.
    pub fn file(&self) -> Result<File, ScratchError> {
        for number in 0..NAME_TRIES {
            // The standard library's hash keys are random, and differ for each new table.
            let random = RandomState::new().hash_one(number);
            let path = self.folder.join(format!(".strongroom-{random:016x}"));
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

    /// The error of a failed action on one of its files.
    pub fn failed(&self, action: &'static str, source: io::Error) -> ScratchError {
        ScratchError {
            action,
            folder: self.folder.clone(),
            source,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt as _;

    use super::*;

    #[test]
    fn a_file_is_private_and_has_no_name() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = Scratch::in_folder(folder.path()).file().expect("made");
        let found = file.metadata().expect("open");
        assert_eq!((found.mode() & 0o7777, found.nlink()), (MODE, 0));
        let entries = fs::read_dir(folder.path()).expect("listable").count();
        assert_eq!(entries, 0);
    }
}

//! Temporary files without a name.
//!
//! A snapshot holds every secret of a cluster: the file is created for its owner only, under a name that did not exist and
//! that nobody can guess, and loses that name at once. The kernel frees it with the last handle, however the process ends.

use std::{
    fs::{self, File, OpenOptions},
    hash::{BuildHasher as _, RandomState},
    io,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

/// Names tried before giving up: each is another random number of 64 bits.
const NAME_TRIES: u32 = 16;
const MODE: u32 = 0o600;

/// The folder where temporary files are made.
#[derive(Debug, Clone)]
pub struct Scratch {
    folder: PathBuf,
}

/// The folder refuses a file or its bytes.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} a temporary file in {}", folder.display())]
pub struct ScratchError {
    /// The attempted action.
    pub action: &'static str,
    /// In which folder.
    pub folder: PathBuf,
    /// Why.
    pub source: io::Error,
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
    pub fn file(&self) -> Result<File, ScratchError> {
        for number in 0..NAME_TRIES {
            // The standard library's keys are random for each table, and change with each one made.
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

    /// A failure of one of its files.
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

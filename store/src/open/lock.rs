//! One process per data directory: an exclusive lock on `<data-dir>/LOCK`.
//!
//! The kernel releases the lock when the process ends, so a file left by a crash blocks nobody. The pid in the file is
//! only information for the operator.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use crate::StoreError;

/// The name of the lock file.
pub const LOCK_FILE: &str = "LOCK";

/// The lock; released when dropped.
#[derive(Debug)]
pub struct DirLock {
    _file: File,
}

impl DirLock {
    /// Takes the lock of an existing data directory.
    ///
    /// # Errors
    /// [`StoreError::Held`] when another process (or another opening in this one) has it.
    pub fn take(dir: &Path) -> Result<DirLock, StoreError> {
        let path = dir.join(LOCK_FILE);
        let failed = |op, source| StoreError::Io {
            op,
            path: path.clone(),
            source,
        };
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(|source| failed("open", source))?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => {
                return Err(StoreError::Held {
                    dir: dir.to_owned(),
                });
            }
            Err(errno) => return Err(failed("lock", io::Error::from(errno))),
        }
        // ORDER: written only under the lock, else a refused second process would replace the holder's pid.
        file.set_len(0)
            .map_err(|source| failed("truncate", source))?;
        writeln!(file, "{}", std::process::id()).map_err(|source| failed("write", source))?;
        Ok(DirLock { _file: file })
    }

    /// Takes the lock of a directory without changing anything in it; `None` when there is no lock file.
    ///
    /// # Errors
    /// As [`DirLock::take`].
    pub fn look(dir: &Path) -> Result<Option<DirLock>, StoreError> {
        let path = dir.join(LOCK_FILE);
        let failed = |op, source| StoreError::Io {
            op,
            path: path.clone(),
            source,
        };
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed("open", error)),
        };
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(DirLock { _file: file })),
            Err(Errno::WOULDBLOCK) => Err(StoreError::Held {
                dir: dir.to_owned(),
            }),
            Err(errno) => Err(failed("lock", io::Error::from(errno))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_holder_is_refused_until_the_first_is_gone() {
        let dir = tempfile::tempdir().expect("a folder");
        let first = DirLock::take(dir.path()).expect("free");
        assert!(
            matches!(DirLock::take(dir.path()), Err(StoreError::Held { dir: named }) if named == dir.path())
        );
        let pid = std::fs::read_to_string(dir.path().join(LOCK_FILE)).expect("the file is there");
        assert_eq!(pid, format!("{}\n", std::process::id()));
        drop(first);
        DirLock::take(dir.path()).expect("free again");
    }
}

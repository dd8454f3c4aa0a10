//! The file layer under packs: a dozen calls with three implementations: real files, memory, and one that injects
//! faults.
//!
//! Paths are relative to the packs' directory. Reads and writes name their position, so no file has a cursor that two
//! callers could move. Nothing is durable before the matching sync: [`DiskFile::sync`] for the bytes of a file,
//! [`Disk::sync_dir`] of its folder for its directory entry.

use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, IoSlice};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Largest number of buffers in one vectored write (`IOV_MAX` on Linux).
const WRITE_BUFFERS_MAX: usize = 1024;

/// One entry of a folder.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct DiskEntry {
    /// Its name.
    pub name: OsString,
    /// Whether it is a folder.
    pub is_dir: bool,
}

/// Why the entries of a folder are not durable.
#[derive(Debug)]
pub enum DirSyncError {
    /// It was not opened, for want of descriptors or memory for example: nothing was tried, and the kernel still holds
    /// the entries.
    NotOpened(io::Error),
    /// The sync failed.
    NotSynced(io::Error),
}

/// Folders and files below one root.
pub trait Disk: Send + Sync + 'static {
    /// Makes a folder in an existing one.
    ///
    /// # Errors
    /// As `mkdir`; [`io::ErrorKind::AlreadyExists`] when the name exists.
    fn make_dir(&self, path: &Path) -> io::Result<()>;

    /// Removes an empty folder; not durable.
    ///
    /// # Errors
    /// As `rmdir`; [`io::ErrorKind::DirectoryNotEmpty`] when something is in it.
    fn remove_dir(&self, path: &Path) -> io::Result<()>;

    /// Creates a file that must not exist yet.
    ///
    /// # Errors
    /// As `open` with `O_CREAT | O_EXCL`.
    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>>;

    /// Opens a file for reading.
    ///
    /// # Errors
    /// As `open`.
    fn open(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>>;

    /// Removes a file.
    ///
    /// # Errors
    /// As `unlink`.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Makes the entries of a folder durable.
    ///
    /// # Errors
    /// As `open` and `fsync` of the folder.
    fn sync_dir(&self, path: &Path) -> Result<(), DirSyncError>;

    /// The entries of a folder, in any order.
    ///
    /// # Errors
    /// As `readdir`.
    fn list(&self, path: &Path) -> io::Result<Vec<DiskEntry>>;

    /// The length of a file.
    ///
    /// # Errors
    /// As `stat`.
    fn size(&self, path: &Path) -> io::Result<u64>;

    /// Bytes that may still be written.
    ///
    /// # Errors
    /// As `statvfs`.
    fn free_bytes(&self) -> io::Result<u64>;

    /// The full path, for messages.
    fn name(&self, path: &Path) -> PathBuf;
}

/// An open file.
pub trait DiskFile: Send + Sync {
    /// Writes at a position and returns the number of bytes written, which may be fewer than given.
    ///
    /// # Errors
    /// As `pwritev`.
    fn write_at(&self, offset: u64, bytes: &[IoSlice<'_>]) -> io::Result<usize>;

    /// Fills a buffer from a position and returns the number of bytes read; fewer than requested only at the file's
    /// end.
    ///
    /// # Errors
    /// As `pread`.
    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize>;

    /// Makes the file's bytes and length durable.
    ///
    /// # Errors
    /// As `fsync`.
    fn sync(&self) -> io::Result<()>;

    /// The file's length.
    ///
    /// # Errors
    /// As `fstat`.
    fn size(&self) -> io::Result<u64>;
}

/// Writes all buffers at a position. A short write is continued, so that the underlying error appears.
///
/// # Errors
/// The first error of a write; [`io::ErrorKind::WriteZero`] when a write makes no progress.
pub fn write_all(file: &dyn DiskFile, mut offset: u64, bufs: &[bytes::Bytes]) -> io::Result<()> {
    let mut slices: Vec<IoSlice<'_>> = bufs.iter().map(|buf| IoSlice::new(buf)).collect();
    let mut rest = &mut slices[..];
    // Drops leading empty buffers, which would look like an empty write.
    IoSlice::advance_slices(&mut rest, 0);
    while !rest.is_empty() {
        let most = rest.len().min(WRITE_BUFFERS_MAX);
        let written = file.write_at(offset, &rest[..most])?;
        if written == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        offset += crate::packs::len64(written);
        IoSlice::advance_slices(&mut rest, written);
    }
    Ok(())
}

/// The machine's file system.
#[derive(Debug)]
pub struct RealDisk {
    root: PathBuf,
}

impl RealDisk {
    /// Uses an existing folder.
    pub fn new(root: PathBuf) -> RealDisk {
        RealDisk { root }
    }
}

impl Disk for RealDisk {
    fn make_dir(&self, path: &Path) -> io::Result<()> {
        DirBuilder::new().mode(0o700).create(self.root.join(path))
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        fs::remove_dir(self.root.join(path))
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(self.root.join(path))?;
        Ok(Arc::new(RealFile { file }))
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        let file = OpenOptions::new().read(true).open(self.root.join(path))?;
        Ok(Arc::new(RealFile { file }))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(self.root.join(path))
    }

    fn sync_dir(&self, path: &Path) -> Result<(), DirSyncError> {
        let dir = File::open(self.root.join(path)).map_err(DirSyncError::NotOpened)?;
        dir.sync_all().map_err(DirSyncError::NotSynced)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<DiskEntry>> {
        fs::read_dir(self.root.join(path))?
            .map(|entry| {
                let entry = entry?;
                Ok(DiskEntry {
                    name: entry.file_name(),
                    is_dir: entry.file_type()?.is_dir(),
                })
            })
            .collect()
    }

    fn size(&self, path: &Path) -> io::Result<u64> {
        fs::symlink_metadata(self.root.join(path)).map(|stat| stat.len())
    }

    fn free_bytes(&self) -> io::Result<u64> {
        let stat = rustix::fs::statvfs(&self.root)?;
        Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
    }

    fn name(&self, path: &Path) -> PathBuf {
        self.root.join(path)
    }
}

#[derive(Debug)]
struct RealFile {
    file: File,
}

impl DiskFile for RealFile {
    fn write_at(&self, offset: u64, bytes: &[IoSlice<'_>]) -> io::Result<usize> {
        Ok(rustix::io::pwritev(&self.file, bytes, offset)?)
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        while let Some(rest) = into.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            let at = offset.saturating_add(crate::packs::len64(filled));
            match rustix::io::pread(&self.file, rest, at.min(i64::MAX.unsigned_abs())) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(rustix::io::Errno::INTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
        Ok(filled)
    }

    fn sync(&self) -> io::Result<()> {
        self.file.sync_all()
    }

    fn size(&self) -> io::Result<u64> {
        self.file.metadata().map(|stat| stat.len())
    }
}

//! A file layer that fails on demand: at each operation, a test decides whether it succeeds.
//!
//! It wraps any [`Disk`], real or in memory, so "the n-th operation fails, for every n" is a loop around it.

use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::io::Errno;

use crate::packs::local::disk::{DirSyncError, Disk, DiskEntry, DiskFile};

/// The operation about to happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DiskOp {
    /// [`Disk::make_dir`]
    MakeDir,
    /// [`Disk::create`]
    Create,
    /// [`Disk::open`]
    Open,
    /// [`Disk::remove`]
    Remove,
    /// Opening the folder for [`Disk::sync_dir`]
    OpenDir,
    /// [`Disk::sync_dir`]
    SyncDir,
    /// [`Disk::list`]
    List,
    /// [`DiskFile::write_at`]
    Write,
    /// [`DiskFile::read_at`]
    Read,
    /// [`DiskFile::sync`]
    Sync,
}

/// How an operation fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DiskFault {
    /// It is not done, and this is the answer.
    Fails(Errno),
    /// A write or read stops after at most this many bytes; other operations are not affected.
    Short(usize),
    /// A sync is not done but reports success; other operations are not affected.
    Skipped,
}

/// Decides which operations fail. `number` counts operations from 1.
pub trait DiskFaults: Send + Sync + 'static {
    /// The fault of this operation, if any.
    fn fault(&self, op: DiskOp, number: u64, path: &Path) -> Option<DiskFault>;
}

impl<F> DiskFaults for F
where
    F: Fn(DiskOp, u64, &Path) -> Option<DiskFault> + Send + Sync + 'static,
{
    fn fault(&self, op: DiskOp, number: u64, path: &Path) -> Option<DiskFault> {
        self(op, number, path)
    }
}

/// A [`Disk`] with faults.
#[derive(Clone)]
pub struct FaultDisk {
    disk: Arc<dyn Disk>,
    plan: Arc<Plan>,
}

struct Plan {
    faults: Box<dyn DiskFaults>,
    operations: AtomicU64,
}

impl Plan {
    fn next(&self, op: DiskOp, path: &Path) -> io::Result<Option<DiskFault>> {
        let number = self.operations.fetch_add(1, Ordering::SeqCst) + 1;
        match self.faults.fault(op, number, path) {
            Some(DiskFault::Fails(errno)) => Err(errno.into()),
            fault => Ok(fault),
        }
    }
}

impl FaultDisk {
    /// Wraps a disk.
    pub fn new(disk: Arc<dyn Disk>, faults: impl DiskFaults) -> FaultDisk {
        FaultDisk {
            disk,
            plan: Arc::new(Plan {
                faults: Box::new(faults),
                operations: AtomicU64::new(0),
            }),
        }
    }

    /// Operations so far.
    pub fn operations(&self) -> u64 {
        self.plan.operations.load(Ordering::SeqCst)
    }

    fn wrap(&self, file: Arc<dyn DiskFile>, path: &Path) -> Arc<dyn DiskFile> {
        Arc::new(FaultFile {
            file,
            path: path.to_owned(),
            plan: Arc::clone(&self.plan),
        })
    }
}

impl Disk for FaultDisk {
    fn make_dir(&self, path: &Path) -> io::Result<()> {
        self.plan.next(DiskOp::MakeDir, path)?;
        self.disk.make_dir(path)
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        self.plan.next(DiskOp::Remove, path)?;
        self.disk.remove_dir(path)
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        self.plan.next(DiskOp::Create, path)?;
        Ok(self.wrap(self.disk.create(path)?, path))
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        self.plan.next(DiskOp::Open, path)?;
        Ok(self.wrap(self.disk.open(path)?, path))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.plan.next(DiskOp::Remove, path)?;
        self.disk.remove(path)
    }

    fn sync_dir(&self, path: &Path) -> Result<(), DirSyncError> {
        let opened = self.plan.next(DiskOp::OpenDir, path);
        opened.map_err(DirSyncError::NotOpened)?;
        let fault = self.plan.next(DiskOp::SyncDir, path);
        match fault.map_err(DirSyncError::NotSynced)? {
            Some(DiskFault::Skipped) => Ok(()),
            _ => self.disk.sync_dir(path),
        }
    }

    fn list(&self, path: &Path) -> io::Result<Vec<DiskEntry>> {
        self.plan.next(DiskOp::List, path)?;
        self.disk.list(path)
    }

    fn size(&self, path: &Path) -> io::Result<u64> {
        self.disk.size(path)
    }

    fn free_bytes(&self) -> io::Result<u64> {
        self.disk.free_bytes()
    }

    fn name(&self, path: &Path) -> PathBuf {
        self.disk.name(path)
    }
}

struct FaultFile {
    file: Arc<dyn DiskFile>,
    path: PathBuf,
    plan: Arc<Plan>,
}

impl DiskFile for FaultFile {
    fn write_at(&self, offset: u64, bytes: &[IoSlice<'_>]) -> io::Result<usize> {
        match self.plan.next(DiskOp::Write, &self.path)? {
            Some(DiskFault::Short(most)) => {
                let all: Vec<u8> = bytes
                    .iter()
                    .flat_map(|slice| slice.iter().copied())
                    .take(most)
                    .collect();
                self.file.write_at(offset, &[IoSlice::new(&all)])
            }
            _ => self.file.write_at(offset, bytes),
        }
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        let most = match self.plan.next(DiskOp::Read, &self.path)? {
            Some(DiskFault::Short(most)) => into.len().min(most),
            _ => into.len(),
        };
        self.file.read_at(offset, &mut into[..most])
    }

    fn sync(&self) -> io::Result<()> {
        match self.plan.next(DiskOp::Sync, &self.path)? {
            Some(DiskFault::Skipped) => Ok(()),
            _ => self.file.sync(),
        }
    }

    fn size(&self) -> io::Result<u64> {
        self.file.size()
    }
}

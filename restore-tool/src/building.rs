//! The directories under construction: `member` with its folders, and the log's own directory, if it has one.

use std::{
    fs::File,
    io::Write as _,
    path::{Path, PathBuf},
};

use rustix::fs::FallocateFlags;
use strongroom_etcd_format::{raft_snap, wal};

use crate::{
    cluster::RestoredCluster,
    error::{RestoreError, TargetError},
    plan::RestorePlan,
    space,
    staging::{self, CommitMarker, MEMBER, Staging},
};

/// The staging directories of a restore.
pub(crate) struct StagingDirs {
    /// For a log in a separate directory. Dropped before `data`, which was begun first and may have created a parent of both.
    log: Option<Staging>,
    data: Staging,
    pub(crate) snap_dir: PathBuf,
}

impl StagingDirs {
    pub(crate) fn begin(plan: &RestorePlan) -> Result<Self, RestoreError> {
        let mut data = Staging::begin(&plan.data_dir, &[MEMBER])?;
        data.dir(MEMBER)?;
        let snap_dir = data.dir("member/snap")?;
        let log = match &plan.wal_dir {
            None => {
                data.dir("member/wal")?;
                None
            }
            Some(dir) => {
                let log = Staging::begin(dir, &[wal::FILE_NAME])?;
                space::require(dir, 0)?;
                Some(log)
            }
        };
        Ok(Self {
            log,
            data,
            snap_dir,
        })
    }

    /// Writes and syncs the log and the raft snapshot.
    pub(crate) fn write_logs(&self, cluster: &RestoredCluster) -> Result<(), RestoreError> {
        let RestoredCluster {
            membership, local, ..
        } = cluster;
        let name = raft_snap::file_name(membership);
        let (path, snapshot) = write_file(
            self.snap_dir.join(name),
            &raft_snap::restore_snap(membership),
        )?;
        sync(&path, &snapshot)?;
        let at = match &self.log {
            None => self.data.path("member/wal").join(wal::FILE_NAME),
            Some(log) => log.path(wal::FILE_NAME),
        };
        let (path, log) = write_file(at, &wal::restore_wal(membership, local.id))?;
        preallocate(&path, &log)?;
        sync(&path, &log)?;
        Ok(())
    }

    /// Puts the log in place first: an etcd must not find a member before it is complete.
    pub(crate) fn place(self, plan: &RestorePlan) -> Result<Vec<CommitMarker>, TargetError> {
        let mut dirs: Vec<Staging> = self.log.into_iter().chain([self.data]).collect();
        for dir in &mut dirs {
            if let Some(owner) = plan.owner {
                dir.give(owner)?;
            }
            dir.place()?;
        }
        Ok(dirs.into_iter().map(Staging::keep).collect())
    }
}

fn write_file(path: PathBuf, bytes: &[u8]) -> Result<(PathBuf, File), TargetError> {
    let mut file = staging::create_file(&path)?;
    file.write_all(bytes)
        .map_err(|source| TargetError::io("writing", &path, source))?;
    Ok((path, file))
}

fn sync(path: &Path, file: &File) -> Result<(), TargetError> {
    file.sync_all()
        .map_err(|source| TargetError::io("syncing", path, source))
}

/// Preallocates like etcd, so that appends do not change the file's size. Best effort: a log that ends after its last record also
/// boots, so only a full disk is an error.
fn preallocate(path: &Path, log: &File) -> Result<(), TargetError> {
    match rustix::fs::fallocate(log, FallocateFlags::empty(), 0, wal::SEGMENT_BYTES) {
        Err(errno @ (rustix::io::Errno::NOSPC | rustix::io::Errno::DQUOT)) => {
            Err(TargetError::io("preallocating", path, errno.into()))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

//! Why the directory cannot be built.

use std::{
    io,
    path::{Path, PathBuf},
};

use crate::space;

/// The directory cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// Data exists already.
    #[error("{path} exists already; a restore never overwrites data", path = path.display())]
    MemberExists {
        /// The `member` entry.
        path: PathBuf,
    },
    /// A log exists already.
    #[error("{path} holds a write-ahead log already; a restore never overwrites data", path = path.display())]
    LogExists {
        /// The log's directory.
        path: PathBuf,
    },
    /// An etcd has the database open.
    #[error("a running etcd holds {path}", path = path.display())]
    EtcdHolds {
        /// The database.
        path: PathBuf,
    },
    /// An etcd's data directory is the target.
    #[error("a running etcd (process {pid}) uses {path}", path = path.display())]
    EtcdUses {
        /// Its process.
        pid: u32,
        /// The data directory.
        path: PathBuf,
    },
    /// An etcd answers at an address of this member, and which directory it uses is not known.
    #[error(
        "an etcd is running on this machine, on a directory that is not known here: {evidence}"
    )]
    EtcdAnswers {
        /// The address and the answer.
        evidence: String,
    },
    /// Members run that are not of the restored cluster.
    #[error("members of the old or the new cluster run: {}", members.join(", "))]
    MembersRun {
        /// Their peer URLs with the answers.
        members: Vec<String>,
    },
    /// Another restore uses this directory.
    #[error("another restore works on {path}", path = path.display())]
    Busy {
        /// The data directory.
        path: PathBuf,
    },
    /// The file system cannot take more.
    #[error("{path}: {shortage}", path = path.display())]
    DiskFull {
        /// The path.
        path: PathBuf,
        /// What ran out.
        shortage: Shortage,
    },
    /// Permissions, a read-only file system, a file in place of a directory.
    #[error("{action} {path} is not possible", path = path.display())]
    Forbidden {
        /// The attempted action.
        action: &'static str,
        /// The path.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Any other failure of the file system.
    #[error("{action} {path} failed", path = path.display())]
    Io {
        /// The attempted action.
        action: &'static str,
        /// The path.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// What ran out on a file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Shortage {
    /// Free space, before anything was written.
    #[error("not enough free space ({needed} bytes needed, {free} free)")]
    Space {
        /// Bytes needed, including the reserve.
        needed: u64,
        /// Bytes free.
        free: u64,
    },
    /// A write found no free space.
    #[error("not enough free space: a write failed, {free} bytes are free")]
    Write {
        /// Bytes free afterwards.
        free: u64,
    },
    /// There are no more inodes, although there may be space.
    #[error("the file system has no free inodes, so no file can be created")]
    Inodes,
    /// A quota of the user, the group or the project.
    #[error("the disk quota of this user, group or project is used up")]
    Quota,
    /// `ulimit -f`, or the largest file of the file system.
    #[error("the file would be larger than this process or file system allows (ulimit -f)")]
    FileSize,
}

impl TargetError {
    /// Classifies a failure of the file system by its remedy.
    pub(crate) fn io(action: &'static str, path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::StorageFull => Self::DiskFull {
                shortage: space::what_ran_out(&path),
                path,
            },
            io::ErrorKind::QuotaExceeded => Self::DiskFull {
                path,
                shortage: Shortage::Quota,
            },
            io::ErrorKind::FileTooLarge => Self::DiskFull {
                path,
                shortage: Shortage::FileSize,
            },
            io::ErrorKind::PermissionDenied
            | io::ErrorKind::ReadOnlyFilesystem
            | io::ErrorKind::NotADirectory
            | io::ErrorKind::AlreadyExists
            | io::ErrorKind::NotFound
            | io::ErrorKind::Unsupported => Self::Forbidden {
                action,
                path,
                source,
            },
            _ => Self::Io {
                action,
                path,
                source,
            },
        }
    }
}

//! Free space on the target's file system, checked before and during a restore.
//!
//! A full disk on a control plane node stops its other programs, so a reserve stays free.

use std::path::Path;

use crate::error::{Shortage, TargetError};

/// Stays free in addition to the database: 64,000,000 bytes that the write-ahead log preallocates, and space for the raft
/// snapshot, the appended pages and files of other programs.
pub(crate) const RESERVE_BYTES: u64 = 80 * 1024 * 1024;

/// Refuses if less than `bytes` plus the reserve is free on the file system of `path`.
pub(crate) fn require(path: &Path, bytes: u64) -> Result<(), TargetError> {
    let needed = bytes.saturating_add(RESERVE_BYTES);
    let free = free_bytes(path)?;
    if free < needed {
        return Err(TargetError::DiskFull {
            path: path.to_owned(),
            shortage: Shortage::Space { needed, free },
        });
    }
    Ok(())
}

/// The directory, or its nearest parent that exists.
pub(crate) fn nearest_existing(path: &Path) -> &Path {
    let above = path
        .ancestors()
        .find(|above| above.exists() && !above.as_os_str().is_empty());
    above.unwrap_or(Path::new("."))
}

/// Why a write to `path` found no space: the kernel has one error for both.
pub(crate) fn what_ran_out(path: &Path) -> Shortage {
    match rustix::fs::statvfs(nearest_existing(path)) {
        // Some file systems have no fixed number of inodes and report none at all.
        Ok(stat) if stat.f_files > 0 && stat.f_favail == 0 => Shortage::Inodes,
        Ok(stat) => Shortage::Write {
            free: stat.f_bavail.saturating_mul(stat.f_frsize),
        },
        Err(_) => Shortage::Write { free: 0 },
    }
}

fn free_bytes(path: &Path) -> Result<u64, TargetError> {
    let stat = rustix::fs::statvfs(path)
        .map_err(|errno| TargetError::io("measuring free space of", path, errno.into()))?;
    Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `path.ancestors()` ends with an empty path for a relative one.
    #[test]
    fn a_relative_path_without_a_folder_is_measured_where_we_are() {
        let folder = nearest_existing(Path::new("no-such-folder/etcd"));
        require(folder, 0).expect("a test machine has the reserve");
        assert!(
            matches!(what_ran_out(Path::new("no/such/db")), Shortage::Write { free } if free > 0)
        );
    }

    #[test]
    fn more_than_the_disk_has_is_refused_with_both_figures() {
        let here = Path::new(".");
        require(here, 0).expect("a test machine has the reserve");
        let error = require(here, u64::MAX).expect_err("no disk is that large");
        assert!(
            matches!(
                error,
                TargetError::DiskFull { shortage: Shortage::Space { needed: u64::MAX, free }, .. } if free > 0
            ),
            "{error}"
        );
    }
}

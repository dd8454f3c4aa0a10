//! Free space on the target's file system, checked before and during a restore.
//!
//! A full disk on a control plane node stops its other programs, so a reserve stays free.

use std::path::Path;

use crate::error::TargetError;

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
            needed: Some(needed),
            free: Some(free),
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

fn free_bytes(path: &Path) -> Result<u64, TargetError> {
    let stat = rustix::fs::statvfs(path)
        .map_err(|errno| TargetError::io("measuring free space of", path, errno.into()))?;
    Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_the_disk_has_is_refused_with_both_figures() {
        let here = Path::new(".");
        require(here, 0).expect("a test machine has the reserve");
        let error = require(here, u64::MAX).expect_err("no disk is that large");
        assert!(
            matches!(error, TargetError::DiskFull { needed: Some(u64::MAX), free: Some(free), .. } if free > 0),
            "{error}"
        );
    }
}

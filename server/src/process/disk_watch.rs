//! Looks whether the disk of the data directory still takes writes, and tells readiness.
//!
//! A file system that turned read-only, a quota, a lack of inodes or a volume that hangs would otherwise show at the first
//! PUT that fails. So this writes, syncs and removes a small file every few seconds, and looks at the free space as a PUT
//! does. Unlike the store's latch, its verdict is taken back when the disk takes writes again.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{StatVfs, StatVfsMountFlags, statvfs};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::process::limits::{DISK_ANSWER_MAX, DISK_WATCH_INTERVAL};
use crate::store::reserve::DISK_RESERVE_BYTES;
use crate::telemetry::Readiness;

/// The file that is written. A killed process may leave it; the next one replaces it.
pub(super) const PROBE_FILE: &str = ".write-probe";

/// One block of any file system.
const PROBE_BYTES: usize = 4096;

/// The task that looks.
#[derive(Debug)]
pub(crate) struct DiskWatch {
    task: JoinHandle<()>,
    stop: CancellationToken,
}

impl DiskWatch {
    /// Looks at once, and then again and again.
    pub(crate) fn start(dir: PathBuf, readiness: Arc<Readiness>) -> DiskWatch {
        let stop = CancellationToken::new();
        let watching = watch(dir, readiness);
        let stopped = stop.clone();
        let task = tokio::spawn(async move {
            stopped.run_until_cancelled(watching).await;
        });
        DiskWatch { task, stop }
    }

    /// Ends the task. A look that hangs on a dead disk is left to the end of the process.
    pub(crate) async fn end(self) {
        self.stop.cancel();
        if let Err(failure) = self.task.await {
            tracing::error!(%failure, "the disk watch panicked; this is a bug, please report it");
        }
    }
}

async fn watch(dir: PathBuf, readiness: Arc<Readiness>) {
    loop {
        let looked = dir.clone();
        let mut look = tokio::task::spawn_blocking(move || look(&looked));
        let found = if let Ok(found) = tokio::time::timeout(DISK_ANSWER_MAX, &mut look).await {
            found
        } else {
            let silent = format!("it has not answered for {DISK_ANSWER_MAX:?}");
            tell(&readiness, Err(silent));
            // One look at a time: a hanging disk must not collect threads.
            look.await
        };
        // A look does not panic; if one did, it has found nothing.
        tell(&readiness, found.unwrap_or(Ok(())));
        tokio::time::sleep(DISK_WATCH_INTERVAL).await;
    }
}

fn tell(readiness: &Readiness, found: Result<(), String>) {
    let (was, is) = (readiness.disk(), found.err());
    match (&was, &is) {
        (None, Some(reason)) => {
            tracing::error!(reason, "the disk takes no writes: backups will be refused");
        }
        (Some(_), None) => tracing::info!("the disk takes writes again"),
        _ => {}
    }
    readiness.set_disk(is);
}

/// Whether the disk takes writes.
fn look(dir: &Path) -> Result<(), String> {
    let stat = statvfs(dir).map_err(|error| format!("statvfs: {error}"))?;
    judge(&stat)?;
    write(dir).map_err(|error| format!("a file of {PROBE_BYTES} bytes cannot be written: {error}"))
}

fn judge(stat: &StatVfs) -> Result<(), String> {
    if stat.f_flag.contains(StatVfsMountFlags::RDONLY) {
        return Err("its file system is mounted read-only".to_owned());
    }
    let free = stat.f_bavail.saturating_mul(stat.f_frsize);
    if free < DISK_RESERVE_BYTES {
        return Err(format!(
            "it is full: {} MiB are free, and {} MiB are kept for metadata",
            free >> 20,
            DISK_RESERVE_BYTES >> 20
        ));
    }
    // Some file systems have no fixed number of inodes and tell 0 of 0.
    if stat.f_files > 0 && stat.f_favail == 0 {
        return Err("it has no inode left".to_owned());
    }
    Ok(())
}

fn write(dir: &Path) -> io::Result<()> {
    let path = dir.join(PROBE_FILE);
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let written = options.open(&path).and_then(|mut file| {
        file.write_all(&[0; PROBE_BYTES])?;
        file.sync_data()
    });
    let removed = fs::remove_file(&path);
    written.and(removed)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn plenty() -> StatVfs {
        StatVfs {
            f_bsize: 4096,
            f_frsize: 4096,
            f_blocks: 1 << 30,
            f_bfree: 1 << 29,
            f_bavail: 1 << 29,
            f_files: 1000,
            f_ffree: 10,
            f_favail: 10,
            f_fsid: 0,
            f_flag: StatVfsMountFlags::empty(),
            f_namemax: 255,
        }
    }

    #[test]
    fn full_and_read_only_disks_are_told_by_what_is_missing() {
        judge(&plenty()).expect("plenty");
        let no_inodes = StatVfs {
            f_files: 0,
            f_favail: 0,
            ..plenty()
        };
        judge(&no_inodes).expect("btrfs has none");
        let read_only = StatVfs {
            f_flag: StatVfsMountFlags::RDONLY,
            ..plenty()
        };
        let reserve = DISK_RESERVE_BYTES / 4096;
        let enough = StatVfs {
            f_bavail: reserve,
            ..plenty()
        };
        judge(&enough).expect("the reserve is there");
        let full = StatVfs {
            f_bavail: reserve - 1,
            ..plenty()
        };
        let files = StatVfs {
            f_favail: 0,
            ..plenty()
        };
        for (stat, word) in [
            (read_only, "read-only"),
            (full, "231 MiB"),
            (files, "inode"),
        ] {
            let told = judge(&stat).expect_err(word);
            assert!(told.contains(word), "{told}");
        }
    }

    #[test]
    fn a_look_leaves_nothing_and_tells_why_it_cannot_write() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        fs::write(dir.path().join(PROBE_FILE), "of a killed process").expect("written");
        write(dir.path()).expect("a temporary directory takes writes");
        let left = fs::read_dir(dir.path()).expect("readable").count();
        assert_eq!(left, 0);
        // Nobody can write there, not even root.
        write(Path::new("/proc/self")).expect_err("no file system for files");
        let gone = look(&dir.path().join("gone")).expect_err("it does not exist");
        assert!(gone.contains("No such file"), "{gone}");
    }

    #[tokio::test]
    async fn the_verdict_is_taken_back() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let readiness = Arc::new(Readiness::starting());
        readiness.serve(|| None);
        tell(&readiness, look(&dir.path().join("gone")));
        let why = readiness.check().expect_err("no disk").to_string();
        assert!(why.starts_with("the disk takes no writes: "), "{why}");
        let watch = DiskWatch::start(dir.path().to_owned(), Arc::clone(&readiness));
        let ready = async {
            while readiness.check().is_err() {
                tokio::task::yield_now().await;
            }
        };
        let ready = tokio::time::timeout(Duration::from_secs(20), ready).await;
        ready.expect("it looks at once");
        watch.end().await;
    }
}

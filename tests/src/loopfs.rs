//! Real file systems in image files, loop-mounted, that can lose power.
//!
//! [`LoopFs::cut_power`] shuts the file system down without flushing its log: synced data is on the image, the rest is
//! gone, as after a power cut; the next mount replays the journal. Needs root, loop devices and the tools of the file
//! systems, and reports which is missing. Invariant: when the value is dropped, nothing stays mounted.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::clock::until;
use crate::process::run;
use crate::programs;

/// The command that installs the tools.
const PACKAGES: &str = "tests/setup/packages.sh mount e2fsprogs xfsprogs";

/// Time in which the files of a killed process are closed.
const UNMOUNTED_WITHIN: Duration = Duration::from_secs(20);

/// The kind of file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Writes data before the journal of its metadata.
    Ext4,
    /// Journals only metadata.
    Xfs,
}

impl Kind {
    /// The name that mkfs uses.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ext4 => "ext4",
            Self::Xfs => "xfs",
        }
    }
}

/// A separate file system.
#[derive(Debug)]
pub struct LoopFs {
    image: PathBuf,
    root: PathBuf,
    mounted: bool,
}

impl LoopFs {
    /// Creates one of `bytes`, sparse, mounted below `dir`.
    pub fn create(dir: &Path, kind: Kind, bytes: u64) -> Self {
        let fs = Self {
            image: dir.join("image"),
            root: dir.join("mount"),
            mounted: false,
        };
        let image = File::create(&fs.image).expect("the image can be made");
        image.set_len(bytes).expect("the image can be sparse");
        fs::create_dir(&fs.root).expect("the mount point can be made");
        let (mkfs, quiet) = match kind {
            Kind::Ext4 => ("mkfs.ext4", "-qF"),
            Kind::Xfs => ("mkfs.xfs", "-qf"),
        };
        tool(mkfs, &[quiet, text(&fs.image)]);
        fs.mounted()
    }

    /// Its root folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// From now on, no unsynced data reaches the image; every call on an open file fails.
    pub fn cut_power(&self) {
        // Without -f: the log is not flushed.
        tool("xfs_io", &["-x", "-c", "shutdown", text(&self.root)]);
    }

    /// Unmounts and mounts again, which replays the journal. No file may be open any more.
    #[must_use]
    pub fn restored(mut self) -> Self {
        self.unmount();
        let fs = Self {
            image: std::mem::take(&mut self.image),
            root: std::mem::take(&mut self.root),
            mounted: false,
        };
        fs.mounted()
    }

    fn mounted(mut self) -> Self {
        tool(
            "mount",
            &["-o", "loop", text(&self.image), text(&self.root)],
        );
        self.mounted = true;
        self
    }

    fn unmount(&mut self) {
        until("the file system to be unmounted", UNMOUNTED_WITHIN, || {
            let done = run(programs::command(&find("umount")).arg(&self.root));
            if done.code == Some(0) {
                Ok(())
            } else {
                Err(done.stderr)
            }
        });
        self.mounted = false;
    }
}

impl Drop for LoopFs {
    fn drop(&mut self) {
        if self.mounted {
            // Lazily: after a panic files may still be open, and the mount must go nevertheless.
            let _best_effort = run(programs::command(&find("umount")).arg("-l").arg(&self.root));
        }
    }
}

fn tool(name: &str, arguments: &[&str]) {
    let done = run(programs::command(&find(name)).args(arguments));
    assert_eq!(
        done.code,
        Some(0),
        "{}: {}\nThis suite needs root, loop devices, and: {PACKAGES}",
        done.line,
        done.text()
    );
}

fn find(name: &str) -> PathBuf {
    let folders = ["/usr/sbin", "/usr/bin", "/sbin", "/bin"];
    let mut paths = folders.iter().map(|folder| Path::new(folder).join(name));
    paths
        .find(|path| path.exists())
        .unwrap_or_else(|| panic!("no {name}; run: {PACKAGES}"))
}

fn text(path: &Path) -> &str {
    path.to_str().expect("temporary folders have plain names")
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_power_cut_keeps_what_was_synced_and_loses_the_rest() {
        for kind in [Kind::Ext4, Kind::Xfs] {
            let dir = tempfile::tempdir().expect("temporary folder");
            let fs = LoopFs::create(dir.path(), kind, 320 << 20);
            let mut synced = File::create(fs.root().join("synced")).expect("created");
            synced.write_all(b"kept").expect("written");
            synced.sync_all().expect("synced");
            fs::write(fs.root().join("unsynced"), b"lost").expect("written");
            fs.cut_power();
            assert!(fs::write(fs.root().join("late"), b"refused").is_err());
            drop(synced);
            let fs = fs.restored();
            let read = |name| fs::read(fs.root().join(name)).unwrap_or_default();
            assert_eq!(read("synced"), b"kept", "{kind:?}");
            assert_ne!(read("unsynced"), b"lost", "{kind:?}");
        }
    }
}

//! The directory beside the target: built in secret, put in place by one rename, removed on every other way out.
//!
//! `<data-dir>/member.restore-XXXXXXXX/` (0700) lies on the target's file system, so that the last step is one rename to
//! `<data-dir>/member`. While it exists, the data directory is locked (flock), so that two restores never meet and a
//! stage found under the lock is certainly a killed run's. What a crash leaves behind:
//!
//! | killed while | left behind | next run |
//! |---|---|---|
//! | building | `member.restore-*`, no `member` | removes it, starts anew |
//! | before the rename is on disk | as above, or the finished `member` | as above, or refuses: restored already |
//! | after the rename | the finished `member` | refuses: restored already |
//!
//! A missing data directory (and its parents) is created 0700 and removed again on failure. It never touches a `member`
//! that it did not make.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io,
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use rustix::fs::{CWD, FlockOperation, RenameFlags};

use crate::error::TargetError;

/// What etcd looks for in its data directory.
pub(crate) const MEMBER: &str = "member";
/// Followed by eight hex digits.
pub(crate) const STAGE_PREFIX: &str = "member.restore-";
const STAGE_SUFFIX_HEX: usize = 8;
const DIR_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;

/// A directory under construction. Dropped without [`Staging::commit`], it leaves no trace.
#[derive(Debug)]
pub(crate) struct Staging {
    data_dir: PathBuf,
    /// Missing directories that were created for it, outermost first.
    created: Vec<PathBuf>,
    /// Open for the lock, which ends with it.
    lock: File,
    stage: PathBuf,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Only the data directory is held.
    Locked,
    /// The stage exists.
    Staged,
    /// The stage has become `member`, perhaps not yet on disk.
    Renamed,
    /// `member` is on disk: nothing is undone any more.
    Done,
}

impl Staging {
    /// Creates and locks the data directory, removes what killed runs left, makes an empty stage.
    pub(crate) fn begin(data_dir: &Path) -> Result<Self, TargetError> {
        let naming = |error| TargetError::io("naming a stage in", data_dir, error);
        let stage = data_dir.join(format!("{STAGE_PREFIX}{}", random_hex().map_err(naming)?));
        let created = create_missing(data_dir)?;
        let lock = match open_locked(data_dir) {
            Ok(lock) => lock,
            Err(error) => {
                remove_created(&created);
                return Err(error);
            }
        };
        let mut staging = Self {
            data_dir: data_dir.to_owned(),
            created,
            lock,
            stage,
            state: State::Locked,
        };
        staging.remove_stale()?;
        make_dir(&staging.stage)?;
        staging.state = State::Staged;
        Ok(staging)
    }

    /// Makes a directory of the stage.
    pub(crate) fn dir(&self, name: &str) -> Result<PathBuf, TargetError> {
        let path = self.stage.join(name);
        make_dir(&path)?;
        Ok(path)
    }

    /// Syncs the stage, renames it to `member` and syncs the data directory. `dirs` are the stage's own directories.
    pub(crate) fn commit(mut self, dirs: &[PathBuf]) -> Result<(), TargetError> {
        // ORDER: files are synced by their writers before this; their directories next, then the rename. Otherwise a
        // power cut could leave a `member` whose files are missing.
        for dir in dirs.iter().chain([&self.stage]) {
            sync_dir(dir)?;
        }
        let member = self.data_dir.join(MEMBER);
        rename_without_replacing(&self.stage, &member)?;
        self.state = State::Renamed;
        // ORDER: only a synced data directory keeps the new name over a power cut, so success is told after it.
        self.lock
            .sync_all()
            .map_err(|source| TargetError::io("syncing", &self.data_dir, source))?;
        for dir in &self.created {
            sync_dir(parent_of(dir))?;
        }
        self.state = State::Done;
        Ok(())
    }

    fn remove_stale(&self) -> Result<(), TargetError> {
        let listing = |source| TargetError::io("listing", &self.data_dir, source);
        for entry in fs::read_dir(&self.data_dir).map_err(listing)? {
            let entry = entry.map_err(listing)?;
            let path = entry.path();
            let metadata = match entry.metadata() {
                Ok(metadata) => metadata,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(source) => return Err(TargetError::io("looking at", &path, source)),
            };
            let ours = metadata.is_dir()
                && metadata.uid() == rustix::process::geteuid().as_raw()
                && metadata.mode() & 0o7777 == DIR_MODE
                && entry.file_name().to_str().is_some_and(is_stage_name);
            if ours {
                fs::remove_dir_all(&path)
                    .map_err(|source| TargetError::io("removing the stale", &path, source))?;
            }
        }
        Ok(())
    }
}

impl Drop for Staging {
    /// Undoes what was done. Failures cannot be told here; the next run removes a stage that stays.
    fn drop(&mut self) {
        match self.state {
            State::Done => return,
            State::Renamed => {
                let _stays = fs::rename(self.data_dir.join(MEMBER), &self.stage);
                let _stays = fs::remove_dir_all(&self.stage);
            }
            State::Staged => {
                let _stays = fs::remove_dir_all(&self.stage);
            }
            State::Locked => {}
        }
        remove_created(&self.created);
    }
}

/// A new file of a stage, 0600.
pub(crate) fn create_file(path: &Path) -> Result<File, TargetError> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .mode(FILE_MODE)
        .open(path)
        .map_err(|source| TargetError::io("creating", path, source))
}

fn make_dir(path: &Path) -> Result<(), TargetError> {
    DirBuilder::new()
        .mode(DIR_MODE)
        .create(path)
        .map_err(|source| TargetError::io("creating", path, source))
}

fn sync_dir(path: &Path) -> Result<(), TargetError> {
    File::open(path)
        .and_then(|dir| dir.sync_all())
        .map_err(|source| TargetError::io("syncing", path, source))
}

fn parent_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
        Some(parent) => parent,
        None => path,
    }
}

fn create_missing(data_dir: &Path) -> Result<Vec<PathBuf>, TargetError> {
    let mut missing: Vec<PathBuf> = Vec::new();
    let mut at = data_dir;
    while let Err(error) = fs::metadata(at) {
        if error.kind() != io::ErrorKind::NotFound {
            return Err(TargetError::io("looking at", at, error));
        }
        missing.push(at.to_owned());
        at = parent_of(at);
    }
    missing.reverse();
    for (done, dir) in missing.iter().enumerate() {
        if let Err(error) = make_dir(dir) {
            remove_created(&missing[..done]);
            return Err(error);
        }
    }
    Ok(missing)
}

/// Removes created directories, innermost first, while they are empty.
fn remove_created(created: &[PathBuf]) {
    for dir in created.iter().rev() {
        let _not_empty = fs::remove_dir(dir);
    }
}

fn open_locked(data_dir: &Path) -> Result<File, TargetError> {
    let dir =
        File::open(data_dir).map_err(|source| TargetError::io("opening", data_dir, source))?;
    match rustix::fs::flock(&dir, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(dir),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(TargetError::Busy {
            path: data_dir.to_owned(),
        }),
        Err(errno) => Err(TargetError::io("locking", data_dir, errno.into())),
    }
}

fn rename_without_replacing(stage: &Path, member: &Path) -> Result<(), TargetError> {
    match rustix::fs::renameat_with(CWD, stage, CWD, member, RenameFlags::NOREPLACE) {
        Ok(()) => Ok(()),
        Err(rustix::io::Errno::EXIST | rustix::io::Errno::NOTEMPTY) => {
            Err(TargetError::MemberExists {
                path: member.to_owned(),
            })
        }
        // Some file systems (NFS, old kernels) cannot refuse by themselves: look, then rename.
        Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS | rustix::io::Errno::NOTSUP) => {
            if member.symlink_metadata().is_ok() {
                return Err(TargetError::MemberExists {
                    path: member.to_owned(),
                });
            }
            fs::rename(stage, member)
                .map_err(|source| TargetError::io("renaming the stage to", member, source))
        }
        Err(errno) => Err(TargetError::io(
            "renaming the stage to",
            member,
            errno.into(),
        )),
    }
}

fn is_stage_name(name: &str) -> bool {
    name.strip_prefix(STAGE_PREFIX).is_some_and(|suffix| {
        suffix.len() == STAGE_SUFFIX_HEX && suffix.bytes().all(|b| b.is_ascii_hexdigit())
    })
}

fn random_hex() -> io::Result<String> {
    let mut bytes = [0_u8; STAGE_SUFFIX_HEX / 2];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    Ok(hex::encode(bytes))
}

#[cfg(test)]
mod tests;

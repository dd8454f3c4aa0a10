//! The staging directory in the target: it is filled first, then its entries are renamed into the target. On any failure it is
//! removed.
//!
//! `<dir>/member.restore-XXXXXXXX/` (0700) is on the target's file system, so one rename publishes each entry (`member`, or the
//! log in a separate directory). While it exists, `<dir>` is locked (flock). So two restores never run at the same time in one
//! directory, and a staging directory that is found under the lock was left by a killed run. A crash leaves:
//!
//! | killed | left behind | next run |
//! |---|---|---|
//! | while building | `member.restore-*`, no entry | removes it, starts again |
//! | between the renames of marker and entry | as above, and the marker | as above |
//! | after the entry's rename, before success was reported | the finished entry and its marker | starts again, replaces it |
//! | after success was reported | the finished entry, perhaps its marker | valid marker: replaces it if unused; else refuses |
//!
//! The marker is that of [`crate::commit_marker`]. A missing directory and its parents are created with 0700, and removed again
//! on failure. Modes do not depend on the umask or on set-gid parents. Invariant: an entry from elsewhere, or one that was used, is never changed.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, Permissions},
    io,
    os::unix::fs::{
        DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _,
    },
    path::{Path, PathBuf},
};

use rustix::fs::{CWD, FlockOperation, RenameFlags};

use crate::{commit_marker, error::TargetError, owner::Owner};

/// The name of etcd's folder in its data directory.
pub(crate) const MEMBER: &str = "member";
/// Followed by eight hex digits.
pub(crate) const STAGING_PREFIX: &str = "member.restore-";
const STAGING_SUFFIX_HEX: usize = 8;
const DIR_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;
/// Permissions of group and others; a staging directory never has any.
const NOT_OWNERS: u32 = 0o077;

/// A target under construction. If it is dropped before [`Staging::keep`], it undoes everything.
#[derive(Debug)]
pub(crate) struct Staging {
    /// The target.
    dir: PathBuf,
    /// The names of its future entries.
    entries: &'static [&'static str],
    /// Directories that were missing and were created, outermost first.
    created: Vec<PathBuf>,
    /// The target, open for its lock. [`Staging::keep`] passes it on.
    lock: Option<File>,
    /// The staging directory, inside the target.
    beside: PathBuf,
    /// Directories in the staging directory, outermost first.
    inside: Vec<PathBuf>,
    /// Directory for the entries of an earlier, marked restore, until the new entries are in place.
    aside: Option<PathBuf>,
    /// Renames so far (from, to), for undoing in reverse order.
    moved: Vec<(PathBuf, PathBuf)>,
}

/// The marker of a restored directory before success is reported. The directory stays locked.
#[derive(Debug)]
pub(crate) struct CommitMarker {
    path: PathBuf,
    _lock: Option<File>,
}

impl Staging {
    /// Creates and locks the target, removes leftovers of killed runs, creates an empty staging directory.
    pub(crate) fn begin(dir: &Path, entries: &'static [&'static str]) -> Result<Self, TargetError> {
        let staging_dir = unused_name(dir)?;
        let created = create_missing(dir)?;
        let lock = match open_locked(dir) {
            Ok(lock) => lock,
            Err(error) => {
                remove_created(&created);
                return Err(error);
            }
        };
        let staging = Self {
            dir: dir.to_owned(),
            entries,
            created,
            lock: Some(lock),
            beside: staging_dir,
            inside: Vec::new(),
            aside: None,
            moved: Vec::new(),
        };
        staging.remove_stale()?;
        make_dir(&staging.beside)?;
        Ok(staging)
    }

    /// Creates a directory in the staging directory.
    pub(crate) fn dir(&mut self, name: &str) -> Result<PathBuf, TargetError> {
        let path = self.beside.join(name);
        make_dir(&path)?;
        self.inside.push(path.clone());
        Ok(path)
    }

    /// A path in the staging directory.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.beside.join(name)
    }

    /// Changes the owner of the entries and the created directories.
    pub(crate) fn give(&self, owner: Owner) -> Result<(), TargetError> {
        for entry in self.entries {
            give_tree(&self.beside.join(entry), owner)?;
        }
        self.created.iter().try_for_each(|dir| owner.take(dir))
    }

    /// Syncs the staged directories and renames the entries into the target, all of them or none. Success may be reported after
    /// every target is in place.
    pub(crate) fn place(&mut self) -> Result<(), TargetError> {
        commit_marker::write(&self.beside, self.entries)?;
        // ORDER: the writers have synced the files before this; next come their directories, then the renames. Otherwise a
        // power cut could leave an entry with missing files.
        for dir in self.inside.iter().rev().chain([&self.beside]) {
            sync_dir(dir)?;
        }
        self.put_aside()?;
        // ORDER: the marker before the entries. An entry without it could not be distinguished from a used one.
        for name in [&[commit_marker::FILE_NAME], self.entries].concat() {
            let (from, to) = (self.beside.join(name), self.dir.join(name));
            rename_without_replacing(&from, &to)?;
            self.moved.push((from, to));
        }
        // ORDER: only a synced directory keeps the new names after a power cut, so success is reported after this.
        sync_dir(&self.dir)?;
        for dir in &self.created {
            sync_dir(parent_of(dir))?;
        }
        Ok(())
    }

    /// Keeps the entries. The marker stays until [`CommitMarker::remove`].
    pub(crate) fn keep(mut self) -> CommitMarker {
        self.moved.clear();
        self.created.clear();
        CommitMarker {
            path: self.dir.join(commit_marker::FILE_NAME),
            _lock: self.lock.take(),
        }
    }

    /// Moves a marked restore, or only a marker, out of the way.
    fn put_aside(&mut self) -> Result<(), TargetError> {
        if !commit_marker::describes(&self.dir, self.entries) {
            return Ok(());
        }
        let aside = unused_name(&self.dir)?;
        make_dir(&aside)?;
        self.aside = Some(aside.clone());
        // ORDER: the marker last. A kill in between must not leave an entry without it.
        for name in [self.entries, &[commit_marker::FILE_NAME]].concat() {
            let (from, to) = (self.dir.join(name), aside.join(name));
            if from.symlink_metadata().is_ok() {
                rename_without_replacing(&from, &to)?;
                self.moved.push((from, to));
            }
        }
        Ok(())
    }

    fn remove_stale(&self) -> Result<(), TargetError> {
        let listing = |source| TargetError::io("listing", &self.dir, source);
        for entry in fs::read_dir(&self.dir).map_err(listing)? {
            let entry = entry.map_err(listing)?;
            let path = entry.path();
            let metadata = match entry.metadata() {
                Ok(metadata) => metadata,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(source) => return Err(TargetError::io("looking at", &path, source)),
            };
            let ours = metadata.is_dir()
                && metadata.uid() == rustix::process::geteuid().as_raw()
                // Not its whole mode: in a set-gid directory a run may have been killed before it set that.
                && metadata.mode() & NOT_OWNERS == 0
                && entry.file_name().to_str().is_some_and(is_staging_name);
            if ours {
                fs::remove_dir_all(&path)
                    .map_err(|source| TargetError::io("removing the stale", &path, source))?;
            }
        }
        Ok(())
    }
}

impl Drop for Staging {
    /// Undoes everything. Failures cannot be reported here; the next run removes a remaining staging directory.
    fn drop(&mut self) {
        for (from, to) in self.moved.drain(..).rev() {
            let _stays = fs::rename(to, from);
        }
        for dir in [&self.beside].into_iter().chain(&self.aside) {
            let _stays = fs::remove_dir_all(dir);
        }
        remove_created(&self.created);
    }
}

impl CommitMarker {
    /// Removes the marker after success was reported. A failure is ignored: a remaining marker only allows another restore over
    /// unused data.
    pub(crate) fn remove(self) {
        let _stays = fs::remove_file(&self.path);
    }
}

/// A new file in a staging directory, 0600 whatever the umask.
pub(crate) fn create_file(path: &Path) -> Result<File, TargetError> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .mode(FILE_MODE)
        .open(path)
        .map_err(|source| TargetError::io("creating", path, source))?;
    file.set_permissions(Permissions::from_mode(FILE_MODE))
        .map_err(|source| TargetError::io("changing the mode of", path, source))?;
    Ok(file)
}

fn give_tree(path: &Path, owner: Owner) -> Result<(), TargetError> {
    // Open before changing the owner: a program that may change owners may not be allowed to read all files.
    let opened = File::open(path).map_err(|source| TargetError::io("opening", path, source))?;
    owner.take(path)?;
    if path.is_dir() {
        let listing = |source| TargetError::io("listing", path, source);
        for entry in fs::read_dir(path).map_err(listing)? {
            give_tree(&entry.map_err(listing)?.path(), owner)?;
        }
    }
    // ORDER: sync again. The writer synced before the owner changed, so a power cut could leave a member that etcd may not read.
    opened
        .sync_all()
        .map_err(|source| TargetError::io("syncing", path, source))
}

/// A new directory, 0700 whatever the umask, and without the bit that a set-gid directory passes on.
fn make_dir(path: &Path) -> Result<(), TargetError> {
    DirBuilder::new()
        .mode(DIR_MODE)
        .create(path)
        .map_err(|source| TargetError::io("creating", path, source))?;
    fs::set_permissions(path, Permissions::from_mode(DIR_MODE)).map_err(|source| {
        let _stays = fs::remove_dir(path);
        TargetError::io("changing the mode of", path, source)
    })
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

fn rename_without_replacing(staged: &Path, member: &Path) -> Result<(), TargetError> {
    match rustix::fs::renameat_with(CWD, staged, CWD, member, RenameFlags::NOREPLACE) {
        Ok(()) => Ok(()),
        Err(rustix::io::Errno::EXIST | rustix::io::Errno::NOTEMPTY) => {
            Err(TargetError::MemberExists {
                path: member.to_owned(),
            })
        }
        // Some file systems (NFS, old kernels) do not support a rename without replacement: check, then rename.
        Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS | rustix::io::Errno::NOTSUP) => {
            if member.symlink_metadata().is_ok() {
                return Err(TargetError::MemberExists {
                    path: member.to_owned(),
                });
            }
            fs::rename(staged, member).map_err(|source| {
                TargetError::io("renaming the staging directory to", member, source)
            })
        }
        Err(errno) => Err(TargetError::io(
            "renaming the staging directory to",
            member,
            errno.into(),
        )),
    }
}

fn is_staging_name(name: &str) -> bool {
    name.strip_prefix(STAGING_PREFIX).is_some_and(|suffix| {
        suffix.len() == STAGING_SUFFIX_HEX && suffix.bytes().all(|b| b.is_ascii_hexdigit())
    })
}

fn unused_name(dir: &Path) -> Result<PathBuf, TargetError> {
    let digits = random_hex()
        .map_err(|error| TargetError::io("naming a staging directory in", dir, error))?;
    Ok(dir.join(format!("{STAGING_PREFIX}{digits}")))
}

fn random_hex() -> io::Result<String> {
    let mut bytes = [0_u8; STAGING_SUFFIX_HEX / 2];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    Ok(hex::encode(bytes))
}

#[cfg(test)]
mod tests;

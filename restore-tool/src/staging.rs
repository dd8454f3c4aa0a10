//! The folder beside the target: filled in secret, put in place by renames, removed on every other way out.
//!
//! `<dir>/member.restore-XXXXXXXX/` (0700) lies on the target's file system, so that each entry (`member`, or the log of
//! a directory of its own) is put in place by one rename. While it exists, the directory is locked (flock), so that two
//! restores never meet and a stage found under the lock is certainly a killed run's. What a crash leaves behind:
//!
//! | killed while | left behind | next run |
//! |---|---|---|
//! | building | `member.restore-*`, no entry | removes it, starts anew |
//! | between the mark's and the entry's rename | as above, and the mark | as above |
//! | after the entry's rename, before the success was told | the finished entry and its mark | starts anew, replaces it |
//! | after the success was told | the finished entry, perhaps its mark | with the mark, replaces it if nobody used it; refuses otherwise |
//!
//! The mark is [`crate::commit_marker`]'s. A missing directory (and its parents) is created 0700 and removed again on failure.
//! An entry that this program did not make, or that anybody has used, is never touched.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io,
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use rustix::fs::{CWD, FlockOperation, RenameFlags};

use crate::{commit_marker, error::TargetError, owner::Owner};

/// What etcd looks for in its data directory.
pub(crate) const MEMBER: &str = "member";
/// Followed by eight hex digits.
pub(crate) const STAGE_PREFIX: &str = "member.restore-";
const STAGE_SUFFIX_HEX: usize = 8;
const DIR_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;

/// A directory under construction. Dropped before [`Staging::keep`], it leaves no trace.
#[derive(Debug)]
pub(crate) struct Staging {
    /// The directory that is restored into.
    dir: PathBuf,
    /// What will appear in it.
    entries: &'static [&'static str],
    /// Missing directories that were created for it, outermost first.
    created: Vec<PathBuf>,
    /// Open for the lock, which ends with it. Nobody has it any more after [`Staging::keep`].
    lock: Option<File>,
    stage: PathBuf,
    /// The stage's own directories, outermost first.
    inside: Vec<PathBuf>,
    /// Where an unconfirmed restore's entries lie while these take their place.
    aside: Option<PathBuf>,
    /// Moves that were made, to be undone in reverse order: from, to.
    moved: Vec<(PathBuf, PathBuf)>,
}

/// A restored directory whose mark is still there. It stays locked.
#[derive(Debug)]
pub(crate) struct Unconfirmed {
    mark: PathBuf,
    _lock: Option<File>,
}

impl Staging {
    /// Creates and locks the directory, removes what killed runs left, makes an empty stage.
    pub(crate) fn begin(dir: &Path, entries: &'static [&'static str]) -> Result<Self, TargetError> {
        let stage = unused_stage(dir)?;
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
            stage,
            inside: Vec::new(),
            aside: None,
            moved: Vec::new(),
        };
        staging.remove_stale()?;
        make_dir(&staging.stage)?;
        Ok(staging)
    }

    /// Makes a directory of the stage.
    pub(crate) fn dir(&mut self, name: &str) -> Result<PathBuf, TargetError> {
        let path = self.stage.join(name);
        make_dir(&path)?;
        self.inside.push(path.clone());
        Ok(path)
    }

    /// A place in the stage.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.stage.join(name)
    }

    /// Gives all that will stay to `owner`: the entries, and what was created for them.
    pub(crate) fn give(&self, owner: Owner) -> Result<(), TargetError> {
        for entry in self.entries {
            give_tree(&self.stage.join(entry), owner)?;
        }
        self.created.iter().try_for_each(|dir| owner.take(dir))
    }

    /// Syncs the stage's directories and renames its entries into place, all of them or none. Success may be told once
    /// this is done everywhere.
    pub(crate) fn place(&mut self) -> Result<(), TargetError> {
        commit_marker::write(&self.stage, self.entries)?;
        // ORDER: files are synced by their writers before this; their directories next, then the renames. Otherwise a
        // power cut could leave an entry whose files are missing.
        for dir in self.inside.iter().rev().chain([&self.stage]) {
            sync_dir(dir)?;
        }
        self.put_aside()?;
        // ORDER: the mark before what it describes; an entry without its mark could not be told from a used one.
        for name in [&[commit_marker::FILE_NAME], self.entries].concat() {
            let (from, to) = (self.stage.join(name), self.dir.join(name));
            rename_without_replacing(&from, &to)?;
            self.moved.push((from, to));
        }
        // ORDER: only a synced directory keeps the new names over a power cut, so success is told after it.
        sync_dir(&self.dir)?;
        for dir in &self.created {
            sync_dir(parent_of(dir))?;
        }
        Ok(())
    }

    /// Ends the undoing. The mark stays until [`Unconfirmed::confirm`].
    pub(crate) fn keep(mut self) -> Unconfirmed {
        self.moved.clear();
        self.created.clear();
        Unconfirmed {
            mark: self.dir.join(commit_marker::FILE_NAME),
            _lock: self.lock.take(),
        }
    }

    /// Makes room where an unconfirmed restore stands, or where its mark alone was left.
    fn put_aside(&mut self) -> Result<(), TargetError> {
        if !commit_marker::describes(&self.dir, self.entries) {
            return Ok(());
        }
        let aside = unused_stage(&self.dir)?;
        make_dir(&aside)?;
        self.aside = Some(aside.clone());
        // ORDER: the mark last, so that a kill in between leaves nothing that could not be told from a used entry.
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
        for (from, to) in self.moved.drain(..).rev() {
            let _stays = fs::rename(to, from);
        }
        for stage in [&self.stage].into_iter().chain(&self.aside) {
            let _stays = fs::remove_dir_all(stage);
        }
        remove_created(&self.created);
    }
}

impl Unconfirmed {
    /// Removes the mark: somebody has been told. A mark that stays all the same allows a restore over data that
    /// nobody has used, and nothing else, so there is nothing to tell.
    pub(crate) fn confirm(self) {
        let _stays = fs::remove_file(&self.mark);
    }
}

/// What to say of a directory that exists and belongs to another user than its new files will.
pub(crate) fn owner_warning(dir: &Path, owner: Option<Owner>) -> Option<String> {
    let metadata = fs::metadata(dir).ok()?;
    let uid = owner.map_or_else(|| rustix::process::geteuid().as_raw(), |owner| owner.uid);
    if metadata.uid() == uid {
        return None;
    }
    let advice = match owner {
        None => format!(
            "if etcd runs as the former: --chown {}:{}",
            metadata.uid(),
            metadata.gid()
        ),
        Some(owner) => format!("chown {}:{} {}", owner.uid, owner.gid, dir.display()),
    };
    Some(format!(
        "{} belongs to user {}, and what is restored will belong to user {uid}; {advice}",
        dir.display(),
        metadata.uid()
    ))
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

fn give_tree(path: &Path, owner: Owner) -> Result<(), TargetError> {
    // Opened before it is given away: a program that may give need not be one that may read what is another's.
    let opened = File::open(path).map_err(|source| TargetError::io("opening", path, source))?;
    owner.take(path)?;
    if path.is_dir() {
        let listing = |source| TargetError::io("listing", path, source);
        for entry in fs::read_dir(path).map_err(listing)? {
            give_tree(&entry.map_err(listing)?.path(), owner)?;
        }
    }
    // ORDER: its writer synced it before it was given away. A power cut could leave a member that etcd may not read.
    opened
        .sync_all()
        .map_err(|source| TargetError::io("syncing", path, source))
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

fn unused_stage(dir: &Path) -> Result<PathBuf, TargetError> {
    let digits = random_hex().map_err(|error| TargetError::io("naming a stage in", dir, error))?;
    Ok(dir.join(format!("{STAGE_PREFIX}{digits}")))
}

fn random_hex() -> io::Result<String> {
    let mut bytes = [0_u8; STAGE_SUFFIX_HEX / 2];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    Ok(hex::encode(bytes))
}

#[cfg(test)]
mod tests;

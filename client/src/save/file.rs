//! Saves into a file: writes and syncs `<target>.part`, renames it, and syncs its directory.
//!
//! Writes run on the blocking pool, one block behind the stream. The part file is locked during the write, so two saves into
//! one file cannot mix. It is removed on drop unless it was persisted.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::mem;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};

use strongroom_snapshot_io::pages::{FilePages, Stop};
use tokio::task::JoinHandle;

use super::error::SaveError;
use super::{Sink, target};

/// Large enough that a write call is cheap compared with its copy, small enough for the CPU cache.
const BLOCK_BYTES: usize = 1024 * 1024;
/// Snapshots contain all secrets of a cluster.
const MODE: u32 = 0o600;
/// Another save may rename the file between open and lock; this can happen once per concurrent save.
const LOCK_TRIES: u32 = 8;

pub(crate) struct PartFile {
    path: PathBuf,
    target: PathBuf,
    state: State,
    block: Vec<u8>,
}

/// Why a file could not be filled: its own fault or that of what is written.
#[cfg(feature = "cli")]
pub(crate) enum FillError<E> {
    Write(io::Error),
    Source(E),
}

/// Either nothing is being written, or a block is, or the file is gone after an error.
enum State {
    Idle(File, Vec<u8>),
    Writing(JoinHandle<io::Result<(File, Vec<u8>)>>),
    Lost,
    Persisted,
}

impl PartFile {
    pub(crate) fn create(target: &Path) -> Result<Self, SaveError> {
        let target = &target::resolve(target)?;
        let mut name = target.file_name().map(OsString::from).unwrap_or_default();
        if name.is_empty() || fs::metadata(target).is_ok_and(|found| !found.is_file()) {
            return Err(SaveError::InTheWay {
                path: target.to_owned(),
            });
        }
        name.push(".part");
        let path = target.with_file_name(name);
        // A planted link must not redirect the write.
        if fs::symlink_metadata(&path).is_ok_and(|found| !found.is_file()) {
            return Err(SaveError::InTheWay { path });
        }
        let file = open_locked(&path)?;
        let state = State::Idle(file, Vec::with_capacity(BLOCK_BYTES));
        Ok(Self {
            path,
            target: target.to_owned(),
            state,
            block: Vec::with_capacity(BLOCK_BYTES),
        })
    }

    /// The target's folder.
    #[cfg(feature = "cli")]
    pub(crate) fn folder(&self) -> &Path {
        folder_of(&self.target)
    }

    /// Lets `writer` write the file on the blocking pool.
    #[cfg(feature = "cli")]
    pub(crate) async fn fill<T: Send + 'static, E: From<SaveError> + Send + 'static>(
        &mut self,
        writer: impl FnOnce(&mut File) -> Result<T, FillError<E>> + Send + 'static,
    ) -> Result<T, E> {
        let (mut file, spare) = self.settle().await?;
        let filled = tokio::task::spawn_blocking(move || (writer(&mut file), file)).await;
        let (filled, file) = filled.expect("filling a file does not panic");
        self.state = State::Idle(file, spare);
        filled.map_err(|error| match error {
            FillError::Write(source) => failed("write", &self.path, source).into(),
            FillError::Source(error) => error,
        })
    }

    /// Checks the written database, the first `db_len` bytes.
    pub(super) async fn check(&mut self, endpoint: &str, db_len: u64) -> Result<(), SaveError> {
        self.hand_over_block().await?;
        let (file, spare) = self.settle().await?;
        // If this future is dropped, this is dropped too, and the check ends at its next page.
        let wanted = Arc::new(());
        let read_back = file
            .metadata()
            .and_then(|found| Ok((file.try_clone()?, found.len())));
        let (written, len) = read_back.map_err(|source| failed("read back", &self.path, source))?;
        let pages = FilePages::new(written, len, Wanted(Arc::downgrade(&wanted)));
        // The pages were just written, so they come from the page cache: about 0.3 s for 400 MB.
        let checked = tokio::task::spawn_blocking(move || pages.check(db_len).map(drop)).await;
        self.state = State::Idle(file, spare);
        checked
            .expect("decoders do not panic")
            .map_err(|source| SaveError::Database {
                endpoint: endpoint.to_owned(),
                source,
            })
    }

    /// Makes the written data durable under the target's name.
    pub(crate) async fn persist(mut self) -> Result<(), SaveError> {
        self.hand_over_block().await?;
        let (file, _spare) = self.settle().await?;
        let (path, target) = (self.path.clone(), self.target.clone());
        let done = tokio::task::spawn_blocking(move || make_durable(&file, &path, &target)).await;
        done.expect("making a file durable does not panic")?;
        self.state = State::Persisted;
        Ok(())
    }

    /// Passes the filled block to the blocking pool after the previous one is written.
    async fn hand_over_block(&mut self) -> Result<(), SaveError> {
        let (mut file, spare) = self.settle().await?;
        let mut full = mem::replace(&mut self.block, spare);
        self.state = State::Writing(tokio::task::spawn_blocking(move || {
            file.write_all(&full)?;
            full.clear();
            Ok((file, full))
        }));
        Ok(())
    }

    /// Waits for the current write and takes the file.
    async fn settle(&mut self) -> Result<(File, Vec<u8>), SaveError> {
        match mem::replace(&mut self.state, State::Lost) {
            State::Idle(file, spare) => Ok((file, spare)),
            State::Writing(writing) => writing
                .await
                .expect("writing a block does not panic")
                .map_err(|source| failed("write", &self.path, source)),
            State::Lost | State::Persisted => Err(failed(
                "write",
                &self.path,
                io::Error::other("an earlier write failed"),
            )),
        }
    }
}

/// Stops a check when nobody waits for it any more.
struct Wanted(Weak<()>);

impl Stop for Wanted {
    fn is_raised(&self) -> bool {
        self.0.strong_count() == 0
    }
}

impl Sink for PartFile {
    async fn write(&mut self, mut bytes: &[u8]) -> Result<(), SaveError> {
        while !bytes.is_empty() {
            let (now, rest) = bytes.split_at(bytes.len().min(BLOCK_BYTES - self.block.len()));
            self.block.extend_from_slice(now);
            bytes = rest;
            if self.block.len() == BLOCK_BYTES {
                self.hand_over_block().await?;
            }
        }
        Ok(())
    }
}

impl Drop for PartFile {
    fn drop(&mut self) {
        if !matches!(self.state, State::Persisted) && fs::remove_file(&self.path).is_err() {
            tracing::warn!(path = %self.path.display(), "the part file could not be removed");
        }
    }
}

fn make_durable(file: &File, path: &Path, target: &Path) -> Result<(), SaveError> {
    // ORDER: content before name, name before success. A crash in between leaves the old target or the complete new one.
    file.sync_all()
        .map_err(|source| failed("sync", path, source))?;
    fs::rename(path, target).map_err(|source| failed("rename to the target", path, source))?;
    let folder = folder_of(target);
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(|source| failed("sync", folder, source))
}

fn folder_of(target: &Path) -> &Path {
    match target.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Opens the part file, empty, and locks it. The locked file is the one that has the name.
fn open_locked(path: &Path) -> Result<File, SaveError> {
    let create = |source| failed("create", path, source);
    for _ in 0..LOCK_TRIES {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(MODE)
            .open(path)
            .map_err(create)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(SaveError::Held {
                    path: path.to_owned(),
                });
            }
            Err(TryLockError::Error(source)) => return Err(failed("lock", path, source)),
        }
        let held = file.metadata().map_err(create)?;
        let named = fs::symlink_metadata(path).ok();
        if named.is_some_and(|named| (named.dev(), named.ino()) == (held.dev(), held.ino())) {
            // A part file from a crash may be longer, or readable by others.
            file.set_permissions(fs::Permissions::from_mode(MODE))
                .map_err(create)?;
            file.set_len(0).map_err(create)?;
            return Ok(file);
        }
    }
    Err(SaveError::Held {
        path: path.to_owned(),
    })
}

fn failed(action: &'static str, path: &Path, source: io::Error) -> SaveError {
    SaveError::File {
        action,
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::ExitCode;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).expect("a folder");
        let mut names: Vec<String> = entries
            .map(|entry| {
                entry
                    .expect("an entry")
                    .file_name()
                    .to_string_lossy()
                    .into_owned()
            })
            .collect();
        names.sort();
        names
    }

    #[tokio::test]
    async fn a_persisted_part_becomes_the_target_and_is_private() {
        let folder = tempfile::tempdir().expect("a folder");
        let target = folder.path().join("a.db");
        fs::write(&target, b"older").expect("an older file");
        fs::write(folder.path().join("a.db.part"), vec![9; 3_000_000]).expect("rubbish of a crash");
        let mut part = PartFile::create(&target).expect("creates");
        let bytes: Vec<u8> = (0..2_500_000_u32)
            .map(|i| u8::try_from(i % 251).expect("below 251"))
            .collect();
        for piece in bytes.chunks(32 * 1024) {
            part.write(piece).await.expect("writes");
        }
        assert_eq!(fs::read(&target).expect("still there"), b"older");
        part.persist().await.expect("persists");
        assert!(
            fs::read(&target).expect("readable") == bytes,
            "content differs"
        );
        assert_eq!(
            fs::metadata(&target).expect("there").permissions().mode() & 0o777,
            0o600
        );
        assert_eq!(names(folder.path()), ["a.db"]);
    }

    #[tokio::test]
    async fn a_dropped_part_leaves_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut part = PartFile::create(&folder.path().join("a.db")).expect("creates");
        part.write(&vec![7; 1_500_000]).await.expect("writes");
        drop(part);
        assert_eq!(names(folder.path()), [""; 0]);
    }

    #[tokio::test]
    async fn a_link_stays_a_link_and_its_file_is_replaced() {
        let folder = tempfile::tempdir().expect("a folder");
        let (link, disk) = (folder.path().join("latest.db"), folder.path().join("disk"));
        fs::create_dir(&disk).expect("a folder");
        std::os::unix::fs::symlink("disk/a.db", &link).expect("a link");
        let mut part = PartFile::create(&link).expect("creates");
        part.write(b"snapshot").await.expect("writes");
        part.persist().await.expect("persists");
        assert!(fs::symlink_metadata(&link).expect("there").is_symlink());
        assert_eq!(fs::read(disk.join("a.db")).expect("there"), b"snapshot");
        assert_eq!(names(folder.path()), ["disk", "latest.db"]);
        assert_eq!(names(&disk), ["a.db"]);
    }

    #[test]
    fn a_second_save_into_the_same_file_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let target = folder.path().join("a.db");
        let first = PartFile::create(&target).expect("creates");
        let second = PartFile::create(&target).err().expect("is refused");
        assert_eq!(second.exit_code(), ExitCode::HeldElsewhere);
        assert_eq!(names(folder.path()), ["a.db.part"]);
        drop(first);
        PartFile::create(&target).expect("free again");
    }

    #[test]
    fn what_is_no_regular_file_is_left_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let target = folder.path().join("a.db");
        let code = |target: &Path| {
            PartFile::create(target)
                .err()
                .map(|error| error.exit_code())
        };
        assert_eq!(code(folder.path()), Some(ExitCode::Precondition));
        assert_eq!(
            code(&folder.path().join("missing/a.db")),
            Some(ExitCode::Precondition)
        );
        std::os::unix::fs::symlink("/dev/null", folder.path().join("a.db.part")).expect("a link");
        assert_eq!(code(&target), Some(ExitCode::Precondition));
        assert_eq!(names(folder.path()), ["a.db.part"]);
    }
}

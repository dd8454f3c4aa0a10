//! Durable changes of the data directory itself: creates folders and replaces small files so that a crash leaves either
//! the old state or the new one.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use crate::StoreError;

/// Creates a folder and its missing parents (mode 0700); each directory entry is durable.
///
/// # Errors
/// [`StoreError::Io`] naming the folder that could not be made or synced.
pub fn make_dirs(path: &Path) -> Result<(), StoreError> {
    let parent = parent_of(path);
    if path.is_dir() {
        // It may have been created by a start that was interrupted before this point. If the parent cannot be read, it
        // belongs to somebody else, who then also created this folder.
        return match sync_dir(parent.unwrap_or(Path::new("."))) {
            Err(StoreError::Io { source, .. })
                if source.kind() == io::ErrorKind::PermissionDenied =>
            {
                Ok(())
            }
            synced => synced,
        };
    }
    if let Some(parent) = parent {
        make_dirs(parent)?;
    }
    match DirBuilder::new().mode(0o700).create(path) {
        Err(source) if source.kind() != io::ErrorKind::AlreadyExists => {
            Err(failed("create", path)(source))
        }
        // ORDER: a folder's entry is durable before anything in the folder is relied on.
        _ => sync_dir(parent.unwrap_or(Path::new("."))),
    }
}

/// Replaces a file's contents (mode 0600): after a crash the file holds the old or the new contents.
///
/// # Errors
/// [`StoreError::Io`] naming the step that failed.
pub fn replace_file(dir: &Path, name: &str, contents: &[u8]) -> Result<(), StoreError> {
    let (new, path) = (dir.join(format!("{name}.new")), dir.join(name));
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&new)
        .map_err(failed("create", &new))?;
    file.write_all(contents).map_err(failed("write", &new))?;
    // ORDER: contents, then name, then the folder's entry. If the name were durable before its contents, a power cut
    // could leave an empty file.
    file.sync_all().map_err(failed("fsync", &new))?;
    std::fs::rename(&new, &path).map_err(failed("rename", &path))?;
    sync_dir(dir)
}

/// Makes the entries of a folder durable.
///
/// # Errors
/// [`StoreError::Io`].
pub fn sync_dir(path: &Path) -> Result<(), StoreError> {
    let dir = File::open(path).map_err(failed("open", path))?;
    dir.sync_all().map_err(failed("fsync", path))
}

/// The parent folder of a path; none for the root and for names relative to the current folder.
fn parent_of(path: &Path) -> Option<&Path> {
    path.parent()
        .filter(|parent| !parent.as_os_str().is_empty())
}

fn failed(op: &'static str, path: &Path) -> impl FnOnce(io::Error) -> StoreError {
    let path = path.to_owned();
    move |source| StoreError::Io { op, path, source }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn folders_and_files_are_for_their_owner_only() {
        let root = tempfile::tempdir().expect("a folder");
        let dir = root.path().join("a/b");
        make_dirs(&dir).expect("made");
        make_dirs(&dir).expect("made before");
        replace_file(&dir, "f", b"old").expect("written");
        replace_file(&dir, "f", b"new").expect("replaced");
        assert_eq!(std::fs::read(dir.join("f")).expect("there"), b"new");
        let mode =
            |path: &Path| std::fs::metadata(path).expect("there").permissions().mode() & 0o777;
        assert_eq!((mode(&dir), mode(&dir.join("f"))), (0o700, 0o600));
    }
}

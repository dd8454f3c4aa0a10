//! Where a snapshot file lies: symbolic links are followed, so that a save replaces the file behind a link and never the link.
//!
//! Links into /proc, such as /dev/stdout, lead to open files. A file that is renamed over one would replace the link, or an
//! unrelated file under the name that the open file once had.

use std::fs;
use std::path::{Path, PathBuf};

use super::error::SaveError;

/// The kernel's own limit.
const LINKS_MAX: usize = 40;
/// Folders whose entries are devices or open files.
const DEVICES: &str = "/dev";
const PROCESSES: &str = "/proc";

/// The path to write to for `named`. It need not exist.
pub(super) fn resolve(named: &Path) -> Result<PathBuf, SaveError> {
    let mut path = named.to_owned();
    for _ in 0..LINKS_MAX {
        if is_stream(&path) {
            return Err(SaveError::Stream {
                path: named.to_owned(),
            });
        }
        match (fs::read_link(&path), path.parent()) {
            (Ok(to), Some(folder)) => path = folder.join(to),
            // No link, or nothing there yet: creating the part file tells what is wrong, if anything.
            _ => return Ok(path),
        }
    }
    Err(SaveError::InTheWay {
        path: named.to_owned(),
    })
}

/// /dev/shm is an ordinary file system; so only the entries of /dev itself are streams.
fn is_stream(path: &Path) -> bool {
    let folder = match path.parent() {
        Some(folder) if folder.as_os_str().is_empty() => Path::new("."),
        Some(folder) => folder,
        None => return false,
    };
    let folder = fs::canonicalize(folder).ok();
    folder.is_some_and(|folder| folder == Path::new(DEVICES) || folder.starts_with(PROCESSES))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn links_are_followed_and_relative_ones_start_at_their_folder() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("disk")).expect("a folder");
        symlink("disk/a.db", at("latest.db")).expect("a link");
        symlink(at("latest.db"), at("twice.db")).expect("a link");
        let behind = at("disk/a.db");
        assert_eq!(resolve(&at("latest.db")).ok(), Some(behind.clone()));
        assert_eq!(resolve(&at("twice.db")).ok(), Some(behind.clone()));
        assert_eq!(resolve(&behind).ok(), Some(behind));
        symlink("loop.db", at("loop.db")).expect("a link");
        assert!(matches!(
            resolve(&at("loop.db")),
            Err(SaveError::InTheWay { .. })
        ));
    }

    #[test]
    fn streams_are_refused_and_shared_memory_is_not() {
        let folder = tempfile::tempdir().expect("a folder");
        let link = folder.path().join("out");
        symlink("/dev/stdout", &link).expect("a link");
        for stream in ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1", "/dev/null"] {
            assert!(
                matches!(resolve(Path::new(stream)), Err(SaveError::Stream { .. })),
                "{stream}"
            );
        }
        assert!(matches!(resolve(&link), Err(SaveError::Stream { .. })));
        assert!(resolve(Path::new("/dev/shm/a.db")).is_ok());
        assert!(resolve(Path::new("a.db")).is_ok());
    }
}

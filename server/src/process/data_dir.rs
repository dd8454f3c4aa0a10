//! Whether a directory may become a store: it is one, or it is empty.
//!
//! A directory with other contents is most likely a mistake: MinIO's data directory, given to this program because it takes
//! MinIO's place, or the wrong mount point. Knows names only; the store itself checks what is in its files.

use std::fs;
use std::path::Path;

use crate::process::StartError;
use crate::process::disk_watch::PROBE_FILE;
use crate::store::open::identity::IDENTITY_FILE;
use crate::store::open::lock::LOCK_FILE;
use crate::store::open::{META_DIR, PACKS_DIR};

/// The directory by which MinIO's data directories are known.
const OF_MINIO: &str = ".minio.sys";

/// What an unfinished first start leaves, and what a file system has at its root.
const HARMLESS: [&str; 6] = [
    LOCK_FILE,
    META_DIR,
    PACKS_DIR,
    PROBE_FILE,
    "STRONGROOM.new",
    "lost+found",
];

/// Names that a message repeats.
const NAMES_MAX: usize = 3;

/// Refuses a directory that is somebody else's. One that is missing or cannot be read is left to the store.
///
/// # Errors
/// [`StartError::MinioDirectory`], [`StartError::ForeignDirectory`].
pub(super) fn check(dir: &Path) -> Result<(), StartError> {
    let Ok(entries) = fs::read_dir(dir) else {
        return Ok(());
    };
    let names = entries.flatten().map(|entry| entry.file_name());
    let mut names: Vec<String> = names.map(|n| n.to_string_lossy().into_owned()).collect();
    names.sort();
    if names.iter().any(|name| name == IDENTITY_FILE) {
        return Ok(());
    }
    let data_dir = dir.display().to_string();
    if names.iter().any(|name| name == OF_MINIO) {
        return Err(StartError::MinioDirectory { data_dir });
    }
    names.retain(|name| !HARMLESS.contains(&name.as_str()));
    if names.is_empty() {
        return Ok(());
    }
    let more = if names.len() > NAMES_MAX { ", ..." } else { "" };
    names.truncate(NAMES_MAX);
    Err(StartError::ForeignDirectory {
        data_dir,
        found: format!("{}{more}", names.join(", ")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(names: &[&str]) -> Result<(), StartError> {
        let dir = tempfile::tempdir().expect("a temporary directory");
        for name in names {
            fs::create_dir(dir.path().join(name)).expect("created");
        }
        check(dir.path())
    }

    #[test]
    fn empty_directories_and_own_ones_are_taken() {
        for names in [
            &[][..],
            &["lost+found"],
            &["LOCK", "meta", "packs"],
            &[
                "STRONGROOM",
                "LOCK",
                "meta",
                "packs",
                "notes.txt",
                ".minio.sys",
            ],
        ] {
            checked(names).expect("taken");
        }
        check(Path::new("/nowhere/at/all")).expect("left to the store");
    }

    #[test]
    fn what_belongs_to_others_is_refused_with_the_next_command() {
        let minio = checked(&[".minio.sys", "etcd-backup"]).expect_err("MinIO's");
        assert!(
            matches!(minio, StartError::MinioDirectory { .. }),
            "{minio}"
        );
        assert!(minio.to_string().contains("MinIO"), "{minio}");
        assert!(minio.next_command().contains("--data-dir"), "{minio}");
        let foreign = checked(&["e", "d", "c", "b"]).expect_err("somebody's");
        assert!(foreign.to_string().contains("b, c, d, ..."), "{foreign}");
        assert!(foreign.next_command().starts_with("ls -la "), "{foreign}");
    }
}

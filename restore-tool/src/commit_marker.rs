//! The commit marker: a restore is complete, but its success has not been reported yet.
//!
//! If a run is killed after its last rename and before its last message, it leaves complete data. The operator saw no success
//! and runs the same command again. The marker distinguishes this data from any other. It is a file next to the data that lists
//! the inode, length and modification time of each file. It is renamed into place before the data and removed after success is
//! reported. A later run may replace the marked data if nothing was changed, added or copied: the first write by an etcd
//! invalidates the marker.
//!
//! etcd ignores the file. Only this module uses its format, and only until the next run: the first line is the version, each
//! other line is `inode length seconds.nanoseconds path`. The length and time of a directory are `-`.

use std::{
    fmt::Write as _,
    fs::{self, Metadata},
    io::{self, Read as _, Write as _},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use crate::{error::TargetError, staging};

/// The marker's name in the target.
pub(crate) const FILE_NAME: &str = "restore-unconfirmed";
const VERSION_LINE: &str = "strongroom-restore unconfirmed 1";
/// A restored directory has seven entries of at most 200 bytes each.
const MARKER_BYTES_MAX: u64 = 64 << 10;

/// Writes the marker of the entries in a staging directory, and syncs it.
pub(crate) fn write(staging: &Path, entries: &[&str]) -> Result<(), TargetError> {
    let mut text = format!("{VERSION_LINE}\n");
    for entry in entries {
        describe(staging, Path::new(entry), &mut text)
            .map_err(|source| TargetError::io("listing", &staging.join(entry), source))?;
    }
    let path = staging.join(FILE_NAME);
    let mut file = staging::create_file(&path)?;
    file.write_all(text.as_bytes())
        .and_then(|()| file.sync_all())
        .map_err(|source| TargetError::io("writing", &path, source))
}

/// Whether the marker in `dir` matches every file of the existing entries. Unreadable entries do not match.
pub(crate) fn describes(dir: &Path, entries: &[&str]) -> bool {
    let Ok(marker) = read(&dir.join(FILE_NAME)) else {
        return false;
    };
    let mut lines = marker.lines();
    if lines.next() != Some(VERSION_LINE) {
        return false;
    }
    let listed: Vec<&str> = lines.collect();
    let mut found = String::new();
    let readable = entries
        .iter()
        .filter(|entry| dir.join(entry).symlink_metadata().is_ok())
        .all(|entry| describe(dir, Path::new(entry), &mut found).is_ok());
    readable && found.lines().all(|line| listed.contains(&line))
}

fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    fs::File::open(path)?
        .take(MARKER_BYTES_MAX)
        .read_to_string(&mut text)?;
    Ok(text)
}

/// Writes one line for the entry, and one for each entry below it.
fn describe(root: &Path, entry: &Path, text: &mut String) -> io::Result<()> {
    let path = root.join(entry);
    let metadata = path.symlink_metadata()?;
    line(&metadata, entry, text);
    if metadata.is_dir() {
        let mut below: Vec<PathBuf> = fs::read_dir(&path)?
            .map(|found| Ok(entry.join(found?.file_name())))
            .collect::<io::Result<_>>()?;
        below.sort_unstable();
        for entry in below {
            describe(root, &entry, text)?;
        }
    }
    Ok(())
}

#[expect(
    clippy::unnecessary_debug_formatting,
    reason = "quoted, an entry stays on one line whatever its name"
)]
fn line(metadata: &Metadata, entry: &Path, text: &mut String) {
    let inode = metadata.ino();
    let written = if metadata.is_dir() {
        // A directory has no time: a rename may change it. Its entries are listed instead.
        writeln!(text, "{inode} - - {entry:?}")
    } else {
        let (secs, nanos) = (metadata.mtime(), metadata.mtime_nsec());
        writeln!(
            text,
            "{inode} {} {secs}.{nanos:09} {entry:?}",
            metadata.len()
        )
    };
    written.expect("a string takes all that is written to it");
}

#[cfg(test)]
mod tests {
    use std::fs::FileTimes;

    use super::*;

    type Outcome = Result<(), Box<dyn std::error::Error>>;

    const ENTRIES: &[&str] = &["member"];

    /// A directory with a restored member and its marker.
    fn marked() -> Result<tempfile::TempDir, Box<dyn std::error::Error>> {
        let base = tempfile::tempdir()?;
        fs::create_dir_all(base.path().join("member/snap"))?;
        fs::write(base.path().join("member/snap/db"), "pages")?;
        write(base.path(), ENTRIES)?;
        Ok(base)
    }

    #[test]
    fn untouched_data_are_described_after_a_move_of_all() -> Outcome {
        let base = marked()?;
        assert!(describes(base.path(), ENTRIES));
        let other = tempfile::tempdir_in(base.path())?;
        for name in [FILE_NAME, "member"] {
            fs::rename(base.path().join(name), other.path().join(name))?;
        }
        assert!(describes(other.path(), ENTRIES));
        fs::remove_dir_all(other.path().join("member"))?;
        assert!(
            describes(other.path(), ENTRIES),
            "nothing is there any more"
        );
        Ok(())
    }

    #[test]
    fn changed_data_are_somebody_elses() -> Outcome {
        type Change = fn(&Path) -> io::Result<()>;
        let changes: [(&str, Change); 7] = [
            ("a write of the same length", |dir| {
                let db = fs::File::options()
                    .write(true)
                    .open(dir.join("member/snap/db"))?;
                (&db).write_all(b"PAGES")?;
                // Within one clock tick of the file system, the time would not change.
                db.set_times(FileTimes::new().set_modified(std::time::UNIX_EPOCH))
            }),
            ("a longer file", |dir| {
                let mut db = fs::File::options()
                    .append(true)
                    .open(dir.join("member/snap/db"))?;
                db.write_all(b"more")
            }),
            ("a new file", |dir| fs::write(dir.join("member/snap/x"), "")),
            ("a new folder", |dir| fs::create_dir(dir.join("member/wal"))),
            ("a copy", |dir| {
                let db = dir.join("member/snap/db");
                fs::copy(&db, dir.join("copy"))?;
                fs::rename(dir.join("copy"), db)
            }),
            ("no marker", |dir| fs::remove_file(dir.join(FILE_NAME))),
            ("a marker of another version", |dir| {
                let marker = fs::read_to_string(dir.join(FILE_NAME))?;
                fs::write(
                    dir.join(FILE_NAME),
                    marker.replace("unconfirmed 1", "unconfirmed 2"),
                )
            }),
        ];
        for (what, change) in changes {
            let base = marked()?;
            change(base.path())?;
            assert!(!describes(base.path(), ENTRIES), "{what}");
        }
        Ok(())
    }
}

//! Paths as the file system sees them.

use std::path::{Component, Path, PathBuf};

/// The absolute path without links and dots. Parts that do not exist yet stay as they are.
pub(crate) fn resolved(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut real = PathBuf::new();
    for part in absolute.components() {
        if part == Component::ParentDir {
            // What is there so far has no links, so this is its parent.
            real.pop();
            continue;
        }
        real.push(part);
        if let Ok(found) = real.canonicalize() {
            real = found;
        }
    }
    real
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_and_dots_do_not_hide_where_a_path_leads() -> std::io::Result<()> {
        let dir = tempfile::tempdir()?;
        let base = dir.path().canonicalize()?;
        std::fs::create_dir_all(base.join("etcd/member"))?;
        std::os::unix::fs::symlink("etcd/member", base.join("link"))?;
        for (typed, real) in [
            ("link/wal", "etcd/member/wal"),
            ("link/../new/./x", "etcd/new/x"),
            ("missing/../etcd/", "etcd"),
        ] {
            assert_eq!(resolved(&base.join(typed)), base.join(real), "{typed}");
        }
        let here = std::env::current_dir()?.canonicalize()?;
        assert_eq!(resolved(Path::new("x/wal")), here.join("x/wal"));
        Ok(())
    }
}

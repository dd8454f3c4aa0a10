//! Runs the program and inspects its results.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use sha2::{Digest as _, Sha256};

/// The result of a run.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// The program with an empty environment.
pub(crate) fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_strongroom-restore"));
    command.args(args).env_clear().stdin(Stdio::null());
    command
}

pub(crate) fn run(args: &[&str]) -> Run {
    finish(command(args))
}

pub(crate) fn finish(mut command: Command) -> Run {
    let output = command.output().expect("the program starts");
    Run {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).expect("UTF-8"),
        stderr: String::from_utf8(output.stderr).expect("UTF-8"),
    }
}

/// The line that scripts search for.
const SUCCESS: &str = "Successfully restored the etcd data directory.";

impl Run {
    /// A success ends with the line that scripts search for. A failure never shows it and prints the next command; a restore
    /// without newer deltas (3) does the same, and prints its summary.
    pub(crate) fn expect_code(self, code: i32) -> Self {
        assert_eq!(
            self.code,
            Some(code),
            "stdout:\n{}\nstderr:\n{}",
            self.stdout,
            self.stderr
        );
        if code == 0 {
            assert_eq!(self.stderr.lines().last(), Some(SUCCESS));
        } else {
            assert!(
                !self.stderr.contains(SUCCESS) && (code == 3 || self.stdout.is_empty()),
                "{}",
                self.stderr
            );
        }
        self
    }

    /// A dry run succeeds without the line that reports a restore.
    pub(crate) fn expect_preview(self) -> Self {
        assert_eq!(self.code, Some(0), "{}", self.stderr);
        assert!(!self.stderr.contains(SUCCESS), "{}", self.stderr);
        self
    }

    pub(crate) fn expect_words(self, words: &[&str]) -> Self {
        for word in words {
            assert!(
                self.stderr.contains(word),
                "{word:?} is missing in:\n{}",
                self.stderr
            );
        }
        self
    }
}

/// Path -> (mode, size, digest of contents), to compare a tree before and after.
pub(crate) fn fingerprint(root: &Path) -> BTreeMap<PathBuf, (u32, u64, String)> {
    let mut found = BTreeMap::new();
    let mut left = vec![root.to_owned()];
    while let Some(path) = left.pop() {
        let metadata = fs::symlink_metadata(&path).expect("visible");
        let digest = if metadata.is_file() {
            hex::encode(Sha256::digest(fs::read(&path).expect("readable")))
        } else {
            String::new()
        };
        let size = if metadata.is_file() {
            metadata.len()
        } else {
            0
        };
        if metadata.is_dir() {
            left.extend(
                fs::read_dir(&path)
                    .expect("listable")
                    .map(|entry| entry.expect("readable").path()),
            );
        }
        let name = path.strip_prefix(root).expect("below the root").to_owned();
        found.insert(name, (metadata.mode(), size, digest));
    }
    found
}

/// The names in a directory, sorted.
pub(crate) fn entries(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).expect("listable");
    let mut names: Vec<_> = entries
        .map(|entry| {
            let name = entry.expect("readable").file_name();
            name.into_string().expect("ASCII")
        })
        .collect();
    names.sort();
    names
}

pub(crate) fn text(path: &Path) -> &str {
    path.to_str().expect("test paths are UTF-8")
}

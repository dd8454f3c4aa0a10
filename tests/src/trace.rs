//! System calls of a program, recorded by strace: the order in which it wrote, synced and answered.
//!
//! strace logs the end of a call before the program continues. So if the end of a call is logged before the begin of
//! another, the first call had ended before the other began: [`Call::before`]. It does not know what the files mean.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::programs;

/// Calls that create bytes or entries of files, or make them durable.
pub const ON_FILES: &[&str] = &[
    "mkdir",
    "mkdirat",
    "openat",
    "rename",
    "renameat",
    "renameat2",
    "unlink",
    "unlinkat",
    "fsync",
    "fdatasync",
    "write",
    "pwrite64",
];

/// Calls by which a server answers, or writes several buffers at once.
pub const ON_SOCKETS: &[&str] = &["writev", "pwritev", "pwritev2", "sendto", "sendmsg"];

/// The arguments of strace.
#[derive(Debug, Clone, Copy)]
pub struct Watched<'a> {
    /// The calls, by group; a name that the kernel does not have is ignored.
    pub calls: &'a [&'a [&'a str]],
    /// Logged bytes of each buffer.
    pub text_bytes: usize,
    /// Additional time of each sync: how much work shares one sync then depends on the program, not on the speed of the
    /// disk.
    pub sync_delay_us: u32,
}

/// A finished call.
#[derive(Debug, Clone)]
pub struct Call {
    /// Its name.
    pub name: String,
    /// The file of the call: of its descriptor, or of its first path.
    pub path: String,
    /// Its arguments, as printed by strace.
    pub arguments: String,
    /// Its result; errors are below 0.
    pub result: i64,
    /// Log lines on which it began and ended.
    began: usize,
    ended: usize,
}

impl Call {
    /// Whether it had ended when `other` began.
    pub fn before(&self, other: &Call) -> bool {
        self.ended < other.began
    }

    /// Whether it had ended when the log had this many lines, as returned by [`mark`].
    pub fn ended_by(&self, lines: usize) -> bool {
        self.ended < lines
    }

    /// Whether it is a successful sync of its file.
    pub fn is_sync(&self) -> bool {
        self.result == 0 && matches!(self.name.as_str(), "fsync" | "fdatasync")
    }

    /// Whether it wrote to its file.
    pub fn is_write(&self) -> bool {
        let writes = [
            "write", "writev", "pwrite64", "pwritev", "pwritev2", "sendto", "sendmsg",
        ];
        self.result > 0 && writes.contains(&self.name.as_str())
    }

    /// Whether it may have created its path: a new folder, or a file opened with creation.
    pub fn is_creation(&self) -> bool {
        self.result >= 0
            && match self.name.as_str() {
                "mkdir" | "mkdirat" => true,
                "openat" => self.arguments.contains("O_CREAT"),
                _ => false,
            }
    }

    /// Every text in its arguments: for calls on files, the paths.
    pub fn paths(&self) -> Vec<&str> {
        self.arguments.split('"').skip(1).step_by(2).collect()
    }
}

/// The same command, run under strace, which writes to `log`. The started process is the program itself.
///
/// # Panics
/// When strace is missing.
pub fn under(command: &Command, log: &Path, watched: Watched<'_>) -> Command {
    let strace = Path::new("/usr/bin/strace");
    assert!(
        strace.exists(),
        "no strace; run: tests/setup/packages.sh strace"
    );
    let calls: Vec<_> = watched
        .calls
        .iter()
        .copied()
        .flatten()
        .map(|call| format!("?{call}"))
        .collect();
    let mut under = programs::command(strace);
    // -D: strace is the program's grandchild, so that signals and exit codes are the program's own.
    under.args([
        "-D",
        "-f",
        "-y",
        "--seccomp-bpf",
        "-s",
        &watched.text_bytes.to_string(),
    ]);
    under.arg("-o").arg(log).arg("-e");
    under.arg(format!("trace={}", calls.join(",")));
    if watched.sync_delay_us > 0 {
        let delay = watched.sync_delay_us;
        under.args(["-e", &format!("inject=fsync,fdatasync:delay_enter={delay}")]);
    }
    under
        .arg("--")
        .arg(command.get_program())
        .args(command.get_args());
    let set = |(name, value): (&OsStr, Option<&OsStr>)| Some((name.to_owned(), value?.to_owned()));
    under.envs(command.get_envs().filter_map(set));
    under
}

/// The current length of the log: the position from which [`read`] continues.
pub fn mark(log: &Path) -> usize {
    text(log).lines().count()
}

/// All finished calls that began on line `from` or later, ordered by their end.
pub fn read(log: &Path, from: usize) -> Vec<Call> {
    let text = text(log);
    let mut unfinished: BTreeMap<&str, (usize, String)> = BTreeMap::new();
    let mut calls = Vec::new();
    for (at, line) in text.lines().enumerate().skip(from) {
        let Some((pid, rest)) = line.split_once(' ') else {
            continue;
        };
        let rest = rest.trim_start();
        if let Some(first) = rest.strip_suffix("<unfinished ...>") {
            unfinished.insert(pid, (at, first.to_owned()));
            continue;
        }
        let (began, whole) = if rest.starts_with("<... ") {
            let Some((began, first)) = unfinished.remove(pid) else {
                continue;
            };
            let last = rest.split_once("resumed>").map_or("", |(_, last)| last);
            (began, first + last)
        } else {
            (at, rest.to_owned())
        };
        calls.extend(call(&whole, (began, at)));
    }
    calls
}

/// `name(arguments) = result`.
fn call(line: &str, (began, ended): (usize, usize)) -> Option<Call> {
    let (name, rest) = line.split_once('(')?;
    let (arguments, result) = rest.rsplit_once(" = ")?;
    let number = result.split([' ', '<']).next()?;
    let of_result = || {
        result
            .split_once('<')
            .map(|(_, path)| path.trim_end_matches('>'))
    };
    let descriptor = || {
        let (_, path) = arguments.split(',').next()?.split_once('<')?;
        path.rsplit_once('>').map(|(path, _)| path)
    };
    let quoted = || arguments.split('"').nth(1);
    let path = match name {
        "openat" => of_result().or_else(quoted),
        "mkdir" | "mkdirat" | "rmdir" | "unlink" | "unlinkat" | "rename" | "renameat"
        | "renameat2" | "chown" | "lchown" | "fchownat" | "chmod" | "fchmodat" => quoted(),
        _ => descriptor(),
    };
    Some(Call {
        name: name.to_owned(),
        path: path.unwrap_or_default().trim_end_matches('/').to_owned(),
        arguments: arguments.to_owned(),
        result: number.parse().ok()?,
        began,
        ended,
    })
}

/// Only whole lines: the last one may be incomplete.
fn text(log: &Path) -> String {
    let mut text = String::from_utf8_lossy(&std::fs::read(log).unwrap_or_default()).into_owned();
    text.truncate(text.rfind('\n').map_or(0, |end| end + 1));
    text
}

/// Everything below a folder.
pub fn tree(dir: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    for path in entries.map(|entry| entry.path()) {
        if path.is_dir() {
            found.extend(tree(&path));
        }
        found.insert(path);
    }
    found
}

/// Entries that POSIX does not guarantee after a power cut: created in this life, without a later sync of their folder.
/// `existed` is the earlier content. An entry that a rename replaced is not reported: nobody knows which of the two a
/// disk would keep.
pub fn entries_not_durable(calls: &[Call], existed: &BTreeSet<PathBuf>) -> Vec<PathBuf> {
    let mut present = existed.clone();
    let mut made: BTreeMap<PathBuf, &Call> = BTreeMap::new();
    for call in calls.iter().filter(|call| call.result >= 0) {
        let path = PathBuf::from(&call.path);
        match call.name.as_str() {
            "unlink" | "unlinkat" | "rename" | "renameat" | "renameat2" => {
                made.remove(&path);
                present.remove(&path);
                if call.name.starts_with("rename") {
                    let to = call.paths().last().map(PathBuf::from).unwrap_or_default();
                    made.remove(&to);
                    present.insert(to);
                }
            }
            "fsync" | "fdatasync" => {
                made.retain(|entry, made| entry.parent() != Some(&path) || !made.before(call));
            }
            _ if call.is_creation() && present.insert(path.clone()) => {
                made.insert(path, call);
            }
            _ => {}
        }
    }
    made.into_keys().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = r#"
7 mkdir("/d/packs", 0700) = 0
7 openat(AT_FDCWD</x>, "/d/packs/a", O_RDWR|O_CREAT|O_EXCL, 0600) = 20</d/packs/a>
7 pwritev(20</d/packs/a>, [{iov_base="S(1), \"", iov_len=64}], 1, 0 <unfinished ...>
8 fsync(14</d/packs> <unfinished ...>
7 <... pwritev resumed>) = 64
7 fsync(20</d/packs/a>) = -1 EIO (Input/output error)
7 openat(AT_FDCWD</x>, "/d/packs/b", O_RDWR|O_CREAT|O_EXCL, 0600) = 21</d/packs/b>
8 <... fsync resumed>) = 0
7 rename("/d/new", "/d/old") = 0
"#;

    #[test]
    fn calls_are_put_together_and_told_in_order() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let log = dir.path().join("log");
        std::fs::write(&log, LOG.trim_start()).expect("written");
        let calls = read(&log, 0);
        let seen: Vec<_> = calls
            .iter()
            .map(|c| (c.name.as_str(), c.path.as_str(), c.result))
            .collect();
        assert_eq!(
            seen,
            [
                ("mkdir", "/d/packs", 0),
                ("openat", "/d/packs/a", 20),
                ("pwritev", "/d/packs/a", 64),
                ("fsync", "/d/packs/a", -1),
                ("openat", "/d/packs/b", 21),
                ("fsync", "/d/packs", 0),
                ("rename", "/d/new", 0),
            ]
        );
        assert!(
            calls[1].before(&calls[5]),
            "the file was made before the sync of its folder began"
        );
        assert!(
            !calls[2].before(&calls[5]),
            "the write and the sync overlap"
        );
        assert!(calls[2].is_write() && calls[5].is_sync() && !calls[3].is_sync());
        let lost = entries_not_durable(&calls, &BTreeSet::from(["/d".into()]));
        assert_eq!(
            lost,
            [PathBuf::from("/d/packs"), PathBuf::from("/d/packs/b")]
        );
    }
}

//! What a power cut could still destroy at each moment of a trace: unsynced changes of files, and directory entries
//! that no sync of the folder has covered.
//!
//! A program that prepares files and publishes them by a rename must sync all of them before that rename. It must sync
//! the folder that contains them before it reports success. Removed entries are not checked: readers must handle old
//! names that reappear.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use strongroom_tests::trace::Call;

/// Calls that change a file, in addition to those of `trace::ON_FILES`.
pub(crate) const CHANGES: &[&str] = &[
    "writev",
    "pwritev",
    "pwritev2",
    "ftruncate",
    "fallocate",
    "chown",
    "lchown",
    "fchown",
    "fchownat",
    "chmod",
    "fchmod",
    "fchmodat",
    "rmdir",
];

/// Files and folders of a program, tracked from call to call.
pub(crate) struct Followed<'t> {
    /// Everything that exists below the root now.
    present: BTreeSet<PathBuf>,
    /// Files and folders changed since their last sync, with the latest change.
    changed: BTreeMap<PathBuf, &'t Call>,
    /// Entries that no sync of their folder has covered.
    entries: BTreeMap<PathBuf, &'t Call>,
    /// Everything that was moved before all of it was durable.
    pub(crate) shown_too_early: Vec<String>,
    /// The targets of moves.
    pub(crate) shown: Vec<PathBuf>,
}

impl<'t> Followed<'t> {
    /// The state before the first call; `existed` is durable.
    pub(crate) fn new(existed: BTreeSet<PathBuf>) -> Self {
        Self {
            present: existed,
            changed: BTreeMap::new(),
            entries: BTreeMap::new(),
            shown_too_early: Vec::new(),
            shown: Vec::new(),
        }
    }

    /// Applies the calls that had ended when `then` began.
    pub(crate) fn until(mut self, calls: &'t [Call], then: &Call) -> Self {
        for call in calls.iter().filter(|call| call.before(then)) {
            self.follow(call);
        }
        self
    }

    /// What exists but is not durable, with the call that created it.
    pub(crate) fn volatile(&self) -> Vec<String> {
        let told = |what, (path, call): (&PathBuf, &&Call)| {
            format!(
                "{}: {what} by {}({})",
                path.display(),
                call.name,
                call.arguments
            )
        };
        let changed = self.changed.iter().map(|found| told("changed", found));
        let entries = self.entries.iter().map(|found| told("entry", found));
        changed.chain(entries).collect()
    }

    /// Whether the program created the path or found it there.
    pub(crate) fn knows(&self, path: &Path) -> bool {
        self.present.contains(path)
    }

    fn follow(&mut self, call: &'t Call) {
        if call.result < 0 {
            return;
        }
        let path = path_of(call);
        match call.name.as_str() {
            "fsync" | "fdatasync" => self.sync(&path, call),
            "rename" | "renameat" | "renameat2" => {
                let to = call.paths().last().map(PathBuf::from).unwrap_or_default();
                self.show(&path, &to, call);
            }
            "unlink" | "unlinkat" | "rmdir" => self.forget(&path),
            "mkdir" | "mkdirat" => self.make(path, call),
            "openat" if call.is_creation() => {
                if self.present.contains(&path) && call.arguments.contains("O_TRUNC") {
                    self.changed.insert(path, call);
                } else {
                    self.make(path, call);
                }
            }
            "openat" => {}
            // A descriptor of a pipe, a socket or a file without a name.
            _ if !self.present.contains(&path) => {}
            _ => {
                self.changed.insert(path, call);
            }
        }
    }

    fn make(&mut self, path: PathBuf, call: &'t Call) {
        if self.present.insert(path.clone()) {
            self.entries.insert(path, call);
        }
    }

    /// fdatasync skips what is not needed to read the bytes: owner and mode.
    fn sync(&mut self, path: &Path, sync: &Call) {
        let data_only = sync.name == "fdatasync";
        let covered = |change: &Call| {
            let of_inode = change.name.contains("chown") || change.name.contains("chmod");
            change.before(sync) && !(data_only && of_inode)
        };
        if self.changed.get(path).is_some_and(|change| covered(change)) {
            self.changed.remove(path);
        }
        self.entries
            .retain(|entry, made| entry.parent() != Some(path) || !made.before(sync));
    }

    fn show(&mut self, from: &Path, to: &Path, rename: &'t Call) {
        let below = |path: &Path| path.starts_with(from);
        let early = self.changed.keys().filter(|path| below(path));
        let early = early.chain(
            self.entries
                .keys()
                .filter(|path| below(path) && *path != from),
        );
        self.shown_too_early
            .extend(early.map(|path| format!("{} shown as {}", path.display(), to.display())));
        self.forget(to);
        let moved = |path: &PathBuf| match path.strip_prefix(from) {
            Ok(rest) if rest.as_os_str().is_empty() => to.to_owned(),
            Ok(rest) => to.join(rest),
            Err(_) => path.clone(),
        };
        self.present = self.present.iter().map(moved).collect();
        self.changed = self
            .changed
            .iter()
            .map(|(path, call)| (moved(path), *call))
            .collect();
        self.entries = self
            .entries
            .iter()
            .map(|(path, call)| (moved(path), *call))
            .collect();
        self.entries.insert(to.to_owned(), rename);
        self.shown.push(to.to_owned());
    }

    fn forget(&mut self, path: &Path) {
        self.present.retain(|known| !known.starts_with(path));
        self.changed.retain(|known, _| !known.starts_with(path));
        self.entries.retain(|known, _| !known.starts_with(path));
    }
}

/// The path, completed if the call names its folder by a descriptor.
fn path_of(call: &Call) -> PathBuf {
    let folder = call.arguments.split_once('<').and_then(|(before, rest)| {
        let descriptor = !before.contains(['"', ',']);
        descriptor.then(|| rest.split('>').next().unwrap_or_default())
    });
    match folder {
        Some(folder) if Path::new(&call.path).is_relative() => Path::new(folder).join(&call.path),
        _ => PathBuf::from(&call.path),
    }
}

#[cfg(test)]
mod tests {
    use strongroom_tests::trace;

    use super::*;

    /// Tracks a log whose last call reports the success.
    fn follow(log: &str) -> (Vec<String>, Vec<String>) {
        let dir = tempfile::tempdir().expect("temporary folder");
        let file = dir.path().join("log");
        std::fs::write(&file, log.trim_start()).expect("written");
        let calls = trace::read(&file, 0);
        let told = calls.last().expect("the last call");
        let followed = Followed::new(BTreeSet::from(["/d".into()])).until(&calls, told);
        (followed.shown_too_early.clone(), followed.volatile())
    }

    const SOUND: &str = r#"
7 mkdir("/d/stage", 0700) = 0
7 mkdir("/d/stage/m", 0700) = 0
7 openat(AT_FDCWD</x>, "/d/stage/m/f", O_RDWR|O_CREAT|O_EXCL, 0600) = 5</d/stage/m/f>
7 write(5</d/stage/m/f>, "x", 1) = 1
7 chown("/d/stage/m/f", 1, 2) = 0
7 fsync(5</d/stage/m/f>) = 0
7 fsync(6</d/stage/m>) = 0
7 fsync(6</d/stage>) = 0
7 renameat2(AT_FDCWD</x>, "/d/stage/m", AT_FDCWD</x>, "/d/m", RENAME_NOREPLACE) = 0
7 fsync(6</d>) = 0
7 unlinkat(6</d>, "stage", AT_REMOVEDIR) = 0
7 write(2<pipe:[1]>, "done", 4) = 4
"#;

    #[test]
    fn a_sound_trace_passes_and_each_sync_that_is_left_out_is_told() {
        assert_eq!(follow(SOUND), (Vec::new(), Vec::new()));
        let syncs: Vec<_> = SOUND
            .lines()
            .filter(|line| line.contains("fsync"))
            .collect();
        for sync in ["5</d/stage/m/f>", "6</d/stage/m>", "6</d/stage>"] {
            let line = syncs
                .iter()
                .find(|line| line.contains(&format!("({sync})")));
            let without = SOUND.replace(&format!("{}\n", line.expect("there")), "");
            assert_eq!(
                follow(&without).0.len(),
                usize::from(sync != "6</d/stage>"),
                "{sync}"
            );
        }
        let last = SOUND.replace("7 fsync(6</d>) = 0\n", "");
        assert_eq!(follow(&last).1.len(), 1);
        let data_only = SOUND.replace("fsync(5<", "fdatasync(5<");
        assert_eq!(follow(&data_only).0.len(), 1, "the owner is not data");
    }
}

//! One real snapshot, the directories it is restored into, and what must hold after each fault.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use flate2::Compression;
use flate2::write::GzEncoder;
use parking_lot::RwLock;
use strongroom_tests::backup::{self, RESTORED};
use strongroom_tests::etcd::{Cluster, Observed, Security, Version};
use strongroom_tests::inject::{Fault, FaultedRun, run_struck};
use strongroom_tests::process::{Finished, run};
use strongroom_tests::soak::Row;
use strongroom_tests::tree::Tree;
use strongroom_tests::workload;

/// A few megabytes with branch and overflow pages: several writes of each kind, and each run still takes only 0.1 s.
const OBJECTS: u32 = 2_000;

/// A staging directory left by a killed run.
const STALE: &str = "member.restore-00c0ffee";

/// The file that a run keeps next to a finished `member` until it has reported success.
pub(crate) const MARKER: &str = "restore-unconfirmed";

/// The data shared by all cases.
pub(crate) struct Sample {
    _dir: tempfile::TempDir,
    pub(crate) raw: PathBuf,
    pub(crate) gzip: PathBuf,
    pub(crate) revision: i64,
    pub(crate) held: Observed,
    /// The plan of the restored member; booted to verify a few of the results. The tool refuses to work next to a
    /// running etcd with its addresses, so running the tool takes a read lock, and booting takes the write lock.
    cluster: RwLock<Cluster>,
    /// The `member` of an undisturbed run.
    pub(crate) reference: Tree,
}

/// The sample; created once.
pub(crate) fn sample() -> &'static Sample {
    static SAMPLE: OnceLock<Sample> = OnceLock::new();
    SAMPLE.get_or_init(Sample::make)
}

impl Sample {
    fn make() -> Self {
        let dir = tempfile::tempdir().expect("temporary folder");
        let (raw, gzip) = (
            dir.path().join("snapshot.db"),
            dir.path().join("snapshot.gz"),
        );
        let mut source = Cluster::start(&dir.path().join("source"), Version::V3_5, 1);
        workload::fill(&source.client_urls(), 44, OBJECTS);
        backup::save_file(&source, 0, &raw);
        let revision = source.revision();
        let held = source.observe(0, revision);
        source.destroy();
        let mut encoder = GzEncoder::new(
            fs::File::create(&gzip).expect("created"),
            Compression::fast(),
        );
        encoder
            .write_all(&fs::read(&raw).expect("saved"))
            .and_then(|()| encoder.try_finish())
            .expect("written");
        let plan = dir.path().join("restored");
        let cluster = Cluster::plan(&plan, Version::V3_5, 1, Security::Plain);
        let first = dir.path().join("first");
        let restore = || {
            run(&mut backup::restore_file_into(&raw, &first, &cluster, 0)).ok();
            let tree = Tree::of(&first.join("member"));
            fs::remove_dir_all(&first).expect("removed");
            tree
        };
        let reference = restore();
        assert!(reference.0.len() > 4, "{reference:?}");
        let again = restore();
        let differs = reference.difference(&again);
        assert!(
            differs.is_empty(),
            "the same flags, other bytes: {differs:?}"
        );
        Self {
            _dir: dir,
            raw,
            gzip,
            revision,
            held,
            cluster: RwLock::new(cluster),
            reference,
        }
    }

    /// The restore of a file into a directory.
    pub(crate) fn command(&self, snapshot: &Path, data_dir: &Path) -> Command {
        let cluster = self.cluster.read();
        backup::restore_file_into(snapshot, data_dir, &cluster, 0)
    }

    /// The restore of the newest snapshot of a store into a directory; the caller names the store.
    pub(crate) fn store_command(&self, data_dir: &Path) -> Command {
        let file = self.command(Path::new("none"), data_dir);
        let mut command = strongroom_tests::programs::restore();
        command.args(file.get_args().skip_while(|arg| *arg != "--data-dir"));
        command
    }

    /// Runs the tool while no restored member is running.
    pub(crate) fn run(&self, command: &mut Command) -> Finished {
        let _quiet = self.cluster.read();
        run(command)
    }

    /// Restores a file with a fault in the run.
    pub(crate) fn strike(&self, snapshot: &Path, target: &Target, fault: &Fault) -> FaultedRun {
        let command = self.command(snapshot, &target.data_dir);
        let _quiet = self.cluster.read();
        run_struck(&command, fault, &target.strace_log())
    }

    /// Boots a restored `member` in the member's own folder and compares its contents.
    pub(crate) fn boots(&self, data_dir: &Path) {
        let mut cluster = self.cluster.write();
        let home = cluster.members()[0].data_dir.clone();
        fs::create_dir_all(&home).expect("made");
        fs::rename(data_dir.join("member"), home.join("member")).expect("one file system");
        cluster.boot();
        cluster.assert_holds(self.revision, self.held);
        cluster.destroy();
    }
}

/// The state of the operator's directory before the restore.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Before {
    /// Neither it nor its parent exists.
    Nothing,
    /// The old data is in `member.old`, as the runbook says, next to the leftovers of a mount point and a killed run.
    OldData,
}

/// The directory of one case.
pub(crate) struct Target {
    root: tempfile::TempDir,
    pub(crate) data_dir: PathBuf,
    before: Tree,
}

impl Target {
    pub(crate) fn new(before: Before) -> Self {
        let root = tempfile::tempdir().expect("temporary folder");
        let data_dir = root.path().join("var/lib/etcd");
        if before == Before::OldData {
            fs::create_dir_all(data_dir.join("lost+found")).expect("made");
            fs::create_dir_all(data_dir.join("member.old/wal")).expect("made");
            fs::create_dir_all(data_dir.join("member.old/snap")).expect("made");
            fs::write(data_dir.join("member.old/snap/db"), vec![7; 100_000]).expect("written");
            fs::write(data_dir.join("member.old/wal/0.wal"), [8; 5_000]).expect("written");
            let stale = data_dir.join(STALE);
            fs::create_dir_all(stale.join("snap")).expect("made");
            fs::write(stale.join("snap/db"), "half").expect("written");
            fs::set_permissions(&stale, fs::Permissions::from_mode(0o700)).expect("set");
        }
        Self {
            before: Tree::of_part(root.path(), |path| !is_staging(path)),
            root,
            data_dir,
        }
    }

    /// strace's log, outside the tree.
    fn strace_log(&self) -> PathBuf {
        self.root.path().with_extension("strace")
    }

    /// Panics unless everything that existed before is unchanged, byte for byte.
    #[track_caller]
    pub(crate) fn assert_old_intact(&self, what: &str) {
        let kept = Tree::of_part(self.root.path(), |path| self.before.0.contains_key(path));
        let lost = kept.difference(&self.before);
        assert!(lost.is_empty(), "{what}: the old data changed: {lost:?}");
    }

    /// Panics unless the tree is as before; with `staging`, staging directories may be left.
    #[track_caller]
    pub(crate) fn assert_nothing_else(&self, what: &str, staging: StagingDirs) {
        let now = Tree::of_part(self.root.path(), |path| match staging {
            StagingDirs::MayStay => !is_staging(path) && !path.ends_with(MARKER),
            StagingDirs::Gone => path.iter().all(|part| part != STALE),
        });
        let differs = now.difference(&self.before);
        assert!(differs.is_empty(), "{what}: left or taken: {differs:?}");
    }

    /// Whether `member` exists; then it must be complete.
    #[track_caller]
    pub(crate) fn complete(&self, what: &str) -> bool {
        let member = self.data_dir.join("member");
        if !member.exists() {
            return false;
        }
        let differs = Tree::of(&member).difference(&sample().reference);
        assert!(differs.is_empty(), "{what}: incomplete member: {differs:?}");
        true
    }

    /// Runs the tool without a fault: it creates `member`, or replaces one that a struck run could not report.
    #[track_caller]
    pub(crate) fn finish(&self, what: &str, mut command: Command) -> Finish {
        let was_complete = self.complete(what);
        let finished = sample().run(&mut command);
        let finished = finished.ok().says(RESTORED);
        assert!(self.complete(what), "{what}: there is no member");
        self.assert_old_intact(what);
        let inside = fs::read_dir(&self.data_dir).expect("readable");
        let names = inside.map(|entry| entry.expect("readable").path());
        let left: Vec<_> = names
            .filter(|path| is_staging(path) || path.ends_with(MARKER))
            .collect();
        assert!(left.is_empty(), "{what}: left behind: {left:?}");
        if was_complete {
            finished.says("nobody has used it");
            Finish::WasComplete
        } else {
            Finish::Restored
        }
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        // Absent if the case ran nothing under strace.
        let _absent = fs::remove_file(self.strace_log());
    }
}

/// Whether staging directories of killed runs may be in the data directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StagingDirs {
    MayStay,
    Gone,
}

/// The result of the run after a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Finish {
    /// It did the restore.
    Restored,
    /// The struck run had finished but could not report it: the restore was repeated.
    WasComplete,
}

fn is_staging(path: &Path) -> bool {
    path.iter()
        .any(|part| part.to_string_lossy().starts_with("member.restore-"))
}

/// The row of one suite: a loss would have ended it.
pub(crate) fn report(fault: &str, cycles: u64) {
    let row = Row {
        fault: fault.to_owned(),
        cycles,
        checked: cycles,
        lost: 0,
        wrong: 0,
        seed: 0,
    };
    row.report();
}

//! Power cuts on real ext4 and xfs: everything acknowledged is there after the journal's replay, on the weakest disk
//! too.
//!
//! Each cycle runs a workload on a loop-mounted image, shuts the file system down at a random moment without flushing
//! its log, kills the server, mounts again and compares everything with the histories. These file systems keep more
//! than POSIX requires, so two things are added: entries whose folder was not synced are removed (the server runs under
//! strace, which recorded the syncs), and in every second cycle the tail of Meta's log is torn after its synced part.
//! The planted servers, which sync too late or not at all, must be detected.
//!
//! `STRONGROOM_POWER_CYCLES` makes it longer, `STRONGROOM_SEED` replays the choices of a run.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use strongroom_tests::clock::{pass, until};
use strongroom_tests::loopfs::{Kind, LoopFs};
use strongroom_tests::server::Server;
use strongroom_tests::soak::number;
use strongroom_tests::trace::{self, Call, Watched};
use strongroom_tests::traffic::findings;
use strongroom_tests::traffic::{Mix, Workload, check};
use strongroom_tests::walog::{self, Torn};
use strongroom_tests::{garbage, programs};

/// Cycles in `make test`, on each file system.
const CYCLES: u64 = 10;

/// A planted server must be detected within this many cycles.
const PLANTED_CYCLES_MAX: u64 = 10;

/// More than xfs needs, and room for the objects besides the server's reserve; sparse.
const IMAGE_BYTES: u64 = 1 << 30;

/// The calls that make entries and the log durable.
const WATCHED: Watched<'_> = Watched {
    calls: &[trace::ON_FILES],
    text_bytes: 0,
    sync_delay_us: 0,
};

/// Time in which strace writes its log of a killed server.
const LOGGED_WITHIN: Duration = Duration::from_secs(20);

/// A server on a file system that loses power.
struct Rig {
    server: Server,
    fs: Option<LoopFs>,
    workload: Workload,
    strace: PathBuf,
    program: fn() -> Command,
    bug: Option<&'static str>,
    cut: u64,
    begun: u64,
    _dir: tempfile::TempDir,
}

impl Rig {
    fn new(kind: Kind, program: fn() -> Command, bug: Option<&'static str>) -> Self {
        let dir = tempfile::tempdir().expect("temporary folder");
        let fs = LoopFs::create(dir.path(), kind, IMAGE_BYTES);
        let server = Server::plan(fs.root()).logging_to(dir.path().join("server.log"));
        Self {
            fs: Some(fs),
            server,
            workload: Workload::new(Mix::SMALL),
            strace: dir.path().join("strace"),
            program,
            bug,
            cut: 0,
            begun: 0,
            _dir: dir,
        }
    }

    /// Starts the server. If it refuses, everything is lost.
    fn boot(&mut self) -> bool {
        let mut command = self.server.command_of((self.program)());
        garbage::eager(&mut command);
        if let Some(bug) = self.bug {
            command.env("STRONGROOM_PLANTED_BUG", bug);
        }
        let _none_yet = fs::remove_file(&self.strace);
        let command = trace::under(&command, &self.strace, WATCHED);
        let started = self.server.try_boot_as(command);
        if let Err(status) = started {
            let log = self.server.log();
            let what = format!("no start: {status}: {}", log.lines().last().unwrap_or(""));
            self.workload.findings.add(findings::Kind::Lost, what);
        }
        started.is_ok()
    }

    /// One life: workload, power cut, remount, the weakest disk, and a check of the contents.
    fn cycle(&mut self, tear: bool) {
        let existed = trace::tree(self.fs().root());
        if !self.boot() {
            return;
        }
        check::after_restart(&self.workload, &self.server);
        let load = Duration::from_millis(200 + u64::from(self.workload.random().below(1200)));
        let fs = self.fs.take().expect("mounted between cycles");
        let server_id = self.server.process().id();
        let strace = &self.strace;
        let powered = self.workload.run(&mut self.server, |server, phase| {
            pass(load);
            phase.power_fails();
            let powered = trace::mark(strace);
            fs.cut_power();
            server.kill();
            powered
        });
        let calls = self.whole_trace(server_id);
        self.fs = Some(fs.restored());
        for entry in trace::entries_not_durable(&calls, &existed) {
            lose(self.fs().root(), &entry);
        }
        if tear {
            self.tear(&calls, powered);
        }
    }

    /// Checks everything, and lets collections free what is dead.
    fn rest(&mut self) {
        assert!(self.boot(), "see above");
        check::after_restart(&self.workload, &self.server);
        garbage::settle(&self.server);
        assert_eq!(self.server.stop(), Some(0));
    }

    fn tear(&mut self, calls: &[Call], powered: usize) {
        let Some(log) = walog::newest(&self.server.data_dir().join("meta")) else {
            return;
        };
        // Syncs that ended during the power cut may have worked or not; nothing that depends on them may be torn.
        let promised = synced(calls.iter().filter(|call| call.ended_by(powered)), &log);
        let perhaps = synced(calls.iter(), &log);
        match walog::tear(&log, promised..=perhaps, self.workload.random()) {
            Torn::Cut { .. } => self.cut += 1,
            Torn::Begun { .. } => self.begun += 1,
            Torn::Nothing => {}
        }
    }

    /// All calls of the dead server.
    fn whole_trace(&self, server_id: u32) -> Vec<Call> {
        let end = [
            &server_id.to_string(),
            "+++",
            "killed",
            "by",
            "SIGKILL",
            "+++",
        ];
        until(
            "strace to have seen the server's end",
            LOGGED_WITHIN,
            || {
                let log = fs::read_to_string(&self.strace).map_err(|e| e.to_string())?;
                let ended = log
                    .lines()
                    .rev()
                    .any(|line| line.split_whitespace().eq(end));
                ended.then_some(()).ok_or_else(|| format!("no {end:?}"))
            },
        );
        trace::read(&self.strace, 0)
    }

    fn fs(&self) -> &LoopFs {
        self.fs.as_ref().expect("mounted between cycles")
    }
}

/// The bytes of a log that these calls have synced: those written when the last successful sync began.
fn synced<'a>(calls: impl Iterator<Item = &'a Call>, log: &Path) -> u64 {
    let of_log: Vec<_> = calls.filter(|call| Path::new(&call.path) == log).collect();
    let Some(sync) = of_log.iter().rfind(|call| call.is_sync()) else {
        return 0;
    };
    let written = of_log
        .iter()
        .filter(|call| call.is_write() && call.before(sync));
    let lengths = written.map(|call| u64::try_from(call.result).expect("writes give lengths"));
    lengths.sum()
}

/// Removes an entry that no sync has made durable.
fn lose(root: &Path, entry: &Path) {
    if !entry.starts_with(root) {
        return;
    }
    let gone = if entry.is_dir() {
        fs::remove_dir_all(entry)
    } else {
        fs::remove_file(entry)
    };
    // The power cut has already removed most of them.
    if let Err(error) = gone {
        assert_eq!(
            error.kind(),
            std::io::ErrorKind::NotFound,
            "{}: {error}",
            entry.display()
        );
    }
}

/// For an image of 1 GiB, part of which is the server's reserve.
const CYCLES_BETWEEN_RESTS: u64 = 15;

/// Cycles on one file system with the real server.
fn survives(kind: Kind) {
    let cycles = number("STRONGROOM_POWER_CYCLES", CYCLES);
    let mut rig = Rig::new(kind, programs::server, None);
    for cycle in 1..=cycles {
        rig.cycle(cycle % 2 == 0);
        rig.workload.assert_clean(format!("cycle {cycle}"));
        // Cycles are too short for collections: without a rest, the disk fills up.
        if cycle % CYCLES_BETWEEN_RESTS == 0 {
            rig.rest();
        }
    }
    rig.rest();
    for complaint in garbage::complaints(&rig.server) {
        rig.workload.findings.add(findings::Kind::Wrong, complaint);
    }
    let (cut, begun) = (rig.cut, rig.begun);
    println!(
        "power: {}: tails cut {cut}, batches begun {begun}",
        kind.name()
    );
    rig.workload
        .report(&format!("power cut, {}", kind.name()), cycles);
}

#[test]
fn nothing_acknowledged_is_lost_in_a_power_cut_on_ext4() {
    survives(Kind::Ext4);
}

#[test]
fn nothing_acknowledged_is_lost_in_a_power_cut_on_xfs() {
    survives(Kind::Xfs);
}

/// Cycles with a planted server until something is found.
fn finds_out(bug: &'static str, kind: Kind) {
    let mut rig = Rig::new(kind, programs::planted_server, Some(bug));
    for cycle in 1..=PLANTED_CYCLES_MAX + 1 {
        rig.cycle(false);
        if !rig.workload.findings.is_clean() {
            println!(
                "planted | {bug} | power cut, {} | cycle {}",
                kind.name(),
                cycle - 1
            );
            return;
        }
    }
    panic!("{bug} was not found out in {PLANTED_CYCLES_MAX} power cuts");
}

#[test]
fn a_server_that_answers_before_it_syncs_is_found_out() {
    finds_out("ack-before-sync", Kind::Ext4);
}

#[test]
fn a_server_that_syncs_no_folder_is_found_out() {
    finds_out("no-dir-sync", Kind::Xfs);
}

#[test]
fn a_server_that_commits_before_the_pack_is_synced_is_found_out() {
    finds_out("commit-before-pack-sync", Kind::Ext4);
}

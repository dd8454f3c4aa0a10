//! Faults at the n-th system call of a real program: strace kills it there, or returns an error instead of the call.
//!
//! strace counts per thread and per kind of call, so a fault names one kind and a number. A loop over all kinds and
//! numbers, until nothing is hit any more, covers every call. A kill strikes before the call has any effect. This
//! module knows no program under test; the suites interpret the hits.

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process_group};

use crate::clock::{READY_WITHIN, until};
use crate::process::{Finished, Process};

/// Every call that can change files, folders or their durability.
pub const FILE_CHANGING: [&str; 29] = [
    "mkdir",
    "mkdirat",
    "openat",
    "write",
    "writev",
    "pwrite64",
    "pwritev",
    "pwritev2",
    "ftruncate",
    "fallocate",
    "rename",
    "renameat",
    "renameat2",
    "unlink",
    "unlinkat",
    "link",
    "linkat",
    "symlink",
    "fsync",
    "fdatasync",
    "chmod",
    "fchmod",
    "fchmodat",
    "chown",
    "fchown",
    "fchownat",
    "rmdir",
    "copy_file_range",
    "sendfile",
];

/// strace's mark on a call with an injected result.
const INJECTED: &str = "(INJECTED)";

/// The effect on the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// SIGKILL before the call has any effect.
    Kill,
    /// The call does nothing and returns this error, such as `EIO`.
    Error(&'static str),
}

/// How often it happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Times {
    /// At this call only.
    Once,
    /// At this call and all later ones.
    FromThenOn,
}

/// A fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The kinds of calls; each kind is counted separately.
    pub calls: Vec<&'static str>,
    /// The number of the call within its kind and thread, from 1.
    pub nth: u32,
    /// Once or from then on.
    pub times: Times,
    /// The effect.
    pub effect: Effect,
}

impl Fault {
    /// One call of one kind.
    pub fn at(call: &'static str, nth: u32, effect: Effect) -> Self {
        Self {
            calls: vec![call],
            nth,
            times: Times::Once,
            effect,
        }
    }

    /// The fault in strace's syntax. A kind that the kernel does not have is ignored (`?`).
    fn words(&self) -> [String; 4] {
        let kinds: Vec<_> = self.calls.iter().map(|call| format!("?{call}")).collect();
        let kinds = kinds.join(",");
        let effect = match self.effect {
            Effect::Kill => "signal=SIGKILL".to_owned(),
            Effect::Error(errno) => format!("error={errno}"),
        };
        let more = match self.times {
            Times::Once => "",
            Times::FromThenOn => "+",
        };
        let inject = format!("inject={kinds}:{effect}:when={}{more}", self.nth);
        [
            "-e".to_owned(),
            format!("trace={kinds}"),
            "-e".to_owned(),
            inject,
        ]
    }
}

/// A run with a fault.
#[derive(Debug)]
pub struct FaultedRun {
    /// The result of the program.
    pub finished: Finished,
    /// The calls that were hit, as strace prints them.
    pub hits: Vec<String>,
    /// The fault hit a wake-up between threads, which no disk can fail: the run was killed there.
    pub abandoned: bool,
}

impl FaultedRun {
    /// Whether the fault hit anything.
    pub fn was_hit(&self) -> bool {
        !self.hits.is_empty()
    }

    /// Whether a hit call concerned something at or below `path`.
    pub fn touched(&self, path: &Path) -> bool {
        let path = path.display().to_string();
        self.hits.iter().any(|hit| hit.contains(&path))
    }
}

/// Runs a program to its end with a fault; strace writes to `log`.
pub fn run_struck(command: &Command, fault: &Fault, log: &Path) -> FaultedRun {
    let mut traced = strace();
    traced.args(["-f", "-y", "-s", "16", "-o"]).arg(log);
    traced
        .args(fault.words())
        .arg("--")
        .arg(command.get_program())
        .args(command.get_args());
    // The suites' commands start with an empty environment, so this is all of it.
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            traced.env(name, value);
        }
    }
    let (finished, abandoned) = watch(&mut traced, log);
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let hits = match fault.effect {
        Effect::Kill => killed_in(&text),
        Effect::Error(_) => injected_in(&text),
    };
    let by_signal = finished.code.is_none();
    assert!(
        !by_signal || abandoned || fault.effect == Effect::Kill,
        "{}: ended by a signal that nobody sent: {}",
        finished.line,
        finished.stderr
    );
    FaultedRun {
        finished,
        hits,
        abandoned,
    }
}

/// strace and its program in their own process group, which ends with this value.
struct Group(Child);

impl Group {
    fn kill(&self) {
        let id = i32::try_from(self.0.id()).expect("process ids fit");
        let group = Pid::from_raw(id).expect("process ids are positive");
        // Fails only when the group is already gone.
        let _gone = kill_process_group(group, Signal::KILL);
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if self.0.try_wait().ok().flatten().is_none() {
            self.kill();
            let _reaped = self.0.wait();
        }
    }
}

/// Runs strace to its end, or kills it if the injected error makes two threads wait for each other.
fn watch(traced: &mut Command, log: &Path) -> (Finished, bool) {
    // Hits of an earlier run must not count for this one.
    let _absent = std::fs::remove_file(log);
    let said = [log.with_extension("stdout"), log.with_extension("stderr")];
    let [out, err] = [&said[0], &said[1]].map(|path| File::create(path).expect("created"));
    let line = format!("{traced:?}");
    let child = traced
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(out)
        .stderr(err)
        .spawn()
        .unwrap_or_else(|e| panic!("{line}: does not start: {e}"));
    let mut group = Group(child);
    let mut abandoned = false;
    let status = until(&format!("{line} to end"), READY_WITHIN, || {
        let ended = group.0.try_wait().expect("own child can be waited for");
        let text = std::fs::read_to_string(log).unwrap_or_default();
        let stuck = |hit: &String| hit.contains("[eventfd]");
        if ended.is_none() && !abandoned && injected_in(&text).iter().any(stuck) {
            abandoned = true;
            group.kill();
        }
        ended.ok_or("it still runs")
    });
    let [stdout, stderr] = said.map(|path| {
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        let _absent = std::fs::remove_file(&path);
        text
    });
    let finished = Finished {
        line,
        code: status.code(),
        stdout,
        stderr,
    };
    (finished, abandoned)
}

/// The calls with injected results.
fn injected_in(text: &str) -> Vec<String> {
    let injected = text.lines().filter(|line| line.contains(INJECTED));
    injected.map(str::to_owned).collect()
}

/// The calls in which the threads of a killed program were.
fn killed_in(text: &str) -> Vec<String> {
    if !text.contains("+++ killed by SIGKILL +++") {
        return Vec::new();
    }
    let open = |line: &&str| line.ends_with("= ?") || line.ends_with("<unfinished ...>");
    text.lines().rev().filter(open).map(str::to_owned).collect()
}

/// strace attached to a running program. Dropping it detaches strace without harm to the program.
#[derive(Debug)]
pub struct Attached {
    strace: Process,
    log: PathBuf,
}

impl Attached {
    /// Attaches to all current and future threads of a process. `paths` restricts the fault to calls on these files; an
    /// empty list means all files.
    pub fn to(pid: u32, fault: &Fault, paths: &[PathBuf], log: &Path) -> Self {
        let mut command = strace();
        command.args(["-f", "-y", "-s", "16", "-o"]).arg(log);
        command.args(fault.words());
        for path in paths {
            command.arg("-P").arg(path);
        }
        command.arg("-p").arg(pid.to_string());
        let said = log.with_extension("said");
        let mut strace = Process::spawn("strace", &mut command, &said);
        until("strace to attach", READY_WITHIN, || {
            strace.assert_alive();
            let said = std::fs::read_to_string(&said).unwrap_or_default();
            if said.contains(" attached") {
                Ok(())
            } else {
                Err(said)
            }
        });
        Self {
            strace,
            log: log.to_owned(),
        }
    }

    /// The calls hit so far.
    pub fn hits(&self) -> Vec<String> {
        injected_in(&std::fs::read_to_string(&self.log).unwrap_or_default())
    }

    /// Detaches from the program and waits until strace has ended.
    pub fn release(mut self) -> Vec<String> {
        self.strace.terminate();
        let _by_signal = self.strace.wait(READY_WITHIN);
        self.hits()
    }
}

/// strace in its own environment.
fn strace() -> Command {
    let path = Path::new("/usr/bin/strace");
    assert!(
        path.exists(),
        "{} is not there; run: tests/setup/packages.sh strace",
        path.display()
    );
    crate::programs::command(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn touch(file: &Path) -> Command {
        let mut command = crate::programs::command(Path::new("/usr/bin/touch"));
        command.arg(file);
        command
    }

    #[test]
    fn the_nth_call_fails_or_kills_and_a_later_one_is_never_met() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let (file, log) = (dir.path().join("file"), dir.path().join("log"));
        let mut nth = 1;
        loop {
            let fault = Fault::at("openat", nth, Effect::Error("EIO"));
            let struck = run_struck(&touch(&file), &fault, &log);
            if struck.touched(&file) {
                assert_ne!(struck.finished.code, Some(0));
                break;
            }
            std::fs::remove_file(&file).expect("touched");
            nth += 1;
        }
        let kill = run_struck(&touch(&file), &Fault::at("openat", nth, Effect::Kill), &log);
        assert_eq!(kill.finished.code, None);
        assert!(kill.touched(&file) && !file.exists(), "{:?}", kill.hits);
        let beyond = Fault::at("openat", nth + 1_000, Effect::Kill);
        assert!(!run_struck(&touch(&file), &beyond, &log).was_hit());
        assert!(file.exists());
    }
}

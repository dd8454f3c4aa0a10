//! Child processes with an owner: output goes to a log file, they are ended by id and never left behind.
//!
//! Invariant: when a `Process` is dropped, its child is dead and reaped. When its owner panics, the tail of its log is
//! printed.

use std::ffi::OsStr;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::clock::until;

/// Log lines shown with a failure.
const TAIL_LINES: usize = 40;

/// A running program.
#[derive(Debug)]
pub struct Process {
    name: String,
    log: PathBuf,
    child: Child,
}

impl Process {
    /// Starts `command`; appends standard output and error to `log`.
    pub fn spawn(name: &str, command: &mut Command, log: &Path) -> Self {
        let out = File::options()
            .create(true)
            .append(true)
            .open(log)
            .expect("log file opens");
        let err = out.try_clone().expect("log file clones");
        let child = command
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(err)
            .spawn()
            .unwrap_or_else(|e| {
                panic!(
                    "{name}: {} does not start: {e}",
                    command.get_program().display()
                )
            });
        Self {
            name: name.to_owned(),
            log: log.to_owned(),
            child,
        }
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Everything that it has written so far.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// Its exit status, if it has ended.
    pub fn exited(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("own child can be waited for")
    }

    /// Panics with the log if it has already ended: for use while waiting for it to become ready.
    pub fn assert_alive(&mut self) {
        if let Some(status) = self.exited() {
            panic!("{} ended early: {status}", self.name);
        }
    }

    /// SIGINT, without waiting.
    pub fn interrupt(&self) {
        self.signal(Signal::INT);
    }

    /// SIGHUP.
    pub fn hang_up(&self) {
        self.signal(Signal::HUP);
    }

    /// SIGTERM, without waiting.
    pub fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// SIGSTOP: the process keeps its sockets but does nothing.
    pub fn freeze(&self) {
        self.signal(Signal::STOP);
    }

    /// SIGKILL, then reaps it: for the process, this is a power cut.
    pub fn kill(mut self) {
        self.end();
    }

    /// Waits until it has ended by itself.
    pub fn wait(&mut self, within: Duration) -> ExitStatus {
        let what = format!("{} to end", self.name);
        until(&what, within, || self.exited().ok_or("it still runs"))
    }

    fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.child.id()).expect("process ids fit");
        let pid = Pid::from_raw(id).expect("process ids are positive");
        kill_process(pid, signal)
            .unwrap_or_else(|e| panic!("{}: cannot signal {id}: {e}", self.name));
    }

    fn end(&mut self) {
        if self.child.try_wait().ok().flatten().is_none() {
            // Both fail only for a process that is already gone.
            let _gone = self.child.kill();
            let _gone = self.child.wait();
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end();
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<_> = log.lines().collect();
            let tail = lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n");
            eprintln!(
                "--- last lines of {} ({}) ---\n{tail}\n---",
                self.name,
                self.log.display()
            );
        }
    }
}

/// The output of a finished program.
#[derive(Debug)]
pub struct Finished {
    /// The command line, without its environment.
    pub line: String,
    /// Its exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

#[expect(
    clippy::return_self_not_must_use,
    reason = "a check is complete without its result"
)]
impl Finished {
    /// Panics unless it exited with 0.
    #[track_caller]
    pub fn ok(self) -> Self {
        self.code(0)
    }

    /// Panics unless it exited with `code`.
    #[track_caller]
    pub fn code(self, code: i32) -> Self {
        assert_eq!(
            self.code,
            Some(code),
            "{}\nstdout: {}\nstderr: {}",
            self.line,
            self.stdout,
            self.stderr
        );
        self
    }

    /// Panics unless it exited with one of `codes`.
    #[track_caller]
    pub fn code_in(self, codes: &[i32]) -> Self {
        let meant = self.code.is_some_and(|code| codes.contains(&code));
        assert!(
            meant,
            "{:?}, not in {codes:?}: {}\nstdout: {}\nstderr: {}",
            self.code, self.line, self.stdout, self.stderr
        );
        self
    }

    /// Panics unless standard output or error contain `text`.
    #[track_caller]
    pub fn says(self, text: &str) -> Self {
        assert!(
            self.stdout.contains(text) || self.stderr.contains(text),
            "`{text}` is not said by {}\nstdout: {}\nstderr: {}",
            self.line,
            self.stdout,
            self.stderr
        );
        self
    }

    /// Both outputs in one text.
    pub fn text(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }
}

/// Runs a command to its end.
pub fn run(command: &mut Command) -> Finished {
    let words: Vec<_> = std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(OsStr::to_string_lossy)
        .collect();
    let line = words.join(" ");
    let Output {
        status,
        stdout,
        stderr,
    } = command
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|e| panic!("{line}: does not start: {e}"));
    Finished {
        line,
        code: status.code(),
        stdout: String::from_utf8_lossy(&stdout).into_owned(),
        stderr: String::from_utf8_lossy(&stderr).into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dropped_process_is_dead_and_reaped() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let process = Process::spawn(
            "cat",
            Command::new("tail").args(["-f", "/dev/null"]),
            &dir.path().join("log"),
        );
        let proc_entry = PathBuf::from(format!("/proc/{}", process.id()));
        assert!(proc_entry.exists());
        drop(process);
        assert!(!proc_entry.exists());
    }
}

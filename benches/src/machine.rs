//! The machine and the commit that figures belong to, as reported by the kernel and git.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde::{Deserialize, Serialize};
use strongroom_tests::process::run;
use strongroom_tests::programs;

/// The machine and the commit of the figures.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// The processor's name.
    pub cpu: String,
    /// Number of cores.
    pub cores: usize,
    /// Memory.
    pub memory_mib: u64,
    /// File system and device below the working folder.
    pub disk: String,
    /// The kernel.
    pub kernel: String,
    /// The commit, with `+` if files were changed.
    pub commit: String,
    /// Time of the run.
    pub unix_secs: u64,
    /// The load before the first case: other programs on the machine.
    pub load: String,
}

impl Machine {
    /// This machine, with the working folder `dir`.
    pub fn here(dir: &Path) -> Self {
        let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let meminfo = fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let kib: u64 = after(&meminfo, "MemTotal:")
            .split_whitespace()
            .next()
            .and_then(|kib| kib.parse().ok())
            .unwrap_or(0);
        Self {
            cpu: after(&cpuinfo, "model name")
                .trim_start_matches(": ")
                .to_owned(),
            cores,
            memory_mib: kib >> 10,
            disk: disk(dir),
            kernel: line("/proc/sys/kernel/osrelease"),
            commit: commit(),
            unix_secs: strongroom_tests::clock::unix_now_secs(),
            load: line("/proc/loadavg"),
        }
    }
}

fn line(path: &str) -> String {
    fs::read_to_string(path)
        .unwrap_or_default()
        .trim()
        .to_owned()
}

fn after<'a>(text: &'a str, name: &str) -> &'a str {
    let mut lines = text.lines().filter_map(|line| line.strip_prefix(name));
    lines.next().unwrap_or_default().trim()
}

/// As reported by `df`: type and device.
fn disk(dir: &Path) -> String {
    let mut command = Command::new("df");
    command.args(["--output=fstype,source"]).arg(dir);
    let told = run(&mut command).stdout;
    let words: Vec<_> = told
        .lines()
        .nth(1)
        .unwrap_or_default()
        .split_whitespace()
        .collect();
    words.join(" on ")
}

fn commit() -> String {
    let git = |args: &[&str]| {
        let mut command = Command::new("git");
        command.arg("-C").arg(programs::workspace()).args(args);
        run(&mut command).stdout.trim().to_owned()
    };
    let head = git(&["rev-parse", "--short=12", "HEAD"]);
    let changed = !git(&["status", "--porcelain", "--untracked-files=no"]).is_empty();
    format!("{head}{}", if changed { "+" } else { "" })
}

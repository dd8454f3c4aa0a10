//! Costs of programs: time, processor time and peak memory, of a running server and of a child until its end.
//!
//! Peak memory is the kernel's mark `VmHWM`, read every few milliseconds until the child ends. The mark only rises, so
//! only an increase in the last of these intervals can be missed. `ru_maxrss` would not work: a child begins with the
//! mark of the process that started it, and this one holds bodies of half a gigabyte.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
use strongroom_tests::clock::{self, Stopwatch};
use strongroom_tests::{http, server::Server};

use crate::stats::real;

/// The unit of `/proc/PID/stat`: USER_HZ, which Linux keeps at 100 on x86-64 and ARM whatever its own tick.
const TICKS_PER_SEC: f64 = 100.0;

/// Interval between two reads of a child's mark.
const LOOK_EVERY: Duration = Duration::from_millis(4);

/// The cost of a finished child.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cost {
    /// From its start to its end.
    pub secs: f64,
    /// User and system time of all its threads.
    pub cpu_secs: f64,
    /// Peak resident memory.
    pub peak_mib: f64,
}

/// Runs a command to its end and measures its cost; its output goes to `log`.
///
/// # Panics
/// When it does not exit with 0; the message contains its output.
pub fn measure(command: &mut Command, log: &Path) -> Cost {
    let out = File::create(log).expect("the log opens");
    let err = out.try_clone().expect("the log clones");
    let watch = Stopwatch::start();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(out)
        .stderr(err)
        .spawn()
        .unwrap_or_else(|e| panic!("{} does not start: {e}", command.get_program().display()));
    let id = child.id();
    let (peak, ended) = (AtomicU64::new(0), AtomicBool::new(false));
    let secs = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !ended.load(Ordering::Relaxed) {
                peak.fetch_max(peak_kib(id), Ordering::Relaxed);
                clock::pass(LOOK_EVERY);
            }
        });
        let pid = Pid::from_raw(i32::try_from(id).expect("process ids fit")).expect("positive");
        // Not reaped yet, so that its times can still be read.
        let waited = waitid(
            WaitId::Pid(pid),
            WaitIdOptions::EXITED | WaitIdOptions::NOWAIT,
        );
        let secs = watch.elapsed().as_secs_f64();
        ended.store(true, Ordering::Relaxed);
        waited.expect("an own child can be waited for");
        secs
    });
    let cpu_secs = cpu_secs(id);
    let status = child.wait().expect("an own child can be reaped");
    assert!(
        status.success(),
        "{command:?}: {status}\n{}",
        fs::read_to_string(log).unwrap_or_default()
    );
    Cost {
        secs,
        cpu_secs,
        peak_mib: real(peak.into_inner()) / 1024.0,
    }
}

/// User and system time of a process with all its threads, including ended ones.
pub fn cpu_secs(process: u32) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).expect("it runs");
    cpu_ticks(&stat).map_or(0.0, |ticks| real(ticks) / TICKS_PER_SEC)
}

/// Peak memory of a running process, in MiB.
pub fn peak_mib(process: u32) -> f64 {
    real(peak_kib(process)) / 1024.0
}

/// A counter of the server's metrics, summed over all its labels.
///
/// # Panics
/// When there is no such metric.
pub fn counter(server: &Server, name: &str) -> f64 {
    let answer =
        http::get(server.admin_addr(), "/metrics").expect("the operators' listener answers");
    let text = answer.text();
    sum_of(&text, name).unwrap_or_else(|| panic!("no {name} in {text}"))
}

fn sum_of(metrics: &str, name: &str) -> Option<f64> {
    let values = metrics.lines().filter_map(|line| {
        let rest = line.strip_prefix(name)?;
        let value = rest.strip_prefix(' ').or_else(|| {
            rest.strip_prefix('{')?;
            rest.rsplit_once(' ').map(|(_, value)| value)
        })?;
        value.parse::<f64>().ok()
    });
    values.fold(None, |sum, value| Some(sum.unwrap_or(0.0) + value))
}

/// `proc(5)`: the second field is a name in parentheses that may hold anything; `utime` and `stime` are the 14th and 15th.
fn cpu_ticks(stat: &str) -> Option<u64> {
    let (_, rest) = stat.rsplit_once(") ")?;
    let mut fields = rest.split_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

/// 0 for a process that has ended: a zombie has no memory values.
fn peak_kib(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_found_behind_any_name() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194304 100 0 0 0 250 50 3 4 20 0 9 0 12345";
        assert_eq!(cpu_ticks(stat), Some(300));
    }

    #[test]
    fn a_childs_peak_and_time_are_its_own() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let ballast = vec![1_u8; 256 << 20];
        let mut command = Command::new("dd");
        command.args(["if=/dev/zero", "of=/dev/null", "bs=32M", "count=40"]);
        let cost = measure(&mut command, &dir.path().join("log"));
        assert_eq!(ballast.last(), Some(&1));
        assert!(
            cost.peak_mib > 30.0 && cost.peak_mib < 100.0,
            "dd holds 32 MiB: {cost:?}"
        );
        assert!(
            cost.cpu_secs > 0.0 && cost.secs >= cost.cpu_secs * 0.5,
            "{cost:?}"
        );
    }

    #[test]
    fn metrics_are_summed_over_labels_and_not_over_names() {
        let text = "# TYPE a counter\na{x=\"1\"} 2\na{x=\"2\"} 3.5\na_b 100\nb 7\n";
        assert_eq!(sum_of(text, "a"), Some(5.5));
        assert_eq!(sum_of(text, "b"), Some(7.0));
        assert_eq!(sum_of(text, "c"), None);
    }
}

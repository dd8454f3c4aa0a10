//! The process's own figures, under the names that Prometheus' client libraries use.
//!
//! Linux tells them in `/proc/self`; where that is missing the gauges stay zero, since a scrape must not fail for it.

use std::fs;

use prometheus::{Counter, IntGauge, Registry};

use crate::telemetry::names;

/// Clock ticks per second in `/proc/*/stat`; fixed to 100 in the kernel's interface to programs on every architecture.
const TICKS_PER_SECOND: f64 = 100.0;

/// Where `utime` and `stime` stand in `/proc/self/stat`, counted after the closing parenthesis of the name (proc(5)).
const STAT_UTIME: usize = 11;

/// Gauges of this process, read on each scrape.
#[derive(Debug)]
pub(crate) struct OwnProcess {
    resident: IntGauge,
    virtual_size: IntGauge,
    threads: IntGauge,
    open_fds: IntGauge,
    max_fds: IntGauge,
    cpu: Counter,
}

impl OwnProcess {
    /// Registers them.
    pub(crate) fn register(registry: &Registry) -> OwnProcess {
        let made = "names of metrics are constants that a test has seen accepted";
        let gauge = |name, help| IntGauge::new(name, help).expect(made);
        let own = OwnProcess {
            resident: gauge(names::PROCESS_RESIDENT, "Resident memory of this process"),
            virtual_size: gauge(
                names::PROCESS_VIRTUAL,
                "Virtual memory size of this process",
            ),
            threads: gauge(names::PROCESS_THREADS, "Threads of this process"),
            open_fds: gauge(
                names::PROCESS_OPEN_FDS,
                "Open file descriptors of this process",
            ),
            max_fds: gauge(
                names::PROCESS_MAX_FDS,
                "Most file descriptors this process may open",
            ),
            cpu: Counter::new(names::PROCESS_CPU, "User and system time of this process")
                .expect(made),
        };
        for gauge in [
            &own.resident,
            &own.virtual_size,
            &own.threads,
            &own.open_fds,
            &own.max_fds,
        ] {
            registry
                .register(Box::new(gauge.clone()))
                .expect("each metric is registered once");
        }
        registry
            .register(Box::new(own.cpu.clone()))
            .expect("each metric is registered once");
        own
    }

    /// Reads the figures now.
    pub(crate) fn sample(&self) {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        for (gauge, figure) in [
            (&self.resident, kib_of(&status, "VmRSS:")),
            (&self.virtual_size, kib_of(&status, "VmSize:")),
            (&self.threads, number_of(&status, "Threads:")),
        ] {
            if let Some(figure) = figure {
                gauge.set(figure);
            }
        }
        if let Ok(entries) = fs::read_dir("/proc/self/fd") {
            // The listing itself holds one descriptor.
            let open = entries.count().saturating_sub(1);
            self.open_fds.set(i64::try_from(open).unwrap_or(i64::MAX));
        }
        let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
        self.max_fds.set(
            limit
                .and_then(|n| i64::try_from(n).ok())
                .unwrap_or(i64::MAX),
        );
        if let Some(ticks) = fs::read_to_string("/proc/self/stat")
            .ok()
            .as_deref()
            .and_then(cpu_ticks)
        {
            let seconds = f64::from(ticks) / TICKS_PER_SECOND;
            // A counter has no `set`; time only grows, and two scrapes at once may add one tick twice at most.
            self.cpu.inc_by((seconds - self.cpu.get()).max(0.0));
        }
    }
}

/// Bytes of a line of `/proc/self/status`, which the kernel prints in KiB.
fn kib_of(status: &str, name: &str) -> Option<i64> {
    let text = line_of(status, name)?.strip_suffix("kB")?.trim();
    text.parse::<i64>().ok()?.checked_mul(1024)
}

fn number_of(status: &str, name: &str) -> Option<i64> {
    line_of(status, name)?.parse().ok()
}

fn line_of<'a>(status: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = status.lines();
    Some(lines.find_map(|line| line.strip_prefix(name))?.trim())
}

/// `utime` + `stime` of `/proc/self/stat`, whose second field may hold blanks and parentheses.
fn cpu_ticks(stat: &str) -> Option<u32> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_ascii_whitespace().skip(STAT_UTIME);
    let user: u32 = fields.next()?.parse().ok()?;
    let system: u32 = fields.next()?.parse().ok()?;
    user.checked_add(system)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_found_in_what_the_kernel_prints() {
        let status = "Name:\tx\nVmRSS:\t    1234 kB\nRssAnon:\t 1 kB\nThreads:\t13\n";
        assert_eq!(kib_of(status, "VmRSS:"), Some(1234 * 1024));
        assert_eq!(number_of(status, "Threads:"), Some(13));
        assert_eq!(kib_of(status, "VmSize:"), None);
        let stat = "42 (a) b) S 1 42 42 0 -1 4194560 900 0 0 0 70 30 0 0 20 0 9 0 12345 0 0";
        assert_eq!(cpu_ticks(stat), Some(100));
        assert_eq!(cpu_ticks("garbled"), None);
    }

    #[test]
    fn a_sample_sees_this_process() {
        let own = OwnProcess::register(&Registry::new());
        own.sample();
        assert!(own.resident.get() > 0);
        assert!(own.virtual_size.get() > own.resident.get());
        assert!(own.threads.get() > 0);
        assert!(own.open_fds.get() > 0);
        assert!(own.max_fds.get() >= own.open_fds.get());
    }
}

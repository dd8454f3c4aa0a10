//! Prints results to standard output and failures to standard error; formats sizes and times.

use std::io::{self, IsTerminal as _, Write as _};

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::failure::Failure;
use crate::causes;

pub(super) fn stderr_is_terminal() -> bool {
    io::stderr().is_terminal()
}

/// Prints a result. A reader may close the pipe early.
pub(super) fn result(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::Output(error)),
        _ => Ok(()),
    }
}

/// The failed action, its object, the reason, and the next command.
pub(super) fn failure(failure: &Failure, command: &str) {
    let mut text = format!("error: {}\n", causes::chain(failure));
    if let Some(next) = failure.next_step(command) {
        text.push_str("next: ");
        text.push_str(&next);
        text.push('\n');
    }
    // If standard error is closed, nobody can be told.
    let _closed = io::stderr().lock().write_all(text.as_bytes());
}

/// A human-readable size; exact below 10 kB.
pub(super) fn size(bytes: u64) -> String {
    const UNITS: [(&str, u64); 4] = [
        ("TB", 1_000_000_000_000),
        ("GB", 1_000_000_000),
        ("MB", 1_000_000),
        ("kB", 1_000),
    ];
    match UNITS
        .into_iter()
        .find(|(_, unit)| bytes >= unit.saturating_mul(10).min(unit.saturating_mul(1_000)))
    {
        Some((name, unit)) => format!("{}.{} {name}", bytes / unit, bytes % unit / (unit / 10)),
        None => format!("{bytes} B"),
    }
}

/// A time as `2026-11-22T09:44:13Z`, or only the number if it is outside the calendar's range.
pub(super) fn utc(unix_secs: i64) -> String {
    OffsetDateTime::from_unix_timestamp(unix_secs)
        .ok()
        .and_then(|time| time.format(&Rfc3339).ok())
        .unwrap_or_else(|| unix_secs.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_times_are_readable() {
        assert_eq!(size(0), "0 B");
        assert_eq!(size(9_999), "9999 B");
        assert_eq!(size(97_254_432), "97.2 MB");
        assert_eq!(size(2_340_000_000), "2340.0 MB");
        assert_eq!(size(u64::MAX), "18446744.0 TB");
        assert_eq!(utc(1_795_340_653), "2026-11-22T09:44:13Z");
        assert_eq!(utc(i64::MAX), i64::MAX.to_string());
    }
}

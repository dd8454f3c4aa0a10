//! The program's messages during a run: plain lines on stderr, as in etcdbrctl, and a progress bar on a terminal.
//!
//! Scripts search for these lines, so the texts in [`lines`] never change. Warnings are printed immediately and also kept, so
//! that the summary can repeat them at the end. Messages never contain credentials or contents of keys.

use std::{
    fmt::Display,
    io::{Write as _, stderr},
};

use indicatif::{ProgressBar, ProgressStyle};
use parking_lot::Mutex;

/// Lines that scripts search for, identical to those of etcdbrctl.
pub(crate) mod lines {
    use std::time::Duration;

    pub(crate) const FINDING: &str = "Finding latest set of snapshot to recover from...";
    /// The last line, always and only on success.
    pub(crate) const SUCCESS: &str = "Successfully restored the etcd data directory.";

    pub(crate) const NEXT_AFTER_PARTIAL: &str = "next: start etcd if this loss is acceptable (--full-only says so beforehand), or remove \
         the directory and restore with etcdbrctl, which applies deltas";

    pub(crate) fn restoring_from(name: &str) -> String {
        format!("Restoring from base snapshot: {name}")
    }

    pub(crate) fn fetched_in(elapsed: Duration) -> String {
        format!(
            "successfully fetched data of base snapshot in {:.2} seconds",
            elapsed.as_secs_f64()
        )
    }
}

/// Prints messages and keeps warnings.
#[derive(Debug, Default)]
pub(crate) struct Console {
    warnings: Mutex<Vec<String>>,
}

impl Console {
    /// Prints one line. A closed stderr must not stop a restore, so failures to write are ignored.
    #[expect(
        clippy::unused_self,
        reason = "lines go through the console that also owns the warnings"
    )]
    pub(crate) fn line(&self, text: impl Display) {
        let _closed = writeln!(stderr().lock(), "{text}");
    }

    pub(crate) fn warn(&self, text: String) {
        self.line(format_args!("warning: {text}"));
        self.warnings.lock().push(text);
    }

    pub(crate) fn warnings(&self) -> Vec<String> {
        self.warnings.lock().clone()
    }

    /// A bar that is shown only on a terminal.
    #[expect(clippy::unused_self, reason = "bars share stderr with the lines")]
    pub(crate) fn progress(&self, total_bytes: u64) -> ProgressBar {
        let bar = ProgressBar::new(total_bytes);
        if let Ok(style) =
            ProgressStyle::with_template("{bar:40} {bytes}/{total_bytes} {bytes_per_sec} eta {eta}")
        {
            bar.set_style(style);
        }
        bar
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_lines_are_the_ones_scripts_search() {
        assert_eq!(
            lines::FINDING,
            "Finding latest set of snapshot to recover from..."
        );
        assert_eq!(
            lines::restoring_from("Full-00000000-00111147-1679991074"),
            "Restoring from base snapshot: Full-00000000-00111147-1679991074"
        );
        assert_eq!(
            lines::fetched_in(Duration::from_millis(1_241)),
            "successfully fetched data of base snapshot in 1.24 seconds"
        );
        assert_eq!(
            lines::SUCCESS,
            "Successfully restored the etcd data directory."
        );
    }

    #[test]
    fn warnings_are_kept_for_the_summary() {
        let console = Console::default();
        console.warn("first".to_owned());
        console.warn("second".to_owned());
        assert_eq!(console.warnings(), ["first", "second"]);
    }
}

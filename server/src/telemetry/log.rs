//! The log: one line per event on standard error, as JSON for machines or as text for people.
//!
//! Events carry fields, never contents, credentials or signatures. A line that cannot be written is dropped: a full
//! log disk must not stop backups.

use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;

/// How lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// Text on a terminal, JSON otherwise.
    #[default]
    Auto,
    /// One JSON object per line, the event's fields at its top level.
    Json,
    /// Text for people.
    Text,
}

/// Which events are written when nothing else is said: ours in full, libraries only when something is wrong.
pub const FILTER_DEFAULT: &str = "warn,strongroom_server=info";

/// A checked filter, such as `info` or `warn,strongroom_server::s3=debug`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogFilter(String);

impl LogFilter {
    /// Checks a filter. A bare level, such as `debug`, speaks of our own events; libraries stay at `warn`, since their
    /// debug events may print requests.
    ///
    /// # Errors
    /// What the parser found wrong.
    pub fn parse(text: &str) -> Result<LogFilter, tracing_subscriber::filter::ParseError> {
        let bare = text
            .trim()
            .parse::<tracing_subscriber::filter::LevelFilter>()
            .is_ok();
        let text = if bare {
            format!("warn,strongroom_server={}", text.trim())
        } else {
            text.to_owned()
        };
        EnvFilter::builder().parse(&text)?;
        Ok(LogFilter(text))
    }

    /// The filter as the library takes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn to_env_filter(&self) -> EnvFilter {
        EnvFilter::builder().parse_lossy(&self.0)
    }
}

impl Default for LogFilter {
    fn default() -> Self {
        LogFilter(FILTER_DEFAULT.to_owned())
    }
}

/// Starts the log for the whole process; a second call changes nothing.
pub fn start(filter: &LogFilter, format: LogFormat) {
    let terminal = io::stderr().is_terminal();
    let json = match format {
        LogFormat::Auto => !terminal,
        LogFormat::Json => true,
        LogFormat::Text => false,
    };
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter.to_env_filter())
        .with_writer(io::stderr)
        .log_internal_errors(false);
    let _started = if json {
        lines
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .with_span_list(false)
            .try_init()
    } else {
        lines.with_ansi(terminal).try_init()
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_level_speaks_of_our_own_events_only() {
        let filter = LogFilter::parse("debug").expect("a level is a filter");
        assert_eq!(filter.as_str(), "warn,strongroom_server=debug");
        let filter = LogFilter::parse("info,hyper=debug").expect("directives are a filter");
        assert_eq!(filter.as_str(), "info,hyper=debug");
    }

    #[test]
    fn a_filter_that_does_not_parse_is_refused() {
        assert!(LogFilter::parse("strongroom_server=loud").is_err());
    }
}

//! The log: one line per event on standard error, as JSON for machines or as text for people; what is logged can be
//! changed while the program runs.
//!
//! Events carry fields, never contents, credentials or signatures. What belongs to a request or to a job's run happens
//! inside a span, whose fields stand in each line of it. A line that cannot be written is dropped: a full log disk must
//! not stop backups.

mod json;

use std::io::{self, IsTerminal};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tracing::Dispatch;
use tracing_subscriber::filter::{LevelFilter, ParseError};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::JsonFields;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::{EnvFilter, Registry, fmt, reload};

use crate::telemetry::log::json::JsonLines;

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

/// What a line looks like, once it is known where it goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// One JSON object.
    Json,
    /// Text without colours.
    Plain,
    /// Text with colours.
    Coloured,
}

/// Which events are written when nothing else is said: ours in full, libraries only when something is wrong.
pub const FILTER_DEFAULT: &str = "warn,strongroom_server=info";

/// A checked filter, such as `info` or `warn,strongroom_server::s3=debug`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogFilter(String);

/// Why a text is no filter.
#[derive(Debug, thiserror::Error)]
pub enum LogFilterError {
    /// Nothing would be said.
    #[error("it is empty: write a level (error, warn, info, debug, trace) or directives")]
    Empty,
    /// A misspelt level would silence everything: the library takes it for the name of a module.
    #[error(
        "`{0}` is no level (off, error, warn, info, debug, trace), and a module needs one: `{0}=debug`"
    )]
    NoLevel(String),
    /// The library refuses it.
    #[error(transparent)]
    Syntax(#[from] ParseError),
}

impl LogFilter {
    /// Checks a filter. A bare level, such as `debug`, speaks of our own events; libraries stay at `warn`, since their
    /// debug events may print requests.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<LogFilter, LogFilterError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(LogFilterError::Empty);
        }
        if is_level(text) {
            return Ok(LogFilter(format!("warn,strongroom_server={text}")));
        }
        // Commas inside a span's brackets are none between directives; there, the library's own check must do.
        let directives = text.split(',').filter(|_| !text.contains('['));
        for directive in directives.map(str::trim) {
            if !directive.contains('=') && !is_level(directive) {
                return Err(LogFilterError::NoLevel(directive.to_owned()));
            }
        }
        EnvFilter::builder().parse(text)?;
        Ok(LogFilter(text.to_owned()))
    }

    /// The filter as the library takes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn to_env_filter(&self) -> EnvFilter {
        EnvFilter::builder().parse_lossy(&self.0)
    }
}

fn is_level(text: &str) -> bool {
    // The library takes nothing for `error`.
    !text.is_empty() && text.parse::<LevelFilter>().is_ok()
}

impl Default for LogFilter {
    fn default() -> Self {
        LogFilter(FILTER_DEFAULT.to_owned())
    }
}

/// The running log's filter: as configured, and as it is now.
#[derive(Debug)]
pub struct LogControl {
    configured: LogFilter,
    now: Mutex<LogFilter>,
    handle: reload::Handle<EnvFilter, Registry>,
}

/// The log is gone: the process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the log is not running any more")]
pub struct LogGone;

impl LogControl {
    /// What the configuration asks for.
    pub fn configured(&self) -> &LogFilter {
        &self.configured
    }

    /// What applies now.
    pub fn now(&self) -> LogFilter {
        self.current().clone()
    }

    /// Whether somebody has changed it.
    pub fn is_overridden(&self) -> bool {
        *self.current() != self.configured
    }

    /// Changes it until the next change or the end of the process, and says so in the log before and after: one of the
    /// two filters may hide the line.
    ///
    /// # Errors
    /// [`LogGone`].
    pub fn set(&self, filter: LogFilter) -> Result<(), LogGone> {
        let mut now = self.current();
        tracing::warn!(
            from = now.as_str(),
            to = filter.as_str(),
            "the log filter changes"
        );
        self.handle
            .reload(filter.to_env_filter())
            .map_err(|_| LogGone)?;
        *now = filter;
        tracing::warn!(filter = now.as_str(), "the log filter has changed");
        Ok(())
    }

    /// Back to what the configuration asks for.
    ///
    /// # Errors
    /// [`LogGone`].
    pub fn reset(&self) -> Result<(), LogGone> {
        self.set(self.configured.clone())
    }

    fn current(&self) -> MutexGuard<'_, LogFilter> {
        // The value is replaced as a whole, so a panic elsewhere does not spoil it.
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A log that writes to `writer`, and the way to change what it says.
pub fn build<W>(filter: &LogFilter, look: Look, writer: W) -> (Dispatch, LogControl)
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let (filtering, handle) = reload::Layer::new(filter.to_env_filter());
    let filtered = tracing_subscriber::registry().with(filtering);
    let lines = fmt::layer().log_internal_errors(false);
    let dispatch = if look == Look::Json {
        let lines = lines.fmt_fields(JsonFields::new()).event_format(JsonLines);
        Dispatch::new(filtered.with(lines.with_writer(writer)))
    } else {
        let lines = lines.with_ansi(look == Look::Coloured);
        Dispatch::new(filtered.with(lines.with_writer(writer)))
    };
    let control = LogControl {
        configured: filter.clone(),
        now: Mutex::new(filter.clone()),
        handle,
    };
    (dispatch, control)
}

/// Starts the log for the whole process; a second call changes nothing, and its control controls nothing.
pub fn start(filter: &LogFilter, format: LogFormat) -> LogControl {
    let terminal = io::stderr().is_terminal();
    let look = match format {
        LogFormat::Auto if !terminal => Look::Json,
        LogFormat::Json => Look::Json,
        LogFormat::Auto | LogFormat::Text if terminal => Look::Coloured,
        LogFormat::Auto | LogFormat::Text => Look::Plain,
    };
    let (dispatch, control) = build(filter, look, io::stderr);
    let _second = tracing::dispatcher::set_global_default(dispatch);
    control
}

#[cfg(test)]
mod tests;

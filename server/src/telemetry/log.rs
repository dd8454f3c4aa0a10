//! The log: one line per event on standard error, as JSON for machines or as text for people. Its filter can be changed
//! while the program runs.
//!
//! Events carry fields, never contents, credentials or signatures. Each request and each run of a job has a span; the
//! span's fields appear in all its lines: in JSON under `span`, in text before the message. A line that cannot be
//! written is dropped, because a full log disk must not stop backups.

use std::io::{self, IsTerminal};

use parking_lot::Mutex;
use tracing::Dispatch;
use tracing_subscriber::filter::{Builder, LevelFilter, ParseError};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::{EnvFilter, Registry, fmt, reload};

/// The configured format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// Text on a terminal, JSON otherwise.
    #[default]
    Auto,
    /// One JSON object per line: the event's fields at its top level, those of its request or job under `span`.
    Json,
    /// Text for people.
    Text,
}

/// The format of lines, once their destination is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineFormat {
    /// One JSON object.
    Json,
    /// Text without colours.
    Plain,
    /// Text with colours.
    Coloured,
}

/// The default filter: our own events from `info` up, those of libraries from `warn` up.
pub const FILTER_DEFAULT: &str = "warn,strongroom_server=info";

/// A checked filter, such as `info` or `warn,strongroom_server::s3=debug`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogFilter(String);

/// Why a text is not a filter.
#[derive(Debug, thiserror::Error)]
pub enum LogFilterError {
    /// It would log nothing.
    #[error("it is empty: write a level (error, warn, info, debug, trace) or directives")]
    Empty,
    /// The library takes a misspelt level for a module name, which would silence everything.
    #[error(
        "`{0}` is no level (off, error, warn, info, debug, trace), and a module needs one: `{0}=debug`"
    )]
    NoLevel(String),
    /// It would hide what operators must see.
    #[error("it hides the errors of strongroom-server: write `error` or more")]
    Silent,
    /// A value of a field would be compared with the value's debug form, and match nothing.
    #[error("the value `{0}` needs quotes: [request{{api=\"PutObject\"}}]=debug")]
    Unquoted(String),
    /// The library rejects it.
    #[error(transparent)]
    Syntax(#[from] ParseError),
}

impl LogFilter {
    /// Checks a filter. A bare level, such as `debug`, applies to our own events only; libraries stay at `warn`, because
    /// their debug events may print requests.
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
        // Commas inside a span's brackets do not separate directives; such a filter is only checked by the library.
        let directives = text.split(',').filter(|_| !text.contains('['));
        for directive in directives.map(str::trim) {
            if !directive.contains('=') && !is_level(directive) {
                return Err(LogFilterError::NoLevel(directive.to_owned()));
            }
        }
        if let Some(value) = unquoted_value(text) {
            return Err(LogFilterError::Unquoted(value.to_owned()));
        }
        builder().parse(text)?;
        Ok(LogFilter(text.to_owned()))
    }

    /// Checks a filter for a running process. As [`LogFilter::parse`], but errors of this program must stay visible: such a
    /// change would be forgotten, and nobody would see why.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse_change(text: &str) -> Result<LogFilter, LogFilterError> {
        let filter = LogFilter::parse(text)?;
        let trial = Dispatch::new(Registry::default().with(filter.to_env_filter()));
        let visible = tracing::dispatcher::with_default(
            &trial,
            || tracing::enabled!(target: "strongroom_server::process", tracing::Level::ERROR),
        );
        if visible {
            Ok(filter)
        } else {
            Err(LogFilterError::Silent)
        }
    }

    /// The filter as text, in the library's syntax.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn to_env_filter(&self) -> EnvFilter {
        builder().parse_lossy(&self.0)
    }
}

/// A text value of a field without quotes; numbers and booleans have none.
fn unquoted_value(text: &str) -> Option<&str> {
    let groups = text
        .split('{')
        .skip(1)
        .filter_map(|rest| rest.split('}').next());
    let mut values = groups
        .flat_map(|fields| fields.split(','))
        .filter_map(|field| field.split_once('=').map(|(_, value)| value.trim()));
    values.find(|value| {
        let quoted = value.len() > 1 && value.starts_with('"') && value.ends_with('"');
        let plain = value.parse::<f64>().is_ok() || value.parse::<bool>().is_ok();
        !(quoted || plain)
    })
}

/// Values of fields are compared as text. As regular expressions they would let a filter of a few bytes take all memory.
fn builder() -> Builder {
    EnvFilter::builder().with_regex(false)
}

fn is_level(text: &str) -> bool {
    // The library reads an empty text as `error`.
    !text.is_empty() && text.parse::<LevelFilter>().is_ok()
}

impl Default for LogFilter {
    fn default() -> Self {
        LogFilter(FILTER_DEFAULT.to_owned())
    }
}

/// Controls the filter of the running log.
#[derive(Debug)]
pub struct LogControl {
    configured: LogFilter,
    now: Mutex<LogFilter>,
    handle: reload::Handle<EnvFilter, Registry>,
}

/// The log is not running: the process is ending.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the log is not running any more")]
pub struct LogGone;

impl LogControl {
    /// The configured filter.
    pub fn configured(&self) -> &LogFilter {
        &self.configured
    }

    /// The current filter.
    pub fn now(&self) -> LogFilter {
        self.now.lock().clone()
    }

    /// Whether it differs from the configured one.
    pub fn is_overridden(&self) -> bool {
        *self.now.lock() != self.configured
    }

    /// Changes the filter until the next change or the end of the process. The change is logged before and after,
    /// because one of the two filters may hide the line.
    ///
    /// # Errors
    /// [`LogGone`].
    pub fn set(&self, filter: LogFilter) -> Result<(), LogGone> {
        let mut now = self.now.lock();
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

    /// Returns to the configured filter.
    ///
    /// # Errors
    /// [`LogGone`].
    pub fn reset(&self) -> Result<(), LogGone> {
        self.set(self.configured.clone())
    }
}

/// Creates a log that writes to `writer`, and the control of its filter.
pub fn build<W>(filter: &LogFilter, format: LineFormat, writer: W) -> (Dispatch, LogControl)
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let (filtering, handle) = reload::Layer::new(filter.to_env_filter());
    let filtered = tracing_subscriber::registry().with(filtering);
    let lines = fmt::layer().log_internal_errors(false);
    let dispatch = if format == LineFormat::Json {
        // A request or a job's run has one span, so a list of spans would repeat it.
        let lines = lines.json().flatten_event(true).with_span_list(false);
        Dispatch::new(filtered.with(lines.with_writer(writer)))
    } else {
        let lines = lines.with_ansi(format == LineFormat::Coloured);
        Dispatch::new(filtered.with(lines.with_writer(writer)))
    };
    let control = LogControl {
        configured: filter.clone(),
        now: Mutex::new(filter.clone()),
        handle,
    };
    (dispatch, control)
}

/// Starts the log of the process. A second call and its control have no effect.
pub fn start(filter: &LogFilter, format: LogFormat) -> LogControl {
    let terminal = io::stderr().is_terminal();
    let format = match format {
        LogFormat::Json => LineFormat::Json,
        LogFormat::Auto if !terminal => LineFormat::Json,
        LogFormat::Auto | LogFormat::Text if terminal => LineFormat::Coloured,
        LogFormat::Auto | LogFormat::Text => LineFormat::Plain,
    };
    let (dispatch, control) = build(filter, format, io::stderr);
    let _second = tracing::dispatcher::set_global_default(dispatch);
    control
}

#[cfg(test)]
mod tests;

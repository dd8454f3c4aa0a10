//! A line as one flat JSON object: time, level, message, the fields of the spans around the event, its own, its module.
//!
//! The library's own format keeps the fields of spans in an object of their own; here `request_id` stands at the top of
//! each line of a request, whoever wrote it.

use std::fmt::{self, Write as _};

use serde::Serialize;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::{JsonFields, Writer};
use tracing_subscriber::fmt::time::{FormatTime as _, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormattedFields};
use tracing_subscriber::registry::LookupSpan;

/// The event's text, as the library names it.
const MESSAGE: &str = "message";

/// Writes such lines.
pub(super) struct JsonLines;

impl<S> FormatEvent<S, JsonFields> for JsonLines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, JsonFields>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut time = String::new();
        SystemTime.format_time(&mut Writer::new(&mut time))?;
        let mut line = Line::default();
        line.put("timestamp", time);
        line.put("level", event.metadata().level().as_str());
        event.record(&mut Only(&mut line, |field| field == MESSAGE));
        let spans = context.event_scope().into_iter();
        for span in spans.flat_map(tracing_subscriber::registry::Scope::from_root) {
            if let Some(fields) = span.extensions().get::<FormattedFields<JsonFields>>() {
                line.put_object(fields);
            }
        }
        event.record(&mut Only(&mut line, |field| field != MESSAGE));
        line.put("target", event.metadata().target());
        writeln!(writer, "{{{}}}", line.0)
    }
}

/// The inside of a JSON object.
#[derive(Default)]
struct Line(String);

impl Line {
    fn put(&mut self, name: &str, value: impl Serialize) {
        // Numbers, texts and truth values always encode.
        let (Ok(name), Ok(value)) = (serde_json::to_string(name), serde_json::to_string(&value))
        else {
            return;
        };
        self.comma();
        let _infallible = write!(self.0, "{name}:{value}");
    }

    /// The members of an object that is JSON already.
    fn put_object(&mut self, object: &str) {
        let inside = object.trim().strip_prefix('{');
        if let Some(inside) = inside.and_then(|text| text.strip_suffix('}'))
            && !inside.is_empty()
        {
            self.comma();
            self.0.push_str(inside);
        }
    }

    fn comma(&mut self) {
        if !self.0.is_empty() {
            self.0.push(',');
        }
    }
}

/// Writes those fields of an event whose names pass.
struct Only<'a>(&'a mut Line, fn(&str) -> bool);

impl Only<'_> {
    fn put(&mut self, field: &Field, value: impl Serialize) {
        if (self.1)(field.name()) {
            self.0.put(field.name(), value);
        }
    }
}

impl Visit for Only<'_> {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, format!("{value:?}"));
    }
}

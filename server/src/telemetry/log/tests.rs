//! The format of lines, and filters that are refused or changed.

use std::io::Write;
use std::sync::Arc;

use super::*;

/// Log lines in memory.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Lines {
    fn text(&self) -> String {
        let bytes = self.0.lock();
        String::from_utf8(bytes.clone()).expect("lines are text")
    }
}

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Lines;

    fn make_writer(&'a self) -> Lines {
        self.clone()
    }
}

fn filter(text: &str) -> LogFilter {
    LogFilter::parse(text).expect("a filter")
}

fn an_event_in_two_spans() {
    let outer = tracing::error_span!("job", job = "gc", run = 3_u64);
    let _outer = outer.enter();
    let inner = tracing::error_span!("request", request_id = %"00AB", api = "Put\"Object");
    inner.in_scope(
        || tracing::info!(ok = true, bytes = 7, ratio = 0.5, key = ?"a\nb", "it went\tin"),
    );
}

#[test]
fn a_json_line_has_the_fields_of_its_span_in_an_object() {
    let lines = Lines::default();
    let (dispatch, _control) = build(&filter("trace"), LineFormat::Json, lines.clone());
    tracing::dispatcher::with_default(&dispatch, an_event_in_two_spans);
    let text = lines.text();
    let line: serde_json::Value = serde_json::from_str(&text).expect("one line of JSON");
    assert!(text.starts_with("{\"timestamp\":\"2"), "{text}");
    let mut fields = line.as_object().expect("an object").clone();
    assert!(fields.remove("timestamp").is_some());
    assert_eq!(
        serde_json::Value::Object(fields),
        serde_json::json!({
            "level": "INFO", "message": "it went\tin", "ok": true, "bytes": 7, "ratio": 0.5,
            "key": "\"a\\nb\"", "target": "strongroom_server::telemetry::log::tests",
            "span": { "name": "request", "request_id": "00AB", "api": "Put\"Object" },
        })
    );
}

#[test]
fn a_line_of_text_has_the_fields_of_its_spans() {
    let lines = Lines::default();
    let (dispatch, _control) = build(&filter("trace"), LineFormat::Plain, lines.clone());
    tracing::dispatcher::with_default(&dispatch, an_event_in_two_spans);
    let text = lines.text();
    assert_eq!(text.lines().count(), 1, "{text}");
    for part in [
        "job{job=\"gc\" run=3}",
        "request{request_id=00AB api=",
        " INFO ",
        "bytes=7",
    ] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
}

#[test]
fn spans_are_there_for_errors_whatever_the_filter_hides() {
    let lines = Lines::default();
    let (dispatch, _control) = build(&filter("error"), LineFormat::Json, lines.clone());
    tracing::dispatcher::with_default(&dispatch, || {
        an_event_in_two_spans();
        tracing::error_span!("request", request_id = %"00AB").in_scope(|| tracing::error!("wrong"));
    });
    let text = lines.text();
    assert!(
        !text.contains("it went") && text.contains("\"request_id\":\"00AB\""),
        "{text}"
    );
}

#[test]
fn what_is_logged_changes_and_goes_back() {
    let lines = Lines::default();
    let (dispatch, control) = build(&filter("warn"), LineFormat::Json, lines.clone());
    tracing::dispatcher::with_default(&dispatch, || {
        // One callsite: an earlier decision about it must not stick.
        let say = |what: &str| tracing::debug!("{what}");
        say("first");
        control.set(filter("debug")).expect("the log runs");
        assert!(control.is_overridden());
        say("second");
        control.reset().expect("the log runs");
        assert!(!control.is_overridden());
        say("third");
    });
    let text = lines.text();
    assert!(
        text.contains("second") && !text.contains("first") && !text.contains("third"),
        "{text}"
    );
    assert_eq!(text.matches("the log filter changes").count(), 2, "{text}");
}

#[test]
fn more_can_be_asked_of_some_requests_only() {
    let lines = Lines::default();
    let some = filter("warn,[request{api=\"PutObject\"}]=debug");
    let (dispatch, _control) = build(&some, LineFormat::Json, lines.clone());
    tracing::dispatcher::with_default(&dispatch, || {
        for api in ["PutObject", "GetObject"] {
            let span = tracing::error_span!("request", api);
            span.in_scope(|| tracing::debug!("looked at"));
        }
    });
    let text = lines.text();
    assert!(
        text.contains("PutObject") && !text.contains("GetObject"),
        "{text}"
    );
}

#[test]
fn a_bare_level_speaks_of_our_own_events_only() {
    assert_eq!(filter("debug").as_str(), "warn,strongroom_server=debug");
    assert_eq!(filter(" Info \n").as_str(), "warn,strongroom_server=Info");
    assert_eq!(filter("info,hyper=debug").as_str(), "info,hyper=debug");
    assert_eq!(filter("off").as_str(), "warn,strongroom_server=off");
    let by_span = "info,[request{api=\"PutObject\"}]=debug";
    assert_eq!(filter(by_span).as_str(), by_span);
}

#[test]
fn a_filter_that_does_not_parse_is_refused() {
    for (text, why) in [
        ("strongroom_server=loud", "expected one of"),
        ("debgu", "`debgu` is no level"),
        ("info,strongroom_server", "`strongroom_server=debug`"),
        ("info,,debug", "`` is no level"),
        ("", "it is empty"),
        (" \n", "it is empty"),
    ] {
        let refused = LogFilter::parse(text).expect_err(text).to_string();
        assert!(refused.contains(why), "{text}: {refused}");
    }
}

/// As a regular expression, a value of a few bytes could take all memory.
#[test]
fn a_value_in_a_filter_is_text_and_no_pattern() {
    let lines = Lines::default();
    let literal = filter("info,[request{api=\"P.t\"}]=debug");
    let (dispatch, _control) = build(&literal, LineFormat::Plain, lines.clone());
    tracing::dispatcher::with_default(&dispatch, || {
        tracing::error_span!("request", api = "Put").in_scope(|| tracing::debug!("a pattern"));
        tracing::error_span!("request", api = "P.t").in_scope(|| tracing::debug!("the text"));
    });
    let text = lines.text();
    assert!(
        text.contains("the text") && !text.contains("a pattern"),
        "{text}"
    );
}

#[test]
fn a_change_must_not_hide_errors() {
    for hides in [
        "off",
        "strongroom_server=off",
        "info,strongroom_server=off",
        "hyper=debug",
        "info,strongroom_server::process=off",
    ] {
        let refused = LogFilter::parse_change(hides);
        assert!(
            matches!(refused, Err(LogFilterError::Silent)),
            "{hides}: {refused:?}"
        );
    }
    for shows in [
        "error",
        "debug",
        "off,strongroom_server=error",
        "info,hyper=off",
        "warn,[request{api=\"PutObject\"}]=debug",
    ] {
        assert!(LogFilter::parse_change(shows).is_ok(), "{shows}");
    }
}

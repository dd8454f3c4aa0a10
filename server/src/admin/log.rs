//! `/log`: shows, changes and resets the log's filter while the server runs.
//!
//! [`super::access`] has checked who asks. A change lasts until the next one or a restart. It is logged, and a metric shows
//! it. A filter that would hide errors is refused: nobody would notice that it stayed.

use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::extract::State;
use axum::http::header::CONNECTION;
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use axum::routing::{MethodRouter, get};
use serde::Serialize;

use crate::admin::reply::{json, only, text};
use crate::admin::routes::Sources;
use crate::telemetry::log::{LogControl, LogFilter, LogGone};

/// A filter with a directive for each of our modules takes about a hundred bytes.
const FILTER_BYTES_MAX: usize = 1024;

/// The answer to GET and to each change.
#[derive(Serialize)]
struct FilterState<'a> {
    filter: &'a str,
    configured: &'a str,
    overridden: bool,
}

/// The methods of `/log`.
pub(super) fn routes() -> MethodRouter<Arc<Sources>> {
    get(show)
        .put(change)
        .delete(reset)
        .fallback(async || only("GET, HEAD, PUT, DELETE"))
}

async fn show(State(sources): State<Arc<Sources>>) -> Response {
    state_of(&sources.log)
}

async fn change(State(sources): State<Arc<Sources>>, body: Body) -> Response {
    match filter_of(body).await {
        Ok(filter) => changed(&sources.log, sources.log.set(filter)),
        Err(refusal) => refusal,
    }
}

async fn reset(State(sources): State<Arc<Sources>>) -> Response {
    changed(&sources.log, sources.log.reset())
}

async fn filter_of(body: Body) -> Result<LogFilter, Response> {
    let bad = |why: String| text(StatusCode::BAD_REQUEST, why);
    // A client that disconnected causes the same answer, but never reads it.
    let Ok(body) = to_bytes(body, FILTER_BYTES_MAX).await else {
        let why = format!("a log filter has at most {FILTER_BYTES_MAX} bytes\n");
        let mut refusal = text(StatusCode::PAYLOAD_TOO_LARGE, why);
        // The rest of the body is not read.
        let close = HeaderValue::from_static("close");
        refusal.headers_mut().insert(CONNECTION, close);
        return Err(refusal);
    };
    let Ok(wanted) = std::str::from_utf8(&body) else {
        return Err(bad("a log filter is text in UTF-8\n".to_owned()));
    };
    LogFilter::parse_change(wanted)
        .map_err(|why| bad(format!("`{}` is no log filter: {why}\n", wanted.trim())))
}

fn changed(log: &LogControl, changed: Result<(), LogGone>) -> Response {
    match changed {
        Ok(()) => state_of(log),
        Err(gone) => text(StatusCode::SERVICE_UNAVAILABLE, format!("{gone}\n")),
    }
}

fn state_of(log: &LogControl) -> Response {
    let now = log.now();
    json(&FilterState {
        filter: now.as_str(),
        configured: log.configured().as_str(),
        overridden: now != *log.configured(),
    })
}

//! `/log`: what is logged, to be looked at, changed and set back while the server runs.
//!
//! As everything on this listener it asks for no credentials: who reaches the listener may do it. A page in a browser may
//! not, since PUT and DELETE from another origin need a leave that this listener never gives. A change lasts until the
//! next one or a restart, is itself logged, and shows as a metric.

use std::error::Error;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Body;
use hyper::{Method, Request, Response, StatusCode};
use serde::Serialize;

use crate::admin::routes::{JSON_TYPE, refused, text, typed};
use crate::telemetry::log::{LogControl, LogFilter};

/// A filter with a directive for each of our modules has some hundred bytes.
const FILTER_BYTES_MAX: usize = 1024;

/// What GET shows and each change answers.
#[derive(Serialize)]
struct State<'a> {
    filter: &'a str,
    configured: &'a str,
    overridden: bool,
}

/// Answers one request to `/log`.
pub(super) async fn answer<B>(log: &LogControl, request: Request<B>) -> Response<Full<Bytes>>
where
    B: Body<Data = Bytes> + Send,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let changed = match *request.method() {
        Method::GET | Method::HEAD => Ok(()),
        Method::PUT => match filter_of(request).await {
            Ok(filter) => log.set(filter),
            Err(refusal) => return refusal,
        },
        Method::DELETE => log.reset(),
        _ => return refused("GET, HEAD, PUT, DELETE"),
    };
    match changed {
        Ok(()) => state(log),
        Err(gone) => text(StatusCode::SERVICE_UNAVAILABLE, format!("{gone}\n")),
    }
}

async fn filter_of<B>(request: Request<B>) -> Result<LogFilter, Response<Full<Bytes>>>
where
    B: Body<Data = Bytes> + Send,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let bad = |why: String| text(StatusCode::BAD_REQUEST, why);
    // Also a client that hung up: nobody reads its answer.
    let Ok(body) = Limited::new(request.into_body(), FILTER_BYTES_MAX)
        .collect()
        .await
        .map(http_body_util::Collected::to_bytes)
    else {
        let why = format!("a log filter has at most {FILTER_BYTES_MAX} bytes\n");
        return Err(text(StatusCode::PAYLOAD_TOO_LARGE, why));
    };
    let Ok(wanted) = std::str::from_utf8(&body) else {
        return Err(bad("a log filter is text in UTF-8\n".to_owned()));
    };
    LogFilter::parse(wanted)
        .map_err(|why| bad(format!("`{}` is no log filter: {why}\n", wanted.trim())))
}

fn state(log: &LogControl) -> Response<Full<Bytes>> {
    let now = log.now();
    let state = State {
        filter: now.as_str(),
        configured: log.configured().as_str(),
        overridden: now != *log.configured(),
    };
    let body = serde_json::to_vec(&state).expect("plain data always encodes");
    typed(StatusCode::OK, JSON_TYPE, body)
}

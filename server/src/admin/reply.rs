//! The common form of all answers: a type, a body, and no caching.

use axum::body::{Body, Bytes};
use axum::http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderName, StatusCode};
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;

/// Text for people.
const TEXT_TYPE: &str = "text/plain; charset=utf-8";

const JSON_TYPE: &str = "application/json";

pub(super) fn text(status: StatusCode, body: impl Into<Bytes>) -> Response {
    typed(status, TEXT_TYPE, body)
}

pub(super) fn json(value: &impl Serialize) -> Response {
    let body = serde_json::to_vec(value).expect("plain data always encodes");
    typed(StatusCode::OK, JSON_TYPE, body)
}

/// Refuses a method that the path does not support.
pub(super) fn only(allowed: &'static str) -> Response {
    let headers: [(HeaderName, &str); 1] = [(ALLOW, allowed)];
    let refused = text(StatusCode::METHOD_NOT_ALLOWED, format!("only {allowed}\n"));
    (headers, refused).into_response()
}

pub(super) fn typed(
    status: StatusCode,
    content_type: &'static str,
    body: impl Into<Bytes>,
) -> Response {
    let headers = [(CONTENT_TYPE, content_type), (CACHE_CONTROL, "no-store")];
    (status, headers, Body::from(body.into())).into_response()
}

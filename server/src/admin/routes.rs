//! Paths of the operators' listener and what they answer.

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Body;
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};

use crate::admin::log;
use crate::jobs::JobBoard;
use crate::telemetry::log::LogControl;
use crate::telemetry::{Metrics, NotReady, Readiness};

/// Prometheus' text format, version 0.0.4.
const METRICS_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

pub(super) const JSON_TYPE: &str = "application/json";

/// Everything else here is a line of text.
const TEXT_TYPE: &str = "text/plain; charset=utf-8";

/// Brings gauges up to date before a scrape.
type Sampler = Box<dyn Fn() -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;

/// The service behind the operators' listener.
pub struct Admin {
    metrics: Arc<Metrics>,
    readiness: Arc<Readiness>,
    jobs: Arc<JobBoard>,
    log: Arc<LogControl>,
    sample: Sampler,
}

impl Admin {
    /// A service that runs `sample` before each scrape.
    pub fn new<S, F>(
        metrics: Arc<Metrics>,
        readiness: Arc<Readiness>,
        jobs: Arc<JobBoard>,
        log: Arc<LogControl>,
        sample: S,
    ) -> Admin
    where
        S: Fn() -> F + Send + Sync + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        Admin {
            metrics,
            readiness,
            jobs,
            log,
            sample: Box::new(move || Box::pin(sample())),
        }
    }

    /// Answers one request.
    pub async fn answer<B>(&self, request: Request<B>) -> Response<Full<Bytes>>
    where
        B: Body<Data = Bytes> + Send,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        let method = request.method();
        match request.uri().path() {
            "/livez" | "/readyz" | "/metrics" | "/jobs" | "/"
                if *method != Method::GET && *method != Method::HEAD =>
            {
                refused("GET, HEAD")
            }
            "/livez" => text(StatusCode::OK, "ok\n"),
            "/readyz" => self.readyz(),
            "/metrics" => self.scrape().await,
            "/jobs" => self.jobs(),
            "/log" => log::answer(&self.log, request).await,
            "/" => text(
                StatusCode::OK,
                "strongroom-server\n/livez\n/readyz\n/metrics\n/jobs\n/log\n",
            ),
            _ => text(StatusCode::NOT_FOUND, "not found; / lists what is here\n"),
        }
    }

    fn readyz(&self) -> Response<Full<Bytes>> {
        match self.readiness.check() {
            Ok(()) => text(StatusCode::OK, "ok\n"),
            Err(why) => text(StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")),
        }
    }

    /// What runs in the background, how it went and when it runs next.
    fn jobs(&self) -> Response<Full<Bytes>> {
        let body = serde_json::to_vec(&self.jobs.list()).expect("plain data always encodes");
        typed(StatusCode::OK, JSON_TYPE, body)
    }

    async fn scrape(&self) -> Response<Full<Bytes>> {
        if self.readiness.check() == Err(NotReady::Starting) {
            // Before the store is open its gauges would be zero, and a restart would look like a loss.
            return self.readyz();
        }
        (self.sample)().await;
        self.metrics.set_ready(self.readiness.check().is_ok());
        self.metrics
            .set_read_only(self.readiness.read_only().is_some());
        self.metrics.set_jobs(&self.jobs.list());
        self.metrics.set_log_overridden(self.log.is_overridden());
        match self.metrics.encode() {
            Ok(body) => typed(StatusCode::OK, METRICS_TYPE, body),
            Err(error) => {
                tracing::error!(%error, "metrics cannot be written");
                text(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "metrics cannot be written; see the log\n",
                )
            }
        }
    }
}

impl fmt::Debug for Admin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admin")
            .field("readiness", &self.readiness)
            .finish_non_exhaustive()
    }
}

/// A method that this path does not have.
pub(super) fn refused(allowed: &'static str) -> Response<Full<Bytes>> {
    let why = format!("only {allowed}\n");
    let mut refused = text(StatusCode::METHOD_NOT_ALLOWED, why);
    refused
        .headers_mut()
        .insert(ALLOW, HeaderValue::from_static(allowed));
    refused
}

pub(super) fn text(status: StatusCode, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    typed(status, TEXT_TYPE, body)
}

pub(super) fn typed(
    status: StatusCode,
    content_type: &'static str,
    body: impl Into<Bytes>,
) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests;

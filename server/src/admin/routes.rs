//! Paths of the admin listener and their answers.

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::State;
use axum::http::{Request, StatusCode};
use axum::response::Response;
use axum::routing::{MethodRouter, get};
use tower_service::Service as _;

use crate::admin::access::Changes;
use crate::admin::log;
use crate::admin::reply::{json, only, text, typed};
use crate::jobs::JobBoard;
use crate::telemetry::log::LogControl;
use crate::telemetry::{Metrics, NotReady, Readiness};

/// Prometheus' text format, version 0.0.4.
const METRICS_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Updates gauges before a scrape.
type Sampler = Box<dyn Fn() -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;

/// The sources of the answers.
pub(super) struct Sources {
    metrics: Arc<Metrics>,
    readiness: Arc<Readiness>,
    jobs: Arc<JobBoard>,
    pub(super) log: Arc<LogControl>,
    sample: Sampler,
}

/// The service behind the admin listener.
pub struct Admin {
    router: Router,
    changes: Changes,
}

impl Admin {
    /// A service that runs `sample` before each scrape.
    pub fn new<S, F>(
        metrics: Arc<Metrics>,
        readiness: Arc<Readiness>,
        jobs: Arc<JobBoard>,
        log: Arc<LogControl>,
        changes: Changes,
        sample: S,
    ) -> Admin
    where
        S: Fn() -> F + Send + Sync + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let sources = Arc::new(Sources {
            metrics,
            readiness,
            jobs,
            log,
            sample: Box::new(move || Box::pin(sample())),
        });
        let router = Router::new()
            .route("/", read_only(get(index)))
            .route("/livez", read_only(get(livez)))
            .route("/readyz", read_only(get(readyz)))
            .route("/metrics", read_only(get(metrics_page)))
            .route("/jobs", read_only(get(job_list)))
            .route("/log", log::routes())
            .fallback(not_found)
            .with_state(sources);
        Admin { router, changes }
    }

    /// Answers one request.
    pub async fn answer<B>(&self, request: Request<B>) -> Response
    where
        B: HttpBody<Data = Bytes> + Send + 'static,
        B::Error: Into<axum::BoxError>,
    {
        let (method, path) = (request.method(), request.uri().path());
        if let Err(refused) = self.changes.check(method, path, request.headers()) {
            return *refused;
        }
        let answered: Result<_, Infallible> =
            self.router.clone().call(request.map(Body::new)).await;
        let Ok(response) = answered;
        response
    }
}

impl fmt::Debug for Admin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admin").finish_non_exhaustive()
    }
}

/// Refuses every method except GET and HEAD.
fn read_only(route: MethodRouter<Arc<Sources>>) -> MethodRouter<Arc<Sources>> {
    route.fallback(async || only("GET, HEAD"))
}

async fn index() -> Response {
    text(
        StatusCode::OK,
        "strongroom-server\n/livez\n/readyz\n/metrics\n/jobs\n/log\n",
    )
}

async fn not_found() -> Response {
    text(StatusCode::NOT_FOUND, "not found; / lists what is here\n")
}

async fn livez() -> Response {
    text(StatusCode::OK, "ok\n")
}

async fn readyz(State(sources): State<Arc<Sources>>) -> Response {
    match sources.readiness.check() {
        Ok(()) => text(StatusCode::OK, "ok\n"),
        Err(why) => text(StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")),
    }
}

async fn job_list(State(sources): State<Arc<Sources>>) -> Response {
    json(&sources.jobs.list())
}

async fn metrics_page(State(sources): State<Arc<Sources>>) -> Response {
    if sources.readiness.check() == Err(NotReady::Starting) {
        // Before the store is open its gauges would be zero, and a restart would look like data loss.
        return readyz(State(sources)).await;
    }
    (sources.sample)().await;
    let metrics = &sources.metrics;
    metrics.set_ready(sources.readiness.check().is_ok());
    metrics.set_read_only(sources.readiness.read_only().is_some());
    metrics.set_jobs(&sources.jobs.list());
    metrics.set_log_overridden(sources.log.is_overridden());
    match metrics.encode() {
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

#[cfg(test)]
mod tests;

//! Paths of the operators' listener and what they answer.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};

use crate::jobs::JobBoard;
use crate::telemetry::{Metrics, NotReady, Readiness};

/// Prometheus' text format, version 0.0.4.
const METRICS_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

const JSON_TYPE: &str = "application/json";

/// Everything else here is a line of text.
const TEXT_TYPE: &str = "text/plain; charset=utf-8";

/// Brings gauges up to date before a scrape.
type Sampler = Box<dyn Fn() -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;

/// The service behind the operators' listener.
pub struct Admin {
    metrics: Arc<Metrics>,
    readiness: Arc<Readiness>,
    jobs: Arc<JobBoard>,
    sample: Sampler,
}

impl Admin {
    /// A service that runs `sample` before each scrape.
    pub fn new<S, F>(
        metrics: Arc<Metrics>,
        readiness: Arc<Readiness>,
        jobs: Arc<JobBoard>,
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
            sample: Box::new(move || Box::pin(sample())),
        }
    }

    /// Answers one request; its body is not read.
    pub async fn answer<B>(&self, request: &Request<B>) -> Response<Full<Bytes>> {
        let method = request.method();
        match request.uri().path() {
            "/livez" | "/readyz" | "/metrics" | "/jobs" | "/"
                if *method != Method::GET && *method != Method::HEAD =>
            {
                let mut refused = text(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD\n");
                refused
                    .headers_mut()
                    .insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
                refused
            }
            "/livez" => text(StatusCode::OK, "ok\n"),
            "/readyz" => self.readyz(),
            "/metrics" => self.scrape().await,
            "/jobs" => self.jobs(),
            "/" => text(
                StatusCode::OK,
                "strongroom-server\n/livez\n/readyz\n/metrics\n/jobs\n",
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

fn text(status: StatusCode, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    typed(status, TEXT_TYPE, body)
}

fn typed(
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
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use http_body_util::BodyExt;

    use super::*;
    use crate::clock::UnixMillis;

    struct Fixture {
        admin: Admin,
        readiness: Arc<Readiness>,
        samples: Arc<AtomicU32>,
    }

    fn fixture() -> Fixture {
        let readiness = Arc::new(Readiness::starting());
        let samples = Arc::new(AtomicU32::new(0));
        let metrics = Arc::new(Metrics::new(&["PutObject"], UnixMillis(0)));
        let counted = Arc::clone(&samples);
        let admin = Admin::new(
            metrics,
            Arc::clone(&readiness),
            JobBoard::new(),
            move || {
                counted.fetch_add(1, Ordering::SeqCst);
                std::future::ready(())
            },
        );
        Fixture {
            admin,
            readiness,
            samples,
        }
    }

    async fn ask(admin: &Admin, method: Method, path: &str) -> (StatusCode, String) {
        let mut request = Request::new(());
        *request.method_mut() = method;
        *request.uri_mut() = path.parse().expect("the path is a URI");
        let response = admin.answer(&request).await;
        let status = response.status();
        let body = response
            .into_body()
            .collect()
            .await
            .expect("a full body cannot fail")
            .to_bytes();
        (
            status,
            String::from_utf8(body.to_vec()).expect("answers are text"),
        )
    }

    #[tokio::test]
    async fn readiness_follows_the_process_and_liveness_does_not() {
        let Fixture {
            admin, readiness, ..
        } = fixture();
        let (status, body) = ask(&admin, Method::GET, "/readyz").await;
        assert_eq!(
            (status, body.as_str()),
            (
                StatusCode::SERVICE_UNAVAILABLE,
                "starting: the store is being opened\n"
            )
        );
        readiness.serve(|| None);
        assert_eq!(
            ask(&admin, Method::GET, "/readyz").await,
            (StatusCode::OK, "ok\n".to_owned())
        );
        readiness.stop();
        let (status, body) = ask(&admin, Method::GET, "/readyz").await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(body.starts_with("stopping"), "{body}");
        assert_eq!(ask(&admin, Method::GET, "/livez").await.0, StatusCode::OK);
    }

    #[tokio::test]
    async fn a_latched_store_is_told_by_readyz_and_by_a_metric() {
        let Fixture {
            admin, readiness, ..
        } = fixture();
        readiness.serve(|| Some("fsync failed".to_owned()));
        let (status, body) = ask(&admin, Method::GET, "/readyz").await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(body.contains("fsync failed"), "{body}");
        let (_, metrics) = ask(&admin, Method::GET, "/metrics").await;
        assert!(
            metrics.contains("\nstrongroom_store_read_only 1\n"),
            "{metrics}"
        );
        assert!(metrics.contains("\nstrongroom_ready 0\n"), "{metrics}");
    }

    #[tokio::test]
    async fn a_scrape_waits_for_the_store_and_samples_first() {
        let Fixture {
            admin,
            readiness,
            samples,
        } = fixture();
        let (early, _) = ask(&admin, Method::GET, "/metrics").await;
        assert_eq!(early, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(samples.load(Ordering::SeqCst), 0);
        readiness.serve(|| None);
        let (status, body) = ask(&admin, Method::GET, "/metrics").await;
        assert_eq!(status, StatusCode::OK);
        assert!(body.contains("strongroom_s3_requests_total"), "{body}");
        ask(&admin, Method::GET, "/metrics?x=y").await;
        assert_eq!(samples.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn other_paths_and_methods_are_refused() {
        let Fixture { admin, .. } = fixture();
        assert_eq!(
            ask(&admin, Method::GET, "/nothing").await.0,
            StatusCode::NOT_FOUND
        );
        assert_eq!(
            ask(&admin, Method::POST, "/metrics").await.0,
            StatusCode::METHOD_NOT_ALLOWED
        );
        assert_eq!(ask(&admin, Method::HEAD, "/livez").await.0, StatusCode::OK);
    }
}

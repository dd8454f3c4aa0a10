//! The log line and the metrics of each request, and the span of all its log lines.
//!
//! A [`RequestWatch`] lives from the request's head to the end of its answer's body and reports when it is dropped, so
//! every request is reported, however it ends. Invariants: exactly one line for each request; no credentials, no
//! signatures, no contents.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tracing::Span;

use crate::clock::Clock;
use crate::model::{BucketName, ObjectKey};
use crate::s3::reply::S3BodyError;
use crate::telemetry::metrics::InFlight;
use crate::telemetry::{FinishedRequest, Metrics};

/// The logged status when the client left before it had an answer; nginx' convention, not an HTTP status.
const CLIENT_GONE: u16 = 499;

/// Watches one request.
pub(crate) struct RequestWatch {
    metrics: Arc<Metrics>,
    clock: Arc<dyn Clock>,
    in_flight: Option<InFlight>,
    started: Duration,
    record: RequestRecord,
    span: Span,
}

/// The fields of a request's log line.
#[derive(Debug)]
pub(crate) struct RequestRecord {
    pub(crate) id: String,
    pub(crate) api: &'static str,
    pub(crate) peer: Option<SocketAddr>,
    /// The access key that the request names.
    pub(crate) access_key: Option<String>,
    /// As sent, but not longer than a line can bear.
    pub(crate) user_agent: Option<String>,
    pub(crate) bucket: Option<BucketName>,
    pub(crate) key: Option<ObjectKey>,
    pub(crate) status: u16,
    /// S3's error code; empty when there is none.
    pub(crate) code: &'static str,
    pub(crate) received: u64,
    pub(crate) sent: u64,
}

impl RequestRecord {
    /// An empty record.
    pub(crate) fn new(id: String, peer: Option<SocketAddr>) -> RequestRecord {
        RequestRecord {
            id,
            api: crate::telemetry::names::API_OTHER,
            peer,
            access_key: None,
            user_agent: None,
            bucket: None,
            key: None,
            status: CLIENT_GONE,
            code: "",
            received: 0,
            sent: 0,
        }
    }
}

impl std::fmt::Debug for RequestWatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.record.fmt(f)
    }
}

impl RequestWatch {
    /// Starts the timer and the span.
    pub(crate) fn start(
        metrics: Arc<Metrics>,
        clock: Arc<dyn Clock>,
        record: RequestRecord,
    ) -> RequestWatch {
        let in_flight = Some(metrics.request_started(record.api));
        // At error level, so that each log line of a request names the request, whatever the filter hides.
        let span = tracing::error_span!("request", request_id = %record.id, api = record.api);
        RequestWatch {
            started: clock.elapsed(),
            metrics,
            clock,
            in_flight,
            record,
            span,
        }
    }

    /// The span of the request's log lines.
    pub(crate) fn span(&self) -> Span {
        self.span.clone()
    }

    /// The request's id, as sent to the client.
    pub(crate) fn id(&self) -> &str {
        &self.record.id
    }

    /// Records that the answer's head is sent now.
    pub(crate) fn answered(&mut self, status: u16, code: &'static str, received: u64) {
        let took = self.clock.elapsed().saturating_sub(self.started);
        self.metrics.request_answered(self.record.api, took);
        self.record.status = status;
        self.record.code = code;
        self.record.received = received;
    }

    /// Counts bytes of the answer's body.
    pub(crate) fn sent(&mut self, bytes: usize) {
        self.record.sent += u64::try_from(bytes).unwrap_or(u64::MAX);
    }

    /// Records that the answer's body ends early.
    pub(crate) fn broke(&mut self, error: &S3BodyError) {
        self.record.code = "InternalError";
        self.metrics.answer_broken();
        let _entered = self.span.enter();
        let RequestRecord {
            bucket, key, sent, ..
        } = &self.record;
        let (bucket, key) = (
            bucket.as_ref().map(BucketName::as_str),
            key.as_ref().map(ObjectKey::as_str),
        );
        tracing::error!(bucket, key, sent, %error, "an object cannot be read; the connection is cut");
    }
}

impl Drop for RequestWatch {
    fn drop(&mut self) {
        let _entered = self.span.enter();
        let record = &self.record;
        let took = self.clock.elapsed().saturating_sub(self.started);
        drop(self.in_flight.take());
        self.metrics.request_finished(FinishedRequest {
            api: record.api,
            status: record.status,
            duration: took,
            received: record.received,
            sent: record.sent,
        });
        tracing::info!(
            peer = record.peer.map(tracing::field::display),
            access_key = record.access_key,
            user_agent = record.user_agent,
            bucket = record.bucket.as_ref().map(BucketName::as_str),
            key = record.key.as_ref().map(ObjectKey::as_str),
            status = record.status,
            code = record.code,
            received = record.received,
            sent = record.sent,
            ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            "s3 request"
        );
    }
}

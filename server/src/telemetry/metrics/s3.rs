//! Metrics of S3 requests, by operation.

use std::collections::HashMap;
use std::time::Duration;

use prometheus::{Histogram, IntCounter, IntCounterVec, IntGauge, Registry};

use super::FinishedRequest;
use super::register::{counters, gauges, histograms, keep};
use crate::telemetry::names;

/// Request seconds: 5 ms is a cached answer, 60 s a large body on a slow line (beyond: `+Inf`).
const REQUEST_SECONDS: [f64; 13] = [
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0,
];

/// Series of S3 requests.
#[derive(Debug)]
pub(super) struct S3Series {
    apis: HashMap<&'static str, PerApi>,
    requests: IntCounterVec,
    pub(super) broken: IntCounter,
}

/// Series of one operation, looked up once.
#[derive(Debug)]
struct PerApi {
    in_flight: IntGauge,
    duration: Histogram,
    first_byte: Histogram,
    received: IntCounter,
    sent: IntCounter,
}

impl S3Series {
    pub(super) fn register(registry: &Registry, apis: &[&'static str]) -> S3Series {
        let in_flight = gauges(
            registry,
            names::S3_IN_FLIGHT,
            "S3 requests being answered now",
            names::LABEL_API,
        );
        let duration = histograms(
            registry,
            names::S3_DURATION,
            "Seconds from a request's head to the end of its answer",
            names::LABEL_API,
            &REQUEST_SECONDS,
        );
        let first_byte = histograms(
            registry,
            names::S3_FIRST_BYTE,
            "Seconds from a request's head to the head of its answer",
            names::LABEL_API,
            &REQUEST_SECONDS,
        );
        let received = counters(
            registry,
            names::S3_RECEIVED,
            "Body bytes that clients sent",
            &[names::LABEL_API],
        );
        let sent = counters(
            registry,
            names::S3_SENT,
            "Body bytes sent to clients",
            &[names::LABEL_API],
        );
        let by_code = [names::LABEL_API, names::LABEL_CODE];
        let requests = counters(
            registry,
            names::S3_REQUESTS,
            "Finished S3 requests by operation and HTTP status",
            &by_code,
        );
        let mut per_api = HashMap::new();
        for api in apis.iter().copied().chain([names::API_OTHER]) {
            for code in names::CODES_AT_START {
                requests.with_label_values(&[api, code]).reset();
            }
            let series = PerApi {
                in_flight: in_flight.with_label_values(&[api]),
                duration: duration.with_label_values(&[api]),
                first_byte: first_byte.with_label_values(&[api]),
                received: received.with_label_values(&[api]),
                sent: sent.with_label_values(&[api]),
            };
            per_api.insert(api, series);
        }
        S3Series {
            apis: per_api,
            requests,
            broken: keep(
                registry,
                IntCounter::new(
                    names::S3_BROKEN,
                    "Answers cut in their middle because stored bytes cannot be read",
                ),
            ),
        }
    }

    pub(super) fn started(&self, api: &str) -> IntGauge {
        self.api(api).in_flight.clone()
    }

    pub(super) fn answered(&self, api: &str, took: Duration) {
        self.api(api).first_byte.observe(took.as_secs_f64());
    }

    pub(super) fn finished(&self, done: FinishedRequest) {
        let api = if self.apis.contains_key(done.api) {
            done.api
        } else {
            names::API_OTHER
        };
        self.requests
            .with_label_values(&[api, code_label(done.status)])
            .inc();
        let series = self.api(api);
        series.duration.observe(done.duration.as_secs_f64());
        series.received.inc_by(done.received);
        series.sent.inc_by(done.sent);
    }

    fn api(&self, api: &str) -> &PerApi {
        self.apis
            .get(api)
            .or_else(|| self.apis.get(names::API_OTHER))
            .expect("the series of `other` are created with the registry")
    }
}

/// The label of a status: the status itself if it is listed, else `other`.
fn code_label(status: u16) -> &'static str {
    let text = status.to_string();
    names::CODES
        .into_iter()
        .find(|known| *known == text)
        .unwrap_or(names::CODE_OTHER)
}

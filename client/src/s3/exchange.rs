//! One call, from signing to a usable answer: send, evaluate, learn the clock offset, retry, read.
//!
//! Every operation goes through [`S3Client::collect`] (answer in memory, bounded) or [`S3Client::stream`] (answer as a
//! stream). Nothing else sends requests.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use aws_credential_types::Credentials;
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::header::{DATE, ETAG};
use hyper::http::response;
use hyper::{Method, Response};

use super::config::{S3Config, Secret};
use super::error::{InvalidInput, Operation, S3Error, S3ErrorKind, server_text};
use super::intermediary::{Intermediary, is_web_page};
use super::refusal::kind_of;
use super::retry::{self, Outcome, Repeat};
use super::signing::{self, Parts, Payload};
use super::skew::{self, Blame, Refusal, Skew};
use super::transport::{self, HttpClient};
use super::xml::Element;
use super::{dates, xml};
use crate::tls::{Files, PemFile, TlsFault};
use crate::{causes, clock};

/// An error document has less than 2 KiB. A proxy's HTML page may be longer; its text only helps with the diagnosis.
const ERROR_BODY_BYTES_MAX: usize = 64 * 1024;

/// Signed S3 calls to one server. Clones are cheap and share connections and the learned clock offset.
#[derive(Clone)]
pub struct S3Client {
    inner: Arc<Inner>,
}

struct Inner {
    config: S3Config,
    credentials: Credentials,
    http: HttpClient,
    skew: Skew,
}

/// One call, as described by its operation.
pub(super) struct Call<'a> {
    pub(super) operation: Operation,
    pub(super) parts: Parts<'a>,
    pub(super) repeat: Repeat,
    /// The time limit for the answer's header, without the time for the payload.
    pub(super) answer: Duration,
}

impl<'a> Call<'a> {
    /// A call without payload, safe to repeat.
    pub(super) fn new(
        operation: Operation,
        method: Method,
        bucket: Option<&'a str>,
        key: Option<&'a str>,
    ) -> Self {
        let parts = Parts {
            method,
            bucket,
            key,
            query: Vec::new(),
            headers: Vec::new(),
            payload: Payload::empty(),
        };
        Self {
            operation,
            parts,
            repeat: Repeat::Safe,
            answer: Duration::ZERO,
        }
    }
}

/// A failed try.
struct Failure {
    kind: S3ErrorKind,
    source: Option<Box<dyn Error + Send + Sync>>,
    repeatable: bool,
    learned_offset: Option<i64>,
}

impl Failure {
    fn new(kind: S3ErrorKind, outcome: Outcome<'_>, repeat: Repeat) -> Self {
        let repeatable = retry::worth_repeating(outcome, repeat);
        Self {
            kind,
            source: None,
            repeatable,
            learned_offset: None,
        }
    }

    fn caused_by(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }
}

/// How to return the answer's body.
#[derive(Clone, Copy)]
enum Want {
    Stream,
    Collect { bytes_max: usize },
}

enum Body {
    Stream(Incoming),
    Bytes(Bytes),
}

impl S3Client {
    /// Checks the configuration and prepares connections; sends nothing yet.
    ///
    /// # Errors
    /// [`S3ErrorKind::Invalid`] if the endpoint or the CA bundle cannot be used.
    pub fn new(config: S3Config) -> Result<Self, S3Error> {
        let invalid = |input| {
            S3Error::new(
                S3ErrorKind::Invalid(input),
                Operation::Configure,
                &config.endpoint,
            )
        };
        if !matches!(config.endpoint.scheme(), "http" | "https")
            || config.endpoint.host_str().is_none()
        {
            return Err(invalid(InvalidInput::Endpoint {
                endpoint: config.endpoint.to_string(),
            }));
        }
        let http = transport::client(&config.endpoint, config.ca_bundle.as_ref(), &config.limits)
            .map_err(|error| invalid(error.into()))?;
        let token = config
            .session_token
            .as_ref()
            .map(|token| token.expose().to_owned());
        let credentials = Credentials::new(
            &config.access_key,
            Secret::expose(&config.secret_key),
            token,
            None,
            "strongroom",
        );
        Ok(Self {
            inner: Arc::new(Inner {
                config,
                credentials,
                http,
                skew: Skew::none(),
            }),
        })
    }

    /// The client's configuration.
    pub fn config(&self) -> &S3Config {
        &self.inner.config
    }

    /// Seconds by which the server's clock is ahead of this machine's (negative: behind), learned from a refused request. From
    /// then on signatures use the server's time. `None` means that the clocks agree well enough.
    pub fn clock_offset_secs(&self) -> Option<i64> {
        self.inner.skew.offset_secs()
    }

    /// Sends a call and reads its answer, at most `bytes_max` bytes, into memory.
    pub(super) async fn collect(
        &self,
        call: &Call<'_>,
        bytes_max: usize,
    ) -> Result<(response::Parts, Bytes), S3Error> {
        match self.exchange(call, Want::Collect { bytes_max }).await? {
            (parts, Body::Bytes(bytes)) => Ok((parts, bytes)),
            (_, Body::Stream(_)) => unreachable!("a collected answer is bytes"),
        }
    }

    /// Sends a call and returns its answer as a stream.
    pub(super) async fn stream(
        &self,
        call: &Call<'_>,
    ) -> Result<(response::Parts, Incoming), S3Error> {
        match self.exchange(call, Want::Stream).await? {
            (parts, Body::Stream(body)) => Ok((parts, body)),
            (_, Body::Bytes(_)) => unreachable!("a streamed answer is a stream"),
        }
    }

    /// An error of this call without an answer.
    pub(super) fn error(&self, call: &Call<'_>, kind: S3ErrorKind) -> S3Error {
        S3Error::new(kind, call.operation, &self.inner.config.endpoint)
            .at(call.parts.bucket, call.parts.key)
    }

    /// A collected answer as XML.
    pub(super) fn xml(&self, call: &Call<'_>, bytes: &[u8]) -> Result<Element, S3Error> {
        Element::parse(bytes).map_err(|error| {
            self.error(
                call,
                S3ErrorKind::Malformed {
                    what: "not the XML of S3",
                },
            )
            .caused_by(error)
        })
    }

    async fn exchange(
        &self,
        call: &Call<'_>,
        want: Want,
    ) -> Result<(response::Parts, Body), S3Error> {
        let limits = &self.inner.config.limits;
        let mut attempt = 1;
        let mut clock_learned = false;
        loop {
            let mut failure = match self.attempt(call, want).await {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            if attempt == 1
                && let Some(fault) = self.tls_fault(&failure).await
            {
                failure.kind = S3ErrorKind::Tls(fault);
                failure.repeatable = false;
            }
            tracing::debug!(operation = ?call.operation, attempt, kind = ?failure.kind, "S3 try failed");
            if let Some(offset) = failure.learned_offset.filter(|_| !clock_learned) {
                clock_learned = true;
                self.inner.skew.learn(offset);
                tracing::warn!(
                    offset_secs = offset,
                    "this machine's clock is wrong: signing with the server's time"
                );
            } else if failure.repeatable && attempt < limits.attempts {
                clock::pause(retry::pause(
                    limits,
                    attempt,
                    self.inner.config.clock.jitter_per_mille(),
                ))
                .await;
            } else {
                let error = self.error(call, failure.kind).after(attempt);
                return Err(match failure.source {
                    Some(source) => error.caused_by(source),
                    None => error,
                });
            }
            attempt += 1;
        }
    }

    async fn attempt(
        &self,
        call: &Call<'_>,
        want: Want,
    ) -> Result<(response::Parts, Body), Failure> {
        let config = &self.inner.config;
        let now = config.clock.now();
        let signed_at = clock::shift(now, self.inner.skew.offset_secs().unwrap_or(0));
        let request = signing::request(config, &self.inner.credentials, signed_at, &call.parts)
            .map_err(|input| {
                Failure::new(
                    S3ErrorKind::Invalid(input),
                    Outcome::Unreadable,
                    call.repeat,
                )
            })?;

        let limit = self.answer_limit(call);
        let response = match clock::within(limit, self.inner.http.request(request)).await {
            Some(Ok(response)) => response,
            Some(Err(error)) => return Err(self.unsent_or_broken(error, call.repeat)),
            None => {
                let kind = S3ErrorKind::Timeout {
                    awaited: "answer",
                    limit,
                };
                return Err(Failure::new(kind, Outcome::TimedOut, call.repeat));
            }
        };
        if !response.status().is_success() {
            let refused_at = (clock::unix_secs(now), clock::unix_secs(signed_at));
            return Err(self.refused(call, response, refused_at).await);
        }
        let (parts, body) = response.into_parts();
        if is_web_page(&parts) && !parts.headers.contains_key(ETAG) {
            let what = "a web page, such as a login page";
            return Err(Failure::new(
                S3ErrorKind::Malformed { what },
                Outcome::Unreadable,
                call.repeat,
            ));
        }
        match want {
            Want::Stream => Ok((parts, Body::Stream(body))),
            Want::Collect { bytes_max } => {
                let bytes = self.read(body, bytes_max, call.repeat).await?;
                // CompleteMultipartUpload may send 200 early to keep the connection alive, and fail afterwards.
                match Element::parse(&bytes) {
                    Ok(root) if root.name == "Error" => {
                        Err(failure_of(500, Some(&root), &parts, call.repeat))
                    }
                    _ => Ok((parts, Body::Bytes(bytes))),
                }
            }
        }
    }

    fn unsent_or_broken(
        &self,
        error: hyper_util::client::legacy::Error,
        repeat: Repeat,
    ) -> Failure {
        let (kind, outcome) = if let Some(fault) = causes::tls_failure(&error) {
            let fault = TlsFault::of(fault, self.files());
            (S3ErrorKind::Tls(fault), Outcome::Distrusted)
        } else if error.is_connect() {
            (S3ErrorKind::Network, Outcome::NotSent)
        } else {
            (S3ErrorKind::Network, Outcome::Broken)
        };
        Failure::new(kind, outcome, repeat).caused_by(error)
    }

    /// The wrong one of http and https, or a refusal after the handshake, makes a server close the connection, or answer with a
    /// text of its own.
    async fn tls_fault(&self, failure: &Failure) -> Option<TlsFault> {
        let config = &self.inner.config;
        match &failure.kind {
            S3ErrorKind::Network => {}
            S3ErrorKind::Intermediary(sender) if sender.status == 400 => {}
            _ => return None,
        }
        let ca_bundle = config.ca_bundle.as_ref();
        Box::pin(transport::fault(
            &config.endpoint,
            ca_bundle,
            &config.limits,
            self.files(),
        ))
        .await
    }

    fn files(&self) -> Files<'_> {
        Files {
            trusted: self.inner.config.ca_bundle.as_ref().map(PemFile::name),
            client: None,
        }
    }

    fn answer_limit(&self, call: &Call<'_>) -> Duration {
        let limits = &self.inner.config.limits;
        let bytes = u64::try_from(call.parts.payload.bytes.len()).unwrap_or(u64::MAX);
        let sending = Duration::from_secs(bytes / limits.upload_bytes_per_sec_min.max(1));
        call.answer.max(limits.answer).saturating_add(sending)
    }

    /// Turns an unsuccessful answer into a failure, and checks whether the clock is the cause.
    async fn refused(
        &self,
        call: &Call<'_>,
        response: Response<Incoming>,
        (local_unix_secs, signed_unix_secs): (i64, i64),
    ) -> Failure {
        let (parts, body) = response.into_parts();
        let status = parts.status.as_u16();
        // The status decides; without a readable body only the explanation is missing.
        let bytes = self
            .read(body, ERROR_BODY_BYTES_MAX, call.repeat)
            .await
            .unwrap_or_default();
        let root = Element::parse(&bytes)
            .ok()
            .filter(|root| root.name == "Error");
        let mut failure = failure_of(status, root.as_ref(), &parts, call.repeat);
        if let Some(sender) = Intermediary::of(&parts, &bytes).filter(|_| root.is_none()) {
            failure.kind = S3ErrorKind::Intermediary(sender);
        }
        let date = parts
            .headers
            .get(DATE)
            .and_then(|date| dates::from_http(date.to_str().ok()?));
        let server_time = || dates::from_xml(root.as_ref()?.child_text("ServerTime")?);
        let refusal = Refusal {
            status,
            code: root.as_ref().and_then(|root| root.child_text("Code")),
            server_unix_secs: date
                .or_else(server_time)
                .map(time::OffsetDateTime::unix_timestamp),
            local_unix_secs,
            signed_unix_secs,
        };
        let (offset, learned) = match skew::blame(&refusal) {
            Blame::Elsewhere => return failure,
            Blame::Offset(offset) => (offset, Some(offset)),
            Blame::TooFar(offset) => (offset, None),
        };
        failure.kind = S3ErrorKind::ClockSkew {
            server_unix_secs: local_unix_secs.saturating_add(offset),
            offset_secs: offset,
        };
        failure.learned_offset = learned;
        failure
    }

    /// Reads a body of at most `bytes_max` bytes, with the idle limit for each piece.
    async fn read(
        &self,
        mut body: Incoming,
        bytes_max: usize,
        repeat: Repeat,
    ) -> Result<Bytes, Failure> {
        let idle = self.inner.config.limits.idle;
        let mut collected = BytesMut::new();
        loop {
            let frame = match clock::within(idle, body.frame()).await {
                None => {
                    let kind = S3ErrorKind::Timeout {
                        awaited: "further bytes of the answer",
                        limit: idle,
                    };
                    return Err(Failure::new(kind, Outcome::TimedOut, repeat));
                }
                Some(None) => return Ok(collected.freeze()),
                Some(Some(Err(error))) => {
                    return Err(Failure::new(S3ErrorKind::Network, Outcome::Broken, repeat)
                        .caused_by(error));
                }
                Some(Some(Ok(frame))) => frame,
            };
            if let Some(data) = frame.data_ref() {
                if collected.len().saturating_add(data.len()) > bytes_max {
                    let kind = S3ErrorKind::Malformed {
                        what: "longer than any S3 answer of its kind",
                    };
                    return Err(Failure::new(kind, Outcome::Unreadable, repeat));
                }
                collected.extend_from_slice(data);
            }
        }
    }
}

/// The failure for a status and an error document.
fn failure_of(
    status: u16,
    root: Option<&xml::Element>,
    parts: &response::Parts,
    repeat: Repeat,
) -> Failure {
    let told = |name| {
        root.and_then(|root: &xml::Element| root.child_text(name))
            .map(server_text)
    };
    let reason = parts.status.canonical_reason().unwrap_or("unknown status");
    let code = told("Code")
        .filter(|code| !code.is_empty())
        .unwrap_or_else(|| reason.replace(' ', ""));
    let header = |name: &str| {
        parts
            .headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .map(server_text)
    };
    let request_id = told("RequestId")
        .filter(|id| !id.is_empty())
        .or_else(|| header("x-amz-request-id"));
    let message =
        told("Message").unwrap_or_else(|| "the answer has no S3 error document".to_owned());
    let outcome = Outcome::Answered {
        status,
        code: &code,
    };
    let repeatable = retry::worth_repeating(outcome, repeat);
    Failure {
        kind: kind_of(status, code, message, request_id),
        source: None,
        repeatable,
        learned_offset: None,
    }
}

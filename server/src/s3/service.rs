//! One request from its head to its answer.
//!
//! The order is the security argument: route (pure), authenticate the head, and only then touch the body, which is what
//! makes hyper send `100 Continue`. Every answer carries its request id and the server's date; an answer that leaves
//! a body unread drains it within bounds or closes the connection.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use hyper::body::{Body, Incoming};
use hyper::header::{
    CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, DATE, EXPECT, HeaderName, HeaderValue, SERVER,
};
use hyper::http::request::Parts;
use hyper::{HeaderMap, Method, Request, Response, StatusCode};
use tracing::Instrument as _;

use crate::clock::{Clock, Entropy};
use crate::ingest::Ingest;
use crate::model::Owner;
use crate::objects::Objects;
use crate::read::Reader;
use crate::s3::authentication::{self, Authenticated};
use crate::s3::error::{S3Error, S3ErrorCode};
use crate::s3::identity::Credentials;
use crate::s3::observe::{RequestRecord, RequestWatch};
use crate::s3::ops;
use crate::s3::payload::body::RequestBody;
use crate::s3::query::Query;
use crate::s3::reply::{self, S3Body};
use crate::s3::router::{self, BucketOperation, ObjectOperation, Operation, OwnPath};
use crate::s3::{http_date, object_headers};
use crate::telemetry::{Metrics, Readiness};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-amz-request-id");
const HOST_ID: HeaderName = HeaderName::from_static("x-amz-id-2");

/// What the service stands on.
pub struct S3Layers {
    /// State.
    pub objects: Arc<Objects>,
    /// Bodies in.
    pub ingest: Arc<Ingest>,
    /// Bodies out.
    pub reader: Arc<Reader>,
    /// Counts requests; made with [`crate::s3::OPERATION_NAMES`].
    pub metrics: Arc<Metrics>,
    /// Answers `/minio/health/ready`.
    pub readiness: Arc<Readiness>,
    /// Dates, skew and durations.
    pub clock: Arc<dyn Clock>,
    /// Request ids.
    pub entropy: Arc<dyn Entropy>,
}

/// The S3 endpoint.
pub struct S3Service {
    pub(crate) layers: S3Layers,
    pub(crate) credentials: Credentials,
    pub(crate) owner: Owner,
    host_id: String,
}

/// A request whose head was authenticated, as handlers see it.
pub(crate) struct Call<'a, B> {
    pub(crate) service: &'a S3Service,
    pub(crate) parts: &'a Parts,
    pub(crate) query: &'a Query,
    pub(crate) auth: Authenticated,
    pub(crate) body: &'a mut RequestBody<B>,
}

/// Where a request goes.
enum Routed {
    /// To a path of the server itself.
    Own(OwnPath),
    /// Nowhere: its query does not read.
    Unreadable(S3Error),
    /// To S3; what is wrong with the request line is told once its sender is known.
    S3(Query, Result<Operation, S3Error>),
}

impl Routed {
    fn of(parts: &Parts) -> Routed {
        let path = parts.uri.path();
        if let Some(own) = router::own_path(path) {
            return Routed::Own(own);
        }
        match Query::parse(parts.uri.query().unwrap_or("")) {
            Ok(query) => {
                let operation = Operation::parse(&parts.method, path, &query);
                Routed::S3(query, operation)
            }
            Err(error) => Routed::Unreadable(error),
        }
    }
}

/// What a handler gives: an answer, or the error to answer with.
pub(crate) type Answer = Result<Response<S3Body>, S3Error>;

impl S3Service {
    /// An endpoint for one user.
    pub fn new(layers: S3Layers, credentials: Credentials) -> S3Service {
        let owner = Owner(credentials.user().to_owned());
        let host_id = format!("{:016x}", layers.entropy.next_u64());
        S3Service {
            layers,
            credentials,
            owner,
            host_id,
        }
    }

    /// Answers one request. Never fails: what goes wrong is answered.
    pub async fn handle(&self, request: Request<Incoming>) -> Response<S3Body> {
        self.handle_any(request).await
    }

    pub(crate) async fn handle_any<B>(&self, request: Request<B>) -> Response<S3Body>
    where
        B: Body<Data = Bytes> + Unpin + Send,
        B::Error: std::error::Error + Send + Sync + 'static,
    {
        let (parts, wire) = request.into_parts();
        let mut body = RequestBody::new(wire);
        let peer = parts.extensions.get::<SocketAddr>().copied();
        let mut record =
            RequestRecord::new(format!("{:016X}", self.layers.entropy.next_u64()), peer);
        let routed = Routed::of(&parts);
        if let Routed::S3(_, Ok(operation)) = &routed {
            record.api = operation.name();
            (record.bucket, record.key) = operation.target();
        }
        let watch = RequestWatch::start(
            Arc::clone(&self.layers.metrics),
            Arc::clone(&self.layers.clock),
            record,
        );
        let span = watch.span();
        let answer = self.answer(&parts, routed, &mut body, watch);
        answer.instrument(span).await
    }

    async fn answer<B>(
        &self,
        parts: &Parts,
        routed: Routed,
        body: &mut RequestBody<B>,
        mut watch: RequestWatch,
    ) -> Response<S3Body>
    where
        B: Body<Data = Bytes> + Unpin + Send,
        B::Error: std::error::Error + Send + Sync + 'static,
    {
        let answer = match routed {
            Routed::Own(path) => self.own_answer(path, &parts.method),
            // A query that cannot be read cannot be signed either.
            Routed::Unreadable(error) => Err(error),
            Routed::S3(query, operation) => {
                Box::pin(self.s3_answer(parts, &query, operation, body)).await
            }
        };
        let (mut response, code) = match answer {
            Ok(response) => (response, ""),
            Err(error) => (
                self.error_answer(&error, parts, watch.id()),
                error.code().wire(),
            ),
        };
        let reusable = body.drain(expects_continue(&parts.headers)).await;
        self.stamp(&mut response, watch.id(), reusable);
        watch.answered(response.status().as_u16(), code, body.received());
        response.map(|content| content.watched_by(watch))
    }

    async fn s3_answer<B>(
        &self,
        parts: &Parts,
        query: &Query,
        operation: Result<Operation, S3Error>,
        body: &mut RequestBody<B>,
    ) -> Answer
    where
        B: Body<Data = Bytes> + Unpin + Send,
        B::Error: std::error::Error + Send + Sync + 'static,
    {
        let auth =
            authentication::authenticate(parts, query, &self.credentials, self.layers.clock.now())?;
        let operation = operation?;
        if let Operation::Unsupported(what) = &operation {
            return Err(S3Error::not_implemented(what));
        }
        object_headers::refuse_unserved(&parts.headers)?;
        let mut call = Call {
            service: self,
            parts,
            query,
            auth,
            body,
        };
        match operation {
            Operation::ListBuckets => ops::buckets::list(&call).await,
            Operation::Bucket(bucket, operation) => match operation {
                BucketOperation::Create => ops::buckets::create(&mut call, &bucket).await,
                BucketOperation::Head => ops::buckets::head(&call, &bucket).await,
                BucketOperation::Delete => ops::buckets::delete(&call, &bucket).await,
                BucketOperation::Location => ops::buckets::location(&call, &bucket).await,
                BucketOperation::Versioning => ops::buckets::versioning(&call, &bucket).await,
                BucketOperation::List(asked) => ops::list::objects(&call, &bucket, asked).await,
                BucketOperation::ListUploads(asked) => {
                    ops::multipart::list_uploads(&call, &bucket, &asked).await
                }
                BucketOperation::DeleteObjects => ops::delete::many(&mut call, &bucket).await,
            },
            Operation::Object(bucket, key, operation) => match operation {
                ObjectOperation::Put => ops::put::object(&mut call, &bucket, &key).await,
                ObjectOperation::Get(version) => {
                    ops::get::object(&call, &bucket, &key, version).await
                }
                ObjectOperation::Head(version) => {
                    ops::get::head(&call, &bucket, &key, version).await
                }
                ObjectOperation::Delete(version) => {
                    ops::delete::one(&call, &bucket, &key, version).await
                }
                ObjectOperation::CreateUpload => ops::multipart::create(&call, &bucket, &key).await,
                ObjectOperation::UploadPart(upload, number) => {
                    ops::multipart::put_part(&mut call, &bucket, &key, upload, number).await
                }
                ObjectOperation::CompleteUpload(upload) => {
                    ops::multipart::complete(&mut call, &bucket, &key, upload).await
                }
                ObjectOperation::AbortUpload(upload) => {
                    ops::multipart::abort(&call, &bucket, &key, upload).await
                }
                ObjectOperation::ListParts(asked) => {
                    ops::multipart::list_parts(&call, &bucket, &key, &asked).await
                }
            },
            Operation::Unsupported(what) => Err(S3Error::not_implemented(what)),
        }
    }

    /// Health, as MinIO's probes ask for it: no credentials, no body.
    fn own_answer(&self, path: OwnPath, method: &Method) -> Answer {
        match (path, method) {
            (OwnPath::Live, &(Method::GET | Method::HEAD)) => Ok(reply::empty(StatusCode::OK)),
            (OwnPath::Ready, &(Method::GET | Method::HEAD)) => {
                match self.layers.readiness.check() {
                    Ok(()) => Ok(reply::empty(StatusCode::OK)),
                    Err(_) => Ok(reply::empty(StatusCode::SERVICE_UNAVAILABLE)),
                }
            }
            (OwnPath::Live | OwnPath::Ready, _) => Err(S3Error::new(
                S3ErrorCode::MethodNotAllowed,
                "Health is asked for by GET or HEAD.",
            )),
            (OwnPath::Unknown, _) => Err(S3Error::not_implemented(
                "The MinIO interface under /minio, other than /minio/health/live and /minio/health/ready,",
            )),
        }
    }

    fn error_answer(&self, error: &S3Error, parts: &Parts, request_id: &str) -> Response<S3Body> {
        let status = error.code().status();
        let (method, code) = (parts.method.as_str(), error.code().wire());
        match error.cause().map(|cause| chain(cause)) {
            Some(error) if status.is_server_error() => {
                tracing::error!(method, code, error, "a request failed on our side");
            }
            error => tracing::debug!(method, code, error, "a request was refused"),
        }
        let mut response = if status == StatusCode::NOT_MODIFIED || parts.method == Method::HEAD {
            reply::empty(status)
        } else {
            reply::xml(
                status,
                error.body(parts.uri.path(), request_id, &self.host_id),
            )
        };
        for (name, value) in error.headers() {
            response.headers_mut().insert(name.clone(), value.clone());
        }
        response
    }

    /// Headers of every answer.
    fn stamp(&self, response: &mut Response<S3Body>, request_id: &str, reusable: bool) {
        let date = http_date::http(self.layers.clock.now());
        let out = response.headers_mut();
        object_headers::insert(out, REQUEST_ID, request_id);
        object_headers::insert(out, HOST_ID, &self.host_id);
        object_headers::insert(out, DATE, &date);
        out.insert(SERVER, HeaderValue::from_static("Strongroom"));
        if !reusable {
            out.insert(CONNECTION, HeaderValue::from_static("close"));
        }
    }
}

impl<B> Call<'_, B> {
    /// A request header as text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.parts
            .headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .map(str::trim)
    }
}

fn expects_continue(headers: &HeaderMap) -> bool {
    headers
        .get(EXPECT)
        .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"))
}

/// An error and what led to it, in one line.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

/// Sets the length of an answer whose body has one.
pub(crate) fn set_length(headers: &mut HeaderMap, length: u64) {
    headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    headers
        .entry(CONTENT_TYPE)
        .or_insert(HeaderValue::from_static("application/octet-stream"));
}

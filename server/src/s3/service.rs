//! One request from its head to its answer.
//!
//! The order is the security argument: find the operation (pure), authenticate the head, authorise, check parameters
//! and headers, and only then read the body. Reading makes hyper send `100 Continue`. Every answer carries its request
//! id and the server's date. If more of a refused body is to come than a short rest, the answer closes the connection.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use hyper::body::{Body, Incoming};
use hyper::header::{CONNECTION, DATE, HeaderName, HeaderValue, SERVER};
use hyper::{Method, Request, Response, StatusCode};
use tracing::Instrument as _;

use crate::bodies::incoming::Ingest;
use crate::bodies::outgoing::Reader;
use crate::clock::{Clock, Entropy};
use crate::model::Owner;
use crate::objects::{Objects, ObjectsError};
use crate::s3::addressing::{Addressing, Resource};
use crate::s3::authentication::{authenticate, named_key};
use crate::s3::authorisation::{authorize, refusal};
use crate::s3::call::{Answer, Call};
use crate::s3::error::{S3Error, S3ErrorCode};
use crate::s3::head::Head;
use crate::s3::http_date;
use crate::s3::identity::{Credentials, Identities};
use crate::s3::object_headers::insert;
use crate::s3::observe::{RequestRecord, RequestWatch};
use crate::s3::operations::{self, BodyKind, Handler, Operation};
use crate::s3::own_paths::{self, OwnPath};
use crate::s3::payload::body::RequestBody;
use crate::s3::payload::document::{Document, DocumentBudget};
use crate::s3::query::Query;
use crate::s3::reply::{self, S3Body};
use crate::telemetry::{Admission, Metrics, Readiness};

/// The owner that the client expects.
const EXPECTED_OWNER: &str = "x-amz-expected-bucket-owner";

const REQUEST_ID: HeaderName = HeaderName::from_static("x-amz-request-id");
const HOST_ID: HeaderName = HeaderName::from_static("x-amz-id-2");

/// The layers below the service, and its instruments.
pub struct S3Layers {
    /// Buckets, objects and uploads.
    pub objects: Arc<Objects>,
    /// Writes bodies.
    pub ingest: Arc<Ingest>,
    /// Reads bodies.
    pub reader: Arc<Reader>,
    /// Counts requests; made with [`crate::s3::OPERATION_NAMES`].
    pub metrics: Arc<Metrics>,
    /// Answers `/minio/health/ready`.
    pub readiness: Arc<Readiness>,
    /// For dates, clock skew and durations.
    pub clock: Arc<dyn Clock>,
    /// For request ids.
    pub entropy: Arc<dyn Entropy>,
}

/// The S3 endpoint.
pub struct S3Service {
    layers: S3Layers,
    identities: Identities,
    owner: Owner,
    addressing: Addressing,
    host_id: String,
    documents: DocumentBudget,
}

/// What the request line asks for.
enum Asked {
    /// A path of the server itself.
    Own(OwnPath),
    /// A request that is refused as it is: its query cannot be decoded, or there are too many.
    Refused(S3Error),
    /// An S3 request. An error in the request line is reported after authentication.
    S3(Result<Route, S3Error>),
}

/// An operation and its target.
struct Route {
    operation: &'static Operation,
    resource: Resource,
}

impl S3Service {
    /// An endpoint for one user.
    pub fn new(layers: S3Layers, credentials: Credentials) -> S3Service {
        let identities = Identities::of_root(credentials);
        let host_id = format!("{:016x}", layers.entropy.next_u64());
        S3Service {
            owner: identities.owner(),
            layers,
            identities,
            addressing: Addressing::path_style(),
            host_id,
            documents: DocumentBudget::new(),
        }
    }

    /// The same endpoint with another addressing style.
    #[must_use]
    pub fn addressed(mut self, addressing: Addressing) -> S3Service {
        self.addressing = addressing;
        self
    }

    /// Answers one request. It never fails: every error becomes an answer.
    pub async fn handle(&self, request: Request<Incoming>) -> Response<S3Body> {
        self.handle_any(request).await
    }

    pub(crate) async fn handle_any<B>(&self, request: Request<B>) -> Response<S3Body>
    where
        B: Body<Data = Bytes> + Send + Sync + 'static,
        B::Error: std::error::Error + Send + Sync + 'static,
    {
        let (parts, wire) = request.into_parts();
        let mut body = RequestBody::new(wire);
        let peer = parts.extensions.get::<SocketAddr>().copied();
        let admission = parts.extensions.get::<Admission>().copied();
        let id = format!("{:016X}", self.layers.entropy.next_u64());
        let mut record = RequestRecord::new(id, peer);
        let query = Query::parse(parts.uri.query().unwrap_or(""));
        let (query, unreadable) = match query {
            Ok(query) => (query, None),
            Err(error) => (Query::default(), Some(error)),
        };
        let head = Head::new(parts, query);
        record.user_agent = head.user_agent();
        record.access_key = named_key(&head, &self.identities);
        let asked = match (own_paths::own_path(head.raw_path()), unreadable) {
            (Some(path), _) => Asked::Own(path),
            _ if admission == Some(Admission::Refused) => Asked::Refused(too_many()),
            (None, Some(error)) => Asked::Refused(error),
            (None, None) => Asked::S3(self.route(&head)),
        };
        if let Asked::S3(Ok(route)) = &asked {
            record.api = route.operation.label();
            record.bucket = route.resource.bucket().cloned();
            record.key = route.resource.key().cloned();
        }
        let watch = RequestWatch::start(
            Arc::clone(&self.layers.metrics),
            Arc::clone(&self.layers.clock),
            record,
        );
        let span = watch.span();
        let answer = self.answer(&head, asked, &mut body, watch);
        answer.instrument(span).await
    }

    fn route(&self, head: &Head) -> Result<Route, S3Error> {
        let resource = self.addressing.resource(head)?;
        let operation = operations::select(
            resource.level(),
            head.method(),
            head.query(),
            head.headers(),
        )?;
        Ok(Route {
            operation,
            resource,
        })
    }

    async fn answer(
        &self,
        head: &Head,
        asked: Asked,
        body: &mut RequestBody,
        mut watch: RequestWatch,
    ) -> Response<S3Body> {
        let answer = match asked {
            Asked::Own(path) => own_paths::answer(path, head.method(), &self.layers.readiness),
            Asked::Refused(error) => Err(error),
            Asked::S3(route) => Box::pin(self.s3_answer(head, route, body)).await,
        };
        let (mut response, code) = match answer {
            Ok(response) => (response, ""),
            Err(error) => (
                self.error_answer(&error, head, watch.id()),
                error.code().wire(),
            ),
        };
        let reusable = body.drain(head.waits_for_continue()).await;
        self.stamp(&mut response, watch.id());
        if !reusable && head.owns_connection() {
            let out = response.headers_mut();
            out.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        watch.answered(response.status().as_u16(), code, body.received());
        response.map(|content| content.watched_by(watch))
    }

    async fn s3_answer(
        &self,
        head: &Head,
        route: Result<Route, S3Error>,
        body: &mut RequestBody,
    ) -> Answer {
        let sender = authenticate(head, &self.identities, self.layers.clock.now())?;
        let route = route.map_err(|error| refusal(&sender.identity, error))?;
        let operation = route.operation;
        authorize(&sender.identity, operation.action, &route.resource)?;
        operation.check(head)?;
        self.check_expected_owner(head, &route.resource).await?;
        let document = match operation.body {
            BodyKind::Document(rules) => {
                let chunks = sender.chunks.as_ref();
                let (headers, budget) = (head.headers(), &self.documents);
                Document::read(headers, sender.payload, chunks, body, rules, budget).await?
            }
            BodyKind::None | BodyKind::Stream => Document::default(),
        };
        let mut call = Call {
            layers: &self.layers,
            owner: &self.owner,
            head,
            payload: sender.payload,
            chunks: sender.chunks,
            body,
            document,
        };
        match (operation.handler, &route.resource) {
            (Handler::Service(serve), Resource::Service) => serve(&mut call).await,
            (Handler::Bucket(serve), Resource::Bucket(bucket)) => serve(&mut call, bucket).await,
            (Handler::Object(serve), Resource::Object(bucket, key)) => {
                serve(&mut call, bucket, key).await
            }
            // No row has a handler of another level: a test checks the table.
            _ => Err(S3Error::not_implemented(operation.name)),
        }
    }

    /// `x-amz-expected-bucket-owner`: a client that names the owner must not reach somebody else's bucket.
    async fn check_expected_owner(&self, head: &Head, resource: &Resource) -> Result<(), S3Error> {
        let (Some(expected), Some(bucket)) =
            (head.headers().text(EXPECTED_OWNER)?, resource.bucket())
        else {
            return Ok(());
        };
        match self.layers.objects.bucket(bucket).await {
            Ok(row) if row.owner.0 == expected => Ok(()),
            // CreateBucket names no owner; every other operation says itself that there is no such bucket.
            Err(ObjectsError::NoSuchBucket(_)) => Ok(()),
            Err(error) => Err(error.into()),
            Ok(_) => Err(S3Error::new(
                S3ErrorCode::AccessDenied,
                format!(
                    "Access Denied. The bucket's owner is not the one that {EXPECTED_OWNER} names."
                ),
            )),
        }
    }

    fn error_answer(&self, error: &S3Error, head: &Head, request_id: &str) -> Response<S3Body> {
        let status = error.code().status();
        let (method, code) = (head.method().as_str(), error.code().wire());
        match error.cause().map(|cause| chain(cause)) {
            Some(error) if status.is_server_error() => {
                tracing::error!(method, code, error, "a request failed on our side");
            }
            error => tracing::debug!(method, code, error, "a request was refused"),
        }
        let mut response = if status == StatusCode::NOT_MODIFIED || *head.method() == Method::HEAD {
            reply::empty(status)
        } else {
            reply::xml(
                status,
                error.body(head.raw_path(), request_id, &self.host_id),
            )
        };
        for (name, value) in error.headers() {
            response.headers_mut().insert(name.clone(), value.clone());
        }
        response
    }

    /// Headers of every answer.
    fn stamp(&self, response: &mut Response<S3Body>, request_id: &str) {
        let date = http_date::http(self.layers.clock.now());
        let out = response.headers_mut();
        insert(out, REQUEST_ID, request_id);
        insert(out, HOST_ID, &self.host_id);
        insert(out, DATE, &date);
        out.insert(SERVER, HeaderValue::from_static("Strongroom"));
    }
}

/// The refusal of a request beyond the listener's limits. It is not even authenticated: that is work as well.
fn too_many() -> S3Error {
    S3Error::new(
        S3ErrorCode::SlowDown,
        "The server answers as many requests as it can. Please try again later.",
    )
}

/// An error and its causes, in one line.
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

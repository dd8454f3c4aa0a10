//! A request during its operation: authenticated, authorised, with checked parameters and headers.

use hyper::Response;

use crate::bodies::incoming::Ingest;
use crate::bodies::outgoing::Reader;
use crate::model::Owner;
use crate::objects::Objects;
use crate::s3::authentication::ChunkSigner;
use crate::s3::error::S3Error;
use crate::s3::head::{Head, Headers};
use crate::s3::payload::PayloadMode;
use crate::s3::payload::body::RequestBody;
use crate::s3::payload::document::Document;
use crate::s3::query::Query;
use crate::s3::reply::S3Body;
use crate::s3::service::S3Layers;

/// The result of an operation: an answer, or an error to send.
pub(crate) type Answer = Result<Response<S3Body>, S3Error>;

/// One request during its operation.
pub(crate) struct Call<'a> {
    pub(crate) layers: &'a S3Layers,
    /// The owner of new buckets and objects.
    pub(crate) owner: &'a Owner,
    pub(crate) head: &'a Head,
    /// How the body is signed and framed.
    pub(crate) payload: PayloadMode,
    pub(crate) chunks: Option<ChunkSigner>,
    pub(crate) body: &'a mut RequestBody,
    /// The body of an operation that takes a document; empty for all others.
    pub(crate) document: Document,
}

impl<'a> Call<'a> {
    pub(crate) fn objects(&self) -> &'a Objects {
        &self.layers.objects
    }

    pub(crate) fn ingest(&self) -> &'a Ingest {
        &self.layers.ingest
    }

    pub(crate) fn reader(&self) -> &'a Reader {
        &self.layers.reader
    }

    pub(crate) fn headers(&self) -> Headers<'a> {
        self.head.headers()
    }

    pub(crate) fn query(&self) -> &'a Query {
        self.head.query()
    }
}

//! Response bodies, and the small forms of answers.
//!
//! Invariant: an object's bytes are verified before they are sent. If a later one is damaged or missing, the body ends
//! in an error and the connection is closed, so that the client never takes a part for the whole.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use hyper::{HeaderMap, Response, StatusCode};

use crate::bodies::outgoing::BodyStream;
use crate::s3::observe::RequestWatch;
use crate::store::StoreError;

/// The body of an answer.
#[derive(Debug)]
pub struct S3Body {
    content: Content,
    watch: Option<RequestWatch>,
}

/// Why a body ends early. The connection is closed.
#[derive(Debug, thiserror::Error)]
pub enum S3BodyError {
    /// Stored bytes cannot be read.
    #[error("the object cannot be read further: {0}")]
    Store(#[from] StoreError),
    /// Fewer bytes are stored than the object has.
    #[error("the object ends {0} bytes early")]
    Short(u64),
}

enum Content {
    Bytes(Bytes),
    Object { source: Source, left: u64 },
}

/// A stream after a read, and the result of the read.
type Step = (Box<BodyStream>, Result<Option<Bytes>, StoreError>);

/// A stream of stored pieces, between two reads or during one.
enum Source {
    Idle(Box<BodyStream>),
    Reading(Pin<Box<dyn Future<Output = Step> + Send>>),
    Ended,
}

impl std::fmt::Debug for Content {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Content::Bytes(bytes) => write!(f, "{} bytes", bytes.len()),
            Content::Object { left, .. } => write!(f, "an object, {left} bytes left"),
        }
    }
}

impl S3Body {
    /// A body in memory.
    pub(crate) fn bytes(bytes: impl Into<Bytes>) -> S3Body {
        S3Body {
            content: Content::Bytes(bytes.into()),
            watch: None,
        }
    }

    /// `len` bytes of an object.
    pub(crate) fn object(stream: BodyStream, len: u64) -> S3Body {
        S3Body {
            content: Content::Object {
                source: Source::Idle(Box::new(stream)),
                left: len,
            },
            watch: None,
        }
    }

    /// Attaches the watch, which reports the end of the answer.
    pub(crate) fn watched_by(mut self, watch: RequestWatch) -> S3Body {
        self.watch = Some(watch);
        self
    }

    fn sent(&mut self, bytes: usize) {
        if let Some(watch) = &mut self.watch {
            watch.sent(bytes);
        }
    }
}

impl Body for S3Body {
    type Data = Bytes;
    type Error = S3BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, S3BodyError>>> {
        let piece = match &mut self.content {
            Content::Bytes(bytes) if bytes.is_empty() => return Poll::Ready(None),
            Content::Bytes(bytes) => Ok(std::mem::take(bytes)),
            Content::Object { left: 0, .. } => return Poll::Ready(None),
            Content::Object { source, left } => match source.poll_piece(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(Some(piece))) => {
                    *left = left.saturating_sub(u64::try_from(piece.len()).unwrap_or(u64::MAX));
                    Ok(piece)
                }
                Poll::Ready(Ok(None)) => Err(S3BodyError::Short(*left)),
                Poll::Ready(Err(error)) => Err(S3BodyError::Store(error)),
            },
        };
        match piece {
            Ok(piece) => {
                self.sent(piece.len());
                Poll::Ready(Some(Ok(Frame::data(piece))))
            }
            Err(error) => {
                if let Some(watch) = &mut self.watch {
                    watch.broke(&error);
                }
                Poll::Ready(Some(Err(error)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.content {
            Content::Bytes(bytes) => bytes.is_empty(),
            Content::Object { left, .. } => *left == 0,
        }
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(match &self.content {
            Content::Bytes(bytes) => u64::try_from(bytes.len()).unwrap_or(u64::MAX),
            Content::Object { left, .. } => *left,
        })
    }
}

impl Source {
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, StoreError>> {
        loop {
            match std::mem::replace(self, Source::Ended) {
                Source::Idle(mut stream) => {
                    *self = Source::Reading(Box::pin(async move {
                        let piece = stream.next().await;
                        (stream, piece)
                    }));
                }
                Source::Reading(mut reading) => {
                    let Poll::Ready((stream, piece)) = reading.as_mut().poll(cx) else {
                        *self = Source::Reading(reading);
                        return Poll::Pending;
                    };
                    if matches!(piece, Ok(Some(_))) {
                        *self = Source::Idle(stream);
                    }
                    return Poll::Ready(piece);
                }
                Source::Ended => return Poll::Ready(Ok(None)),
            }
        }
    }
}

/// An answer without body.
pub(crate) fn empty(status: StatusCode) -> Response<S3Body> {
    let mut response = Response::new(S3Body::bytes(Bytes::new()));
    *response.status_mut() = status;
    response
}

/// An answer in XML.
pub(crate) fn xml(status: StatusCode, body: Vec<u8>) -> Response<S3Body> {
    let length = HeaderValue::from(body.len());
    let mut response = Response::new(S3Body::bytes(body));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/xml"));
    response.headers_mut().insert(CONTENT_LENGTH, length);
    response
}

/// Sets the length of an answer that has a body.
pub(crate) fn set_length(headers: &mut HeaderMap, length: u64) {
    headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    headers
        .entry(CONTENT_TYPE)
        .or_insert(HeaderValue::from_static("application/octet-stream"));
}

//! A request's body, decoded from its framing: plain bytes, one network read at a time.
//!
//! Nothing is polled before the first [`RequestBody::next`], because polling makes hyper send `100 Continue`.
//! Invariants: every wait has a deadline; there are never more plain bytes than announced; after an error only
//! [`RequestBody::drain`] may be called.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use http_body_util::combinators::BoxBody;
use hyper::body::Body;

use super::chunked::{ChunkedDecoder, Trailers};
use super::{PayloadMode, incomplete_body};
use crate::bodies::incoming::Expected;
use crate::s3::authentication::ChunkSigner;
use crate::s3::error::{S3Error, S3ErrorCode};

/// Longest time without a byte from the client: slower than any link that could carry a snapshot, short enough that
/// abandoned uploads do not pile up.
const IDLE_MAX: Duration = Duration::from_mins(1);

/// Longest rest of a refused body that is read before the answer, so that the connection can be used again; Go's server
/// has the same limit. With more to come, the answer is sent at once and the connection is closed: the listener reads
/// on while the client still sends.
const DRAIN_BYTES_MAX: u64 = 256 * 1024;

/// Time limit for this; the connection of a slower client is closed.
const DRAIN_TIME_MAX: Duration = Duration::from_secs(1);

/// An error of the connection.
type WireError = Box<dyn std::error::Error + Send + Sync>;

/// A request's body.
#[derive(Debug)]
pub(crate) struct RequestBody {
    /// Boxed, so that operations do not depend on the type of the connection.
    wire: BoxBody<Bytes, WireError>,
    framing: Framing,
    pending: VecDeque<Bytes>,
    /// Bytes read from the wire, framing included.
    received: u64,
    state: WireState,
}

#[derive(Debug)]
enum Framing {
    /// Not known yet; the body can only be drained.
    Unknown,
    Plain {
        announced: u64,
        taken: u64,
    },
    Chunked(Box<ChunkedDecoder>),
    Ended(Trailers),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum WireState {
    /// Never polled: a client that waits for `100 Continue` has sent nothing.
    Untouched,
    Reading,
    Ended,
    Broken,
}

impl RequestBody {
    /// A body with unknown framing.
    pub(crate) fn new<B>(wire: B) -> RequestBody
    where
        B: Body<Data = Bytes> + Send + Sync + 'static,
        B::Error: std::error::Error + Send + Sync + 'static,
    {
        let state = if wire.is_end_stream() {
            WireState::Ended
        } else {
            WireState::Untouched
        };
        RequestBody {
            wire: wire.map_err(WireError::from).boxed(),
            framing: Framing::Unknown,
            pending: VecDeque::new(),
            received: 0,
            state,
        }
    }

    /// Whether there is no body at all.
    pub(crate) fn is_empty(&self) -> bool {
        self.state == WireState::Ended && self.received == 0
    }

    /// Sets length and framing.
    pub(crate) fn expect(
        &mut self,
        mode: PayloadMode,
        chunks: Option<&ChunkSigner>,
        expected: &Expected,
    ) {
        let length = expected.length.unwrap_or(0);
        self.framing = match (mode, chunks) {
            (PayloadMode::Signed { .. } | PayloadMode::Unsigned, _) => Framing::Plain {
                announced: length,
                taken: 0,
            },
            (PayloadMode::SignedChunks { trailer }, Some(chunks)) => Framing::Chunked(Box::new(
                ChunkedDecoder::signed(length, chunks.clone(), trailer),
            )),
            // Without a signed head there is no chain of signatures, so such a body cannot be read.
            (PayloadMode::SignedChunks { .. }, None) => Framing::Unknown,
            (PayloadMode::UnsignedChunks, _) => {
                Framing::Chunked(Box::new(ChunkedDecoder::unsigned(length)))
            }
        };
    }

    /// The next plain bytes; `None` when the body has ended and is complete.
    ///
    /// # Errors
    /// `IncompleteBody`, `RequestTimeout`, or an error of its framing.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, S3Error> {
        loop {
            if let Some(bytes) = self.pending.pop_front() {
                return Ok(Some(bytes));
            }
            let Some(bytes) = self.read_wire().await? else {
                self.end()?;
                return Ok(None);
            };
            self.unframe(bytes)?;
        }
    }

    /// Trailer fields; empty before the end.
    pub(crate) fn trailers(&self) -> &[(String, String)] {
        match &self.framing {
            Framing::Ended(trailers) => trailers,
            Framing::Unknown | Framing::Plain { .. } | Framing::Chunked(_) => &[],
        }
    }

    /// Bytes read from the wire so far.
    pub(crate) fn received(&self) -> u64 {
        self.received
    }

    /// Reads the rest of a refused body if it is known to be short. Returns whether the connection can carry another
    /// request.
    pub(crate) async fn drain(&mut self, waits_for_continue: bool) -> bool {
        match self.state {
            WireState::Ended => return true,
            WireState::Broken => return false,
            // Polling would request the body that is being refused.
            WireState::Untouched if waits_for_continue => return false,
            WireState::Untouched | WireState::Reading => {}
        }
        let rest = self.wire.size_hint().upper();
        if rest.is_none_or(|rest| rest > DRAIN_BYTES_MAX) {
            return false;
        }
        let rest = async {
            loop {
                match self.read_wire().await {
                    Ok(Some(_)) => {}
                    Ok(None) => return true,
                    Err(_) => return false,
                }
            }
        };
        tokio::time::timeout(DRAIN_TIME_MAX, rest)
            .await
            .unwrap_or(false)
    }

    async fn read_wire(&mut self) -> Result<Option<Bytes>, S3Error> {
        if self.state == WireState::Ended {
            return Ok(None);
        }
        if self.state == WireState::Broken {
            return Err(incomplete_body("the connection has failed"));
        }
        self.state = WireState::Reading;
        loop {
            let frame = tokio::time::timeout(IDLE_MAX, self.wire.frame()).await;
            match frame {
                Err(_) => {
                    self.state = WireState::Broken;
                    return Err(too_slow());
                }
                Ok(None) => {
                    self.state = WireState::Ended;
                    return Ok(None);
                }
                Ok(Some(Err(error))) => {
                    self.state = WireState::Broken;
                    return Err(
                        incomplete_body("the connection ended before the body").caused_by(error)
                    );
                }
                Ok(Some(Ok(frame))) => {
                    // S3 uses nothing in HTTP trailers: aws-chunked has trailers of its own.
                    if let Ok(bytes) = frame.into_data() {
                        self.received += u64::try_from(bytes.len()).unwrap_or(u64::MAX);
                        return Ok(Some(bytes));
                    }
                }
            }
        }
    }

    fn unframe(&mut self, bytes: Bytes) -> Result<(), S3Error> {
        match &mut self.framing {
            Framing::Plain { announced, taken } => {
                *taken += u64::try_from(bytes.len()).unwrap_or(u64::MAX);
                if taken > announced {
                    return Err(incomplete_body(format_args!(
                        "more than {announced} bytes came"
                    )));
                }
                self.pending.push_back(bytes);
                Ok(())
            }
            Framing::Chunked(decoder) => decoder.feed(bytes, &mut self.pending),
            Framing::Unknown | Framing::Ended(_) => {
                Err(incomplete_body("bytes came where none belong"))
            }
        }
    }

    fn end(&mut self) -> Result<(), S3Error> {
        match std::mem::replace(&mut self.framing, Framing::Unknown) {
            Framing::Plain { announced, taken } if taken != announced => Err(incomplete_body(
                format_args!("{announced} bytes were announced, {taken} came"),
            )),
            Framing::Plain { .. } => {
                self.framing = Framing::Ended(Vec::new());
                Ok(())
            }
            Framing::Chunked(decoder) => {
                self.framing = Framing::Ended(decoder.finish()?);
                Ok(())
            }
            Framing::Ended(trailers) => {
                self.framing = Framing::Ended(trailers);
                Ok(())
            }
            Framing::Unknown => Err(incomplete_body("its framing is unknown")),
        }
    }
}

/// The error of a client that sends nothing, or too little, for too long.
pub(super) fn too_slow() -> S3Error {
    S3Error::new(
        S3ErrorCode::RequestTimeout,
        "Your socket connection to the server was not read from or written to within the timeout period.",
    )
}

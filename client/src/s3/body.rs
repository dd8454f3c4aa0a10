//! The body of an object as a stream, with a limit on idle time and a check of the length.

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use std::time::Duration;

use super::error::{S3Error, S3ErrorKind};
use crate::clock;

/// A stream of body bytes. After an error or the end it stays at the end.
pub struct BodyStream {
    body: Option<Incoming>,
    received: u64,
    expected: u64,
    idle: Duration,
    /// Builds an error of this call, with bucket, key and endpoint.
    error: Box<dyn Fn(S3ErrorKind) -> S3Error + Send + Sync>,
}

impl BodyStream {
    pub(super) fn new(
        body: Incoming,
        expected: u64,
        idle: Duration,
        error: impl Fn(S3ErrorKind) -> S3Error + Send + Sync + 'static,
    ) -> Self {
        Self {
            body: Some(body),
            received: 0,
            expected,
            idle,
            error: Box::new(error),
        }
    }

    /// Bytes returned so far.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// The next piece; `None` after exactly the number of bytes in the header.
    pub async fn next(&mut self) -> Option<Result<Bytes, S3Error>> {
        let body = self.body.as_mut()?;
        loop {
            let frame = match clock::within(self.idle, body.frame()).await {
                Some(Some(Ok(frame))) => frame,
                Some(Some(Err(error))) => {
                    return Some(Err(self.fail(S3ErrorKind::Network).caused_by(error)));
                }
                Some(None) if self.received == self.expected => {
                    self.body = None;
                    return None;
                }
                Some(None) => return Some(Err(self.cut())),
                None => {
                    let limit = self.idle;
                    let awaited = "further bytes of the object";
                    return Some(Err(self.fail(S3ErrorKind::Timeout { awaited, limit })));
                }
            };
            if let Ok(data) = frame.into_data() {
                if data.is_empty() {
                    continue;
                }
                self.received = self
                    .received
                    .saturating_add(u64::try_from(data.len()).unwrap_or(u64::MAX));
                return Some(if self.received > self.expected {
                    Err(self.cut())
                } else {
                    Ok(data)
                });
            }
        }
    }

    /// All bytes, if there are at most `bytes_max`: for small objects.
    ///
    /// # Errors
    /// As [`Self::next`]; an object longer than `bytes_max` is an integrity error, because the caller expects less.
    pub async fn collect(mut self, bytes_max: u64) -> Result<Bytes, S3Error> {
        if self.expected > bytes_max {
            let (expected, actual) = (
                format!("at most {bytes_max} bytes"),
                format!("{} bytes", self.expected),
            );
            return Err(self.fail(S3ErrorKind::Integrity {
                what: "object size",
                expected,
                actual,
            }));
        }
        let mut collected = Vec::with_capacity(usize::try_from(self.expected).unwrap_or(0));
        while let Some(piece) = self.next().await {
            collected.extend_from_slice(&piece?);
        }
        Ok(collected.into())
    }

    fn cut(&mut self) -> S3Error {
        let (expected, actual) = (
            format!("{} bytes", self.expected),
            format!("{} bytes", self.received),
        );
        self.fail(S3ErrorKind::Integrity {
            what: "length of the body",
            expected,
            actual,
        })
    }

    fn fail(&mut self, kind: S3ErrorKind) -> S3Error {
        self.body = None;
        (self.error)(kind)
    }
}

impl std::fmt::Debug for BodyStream {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            out,
            "BodyStream({} of {} bytes)",
            self.received, self.expected
        )
    }
}

//! The client of the benchmarks: kept connections, blocking, signed before the clock starts, with as little work as
//! possible.
//!
//! A body is written from existing memory; an answer's body is counted and, on request, passed on in the pieces that
//! the kernel returned. On two cores every cycle of the client is missing for the server.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use strongroom_tests::http;
use strongroom_tests::s3::S3;

use crate::stats::bytes;

/// A slower answer counts as a hang, even on a busy disk.
const ANSWER_WITHIN: Duration = Duration::from_mins(2);

/// Bytes kept of the body of an answer that should have been 200.
const ERROR_BYTES: usize = 4096;

/// A kept connection.
#[derive(Debug)]
pub struct Connection(http::Connection);

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// Its ETag.
    pub etag: Option<String>,
    /// Bytes of its body.
    pub len: u64,
    /// The body, if it was requested.
    pub body: Vec<u8>,
}

impl Connection {
    /// Opens a connection.
    pub fn open(addr: SocketAddr) -> Self {
        let mut connection = http::Connection::open(addr).expect("the server listens");
        connection
            .set_patience(ANSWER_WITHIN)
            .expect("a TCP socket");
        Self(connection)
    }

    /// Sends head and body and reads the answer, keeping its body.
    pub fn call(&mut self, head: &[u8], body: &[u8]) -> Answer {
        let mut kept = Vec::new();
        let mut answer = self.exchange(head, &[body], |piece| kept.extend_from_slice(piece));
        answer.body = kept;
        answer
    }

    /// Sends head and body, expects 200 and discards the answer's body.
    ///
    /// # Panics
    /// On any other status.
    pub fn must(&mut self, head: &[u8], body: &[&[u8]]) -> Answer {
        let mut kept = Vec::new();
        let answer = self.exchange(head, body, |piece| {
            // Errors are short; a body of half a gigabyte is not kept.
            if kept.len() < ERROR_BYTES {
                kept.extend_from_slice(piece.get(..ERROR_BYTES).unwrap_or(piece));
            }
        });
        let (said, request) = (
            String::from_utf8_lossy(&kept),
            String::from_utf8_lossy(head),
        );
        assert!(answer.status == 200, "{}: {said}\n{request}", answer.status);
        answer
    }

    /// Sends head and body and passes the answer's body to `sink` in pieces.
    pub fn exchange(&mut self, head: &[u8], body: &[&[u8]], sink: impl FnMut(&[u8])) -> Answer {
        self.try_exchange(head, body, sink)
            .unwrap_or_else(|e| panic!("{}: {e}", String::from_utf8_lossy(head)))
    }

    fn try_exchange(
        &mut self,
        head: &[u8],
        body: &[&[u8]],
        mut sink: impl FnMut(&[u8]),
    ) -> io::Result<Answer> {
        self.0.write_head(head)?;
        for piece in body {
            self.0.write(piece)?;
        }
        let head = self.0.read_head()?;
        let mut len = 0;
        self.0.read_body(&head, |piece| {
            len += bytes(piece.len());
            sink(piece);
            true
        })?;
        Ok(Answer {
            status: head.status,
            etag: head.header("etag").map(str::to_owned),
            len,
            body: Vec::new(),
        })
    }
}

/// The head of a PUT of `len` bytes whose body is not hashed.
pub fn put_head(s3: &S3, path: &str, len: u64) -> Vec<u8> {
    s3.unsigned_payload("PUT", path, &[], b"")
        .with_header("content-length", &len.to_string())
        .with_header("connection", "keep-alive")
        .head()
}

/// The head of a request whose body is hashed into the signature.
pub fn signed_head(
    s3: &S3,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Vec<u8> {
    s3.signed(method, path, headers, body)
        .with_header("connection", "keep-alive")
        .head()
}

/// The head of a GET, or of anything else without a body.
pub fn bare_head(s3: &S3, method: &str, path: &str) -> Vec<u8> {
    signed_head(s3, method, path, &[], b"")
}

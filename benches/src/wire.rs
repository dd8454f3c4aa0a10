//! The client of the benchmarks: kept connections, blocking, signed before the clock starts, as little work as possible.
//!
//! A body is written from memory that is there already; an answer's body is counted and, where asked for, handed out in
//! the pieces that the kernel gave. On two cores every cycle of the client is one that the server lacks.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use strongroom_tests::s3::S3;

use crate::stats::bytes;

/// Read at a time: the kernel's buffers of a loopback connection hold a few MiB.
const READ_BYTES: usize = 256 << 10;

/// An answer that takes longer is a hang, also on a busy disk.
const ANSWER_WITHIN: Duration = Duration::from_mins(2);

/// The longest line of a head; the server's are below 1 KiB.
const LINE_BYTES_MAX: u64 = 16 << 10;

/// A kept connection.
#[derive(Debug)]
pub struct Connection {
    stream: BufReader<TcpStream>,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// Its ETag.
    pub etag: Option<String>,
    /// Bytes of its body.
    pub len: u64,
    /// The body, when it was asked for.
    pub body: Vec<u8>,
}

/// How much of the body follows.
enum Length {
    Known(u64),
    Chunked,
}

impl Connection {
    /// Opens one.
    pub fn open(addr: SocketAddr) -> Self {
        let stream = TcpStream::connect(addr).expect("the server listens");
        stream.set_nodelay(true).expect("a TCP socket");
        stream
            .set_read_timeout(Some(ANSWER_WITHIN))
            .expect("a TCP socket");
        Self {
            stream: BufReader::with_capacity(READ_BYTES, stream),
        }
    }

    /// Sends head and body and reads the answer with its body kept.
    pub fn call(&mut self, head: &[u8], body: &[u8]) -> Answer {
        let mut kept = Vec::new();
        let mut answer = self.exchange(head, &[body], |piece| kept.extend_from_slice(piece));
        answer.body = kept;
        answer
    }

    /// Sends head and body, wants 200 and throws the answer's body away.
    ///
    /// # Panics
    /// On any other status.
    pub fn must(&mut self, head: &[u8], body: &[&[u8]]) -> Answer {
        let mut kept = Vec::new();
        let answer = self.exchange(head, body, |piece| {
            // Errors are short; a body of half a gigabyte is not kept.
            if kept.len() < 4096 {
                kept.extend_from_slice(piece.get(..4096).unwrap_or(piece));
            }
        });
        let (said, request) = (
            String::from_utf8_lossy(&kept),
            String::from_utf8_lossy(head),
        );
        assert!(answer.status == 200, "{}: {said}\n{request}", answer.status);
        answer
    }

    /// Sends head and body and hands the answer's body to `sink` piece by piece.
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
        let stream = self.stream.get_mut();
        stream.write_all(head)?;
        for piece in body {
            stream.write_all(piece)?;
        }
        let status = self.line()?;
        let status = status.split(' ').nth(1).and_then(|code| code.parse().ok());
        let status: u16 = status.ok_or_else(|| io::Error::other("no HTTP answer"))?;
        let (mut length, mut etag) = (Length::Known(0), None);
        loop {
            let line = self.line()?;
            if line.is_empty() {
                break;
            }
            let Some((name, value)) = line.split_once(": ") else {
                continue;
            };
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = Length::Known(number(value, 10)?),
                "transfer-encoding" => length = Length::Chunked,
                "etag" => etag = Some(value.to_owned()),
                _ => {}
            }
        }
        let len = match length {
            Length::Known(len) => self.pass(len, &mut sink)?,
            Length::Chunked => self.pass_chunks(&mut sink)?,
        };
        Ok(Answer {
            status,
            etag,
            len,
            body: Vec::new(),
        })
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = Vec::new();
        let mut limited = (&mut self.stream).take(LINE_BYTES_MAX);
        limited.read_until(b'\n', &mut line)?;
        let text = String::from_utf8_lossy(&line);
        match text.strip_suffix("\r\n") {
            Some(line) => Ok(line.to_owned()),
            None => Err(io::Error::other("the connection closed within a head")),
        }
    }

    fn pass(&mut self, len: u64, sink: &mut impl FnMut(&[u8])) -> io::Result<u64> {
        let mut left = len;
        while left > 0 {
            let piece = self.stream.fill_buf()?;
            if piece.is_empty() {
                return Err(io::Error::other(format!(
                    "{left} bytes of {len} are missing"
                )));
            }
            let some = piece.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            sink(piece.get(..some).expect("cut to its length"));
            self.stream.consume(some);
            left -= bytes(some);
        }
        Ok(len)
    }

    fn pass_chunks(&mut self, sink: &mut impl FnMut(&[u8])) -> io::Result<u64> {
        let mut total = 0;
        loop {
            let line = self.line()?;
            let len = number(line.split(';').next().unwrap_or_default(), 16)?;
            total += self.pass(len, sink)?;
            self.line()?;
            if len == 0 {
                return Ok(total);
            }
        }
    }
}

fn number(text: &str, radix: u32) -> io::Result<u64> {
    u64::from_str_radix(text.trim(), radix).map_err(io::Error::other)
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

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn answers_follow_each_other_on_one_connection() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
        let addr = listener.local_addr().expect("bound");
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let (mut stream, _) = listener.accept().expect("a client");
                let answers = "HTTP/1.1 200 OK\r\nETag: \"e\"\r\nContent-Length: 3\r\n\r\nabc\
                     HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nde\r\n1\r\nf\r\n0\r\n\r\n\
                     HTTP/1.1 204 No Content\r\n\r\n";
                stream.write_all(answers.as_bytes()).expect("sent");
                let mut rest = Vec::new();
                stream.read_to_end(&mut rest).expect("read");
                assert_eq!(rest, b"headbodyheadhead");
            });
            let mut connection = Connection::open(addr);
            let first = connection.call(b"head", b"body");
            assert_eq!((first.status, first.etag.as_deref()), (200, Some("\"e\"")));
            assert_eq!(first.body, b"abc");
            let second = connection.call(b"head", b"");
            assert_eq!(
                (second.status, second.body.as_slice()),
                (404, b"def".as_slice())
            );
            assert_eq!(connection.call(b"head", b"").status, 204);
            drop(connection);
        });
    }
}

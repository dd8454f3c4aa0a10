//! One kept connection to a server: bodies stream out and in by pieces, never whole.
//!
//! An error drops the connection; the next request opens another. It knows no S3.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};

use super::content::{PIECE_BYTES, Token, fill, pieces};
use crate::http;

/// Heads above this are a fault of the server.
const HEAD_BYTES_MAX: usize = 64 * 1024;

/// Documents (listings, errors) above this are a fault of the server.
const DOCUMENT_BYTES_MAX: usize = 16 << 20;

/// What goes with a request.
#[derive(Debug, Clone, Copy)]
pub enum Body<'a> {
    /// These bytes.
    Bytes(&'a [u8]),
    /// A run of a token's content.
    Content {
        /// Whose.
        token: Token,
        /// From which offset on.
        from: u64,
        /// How much.
        len: u64,
    },
}

impl Body<'_> {
    /// Its length.
    pub fn len(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => u64::try_from(bytes.len()).expect("a length"),
            Self::Content { len, .. } => *len,
        }
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Status and headers of an answer; its body is read next.
#[derive(Debug, Clone)]
pub struct Head {
    /// The status code.
    pub status: u16,
    /// Header names in lower case.
    pub headers: Vec<(String, String)>,
}

impl Head {
    /// The first header of this name.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(n, _)| n == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The body's length, when the head tells it.
    pub fn len(&self) -> Option<u64> {
        self.header("content-length")?.parse().ok()
    }

    /// Whether the head promises an empty body.
    pub fn is_empty(&self) -> bool {
        self.status == 204 || self.status == 304 || self.len() == Some(0)
    }
}

/// A connection that is kept between requests.
#[derive(Debug)]
pub struct Wire {
    addr: SocketAddr,
    stream: Option<BufReader<TcpStream>>,
}

impl Wire {
    /// To this address; nothing is opened yet.
    pub fn to(addr: SocketAddr) -> Self {
        Self { addr, stream: None }
    }

    /// Sends head and body, and reads the head of the answer.
    ///
    /// # Errors
    /// No connection, or it was cut.
    pub fn ask(&mut self, head: &[u8], body: Body<'_>) -> io::Result<Head> {
        let answer = self.try_ask(head, body);
        if answer.is_err() {
            self.stream = None;
        }
        answer
    }

    fn try_ask(&mut self, head: &[u8], body: Body<'_>) -> io::Result<Head> {
        if self.stream.is_none() {
            let stream = http::connect(self.addr)?;
            stream.set_nodelay(true)?;
            self.stream = Some(BufReader::with_capacity(PIECE_BYTES, stream));
        }
        let stream = self.stream.as_mut().expect("opened above");
        // One that refuses early answers and closes while we write: its answer counts, not our broken pipe.
        let sent = send(stream.get_mut(), head, body);
        read_head(stream).map_err(|error| sent.err().unwrap_or(error))
    }

    /// Reads the body by pieces. `each` gets the offset and the bytes, and stops the reading by false.
    ///
    /// # Errors
    /// The connection was cut before the body's end.
    pub fn read(&mut self, head: &Head, each: impl FnMut(u64, &[u8]) -> bool) -> io::Result<()> {
        let read = self.try_read(head, each);
        let kept = head.header("connection") != Some("close");
        if !matches!(read, Ok(true)) || !kept {
            self.stream = None;
        }
        read.map(|_| ())
    }

    /// The whole body of a small answer.
    ///
    /// # Errors
    /// As [`Self::read`], and when it is none of a small answer's.
    pub fn document(&mut self, head: &Head) -> io::Result<String> {
        let mut bytes = Vec::new();
        self.read(head, |_, piece| {
            bytes.extend_from_slice(piece);
            bytes.len() <= DOCUMENT_BYTES_MAX
        })?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Whether the body was read to its end, so that the connection can be used again.
    fn try_read(
        &mut self,
        head: &Head,
        mut each: impl FnMut(u64, &[u8]) -> bool,
    ) -> io::Result<bool> {
        let stream = self.stream.as_mut().ok_or_else(cut)?;
        if head.is_empty() {
            return Ok(true);
        }
        if let Some(len) = head.len() {
            return read_run(stream, 0, len, &mut each);
        }
        if head.header("transfer-encoding") != Some("chunked") {
            return Err(io::Error::other("an answer without a length"));
        }
        let mut at = 0;
        loop {
            let line = read_line(stream)?;
            let len = u64::from_str_radix(line.trim(), 16).map_err(io::Error::other)?;
            if len > 0 && !read_run(stream, at, len, &mut each)? {
                return Ok(false);
            }
            at += len;
            read_line(stream)?;
            if len == 0 {
                return Ok(true);
            }
        }
    }
}

fn send(stream: &mut TcpStream, head: &[u8], body: Body<'_>) -> io::Result<()> {
    match body {
        Body::Bytes(bytes) => stream.write_all(&[head, bytes].concat()),
        Body::Content { token, from, len } => {
            stream.write_all(head)?;
            let mut failed = Ok(());
            let mut piece = vec![0; PIECE_BYTES];
            pieces(from, len, |at, bytes| {
                fill(token, at, &mut piece[..bytes]);
                failed = stream.write_all(&piece[..bytes]);
                failed.is_ok()
            });
            failed
        }
    }
}

fn read_head(stream: &mut BufReader<TcpStream>) -> io::Result<Head> {
    loop {
        let first = read_line(stream)?;
        let status = first.split(' ').nth(1).and_then(|s| s.parse().ok());
        let status: u16 =
            status.ok_or_else(|| io::Error::other(format!("no status line: {first:?}")))?;
        let mut headers = Vec::new();
        loop {
            let line = read_line(stream)?;
            if line.is_empty() {
                break;
            }
            if let Some((name, value)) = line.split_once(':') {
                headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
            }
        }
        if status >= 200 {
            return Ok(Head { status, headers });
        }
    }
}

fn read_line(stream: &mut BufReader<TcpStream>) -> io::Result<String> {
    let mut line = Vec::new();
    let limit = u64::try_from(HEAD_BYTES_MAX).expect("a length");
    stream.by_ref().take(limit).read_until(b'\n', &mut line)?;
    if !line.ends_with(b"\r\n") {
        return Err(cut());
    }
    line.truncate(line.len() - 2);
    String::from_utf8(line).map_err(io::Error::other)
}

fn read_run(
    stream: &mut BufReader<TcpStream>,
    from: u64,
    len: u64,
    each: &mut impl FnMut(u64, &[u8]) -> bool,
) -> io::Result<bool> {
    let mut done = 0;
    while done < len {
        let bytes = stream.fill_buf()?;
        if bytes.is_empty() {
            return Err(cut());
        }
        let left = usize::try_from(len - done).unwrap_or(usize::MAX);
        let taken = bytes.len().min(left);
        let go_on = each(from + done, &bytes[..taken]);
        stream.consume(taken);
        done += u64::try_from(taken).expect("a length");
        if !go_on {
            return Ok(false);
        }
    }
    Ok(true)
}

fn cut() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "the connection was cut")
}

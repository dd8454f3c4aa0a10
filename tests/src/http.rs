//! HTTP by hand: requests whose every byte the test decides, for probes and for clients that lie.
//!
//! One connection per request, read to its end. It knows no S3; signatures come from [`crate::source`].

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

/// An answer that takes longer is a hang.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// Answers above this are a fault of the server: probes and error bodies are small.
const ANSWER_BYTES_MAX: u64 = 64 << 20;

/// An answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// Header names in lower case, in the order they came.
    pub headers: Vec<(String, String)>,
    /// The body as sent.
    pub body: Vec<u8>,
}

impl Answer {
    /// The first header of this name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, v)| v.as_str())
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// `GET path`.
///
/// # Errors
/// No connection, or no answer in time.
pub fn get(addr: SocketAddr, path: &str) -> io::Result<Answer> {
    send(
        addr,
        format!("GET {path} HTTP/1.1\r\nHost: {addr}\r\nConnection: close\r\n\r\n").as_bytes(),
    )
}

/// Sends these bytes and reads the answer until the server closes; the caller asks for `Connection: close`.
///
/// # Errors
/// No connection, or no answer in time.
pub fn send(addr: SocketAddr, request: &[u8]) -> io::Result<Answer> {
    let mut stream = connect(addr)?;
    // A server that refuses early closes while we still write: its answer counts, not our broken pipe.
    let _broken_pipe = stream.write_all(request);
    read_answer(&mut stream)
}

/// Sends these bytes, then hangs up: a client that died in mid-request.
///
/// # Errors
/// No connection, or it closed before all was sent.
pub fn send_and_hang_up(addr: SocketAddr, request: &[u8]) -> io::Result<()> {
    let mut stream = connect(addr)?;
    stream.write_all(request)?;
    stream.shutdown(Shutdown::Both)
}

/// A connection with deadlines.
///
/// # Errors
/// Nobody listens.
pub fn connect(addr: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&addr, ANSWER_WITHIN)?;
    stream.set_read_timeout(Some(ANSWER_WITHIN))?;
    stream.set_write_timeout(Some(ANSWER_WITHIN))?;
    Ok(stream)
}

/// Reads an answer until the connection closes.
///
/// # Errors
/// What came is no whole answer.
pub fn read_answer(stream: &mut TcpStream) -> io::Result<Answer> {
    let mut bytes = Vec::new();
    let read = stream.take(ANSWER_BYTES_MAX).read_to_end(&mut bytes);
    match parse(&bytes) {
        Some(answer) => Ok(answer),
        None => Err(read.err().unwrap_or_else(|| {
            io::Error::other(format!("no HTTP answer in {} bytes", bytes.len()))
        })),
    }
}

/// The last answer in `bytes`: interim ones (100 Continue) are passed over.
fn parse(bytes: &[u8]) -> Option<Answer> {
    let end = bytes.windows(4).position(|w| w == b"\r\n\r\n")?;
    let head = std::str::from_utf8(bytes.get(..end)?).ok()?;
    let mut lines = head.split("\r\n");
    let status: u16 = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let rest = bytes.get(end + 4..)?;
    if status < 200 {
        return parse(rest);
    }
    let headers: Vec<_> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let chunked = headers
        .iter()
        .any(|(n, v)| n == "transfer-encoding" && v.eq_ignore_ascii_case("chunked"));
    let body = if chunked {
        dechunk(rest)?
    } else {
        rest.to_vec()
    };
    Some(Answer {
        status,
        headers,
        body,
    })
}

fn dechunk(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let end = rest.windows(2).position(|w| w == b"\r\n")?;
        let len =
            usize::from_str_radix(std::str::from_utf8(rest.get(..end)?).ok()?.trim(), 16).ok()?;
        if len == 0 {
            return Some(body);
        }
        let from = end + 2;
        body.extend_from_slice(rest.get(from..from + len)?);
        rest = rest.get(from + len + 2..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interim_answers_are_passed_over_and_chunks_joined() {
        let bytes = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX: y\r\n\r\n3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n";
        let answer = parse(bytes).expect("an answer");
        assert_eq!(
            (answer.status, answer.header("x"), answer.text().as_str()),
            (200, Some("y"), "abcd")
        );
    }
}

//! The HTTP client of suites and benchmarks. The caller decides every byte of a request: for probes, for falsified
//! requests, and for streamed bodies.
//!
//! A [`Connection`] blocks and may be kept for several requests. [`get`] and [`send`] open a new connection each. It
//! knows no S3; signatures come from [`crate::s3`].

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::ops::Deref;
use std::time::Duration;

/// A slower answer counts as a hang.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// Longer head lines are a fault of the server.
const LINE_BYTES_MAX: u64 = 64 << 10;

/// Larger answers are not kept whole: the suites read only probes, documents and small objects this way.
const ANSWER_BYTES_MAX: usize = 64 << 20;

/// Bytes per read: the kernel's buffers of a loopback connection hold a few MiB.
const READ_BYTES: usize = 256 << 10;

/// The kernel accepts this much without a reader. A larger request is written by another thread, since the answer may
/// come before the end of the request.
const WRITTEN_AHEAD_BYTES: usize = 64 << 10;

/// Status and headers of an answer; its body is read next.
#[derive(Debug, Clone)]
pub struct Head {
    /// The status code.
    pub status: u16,
    /// Header names in lower case, in the order they came.
    pub headers: Vec<(String, String)>,
    body: BodyLength,
}

/// How the end of a body is recognised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum BodyLength {
    Known(u64),
    Chunked,
    UntilClose,
}

/// An answer with its body.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Status and headers.
    pub head: Head,
    /// The body as sent, without chunk framing.
    pub body: Vec<u8>,
    /// Whether the connection ended before the body did.
    pub cut: bool,
}

impl Head {
    /// The first header of this name.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(n, _)| n == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The body's length, if the head states it.
    pub fn content_length(&self) -> Option<u64> {
        self.header("content-length")?.parse().ok()
    }

    /// Whether the server closes the connection after this answer.
    pub fn closes(&self) -> bool {
        let connection = self.header("connection");
        connection.is_some_and(|value| value.eq_ignore_ascii_case("close"))
    }
}

impl Deref for Answer {
    type Target = Head;

    fn deref(&self) -> &Head {
        &self.head
    }
}

impl Answer {
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
    let head = format!("GET {path} HTTP/1.1\r\nHost: {addr}\r\nConnection: close\r\n\r\n");
    send(addr, head.as_bytes())
}

/// Sends these bytes on a new connection and reads the answer.
///
/// # Errors
/// No connection, or no answer in time.
pub fn send(addr: SocketAddr, request: &[u8]) -> io::Result<Answer> {
    Connection::open(addr)?.exchange(request)
}

/// Sends these bytes, then disconnects: a client that died in the middle of a request.
///
/// # Errors
/// No connection, or it closed before all was sent.
pub fn send_and_hang_up(addr: SocketAddr, request: &[u8]) -> io::Result<()> {
    let mut stream = connect(addr)?;
    stream.write_all(request)?;
    stream.shutdown(Shutdown::Both)
}

/// A socket with deadlines.
///
/// # Errors
/// Nobody listens.
pub fn connect(addr: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&addr, ANSWER_WITHIN)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(ANSWER_WITHIN))?;
    stream.set_write_timeout(Some(ANSWER_WITHIN))?;
    Ok(stream)
}

/// A connection, which may be kept between requests.
#[derive(Debug)]
pub struct Connection {
    stream: BufReader<TcpStream>,
    /// The answer to a HEAD states the length of a body that does not come.
    asked_for_head: bool,
}

impl Connection {
    /// Opens a connection.
    ///
    /// # Errors
    /// Nobody listens.
    pub fn open(addr: SocketAddr) -> io::Result<Self> {
        Ok(Self {
            stream: BufReader::with_capacity(READ_BYTES, connect(addr)?),
            asked_for_head: false,
        })
    }

    /// Sets a longer timeout for answers.
    ///
    /// # Errors
    /// The socket refuses the timeout.
    pub fn set_patience(&mut self, patience: Duration) -> io::Result<()> {
        self.stream.get_ref().set_read_timeout(Some(patience))
    }

    /// Begins a request.
    ///
    /// # Errors
    /// The server has closed.
    pub fn write_head(&mut self, head: &[u8]) -> io::Result<()> {
        self.asked_for_head = head.starts_with(b"HEAD ");
        self.write(head)
    }

    /// Sends bytes of a body, or any other bytes.
    ///
    /// # Errors
    /// The server has closed.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.get_mut().write_all(bytes)
    }

    /// Closes the sending side.
    ///
    /// # Errors
    /// The server has closed.
    pub fn half_close(&mut self) -> io::Result<()> {
        self.stream.get_ref().shutdown(Shutdown::Write)
    }

    /// Sends a whole request and reads its answer, which may come before the end of the request.
    ///
    /// # Errors
    /// No answer came.
    pub fn exchange(&mut self, request: &[u8]) -> io::Result<Answer> {
        self.asked_for_head = request.starts_with(b"HEAD ");
        // A server that refuses early closes while we still write: its answer counts, not our broken pipe.
        if request.len() <= WRITTEN_AHEAD_BYTES {
            let _broken_pipe = self.write(request);
            return self.read_answer();
        }
        let mut writing = self.stream.get_ref().try_clone()?;
        std::thread::scope(|scope| {
            scope.spawn(move || {
                let _broken_pipe = writing.write_all(request);
            });
            let answer = self.read_answer();
            if answer.as_ref().map_or(true, |answer| answer.closes()) {
                let _closed = self.stream.get_ref().shutdown(Shutdown::Both);
            }
            answer
        })
    }

    /// Reads an answer and keeps its body; skips interim answers (100 Continue).
    ///
    /// # Errors
    /// Not an answer, or one that is too large to keep.
    pub fn read_answer(&mut self) -> io::Result<Answer> {
        let head = self.read_head()?;
        let mut body = Vec::new();
        let read = self.read_body(&head, |piece| {
            body.extend_from_slice(piece);
            body.len() <= ANSWER_BYTES_MAX
        });
        if body.len() > ANSWER_BYTES_MAX {
            return Err(io::Error::other("the answer is too large to be kept"));
        }
        let cut = match read {
            Ok(_) => false,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Err(error),
            Err(_) => true,
        };
        Ok(Answer { head, body, cut })
    }

    /// Reads the head of an answer; skips interim answers.
    ///
    /// # Errors
    /// Not the head of an answer.
    pub fn read_head(&mut self) -> io::Result<Head> {
        loop {
            let head = self.read_any_head()?;
            if head.status >= 200 {
                return Ok(head);
            }
        }
    }

    /// Reads the head of an answer, including interim ones.
    ///
    /// # Errors
    /// Not the head of an answer.
    pub fn read_any_head(&mut self) -> io::Result<Head> {
        let first = self.line()?;
        let status = first.split(' ').nth(1).and_then(|code| code.parse().ok());
        let status: u16 =
            status.ok_or_else(|| io::Error::other(format!("no status line: {first:?}")))?;
        let mut headers = Vec::new();
        loop {
            let line = self.line()?;
            if line.is_empty() {
                break;
            }
            if let Some((name, value)) = line.split_once(':') {
                headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
            }
        }
        let mut head = Head {
            status,
            headers,
            body: BodyLength::Known(0),
        };
        if !self.asked_for_head && status >= 200 && status != 204 && status != 304 {
            let chunked = head.header("transfer-encoding");
            head.body = match head.content_length() {
                _ if chunked.is_some_and(|v| v.eq_ignore_ascii_case("chunked")) => {
                    BodyLength::Chunked
                }
                Some(len) => BodyLength::Known(len),
                None => BodyLength::UntilClose,
            };
        }
        Ok(head)
    }

    /// Reads the body after a head, in the pieces that the kernel returns. `each` stops the reading by returning false.
    /// Returns whether the end was reached, so that the connection can be used again.
    ///
    /// # Errors
    /// The connection was cut before the body's end.
    pub fn read_body(
        &mut self,
        head: &Head,
        mut each: impl FnMut(&[u8]) -> bool,
    ) -> io::Result<bool> {
        match head.body {
            BodyLength::Known(len) => self.read_run(len, &mut each),
            BodyLength::Chunked => self.read_chunks(&mut each),
            BodyLength::UntilClose => self.read_until_close(&mut each),
        }
    }

    fn read_run(&mut self, len: u64, each: &mut impl FnMut(&[u8]) -> bool) -> io::Result<bool> {
        let mut left = len;
        while left > 0 {
            let piece = self.stream.fill_buf()?;
            if piece.is_empty() {
                return Err(cut(&format!("{left} bytes of {len} are missing")));
            }
            let some = piece.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            let go_on = each(&piece[..some]);
            self.stream.consume(some);
            left -= u64::try_from(some).expect("a length");
            if !go_on {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn read_chunks(&mut self, each: &mut impl FnMut(&[u8]) -> bool) -> io::Result<bool> {
        loop {
            let line = self.line()?;
            let digits = line.split(';').next().unwrap_or_default().trim();
            let len = u64::from_str_radix(digits, 16).map_err(io::Error::other)?;
            if !self.read_run(len, each)? {
                return Ok(false);
            }
            self.line()?;
            if len == 0 {
                return Ok(true);
            }
        }
    }

    fn read_until_close(&mut self, each: &mut impl FnMut(&[u8]) -> bool) -> io::Result<bool> {
        loop {
            let piece = self.stream.fill_buf()?;
            let some = piece.len();
            let go_on = each(piece);
            self.stream.consume(some);
            if some == 0 || !go_on {
                return Ok(some == 0);
            }
        }
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = Vec::new();
        let mut limited = (&mut self.stream).take(LINE_BYTES_MAX);
        limited.read_until(b'\n', &mut line)?;
        if !line.ends_with(b"\r\n") {
            return Err(cut("the connection was cut within a head"));
        }
        line.truncate(line.len() - 2);
        Ok(String::from_utf8_lossy(&line).into_owned())
    }
}

fn cut(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, what)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    /// Runs a server for one connection that sends this answer and reads to the end; returns the result of `talk`, and
    /// what the server read.
    fn served<T: Send>(
        answers: &[u8],
        talk: impl FnOnce(&mut Connection) -> T + Send,
    ) -> (T, Vec<u8>) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let addr = listener.local_addr().expect("bound");
        std::thread::scope(|scope| {
            let server = scope.spawn(move || {
                let (mut stream, _) = listener.accept().expect("a client");
                stream.write_all(answers).expect("sent");
                let mut read = Vec::new();
                stream.read_to_end(&mut read).expect("read");
                read
            });
            let mut connection = Connection::open(addr).expect("it listens");
            let found = talk(&mut connection);
            drop(connection);
            (found, server.join().expect("it ends"))
        })
    }

    #[test]
    fn answers_on_one_connection_are_told_apart() {
        let answers = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX: y\r\n\r\n3\r\nabc\r\n1\r\nd\r\n0\r\n\r\nHTTP/1.1 404 No\r\ncontent-length: 3\r\n\r\ndefHTTP/1.1 204 No\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nHTTP/1.1 500 No\r\nconnection: close\r\ncontent-length: 1\r\n\r\ng";
        let ((), read) = served(answers, |connection| {
            let mut next = |request: &[u8]| connection.exchange(request).expect("an answer");
            let first = next(b"GET 1");
            let told = (first.status, first.header("x"), first.text());
            assert_eq!(told, (200, Some("y"), "abcd".to_owned()));
            let second = next(b"GET 2");
            assert_eq!((second.status, second.text()), (404, "def".to_owned()));
            assert_eq!(next(b"PUT 3").status, 204);
            let head = next(b"HEAD 4");
            assert_eq!((head.content_length(), head.body.len()), (Some(9), 0));
            let last = next(b"GET 5");
            assert!(last.closes() && !last.cut && last.text() == "g");
        });
        assert_eq!(read, b"GET 1GET 2PUT 3HEAD 4GET 5");
    }

    #[test]
    fn an_answer_that_comes_before_the_request_has_gone_out_is_read() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let addr = listener.local_addr().expect("bound");
        let (done, wait) = std::sync::mpsc::channel::<()>();
        std::thread::scope(|scope| {
            scope.spawn(move || {
                let (mut stream, _) = listener.accept().expect("a client");
                let answer = b"HTTP/1.1 403 No\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
                stream.write_all(answer).expect("sent");
                // It neither reads nor closes, so the client cannot send its whole request.
                let _end = wait.recv();
            });
            let answer = send(addr, &vec![b'x'; 64 << 20]).expect("an answer");
            assert_eq!(answer.status, 403);
            drop(done);
        });
    }

    #[test]
    fn what_is_cut_is_told() {
        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc";
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let addr = listener.local_addr().expect("bound");
        std::thread::scope(|scope| {
            scope.spawn(move || {
                for _ in 0..2 {
                    let (mut stream, _) = listener.accept().expect("a client");
                    stream.write_all(answer).expect("sent");
                }
            });
            let whole = send(addr, b"").expect("an answer");
            assert!(whole.cut && whole.body == b"abc");
            let mut connection = Connection::open(addr).expect("it listens");
            let head = connection.read_head().expect("a head");
            let error = connection.read_body(&head, |_| true).expect_err("cut");
            assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        });
    }
}

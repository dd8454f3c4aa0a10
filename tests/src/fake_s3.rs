//! The fake S3 of the suites: it answers as a test tells it, also wrongly, partly or not at all.
//!
//! It reads one request per connection and knows no signatures: the tests of the real server check those. A
//! [`FakeS3::script`] makes every answer itself; a [`FakeS3::store`] has objects, and a closure that may change the
//! honest answer.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;

/// The bucket of a store.
pub const BUCKET: &str = "etcd-backup";

/// Keys per page of a listing: few, so that every listing has several pages.
const PAGE_KEYS: usize = 2;

/// The objects of a store, by key.
pub type Objects = BTreeMap<String, Vec<u8>>;

/// A request as received.
#[derive(Debug, Clone)]
pub struct Request {
    /// The method.
    pub method: String,
    /// Path and query.
    pub target: String,
    /// By names in lower case.
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: Vec<u8>,
}

/// An answer: sent completely, or partly and then nothing.
#[derive(Debug, Clone)]
pub struct Reply {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    /// Bytes to send instead of head and body.
    raw: Option<Vec<u8>>,
    /// The number of body bytes to send.
    sent: Option<usize>,
    /// Afterwards the connection stays open until the client gives up.
    stalls: bool,
}

/// A running fake; its connections end with it.
#[derive(Debug)]
pub struct FakeS3 {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Request>>>,
    runtime: Option<Runtime>,
}

impl Request {
    /// The path as sent.
    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// The query as sent; empty when there is none.
    pub fn query(&self) -> &str {
        self.target.split_once('?').map_or("", |(_, query)| query)
    }

    /// Whether it requests a listing.
    pub fn is_list(&self) -> bool {
        self.query().contains("list-type=2")
    }

    fn parameter(&self, name: &str) -> String {
        let pairs = self.query().split('&');
        let mut values = pairs.filter_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
        let value = values.next().unwrap_or_default();
        value.replace("%2F", "/").replace("%2f", "/")
    }
}

impl Reply {
    /// A complete answer.
    pub fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: body.into(),
            raw: None,
            sent: None,
            stalls: false,
        }
    }

    /// An S3 error document.
    pub fn error(status: u16, code: &str) -> Self {
        let message = "<Message>told by the test</Message><RequestId>R1</RequestId>";
        Self::new(
            status,
            format!("<Error><Code>{code}</Code>{message}</Error>"),
        )
    }

    /// These bytes, which need not be HTTP.
    pub fn raw(bytes: impl Into<Vec<u8>>) -> Self {
        let mut reply = Self::new(0, "");
        reply.raw = Some(bytes.into());
        reply
    }

    /// No answer, on a connection that stays open.
    pub fn silence() -> Self {
        let mut reply = Self::raw("");
        reply.stalls = true;
        reply
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Closes the connection after this many bytes of the body.
    #[must_use]
    pub fn cut_after(mut self, bytes: usize) -> Self {
        self.sent = Some(bytes);
        self
    }

    /// Sends nothing more after this many bytes of the body.
    #[must_use]
    pub fn stall_after(mut self, bytes: usize) -> Self {
        self.stalls = true;
        self.cut_after(bytes)
    }

    /// The part of a body that a `Range` header requests.
    fn of_range(body: &[u8], range: Option<&String>) -> Self {
        let ends = range.and_then(|range| range.strip_prefix("bytes=")?.split_once('-'));
        let Some((first, last)) = ends else {
            return Self::new(200, body);
        };
        let first: usize = first.parse().expect("a number");
        let end = body.len() - 1;
        let last = last.parse().map_or(end, |last: usize| last.min(end));
        let told = format!("bytes {first}-{last}/{}", body.len());
        Self::new(206, &body[first..=last]).header("Content-Range", &told)
    }

    fn bytes(&self, asked_for_head: bool) -> Vec<u8> {
        if let Some(raw) = &self.raw {
            return raw.clone();
        }
        let mut head = format!(
            "HTTP/1.1 {} X\r\nConnection: close\r\nContent-Length: {}\r\n",
            self.status,
            self.body.len()
        );
        for (name, value) in &self.headers {
            head.extend([name, ": ", value, "\r\n"]);
        }
        head.push_str("\r\n");
        let mut bytes = head.into_bytes();
        if !asked_for_head {
            let sent = self.sent.unwrap_or(self.body.len()).min(self.body.len());
            bytes.extend_from_slice(&self.body[..sent]);
        }
        bytes
    }
}

impl FakeS3 {
    /// Answers each request with `script`, which gets the number of earlier requests.
    pub fn script(script: impl Fn(usize, &Request) -> Reply + Send + Sync + 'static) -> Self {
        Self::listen(Ipv4Addr::LOCALHOST.into(), script)
    }

    /// A store that answers honestly.
    pub fn honest(objects: Objects) -> Self {
        Self::store(objects, |_, reply, _| reply)
    }

    /// A store; `meddle` gets each request, the honest answer, and the number of earlier requests.
    pub fn store(
        objects: Objects,
        meddle: impl Fn(&Request, Reply, usize) -> Reply + Send + Sync + 'static,
    ) -> Self {
        Self::script(move |before, request| meddle(request, answer(&objects, request), before))
    }

    /// A store that answers honestly, on another address of this machine.
    pub fn honest_at(ip: IpAddr, objects: Objects) -> Self {
        Self::listen(ip, move |_, request| answer(&objects, request))
    }

    fn listen(
        ip: IpAddr,
        script: impl Fn(usize, &Request) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a test machine has threads");
        let listener = TcpListener::bind((ip, 0)).expect("a local address");
        listener.set_nonblocking(true).expect("a TCP socket");
        let address = listener.local_addr().expect("bound");
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (script, log) = (Arc::new(script), Arc::clone(&seen));
        runtime.spawn(async move {
            let listener = tokio::net::TcpListener::from_std(listener).expect("it does not block");
            while let Ok((stream, _peer)) = listener.accept().await {
                let (script, log) = (Arc::clone(&script), Arc::clone(&log));
                tokio::spawn(async move { serve(stream, &*script, &log).await });
            }
        });
        Self {
            address,
            seen,
            runtime: Some(runtime),
        }
    }

    /// Its URL.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// All requests so far.
    pub fn seen(&self) -> Vec<Request> {
        let seen = self.seen.lock();
        seen.clone()
    }
}

impl Drop for FakeS3 {
    fn drop(&mut self) {
        // The test may run on its own runtime, whose threads must not wait.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn serve(
    mut stream: TcpStream,
    script: &(dyn Fn(usize, &Request) -> Reply + Send + Sync),
    log: &Mutex<Vec<Request>>,
) -> std::io::Result<()> {
    let request = read(&mut stream).await?;
    let reply = {
        let mut log = log.lock();
        let reply = script(log.len(), &request);
        log.push(request.clone());
        reply
    };
    let bytes = reply.bytes(request.method == "HEAD");
    stream.write_all(&bytes).await?;
    if reply.stalls {
        // Ends when the client gives up.
        let _gone = stream.read_u8().await;
        return Ok(());
    }
    stream.shutdown().await
}

async fn read(stream: &mut TcpStream) -> std::io::Result<Request> {
    let gone = || std::io::Error::from(std::io::ErrorKind::UnexpectedEof);
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break at + 4;
        }
        if stream.read_buf(&mut bytes).await? == 0 {
            return Err(gone());
        }
    };
    let mut body = bytes.split_off(end);
    let head = String::from_utf8_lossy(&bytes).into_owned();
    let mut lines = head.split("\r\n");
    let mut first = lines.next().unwrap_or_default().split(' ');
    let mut word = || first.next().unwrap_or_default().to_owned();
    let (method, target) = (word(), word());
    let headers: BTreeMap<_, _> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let told = headers.get("content-length");
    let len: usize = told.and_then(|len| len.parse().ok()).unwrap_or(0);
    while body.len() < len {
        if stream.read_buf(&mut body).await? == 0 {
            return Err(gone());
        }
    }
    Ok(Request {
        method,
        target,
        headers,
        body,
    })
}

fn answer(objects: &Objects, request: &Request) -> Reply {
    let Some(rest) = request.path().strip_prefix(&format!("/{BUCKET}")) else {
        return Reply::error(404, "NoSuchBucket");
    };
    if request.is_list() {
        return list(objects, request);
    }
    match objects.get(rest.trim_start_matches('/')) {
        None => Reply::error(404, "NoSuchKey"),
        Some(body) => {
            Reply::of_range(body, request.headers.get("range")).header("ETag", "\"tiny\"")
        }
    }
}

fn list(objects: &Objects, request: &Request) -> Reply {
    let prefix = request.parameter("prefix");
    let after = request.parameter("continuation-token");
    let delimiter = request.parameter("delimiter");
    let mut entries: Vec<(String, Option<usize>)> = objects
        .iter()
        .filter(|(key, _)| key.starts_with(&prefix))
        .map(|(key, body)| match key[prefix.len()..].find(&delimiter) {
            Some(at) if !delimiter.is_empty() => {
                let end = prefix.len() + at + delimiter.len();
                (key[..end].to_owned(), None)
            }
            _ => (key.clone(), Some(body.len())),
        })
        .filter(|(name, _)| name > &after)
        .collect();
    entries.dedup();
    let mut xml = String::from("<ListBucketResult>");
    if let (true, Some((last, _))) = (entries.len() > PAGE_KEYS, entries.get(PAGE_KEYS - 1)) {
        let token = format!("<NextContinuationToken>{last}</NextContinuationToken>");
        xml.extend(["<IsTruncated>true</IsTruncated>", &token]);
    }
    for (name, size) in entries.iter().take(PAGE_KEYS) {
        let entry = match size {
            Some(size) => format!(
                "<Contents><Key>{name}</Key><Size>{size}</Size><ETag>\"tiny\"</ETag></Contents>"
            ),
            None => format!("<CommonPrefixes><Prefix>{name}</Prefix></CommonPrefixes>"),
        };
        xml.push_str(&entry);
    }
    xml.push_str("</ListBucketResult>");
    Reply::new(200, xml)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http;

    fn ask(fake: &FakeS3, line: &str, more: &str) -> http::Answer {
        let request = format!("{line} HTTP/1.1\r\nHost: x\r\n{more}\r\n");
        http::send(fake.address, request.as_bytes()).expect("an answer")
    }

    #[test]
    fn a_store_lists_by_pages_and_serves_ranges() {
        let keys = ["p/a", "p/b", "p/c", "q/d"];
        let objects = keys.map(|key| (key.to_owned(), b"012345".to_vec()));
        let fake = FakeS3::honest(objects.into_iter().collect());
        let page = ask(&fake, "GET /etcd-backup?list-type=2&prefix=p%2F", "").text();
        assert!(page.contains("<Key>p/b</Key>") && !page.contains("p/c"));
        let next = "GET /etcd-backup?list-type=2&prefix=p%2F&continuation-token=p%2Fb";
        let page = ask(&fake, next, "").text();
        assert!(page.contains("<Key>p/c</Key>") && !page.contains("q/d"));
        let part = ask(&fake, "GET /etcd-backup/p/a", "Range: bytes=2-3\r\n");
        assert_eq!((part.status, part.text().as_str()), (206, "23"));
        assert_eq!(ask(&fake, "GET /etcd-backup/absent", "").status, 404);
        assert_eq!(ask(&fake, "GET /elsewhere", "").status, 404);
        assert_eq!(fake.seen().len(), 5);
    }

    #[test]
    fn a_script_sees_bodies_and_may_cut_its_answers() {
        let fake = FakeS3::script(|before, request| {
            let length = request.body.len().to_string();
            let reply = Reply::new(200, "abcdef").header("x-length", &length);
            if before == 0 {
                reply
            } else {
                reply.cut_after(2)
            }
        });
        let whole = ask(&fake, "PUT /b/k", "Content-Length: 0\r\n");
        assert_eq!((whole.header("x-length"), whole.cut), (Some("0"), false));
        let request = b"PUT /b/k HTTP/1.1\r\nContent-Length: 3\r\n\r\nxyz";
        let cut = http::send(fake.address, request).expect("an answer");
        assert_eq!((cut.header("x-length"), cut.cut), (Some("3"), true));
        assert_eq!(cut.body, b"ab");
    }
}

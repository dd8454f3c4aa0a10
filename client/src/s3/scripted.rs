//! Tests only: a TCP server that answers each request as a test's closure says, also wrongly or not at all.
//!
//! It speaks just enough HTTP/1.1 to read a request; answers are raw bytes, so that they may be cut anywhere.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use url::Url;

use super::{Limits, S3Client, S3Config, Secret};
use crate::clock::Clock;

/// A request as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
}

/// What to do with it.
pub(crate) enum Reply {
    /// Send these bytes and close.
    Bytes(Vec<u8>),
    /// Keep the connection open and say nothing.
    Silence,
}

/// A whole answer with a body.
pub(crate) fn answer(status: &str, headers: &[(&str, &str)], body: &str) -> Reply {
    let lines: Vec<String> = headers
        .iter()
        .map(|(name, value)| format!("{name}: {value}\r\n"))
        .collect();
    let extra = lines.concat();
    let head = format!(
        "HTTP/1.1 {status}\r\nConnection: close\r\n{extra}Content-Length: {}\r\n\r\n",
        body.len()
    );
    Reply::Bytes((head + body).into_bytes())
}

/// An S3 error document.
pub(crate) fn refusal(status: &str, code: &str) -> Reply {
    let body =
        format!("<Error><Code>{code}</Code><Message>m</Message><RequestId>R1</RequestId></Error>");
    answer(status, &[], &body)
}

/// The server; its requests are counted from 0 in the order of their arrival.
pub(crate) struct Scripted {
    pub(crate) endpoint: Url,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Scripted {
    pub(crate) async fn start(
        script: impl Fn(usize, &Seen) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("loopback has free ports");
        let address = listener
            .local_addr()
            .expect("a bound socket has an address");
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (script, log) = (Arc::new(script), Arc::clone(&seen));
        tokio::spawn(async move {
            while let Ok((stream, _peer)) = listener.accept().await {
                let (script, log) = (Arc::clone(&script), Arc::clone(&log));
                tokio::spawn(async move { serve(stream, &*script, &log).await });
            }
        });
        Self {
            endpoint: Url::parse(&format!("http://{address}")).expect("an address is a URL"),
            seen,
        }
    }

    /// All requests so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// A client of it that loses no time with waiting.
    pub(crate) fn client(&self, clock: Clock) -> S3Client {
        let mut config = S3Config::new(self.endpoint.clone(), "id", Secret::new("secret"));
        config.clock = clock;
        config.limits = Limits {
            answer: Duration::from_millis(400),
            complete: Duration::from_millis(400),
            idle: Duration::from_millis(400),
            attempts: 3,
            backoff_first: Duration::from_millis(1),
            ..Limits::default()
        };
        S3Client::new(config).expect("the configuration is right")
    }
}

async fn serve(
    mut stream: TcpStream,
    script: &(dyn Fn(usize, &Seen) -> Reply + Send + Sync),
    log: &Mutex<Vec<Seen>>,
) {
    let Some(seen) = read(&mut stream).await else {
        return;
    };
    let reply = {
        let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
        let reply = script(log.len(), &seen);
        log.push(seen);
        reply
    };
    match reply {
        Reply::Bytes(bytes) => {
            let _client_left = stream.write_all(&bytes).await;
            let _client_left = stream.shutdown().await;
        }
        // Held until the client gives up.
        Reply::Silence => {
            let _end = stream.read(&mut [0; 1]).await;
        }
    }
}

async fn read(stream: &mut TcpStream) -> Option<Seen> {
    let mut bytes = Vec::new();
    let head_len = loop {
        if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break at + 4;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let body = bytes.split_off(head_len);
    let head = String::from_utf8(bytes).ok()?;
    let mut lines = head.lines();
    let mut first = lines.next()?.split(' ');
    let (method, target) = (first.next()?.to_owned(), first.next()?.to_owned());
    let header = |line: &str| {
        let (name, value) = line.split_once(':')?;
        Some((name.to_ascii_lowercase(), value.trim().to_owned()))
    };
    let headers: BTreeMap<String, String> = lines.filter_map(header).collect();
    let expected: usize = headers
        .get("content-length")
        .and_then(|len| len.parse().ok())
        .unwrap_or(0);
    let mut seen = Seen {
        method,
        target,
        headers,
        body,
    };
    while seen.body.len() < expected {
        if stream.read_buf(&mut seen.body).await.ok()? == 0 {
            return None;
        }
    }
    Some(seen)
}

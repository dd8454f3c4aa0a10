//! An endpoint in this process and a client that speaks HTTP by hand.
//!
//! A [`Call`] is signed when it is made into [`Wire`] form; what is changed after that is a lie the server must find.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use aws_credential_types::Credentials as AwsCredentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings,
    UriPathNormalizationMode, sign,
};
use aws_sigv4::sign::v4;
use bytes::Bytes;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use sha2::{Digest, Sha256};
use strongroom_server::clock::{Clock, Entropy, ManualClock, SeededEntropy, UnixMillis};
use strongroom_server::s3::{Credentials, OPERATION_NAMES, S3Layers, S3Service};
use strongroom_server::store::Store;
use strongroom_server::telemetry::{Metrics, Readiness};
use strongroom_server::vault::Vault;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

pub(crate) use crate::reply::Reply;

pub(crate) const USER: &str = "operator";
pub(crate) const SECRET: &str = "a secret of the operator";

/// How long any answer may take; only a hang gets there.
const ANSWER_MAX: Duration = Duration::from_secs(30);

pub(crate) struct Endpoint {
    pub(crate) host: String,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) readiness: Arc<Readiness>,
    vault: Arc<Vault>,
    _connections: JoinSet<()>,
    _dir: tempfile::TempDir,
}

#[cfg(feature = "rocksdb")]
fn open_store(dir: &std::path::Path, clock: Arc<dyn Clock>, entropy: &dyn Entropy) -> Store {
    Store::open(dir, clock, entropy).expect("an empty directory becomes a store")
}

#[cfg(not(feature = "rocksdb"))]
fn open_store(_dir: &std::path::Path, clock: Arc<dyn Clock>, entropy: &dyn Entropy) -> Store {
    use strongroom_server::store::opening::{Execution, Twin};
    Twin::new()
        .open(clock, entropy, Execution::Threaded)
        .expect("a store in memory opens")
}

impl Endpoint {
    /// Starts an endpoint with the bucket `bkt`.
    pub(crate) async fn start() -> Endpoint {
        let dir = tempfile::tempdir().expect("a directory for the store");
        // 2026-11-22T00:00:00Z, far from the machine's clock, so that no test passes by the machine's time.
        let clock = Arc::new(ManualClock::at(UnixMillis(1_795_305_600_000)));
        let entropy: Arc<dyn Entropy> = Arc::new(SeededEntropy::new(7));
        let shared: Arc<dyn Clock> = clock.clone();
        let (path, for_store, random) = (
            dir.path().to_owned(),
            Arc::clone(&shared),
            Arc::clone(&entropy),
        );
        let store = tokio::task::spawn_blocking(move || open_store(&path, for_store, &*random));
        let store = store.await.expect("opening does not panic");
        let vault = Vault::open(
            Arc::new(store),
            Arc::clone(&shared),
            Arc::clone(&entropy),
            strongroom_server::ingest::Sizes::default(),
        )
        .await
        .expect("a vault");
        let vault = Arc::new(vault);
        let metrics = Arc::new(Metrics::new(OPERATION_NAMES));
        let readiness = Arc::new(Readiness::starting());
        readiness.serve(|| None);
        let layers = S3Layers {
            objects: Arc::clone(&vault.objects),
            ingest: Arc::clone(&vault.ingest),
            reader: Arc::clone(&vault.reader),
            metrics: Arc::clone(&metrics),
            readiness: Arc::clone(&readiness),
            clock: shared,
            entropy,
        };
        let service = Arc::new(S3Service::new(layers, Credentials::new(USER, SECRET)));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let host = listener.local_addr().expect("bound").to_string();
        let mut connections = JoinSet::new();
        connections.spawn(accept(listener, service));
        let endpoint = Endpoint {
            host,
            clock,
            metrics,
            readiness,
            vault,
            _connections: connections,
            _dir: dir,
        };
        endpoint.call("PUT", "/bkt").send().await.expect_status(200);
        endpoint
    }

    /// A request to be filled in.
    pub(crate) fn call(&self, method: &str, target: &str) -> Call<'_> {
        Call {
            endpoint: self,
            method: method.to_owned(),
            target: target.to_owned(),
            headers: Vec::new(),
            body: Vec::new(),
            payload: Payload::Signed,
            secret: SECRET.to_owned(),
            region: "us-east-1".to_owned(),
            signed_at: self.clock.now(),
        }
    }

    pub(crate) async fn put(&self, key: &str, body: &[u8]) -> Reply {
        self.call("PUT", &format!("/bkt/{key}"))
            .body(body)
            .send()
            .await
    }

    pub(crate) async fn get(&self, key: &str) -> Reply {
        self.call("GET", &format!("/bkt/{key}")).send().await
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        // What a failing test leaves open is closed by the process' end.
        let _closed = self.vault.close();
    }
}

async fn accept(listener: TcpListener, service: Arc<S3Service>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, peer)) = listener.accept().await {
        let service = Arc::clone(&service);
        connections.spawn(async move {
            let answer = service_fn(move |mut request: hyper::Request<hyper::body::Incoming>| {
                request.extensions_mut().insert(peer);
                let service = Arc::clone(&service);
                async move { Ok::<_, Infallible>(service.handle(request).await) }
            });
            // Connections that a test breaks on purpose end in an error here.
            let _broken = http1::Builder::new()
                .serve_connection(TokioIo::new(stream), answer)
                .await;
        });
    }
}

/// What `x-amz-content-sha256` says.
#[derive(Clone)]
pub(crate) enum Payload {
    Signed,
    Named(&'static str),
}

#[derive(Clone)]
pub(crate) struct Call<'a> {
    endpoint: &'a Endpoint,
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    payload: Payload,
    secret: String,
    region: String,
    signed_at: UnixMillis,
}

impl Call<'_> {
    pub(crate) fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    pub(crate) fn body(mut self, body: &[u8]) -> Self {
        self.body = body.to_vec();
        self
    }

    pub(crate) fn payload(mut self, named: &'static str) -> Self {
        self.payload = Payload::Named(named);
        self
    }

    pub(crate) fn secret(mut self, secret: &str) -> Self {
        secret.clone_into(&mut self.secret);
        self
    }

    pub(crate) fn region(mut self, region: &str) -> Self {
        region.clone_into(&mut self.region);
        self
    }

    pub(crate) fn signed_at(mut self, at: UnixMillis) -> Self {
        self.signed_at = at;
        self
    }

    /// Signs.
    pub(crate) fn wire(&self) -> Wire {
        let identity = AwsCredentials::new(USER, &self.secret, None, None, "test").into();
        let mut settings = SigningSettings::default();
        settings.percent_encoding_mode = PercentEncodingMode::Single;
        settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name("s3")
            .time(UNIX_EPOCH + Duration::from_secs(self.signed_at.secs()))
            .settings(settings)
            .build()
            .expect("complete")
            .into();
        let mut headers = vec![("host".to_owned(), self.endpoint.host.clone())];
        headers.extend(self.headers.iter().cloned());
        let url = format!("http://{}{}", self.endpoint.host, self.target);
        let hash = match &self.payload {
            Payload::Signed => hex::encode(Sha256::digest(&self.body)),
            Payload::Named(name) => (*name).to_owned(),
        };
        let signable = SignableRequest::new(
            &self.method,
            &url,
            headers
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str())),
            SignableBody::Precomputed(hash),
        );
        let signed = sign(signable.expect("signable"), &params).expect("signed");
        let (instructions, signature) = signed.into_parts();
        headers.extend(
            instructions
                .headers()
                .map(|(name, value)| (name.to_owned(), value.to_owned())),
        );
        Wire {
            host: self.endpoint.host.clone(),
            method: self.method.clone(),
            target: self.target.clone(),
            headers,
            length: Length::Announced(self.body.len()),
            body: self.body.clone(),
            signature,
        }
    }

    pub(crate) async fn send(&self) -> Reply {
        self.wire().send().await
    }

    /// Frames the body in signed chunks, as minio-go does over http; signs the request for it.
    pub(crate) fn signed_chunks(mut self, chunk_bytes: usize) -> Wire {
        let plain = std::mem::take(&mut self.body);
        self.payload = Payload::Named("STREAMING-AWS4-HMAC-SHA256-PAYLOAD");
        self.headers.push((
            "x-amz-decoded-content-length".to_owned(),
            plain.len().to_string(),
        ));
        let mut wire = self.wire();
        let identity = AwsCredentials::new(USER, &self.secret, None, None, "test").into();
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name("s3")
            .time(UNIX_EPOCH + Duration::from_secs(self.signed_at.secs()))
            .settings(())
            .build()
            .expect("complete");
        let mut previous = wire.signature.clone();
        let mut body = Vec::new();
        for chunk in plain.chunks(chunk_bytes).chain([&[][..]]) {
            let signed =
                v4::sign_chunk(&Bytes::copy_from_slice(chunk), &previous, &params).expect("signed");
            signed.signature().clone_into(&mut previous);
            body.extend_from_slice(
                format!("{:x};chunk-signature={previous}\r\n", chunk.len()).as_bytes(),
            );
            body.extend_from_slice(chunk);
            body.extend_from_slice(b"\r\n");
        }
        wire.length = Length::Announced(body.len());
        wire.body = body;
        wire
    }
}

/// How the body's length is told.
#[derive(Clone, Copy)]
pub(crate) enum Length {
    Announced(usize),
    /// `Transfer-Encoding: chunked`.
    Chunked,
    Untold,
}

/// A request as bytes go out; anything may still be changed.
#[derive(Clone)]
pub(crate) struct Wire {
    pub(crate) host: String,
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) length: Length,
    pub(crate) body: Vec<u8>,
    pub(crate) signature: String,
}

impl Wire {
    pub(crate) fn with(mut self, name: &str, value: &str) -> Wire {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Wire {
        self.headers.retain(|(n, _)| n != name);
        self
    }

    /// `Transfer-Encoding: chunked`, in pieces of a size that fits no frame.
    pub(crate) fn chunked(mut self) -> Wire {
        let mut body = Vec::new();
        for piece in self.body.chunks(10_007) {
            body.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
            body.extend_from_slice(piece);
            body.extend_from_slice(b"\r\n");
        }
        body.extend_from_slice(b"0\r\n\r\n");
        self.body = body;
        self.length = Length::Chunked;
        self
    }

    pub(crate) fn head(&self) -> Vec<u8> {
        let mut head = format!("{} {} HTTP/1.1\r\n", self.method, self.target);
        for (name, value) in &self.headers {
            head.extend([name, ": ", value, "\r\n"]);
        }
        match self.length {
            Length::Announced(bytes) => {
                head.extend(["content-length: ", &bytes.to_string(), "\r\n"]);
            }
            Length::Chunked => head.push_str("transfer-encoding: chunked\r\n"),
            Length::Untold => {}
        }
        head.push_str("\r\n");
        head.into_bytes()
    }

    pub(crate) async fn send(&self) -> Reply {
        let mut connection = Connection::open(&self.host).await;
        connection
            .exchange(self)
            .await
            .unwrap_or_else(|| panic!("no answer to {} {}", self.method, self.target))
    }
}

/// One connection, for several requests or a broken one.
pub(crate) struct Connection {
    pub(crate) stream: TcpStream,
    read: Vec<u8>,
}

impl Connection {
    pub(crate) async fn open(host: &str) -> Connection {
        Connection {
            stream: TcpStream::connect(host)
                .await
                .expect("the endpoint listens"),
            read: Vec::new(),
        }
    }

    /// Sends a request and reads its answer; `None` when the connection ends without one.
    pub(crate) async fn exchange(&mut self, wire: &Wire) -> Option<Reply> {
        let bytes = [wire.head(), wire.body.clone()].concat();
        let Connection { stream, read } = self;
        let (mut from, mut to) = stream.split();
        // An answer may come, and the connection end, before the whole body has gone out.
        let write = async {
            let _cut = to.write_all(&bytes).await;
            std::future::pending::<()>().await;
        };
        let answer = read_reply(&mut from, read, wire.method == "HEAD");
        tokio::select! {
            reply = tokio::time::timeout(ANSWER_MAX, answer) => reply.expect("an answer in time"),
            () = write => None,
        }
    }

    pub(crate) async fn reply(&mut self) -> Option<Reply> {
        let Connection { stream, read } = self;
        let (mut from, _) = stream.split();
        tokio::time::timeout(ANSWER_MAX, read_reply(&mut from, read, false))
            .await
            .expect("an answer in time")
    }
}

async fn read_reply(
    from: &mut (impl tokio::io::AsyncRead + Unpin),
    read: &mut Vec<u8>,
    headless: bool,
) -> Option<Reply> {
    let head_end = loop {
        if let Some(at) = read.windows(4).position(|four| four == b"\r\n\r\n") {
            break at + 4;
        }
        if from.read_buf(read).await.unwrap_or(0) == 0 {
            return None;
        }
    };
    let head: Vec<u8> = read.drain(..head_end).collect();
    let head = String::from_utf8_lossy(&head).into_owned();
    let mut lines = head.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().expect("a status");
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let mut reply = Reply {
        status,
        headers,
        body: Vec::new(),
        cut: false,
    };
    let bodiless = headless || status == 100 || status == 204 || status == 304;
    let length = reply
        .header("content-length")
        .map_or(0, |text| text.parse().expect("a length"));
    while !bodiless && read.len() < length {
        if from.read_buf(read).await.unwrap_or(0) == 0 {
            reply.cut = true;
            break;
        }
    }
    if !bodiless {
        let have = length.min(read.len());
        reply.body = read.drain(..have).collect();
    }
    Some(reply)
}

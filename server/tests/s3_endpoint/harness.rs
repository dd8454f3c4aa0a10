//! An endpoint in this process, and requests to it that can be falsified.
//!
//! A [`Call`] is signed when it is turned into its [`Wire`] form. Each later change is a falsification that the server
//! must detect.

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use aws_credential_types::Credentials as AwsCredentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings,
    UriPathNormalizationMode, sign,
};
use aws_sigv4::sign::v4;
use bytes::Bytes;
use sha2::{Digest, Sha256};
use strongroom_server::clock::{Clock, Entropy, ManualClock, SeededEntropy, UnixMillis};
use strongroom_server::process::{
    ConnectionLimits, ConnectionTimes, HttpRequest, Listener, RunningListener,
};
use strongroom_server::s3::{Credentials, OPERATION_NAMES, S3Layers, S3Service};
use strongroom_server::storage::Storage;
use strongroom_server::store::Store;
use strongroom_server::telemetry::{Metrics, Readiness, names};
use strongroom_tests::http;
use tokio::net::TcpListener;

pub(crate) use crate::reply::Reply;

pub(crate) const USER: &str = "operator";
pub(crate) const SECRET: &str = "a secret of the operator";

/// The limits of the program's own listener.
pub(crate) const CONNECTIONS: ConnectionLimits = ConnectionLimits {
    open_max: 1024,
    served_max: 960,
    peer_open_max: 768,
    peer_served_max: 720,
};

pub(crate) struct Endpoint {
    pub(crate) host: String,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) readiness: Arc<Readiness>,
    pub(crate) storage: Arc<Storage>,
    _listener: RunningListener,
    _dir: tempfile::TempDir,
}

#[cfg(feature = "rocksdb")]
fn open_store(dir: &std::path::Path, clock: Arc<dyn Clock>, entropy: &dyn Entropy) -> Store {
    Store::open(dir, clock, entropy).expect("an empty directory becomes a store")
}

#[cfg(not(feature = "rocksdb"))]
fn open_store(_dir: &std::path::Path, clock: Arc<dyn Clock>, entropy: &dyn Entropy) -> Store {
    use strongroom_server::store::{Execution, MemoryBackend};
    MemoryBackend::new()
        .open(clock, entropy, Execution::Threaded)
        .expect("a store in memory opens")
}

impl Endpoint {
    /// Starts an endpoint with the bucket `bkt`.
    pub(crate) async fn start() -> Endpoint {
        let dir = tempfile::tempdir().expect("a directory for the store");
        // 2026-11-22T00:00:00Z, far from the machine's clock, so that no test depends on the machine's time.
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
        let storage = Storage::open(
            Arc::new(store),
            Arc::clone(&shared),
            Arc::clone(&entropy),
            strongroom_server::bodies::incoming::Sizes::default(),
        )
        .await
        .expect("a storage");
        let storage = Arc::new(storage);
        let metrics = Arc::new(Metrics::new(OPERATION_NAMES));
        let readiness = Arc::new(Readiness::starting());
        readiness.serve(|| None);
        let layers = S3Layers {
            objects: Arc::clone(&storage.objects),
            ingest: Arc::clone(&storage.ingest),
            reader: Arc::clone(&storage.reader),
            metrics: Arc::clone(&metrics),
            readiness: Arc::clone(&readiness),
            clock: shared,
            entropy,
        };
        let service = Arc::new(S3Service::new(layers, Credentials::new(USER, SECRET)));
        let socket = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let host = socket.local_addr().expect("bound").to_string();
        let listener = Listener {
            name: names::LISTENER_S3,
            socket,
            connections: CONNECTIONS,
            times: ConnectionTimes::draining(Duration::from_secs(1)),
            metrics: Arc::clone(&metrics),
        };
        let listener = listener.start(move |request: HttpRequest| {
            let service = Arc::clone(&service);
            async move { service.handle(request).await }
        });
        let endpoint = Endpoint {
            host,
            clock,
            metrics,
            readiness,
            storage,
            _listener: listener,
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
        // Whatever a failing test leaves open is closed at the end of the process.
        let _closed = self.storage.close();
    }
}

/// The value of `x-amz-content-sha256`.
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

    /// Signs the request.
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

/// How the request states the body's length.
#[derive(Clone, Copy)]
pub(crate) enum Length {
    Announced(usize),
    /// `Transfer-Encoding: chunked`.
    Chunked,
    Untold,
}

/// A request as bytes to send; anything may still be changed.
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

    /// `Transfer-Encoding: chunked`, in pieces whose size matches no frame.
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

/// One connection, for several requests or a broken one. It blocks, so it is used only on blocking threads.
pub(crate) struct Connection(Option<http::Connection>);

impl Connection {
    pub(crate) async fn open(host: &str) -> Connection {
        let addr = host.parse().expect("an address with its port");
        let opened = tokio::task::spawn_blocking(move || http::Connection::open(addr));
        let opened = opened.await.expect("opening does not panic");
        Connection(Some(opened.expect("the endpoint listens")))
    }

    /// Sends a request and reads its answer; `None` when the connection ends without one.
    pub(crate) async fn exchange(&mut self, wire: &Wire) -> Option<Reply> {
        let bytes = [wire.head(), wire.body.clone()].concat();
        let answer = self.blocking(move |connection| connection.exchange(&bytes));
        answer.await.ok().map(Reply::of)
    }

    /// Sends only the head of a request.
    pub(crate) async fn send_head(&mut self, wire: &Wire) {
        let head = wire.head();
        let sent = self.blocking(move |connection| connection.write_head(&head));
        sent.await.expect("the head goes out");
    }

    /// Sends bytes.
    pub(crate) async fn write(&mut self, bytes: &[u8]) {
        let bytes = bytes.to_vec();
        let sent = self.blocking(move |connection| connection.write(&bytes));
        sent.await.expect("the bytes go out");
    }

    /// Closes the sending side.
    pub(crate) async fn half_close(&mut self) {
        let closed = self.blocking(http::Connection::half_close);
        closed.await.expect("half closed");
    }

    /// The status of an interim answer.
    pub(crate) async fn interim(&mut self) -> u16 {
        let head = self.blocking(http::Connection::read_any_head).await;
        head.expect("a head").status
    }

    pub(crate) async fn reply(&mut self) -> Option<Reply> {
        let answer = self.blocking(http::Connection::read_answer).await;
        answer.ok().map(Reply::of)
    }

    async fn blocking<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut http::Connection) -> T + Send + 'static,
    ) -> T {
        let mut connection = self.0.take().expect("one call at a time");
        let worked = tokio::task::spawn_blocking(move || {
            let found = work(&mut connection);
            (connection, found)
        });
        let (connection, found) = worked.await.expect("a call does not panic");
        self.0 = Some(connection);
        found
    }
}

//! A real socket with raw HTTP: draining, aborting, slots, limits.

use http_body_util::{BodyExt, Full};
use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::oneshot;

use super::*;

/// Long enough for a loaded machine; a passing test never waits this long.
const DEADLINE: Duration = Duration::from_secs(20);

struct Running {
    address: SocketAddr,
    listener: RunningListener,
}

async fn start<F, R>(connections_max: usize, drain: Duration, answer: F) -> Running
where
    F: Fn(Request<Incoming>) -> R + Clone + Send + 'static,
    R: Future<Output = Response<Full<Bytes>>> + Send + 'static,
{
    let socket = TcpListener::bind("127.0.0.1:0")
        .await
        .expect("loopback has a free port");
    let address = socket.local_addr().expect("a bound socket has an address");
    let metrics = Arc::new(Metrics::new(&[]));
    let listener = Listener {
        name: "s3",
        socket,
        connections_max,
        drain,
        metrics,
    };
    Running {
        address,
        listener: listener.start(answer),
    }
}

/// Answers with the request's body, once all of it has arrived.
async fn echo(request: Request<Incoming>) -> Response<Full<Bytes>> {
    let body = request
        .into_body()
        .collect()
        .await
        .map(http_body_util::Collected::to_bytes);
    Response::new(Full::new(body.unwrap_or_default()))
}

async fn connect(address: SocketAddr) -> TcpStream {
    TcpStream::connect(address)
        .await
        .expect("the listener accepts")
}

async fn rest(mut stream: TcpStream) -> String {
    let mut text = Vec::new();
    let read = tokio::time::timeout(DEADLINE, stream.read_to_end(&mut text)).await;
    let _reset = read.expect("the connection ends in time");
    String::from_utf8_lossy(&text).into_owned()
}

#[tokio::test]
async fn a_request_in_flight_is_finished_and_new_connections_are_refused() {
    let running = start(8, DEADLINE, echo).await;
    let mut idle = connect(running.address).await;
    let mut busy = connect(running.address).await;
    busy.write_all(
        b"PUT / HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 6\r\n\r\n",
    )
    .await
    .expect("sent");
    let mut begun = [0; 25];
    busy.read_exact(&mut begun)
        .await
        .expect("the handler has begun to read the body");
    assert_eq!(&begun, b"HTTP/1.1 100 Continue\r\n\r\n");
    busy.write_all(b"abc").await.expect("sent");
    running.listener.stop.cancel();
    let mut end = Vec::new();
    let closed = tokio::time::timeout(DEADLINE, idle.read_to_end(&mut end)).await;
    closed
        .expect("an idle connection is closed at once")
        .expect("closed, not reset");
    assert!(
        TcpStream::connect(running.address).await.is_err(),
        "nobody listens any more"
    );
    busy.write_all(b"def")
        .await
        .expect("the connection is still served");
    let answer = rest(busy).await;
    assert!(
        answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\nabcdef"),
        "{answer}"
    );
    assert!(answer.contains("connection: close"), "{answer}");
    assert_eq!(running.listener.end().await, 0);
}

#[tokio::test]
async fn a_request_that_outlasts_the_drain_time_is_cut() {
    let running = start(8, Duration::from_millis(50), echo).await;
    let mut busy = connect(running.address).await;
    busy.write_all(
        b"PUT / HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 6\r\n\r\n",
    )
    .await
    .expect("sent");
    let mut begun = [0; 25];
    busy.read_exact(&mut begun)
        .await
        .expect("the handler has begun to read the body");
    assert_eq!(running.listener.end().await, 1);
    assert_eq!(rest(busy).await, "");
}

#[tokio::test]
async fn a_connection_waits_in_the_queue_until_a_slot_is_free() {
    let running = start(1, DEADLINE, echo).await;
    let mut first = connect(running.address).await;
    first
        .write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .expect("sent");
    let mut byte = [0; 1];
    first
        .read_exact(&mut byte)
        .await
        .expect("the first is served");
    let mut second = connect(running.address).await;
    second
        .write_all(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        .await
        .expect("queued");
    let early =
        tokio::time::timeout(Duration::from_millis(100), second.read_exact(&mut byte)).await;
    assert!(
        early.is_err(),
        "the second must not be served while the first holds the slot"
    );
    drop(first);
    assert!(rest(second).await.starts_with("HTTP/1.1 200 "));
    assert_eq!(running.listener.end().await, 0);
}

#[tokio::test]
async fn heads_beyond_the_limits_are_refused() {
    let running = start(8, DEADLINE, echo).await;
    let long = format!(
        "GET / HTTP/1.1\r\nhost: x\r\nx-long: {}\r\n\r\n",
        "a".repeat(limits::HEAD_BYTES_MAX)
    );
    let many = format!(
        "GET / HTTP/1.1\r\nhost: x\r\n{}\r\n",
        "a: b\r\n".repeat(limits::HEADERS_MAX)
    );
    for head in [long, many] {
        let mut stream = connect(running.address).await;
        let _cut_off = stream.write_all(head.as_bytes()).await;
        let answer = rest(stream).await;
        assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    }
    let mut fits = connect(running.address).await;
    let most = "a: b\r\n".repeat(limits::HEADERS_MAX - 2);
    fits.write_all(
        format!("GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{most}\r\n").as_bytes(),
    )
    .await
    .expect("sent");
    assert!(rest(fits).await.starts_with("HTTP/1.1 200 "));
    running.listener.task.abort();
}

#[tokio::test]
async fn a_panic_ends_its_connection_only() {
    let (told, tell) = oneshot::channel();
    let told = Arc::new(Mutex::new(Some(told)));
    let running = start(8, DEADLINE, move |request: Request<Incoming>| {
        let told = Arc::clone(&told);
        async move {
            if request.uri().path() == "/panic" {
                let told = told.lock().take().expect("one panic");
                told.send(()).expect("the test listens");
                panic!("planted by the test");
            }
            let peer = request
                .extensions()
                .get::<SocketAddr>()
                .expect("each request knows its peer");
            Response::new(Full::new(Bytes::from(peer.ip().to_string())))
        }
    })
    .await;
    let mut bad = connect(running.address).await;
    bad.write_all(b"GET /panic HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .expect("sent");
    tell.await.expect("the handler panics");
    assert_eq!(rest(bad).await, "");
    let mut good = connect(running.address).await;
    good.write_all(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        .await
        .expect("sent");
    assert!(rest(good).await.ends_with("127.0.0.1"));
    running.listener.task.abort();
}

//! A real socket with raw HTTP: draining, aborting, giving way, lingering, limits.

use http_body_util::{BodyExt, Full};
use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::oneshot;

use super::*;
use crate::telemetry::Admission;

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
    let limits = limits::s3_limits(connections_max);
    start_with(limits, ConnectionTimes::draining(drain), answer).await
}

async fn start_with<F, R>(
    connections: ConnectionLimits,
    times: ConnectionTimes,
    answer: F,
) -> Running
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
        connections,
        times,
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

/// All connections of one peer: the test's own.
const FOUR: ConnectionLimits = ConnectionLimits {
    open_max: 4,
    served_max: 2,
    peer_open_max: 4,
    peer_served_max: 2,
};

#[tokio::test]
async fn silent_connections_give_way_to_a_request() {
    let times = ConnectionTimes::draining(DEADLINE);
    let running = start_with(FOUR, times, echo).await;
    let mut silent = Vec::new();
    for _ in 0..50 {
        silent.push(connect(running.address).await);
    }
    let mut client = connect(running.address).await;
    let request = b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    client.write_all(request).await.expect("sent");
    assert!(rest(client).await.starts_with("HTTP/1.1 200 "));
    let kept = silent.split_off(47);
    for gone in silent {
        assert_eq!(rest(gone).await, "", "closed without an answer");
    }
    drop(kept);
    assert_eq!(running.listener.end().await, 0);
}

/// Answers with what the listener told about the request.
async fn admission(request: Request<Incoming>) -> Response<Full<Bytes>> {
    let told = request.extensions().get::<Admission>().copied();
    let _body = request.into_body().collect().await;
    Response::new(Full::new(Bytes::from(format!("{told:?}"))))
}

#[tokio::test]
async fn a_request_beyond_the_limit_is_answered_at_once_and_told_so() {
    let times = ConnectionTimes::draining(DEADLINE);
    let running = start_with(FOUR, times, admission).await;
    let mut busy = Vec::new();
    for _ in 0..2 {
        let mut upload = connect(running.address).await;
        let head =
            b"PUT / HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 1\r\n\r\n";
        upload.write_all(head).await.expect("sent");
        let mut begun = [0; 25];
        upload.read_exact(&mut begun).await.expect("it is served");
        busy.push(upload);
    }
    let ask = async || {
        let mut client = connect(running.address).await;
        let request = b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
        client.write_all(request).await.expect("sent");
        rest(client).await
    };
    let refused = ask().await;
    assert!(refused.ends_with("Some(Refused)"), "{refused}");
    for mut upload in busy {
        upload.write_all(b"x").await.expect("still served");
        let mut byte = [0; 1];
        upload.read_exact(&mut byte).await.expect("answered");
        drop(upload);
    }
    let served = ask().await;
    assert!(served.ends_with("Some(Served)"), "{served}");
    running.listener.task.abort();
}

#[tokio::test]
async fn a_connection_without_a_first_head_is_closed_and_others_may_idle() {
    let times = ConnectionTimes {
        first_head_max: Duration::from_millis(100),
        ..ConnectionTimes::draining(DEADLINE)
    };
    let running = start_with(FOUR, times, echo).await;
    let mut spoke = connect(running.address).await;
    let request = b"GET / HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n";
    spoke.write_all(request).await.expect("sent");
    let mut slow = connect(running.address).await;
    slow.write_all(b"GET / HTTP/1.1\r\nhost: ")
        .await
        .expect("sent");
    assert_eq!(rest(connect(running.address).await).await, "");
    assert_eq!(rest(slow).await, "");
    spoke
        .write_all(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        .await
        .expect("an idle connection stays open");
    let answers = rest(spoke).await;
    assert_eq!(answers.matches("HTTP/1.1 200 ").count(), 2, "{answers}");
    assert_eq!(running.listener.end().await, 0);
}

/// Refuses without reading the body.
async fn refuse(_request: Request<Incoming>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from_static(b"no")));
    let close = hyper::header::HeaderValue::from_static("close");
    response.headers_mut().insert(CONNECTION, close);
    response
}

/// A client that reads only after its whole body, as Python's does, saw a reset instead of the answer.
#[tokio::test]
async fn an_early_refusal_reaches_a_client_that_sends_everything_first() {
    let running = start(8, DEADLINE, refuse).await;
    let body = vec![0; 64 << 20];
    for _ in 0..5 {
        let mut client = connect(running.address).await;
        let head = format!(
            "PUT / HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        client.write_all(head.as_bytes()).await.expect("sent");
        let sent = tokio::time::timeout(DEADLINE, client.write_all(&body)).await;
        sent.expect("in time").expect("the whole body is taken");
        let mut answer = String::new();
        let read = tokio::time::timeout(DEADLINE, client.read_to_string(&mut answer)).await;
        read.expect("in time").expect("closed, not reset");
        assert!(answer.ends_with("\r\n\r\nno"), "{answer}");
    }
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

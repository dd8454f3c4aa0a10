//! Silent connections beside a backup job, and answers that come before the end of a request.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use strongroom_server::telemetry::names;
use strongroom_tests::clock::Stopwatch;

use crate::harness::{CONNECTIONS, Connection, Endpoint, Wire};
use crate::objects::pattern;

/// Sockets that are opened and never used, from one address.
const SILENT: usize = 3000;

/// Even a machine at full load answers a health check within this; a full listener did not answer at all.
const HEALTH_WITHIN: Duration = Duration::from_secs(5);

/// A queue of a thousand connections is accepted within this, whatever else the machine does.
const SETTLED_WITHIN: Duration = Duration::from_secs(30);

fn gauge(endpoint: &Endpoint, series: &str) -> u64 {
    let text = endpoint.metrics.encode().expect("metrics");
    let line = text.lines().find(|line| line.starts_with(series));
    let value = line.and_then(|line| line.rsplit(' ').next());
    value.and_then(|v| v.parse().ok()).expect(series)
}

fn open_silent(addr: SocketAddr) -> Vec<TcpStream> {
    let open = |_| TcpStream::connect(addr).expect("nobody waits in a full queue");
    (0..SILENT).map(open).collect()
}

/// Without credentials, on a connection of its own, as a load balancer asks.
fn health(endpoint: &Endpoint) -> Wire {
    let wire = endpoint.call("GET", "/minio/health/ready").wire();
    wire.without("authorization")
}

/// 1,024 silent connections stopped the service, health checks included.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousands_of_silent_connections_keep_nobody_out() {
    let endpoint = Endpoint::start().await;
    let addr: SocketAddr = endpoint.host.parse().expect("an address");
    // The job keeps a connection, as SDKs do, and all come from one address, as behind a proxy.
    let mut job = Connection::open(&endpoint.host).await;
    let body = pattern(100_000);
    let flood = tokio::task::spawn_blocking(move || open_silent(addr));
    let (mut rounds, mut slowest) = (0, Duration::ZERO);
    loop {
        let key = format!("/bkt/etcd/{rounds}");
        let put = endpoint.call("PUT", &key).body(&body).wire();
        let stored = job.exchange(&put).await.expect("the connection is kept");
        stored.expect_status(200);
        let got = endpoint.get(&format!("etcd/{rounds}")).await;
        assert!(got.expect_status(200).body == body);
        let asked = Stopwatch::start();
        health(&endpoint).send().await.expect_status(200);
        slowest = slowest.max(asked.elapsed());
        rounds += 1;
        if rounds >= 50 && flood.is_finished() {
            break;
        }
    }
    assert!(slowest < HEALTH_WITHIN, "{slowest:?}");
    let silent = flood.await.expect("all connect");
    // The last ones may still wait in the kernel's queue, and those that gave way may not be closed yet.
    let bound = u64::try_from(CONNECTIONS.peer_open_max).expect("small");
    let all = u64::try_from(SILENT).expect("small");
    let series = format!("{}{{listener=\"s3\"}}", names::CONNECTIONS_DISPLACED);
    let settled = async {
        while gauge(&endpoint, "strongroom_connections{listener=\"s3\"}") > bound
            || gauge(&endpoint, &series) < all - bound
        {
            // Between two looks at the gauges, which nothing announces; the timeout below bounds all of them.
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let settled = tokio::time::timeout(SETTLED_WITHIN, settled).await;
    let told = endpoint.metrics.encode().expect("metrics");
    assert!(settled.is_ok(), "{told}");
    drop(silent);
}

/// A part of minio-go: refused at once, it saw a reset instead of the code. Python's clients read only after their last
/// byte.
#[tokio::test(flavor = "multi_thread")]
async fn an_early_refusal_of_a_large_body_arrives() {
    let endpoint = Endpoint::start().await;
    let part = pattern(17 << 20);
    let target = "/nowhere/key?partNumber=1&uploadId=00000000000000000000000000000000";
    let refused = [
        (endpoint.call("PUT", target), 404),
        (endpoint.call("PUT", "/bkt/key").secret("wrong"), 403),
        (endpoint.call("PUT", "/nowhere/key"), 404),
    ];
    for (call, status) in refused {
        let wire = call.body(&part).payload("UNSIGNED-PAYLOAD").wire();
        let (head, body, host) = (wire.head(), part.clone(), endpoint.host.clone());
        let talk = tokio::task::spawn_blocking(move || {
            let mut stream = TcpStream::connect(host).expect("it listens");
            stream.write_all(&head).expect("the head");
            stream.write_all(&body).expect("the whole body is taken");
            let mut answer = String::new();
            let read = stream.read_to_string(&mut answer);
            read.expect("closed, not reset");
            answer
        });
        let answer = talk.await.expect("no panic");
        let line = format!("HTTP/1.1 {status} ");
        assert!(answer.starts_with(&line), "{answer}");
        assert!(
            answer.contains("<Code>") && answer.contains("connection: close"),
            "{answer}"
        );
    }
}

/// A short rest is read, so that the connection can be used again.
#[tokio::test(flavor = "multi_thread")]
async fn after_the_refusal_of_a_small_body_the_connection_goes_on() {
    let endpoint = Endpoint::start().await;
    let mut connection = Connection::open(&endpoint.host).await;
    let body = pattern(50_000);
    let refused = endpoint.call("PUT", "/nowhere/key").body(&body).wire();
    for _ in 0..3 {
        let reply = connection.exchange(&refused).await.expect("an answer");
        reply.expect_error(404, "NoSuchBucket");
    }
}

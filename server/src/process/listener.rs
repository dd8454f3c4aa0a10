//! One listening socket: accepts, serves HTTP/1.1, drains.
//!
//! Knows no paths and no operations. Invariants: a slot is taken before a connection is accepted, so the kernel's queue
//! holds what we have no room for; every connection's task is owned by the listener and joined or cut before
//! [`Listener::run`] returns; a panic in one connection ends that connection only.

use std::convert::Infallible;
use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use crate::process::limits;
use crate::process::stall::Stalling;
use crate::telemetry::Metrics;

/// A request as it comes off a connection, its body still to be read.
pub(crate) type HttpRequest = Request<Incoming>;

/// A bound socket and how its connections are treated.
#[derive(Debug)]
pub(crate) struct Listener {
    /// Which one, for metrics and log lines.
    pub(crate) name: &'static str,
    /// The bound socket.
    pub(crate) socket: TcpListener,
    /// Most connections at once.
    pub(crate) connections_max: usize,
    /// How long requests in flight may take once told to stop.
    pub(crate) drain: Duration,
    /// Counts connections.
    pub(crate) metrics: Arc<Metrics>,
}

impl Listener {
    /// Serves until `stop` turns true, then finishes what is in flight within the drain time; returns how many
    /// connections had to be cut. Each request carries its peer's [`SocketAddr`] as an extension.
    pub(crate) async fn run<F, R, B>(self, answer: F, mut stop: watch::Receiver<bool>) -> usize
    where
        F: Fn(HttpRequest) -> R + Clone + Send + 'static,
        R: Future<Output = Response<B>> + Send + 'static,
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        let slots = Arc::new(Semaphore::new(self.connections_max));
        let mut connections = JoinSet::new();
        loop {
            let next = async {
                let slot = Arc::clone(&slots)
                    .acquire_owned()
                    .await
                    .expect("the semaphore is never closed");
                (slot, self.socket.accept().await)
            };
            let (slot, accepted) = tokio::select! {
                biased;
                () = stopped(&mut stop) => break,
                next = next => next,
            };
            match accepted {
                Ok((stream, peer)) => {
                    let counted = self.metrics.connection_opened(self.name);
                    let (answer, stop) = (answer.clone(), stop.clone());
                    connections.spawn(async move {
                        serve(stream, peer, answer, stop).await;
                        drop((slot, counted));
                    });
                }
                Err(error) => pause_after(self.name, &error).await,
            }
            while let Some(ended) = connections.try_join_next() {
                report(self.name, ended);
            }
        }
        // ORDER: the socket goes first, so that a client is refused and tries another server rather than waits.
        drop(self.socket);
        drain(self.name, connections, self.drain).await
    }
}

async fn drain(name: &'static str, mut connections: JoinSet<()>, within: Duration) -> usize {
    let all = async {
        while let Some(ended) = connections.join_next().await {
            report(name, ended);
        }
    };
    if tokio::time::timeout(within, all).await.is_ok() {
        return 0;
    }
    let cut = connections.len();
    connections.shutdown().await;
    cut
}

async fn serve<F, R, B>(
    stream: TcpStream,
    peer: SocketAddr,
    answer: F,
    mut stop: watch::Receiver<bool>,
) where
    F: Fn(HttpRequest) -> R + Send + 'static,
    R: Future<Output = Response<B>> + Send + 'static,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    // Without it, the last piece of an answer may wait 40 ms for the peer's delayed acknowledgement.
    let _unsupported = stream.set_nodelay(true);
    let io = TokioIo::new(Stalling::new(stream, limits::STALL_MAX));
    let service = service_fn(move |mut request: HttpRequest| {
        request.extensions_mut().insert(peer);
        let response = answer(request);
        async move { Ok::<_, Infallible>(response.await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits::HEAD_MAX)
        .max_header_size(limits::HEAD_BYTES_MAX)
        .max_headers(limits::HEADERS_MAX)
        .max_buf_size(limits::BUFFER_BYTES_MAX)
        .serve_connection(io, service);
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stopped(&mut stop) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        // A client that went away is its own affair; the request's own line tells what became of it.
        tracing::debug!(%peer, %error, "connection ended early");
    }
}

/// Returns once `stop` is true, or its sender is gone.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _sender_gone = stop.wait_for(|stop| *stop).await;
}

/// A peer that gave up before we came is no reason to wait; anything else is ours and may last.
async fn pause_after(name: &'static str, error: &io::Error) {
    let of_the_peer = [
        io::ErrorKind::ConnectionAborted,
        io::ErrorKind::ConnectionReset,
        io::ErrorKind::Interrupted,
    ];
    if !of_the_peer.contains(&error.kind()) {
        tracing::error!(listener = name, %error, "a connection cannot be accepted");
        tokio::time::sleep(limits::ACCEPT_PAUSE).await;
    }
}

fn report(name: &'static str, ended: Result<(), tokio::task::JoinError>) {
    if let Err(failure) = ended
        && failure.is_panic()
    {
        tracing::error!(
            listener = name,
            "a request's task panicked; this is a bug, please report the lines above"
        );
    }
}

#[cfg(test)]
mod tests;

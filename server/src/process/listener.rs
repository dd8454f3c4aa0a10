//! One listening socket: accepts connections, serves HTTP/1.1 on them, drains them.
//!
//! It knows no paths and no operations. Invariants: the listener takes a slot before it accepts a connection, so
//! connections beyond the limit wait in the kernel's queue; it owns the task of each connection, and joins or aborts it
//! before [`RunningListener::end`] returns; a panic in one connection ends only that connection.

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
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::process::limits;
use crate::process::stall::StallTimeout;
use crate::telemetry::Metrics;

/// A request whose head was read, but not its body.
pub(crate) type HttpRequest = Request<Incoming>;

/// A bound socket and the limits of its connections.
#[derive(Debug)]
pub(crate) struct Listener {
    /// Its name in metrics and log lines.
    pub(crate) name: &'static str,
    /// The bound socket.
    pub(crate) socket: TcpListener,
    /// Maximum number of connections.
    pub(crate) connections_max: usize,
    /// Drain time: how long requests in flight may take after the stop.
    pub(crate) drain: Duration,
    /// Counts connections.
    pub(crate) metrics: Arc<Metrics>,
}

/// A listener that serves in a task of its own.
#[derive(Debug)]
pub(crate) struct RunningListener {
    name: &'static str,
    task: JoinHandle<usize>,
    stop: CancellationToken,
}

impl RunningListener {
    /// Finishes requests in flight within the drain time; returns how many connections had to be aborted.
    pub(crate) async fn end(self) -> usize {
        self.stop.cancel();
        match self.task.await {
            Ok(cut) => cut,
            Err(failure) => {
                let listener = self.name;
                tracing::error!(listener, %failure, "a listener panicked; this is a bug, please report it");
                0
            }
        }
    }
}

impl Listener {
    /// Serves in a task of its own. Each request carries its peer's [`SocketAddr`] as an extension.
    pub(crate) fn start<F, R, B>(self, answer: F) -> RunningListener
    where
        F: Fn(HttpRequest) -> R + Clone + Send + 'static,
        R: Future<Output = Response<B>> + Send + 'static,
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        let stop = CancellationToken::new();
        RunningListener {
            name: self.name,
            task: tokio::spawn(self.run(answer, stop.clone())),
            stop,
        }
    }

    /// Serves until `stop` is cancelled, then drains; returns how many connections it aborted.
    async fn run<F, R, B>(self, answer: F, stop: CancellationToken) -> usize
    where
        F: Fn(HttpRequest) -> R + Clone + Send + 'static,
        R: Future<Output = Response<B>> + Send + 'static,
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        let slots = Arc::new(Semaphore::new(self.connections_max));
        let graceful = GracefulShutdown::new();
        // A `TaskTracker` would not report a panic.
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
                () = stop.cancelled() => break,
                next = next => next,
            };
            match accepted {
                Ok((stream, peer)) => {
                    let counted = self.metrics.connection_opened(self.name);
                    let (answer, watcher) = (answer.clone(), graceful.watcher());
                    connections.spawn(async move {
                        serve(stream, peer, answer, watcher).await;
                        drop((slot, counted));
                    });
                }
                Err(error) => pause_after(self.name, &error).await,
            }
            while let Some(ended) = connections.try_join_next() {
                report(self.name, ended);
            }
        }
        // ORDER: the socket is closed first, so that a new client is refused at once and can try another server.
        drop(self.socket);
        let drained = tokio::time::timeout(self.drain, graceful.shutdown()).await;
        if drained.is_ok() {
            while let Some(ended) = connections.join_next().await {
                report(self.name, ended);
            }
            return 0;
        }
        while let Some(ended) = connections.try_join_next() {
            report(self.name, ended);
        }
        let cut = connections.len();
        connections.shutdown().await;
        cut
    }
}

/// Serves one connection to its end, or until the watcher closes it after the request in flight.
async fn serve<F, R, B>(stream: TcpStream, peer: SocketAddr, answer: F, watcher: Watcher)
where
    F: Fn(HttpRequest) -> R + Send + 'static,
    R: Future<Output = Response<B>> + Send + 'static,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    // Without it, the last piece of an answer may wait 40 ms for the peer's delayed acknowledgement.
    let _unsupported = stream.set_nodelay(true);
    let io = TokioIo::new(StallTimeout::new(stream, limits::STALL_MAX));
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
    if let Err(error) = watcher.watch(connection).await {
        // Clients disconnect all the time, and the request's own line shows how it ended.
        tracing::debug!(%peer, %error, "connection ended early");
    }
}

/// Pauses after a failed accept, unless only the peer caused it: all other causes are local and may last.
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

//! One listening socket: accepts connections, serves HTTP/1.1 on them, drains them.
//!
//! It knows no paths and no operations. Invariants: [`Connections`] decides which connections stay, so a silent one never
//! keeps a request out; the listener owns the task of each connection, and joins or aborts it before
//! [`RunningListener::end`] returns; a panic in one connection ends only that connection.

use std::convert::Infallible;
use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::header::CONNECTION;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::process::connections::{
    Admitted, ConnectionLimits, Connections, LimitOf, Place, Serving,
};
use crate::process::limits;
use crate::process::linger::{LingerLimits, Lingering, Unfinished};
use crate::process::stall::StallTimeout;
use crate::telemetry::Metrics;

/// A request whose head was read, but not its body.
pub type HttpRequest = Request<Incoming>;

/// A bound socket and the limits of its connections.
#[derive(Debug)]
pub struct Listener {
    /// Its name in metrics and log lines.
    pub name: &'static str,
    /// The bound socket.
    pub socket: TcpListener,
    /// How many connections and requests.
    pub connections: ConnectionLimits,
    /// How long connections wait.
    pub times: ConnectionTimes,
    /// Counts connections.
    pub metrics: Arc<Metrics>,
}

/// The times of a listener's connections.
#[derive(Debug, Clone, Copy)]
pub struct ConnectionTimes {
    /// For the first head of a connection.
    pub first_head_max: Duration,
    /// For closing a connection whose client still sends.
    pub linger: LingerLimits,
    /// Drain time: how long requests in flight may take after the stop.
    pub drain: Duration,
}

impl ConnectionTimes {
    /// The times of this program, with a configured drain time.
    pub fn draining(drain: Duration) -> ConnectionTimes {
        ConnectionTimes {
            first_head_max: limits::FIRST_HEAD_MAX,
            linger: limits::LINGER,
            drain,
        }
    }
}

/// A listener that serves in a task of its own.
#[derive(Debug)]
pub struct RunningListener {
    name: &'static str,
    task: JoinHandle<usize>,
    stop: CancellationToken,
}

impl RunningListener {
    /// Finishes requests in flight within the drain time; returns how many connections had to be aborted.
    pub async fn end(self) -> usize {
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
    /// Serves in a task of its own. Each request carries its peer's [`SocketAddr`] and its
    /// [`Admission`](crate::telemetry::Admission) as extensions.
    pub fn start<F, R, B>(self, answer: F) -> RunningListener
    where
        F: Fn(HttpRequest) -> R + Clone + Send + 'static,
        R: Future<Output = Response<B>> + Send + 'static,
        B: Body<Data = Bytes> + Send + Unpin + 'static,
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
        B: Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        let open = Connections::new(self.connections);
        let slots = self.connections.open_max + limits::LEAVING_MAX;
        let slots = Arc::new(Semaphore::new(slots));
        let mut displacements = Displacements::default();
        // A `TaskTracker` would not report a panic.
        let mut tasks = JoinSet::new();
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
                    let place = self.place_of(&open, &mut displacements, peer);
                    let Some(place) = place else { continue };
                    let counted = self.metrics.connection_opened(self.name);
                    let (answer, stop, times) = (answer.clone(), stop.clone(), self.times);
                    tasks.spawn(async move {
                        let connection = Connection {
                            stream,
                            peer,
                            place,
                            times,
                        };
                        connection.serve(answer, stop).await;
                        drop((slot, counted));
                    });
                }
                Err(error) => pause_after(self.name, &error).await,
            }
            while let Some(ended) = tasks.try_join_next() {
                report(self.name, ended);
            }
        }
        // ORDER: the socket is closed first, so that a new client is refused at once and can try another server.
        drop(self.socket);
        drain(self.name, self.times.drain, tasks).await
    }

    /// The place of a newcomer, unless every other connection that counts with it is being served.
    fn place_of(
        &self,
        open: &Arc<Connections>,
        displacements: &mut Displacements,
        peer: SocketAddr,
    ) -> Option<Arc<Place>> {
        let (place, displaced) = match open.admit(peer.ip()) {
            Ok(Admitted { place, displaced }) => (Some(place), displaced),
            Err(limit) => (None, Some(limit)),
        };
        if let Some(limit) = displaced {
            self.metrics.connection_displaced(self.name);
            displacements.tell(self.name, peer, limit);
        }
        place
    }
}

/// Lets connections end by themselves within the drain time; returns how many it aborted.
async fn drain(name: &'static str, within: Duration, mut tasks: JoinSet<()>) -> usize {
    let drained = async {
        while let Some(ended) = tasks.join_next().await {
            report(name, ended);
        }
    };
    if tokio::time::timeout(within, drained).await.is_ok() {
        return 0;
    }
    while let Some(ended) = tasks.try_join_next() {
        report(name, ended);
    }
    let cut = tasks.len();
    tasks.shutdown().await;
    cut
}

/// HTTP as this program speaks it.
fn protocol() -> http1::Builder {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(limits::HEAD_MAX)
        .max_header_size(limits::HEAD_BYTES_MAX)
        .max_headers(limits::HEADERS_MAX)
        .max_buf_size(limits::BUFFER_BYTES_MAX);
    http
}

/// Tells about connections that gave way, but not about each of a flood.
#[derive(Debug, Default)]
struct Displacements {
    told: Option<Instant>,
}

impl Displacements {
    fn tell(&mut self, listener: &'static str, newcomer: SocketAddr, limit: LimitOf) {
        let pause = limits::DISPLACED_LINE_PAUSE;
        if self.told.is_some_and(|told| told.elapsed() < pause) {
            return;
        }
        self.told = Some(Instant::now());
        let limit = match limit {
            LimitOf::Peer => "of one peer",
            LimitOf::Listener => "of the listener",
        };
        tracing::warn!(
            listener,
            %newcomer,
            limit,
            "too many connections: those that wait longest for a request are closed; \
             strongroom_connections_displaced_total counts them"
        );
    }
}

/// One accepted connection.
struct Connection {
    stream: TcpStream,
    peer: SocketAddr,
    place: Arc<Place>,
    times: ConnectionTimes,
}

impl Connection {
    /// Serves it to its end, or until it gives way, or until the listener stops, after the request in flight.
    async fn serve<F, R, B>(self, answer: F, stop: CancellationToken)
    where
        F: Fn(HttpRequest) -> R + Send + 'static,
        R: Future<Output = Response<B>> + Send + 'static,
        B: Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        let (stream, peer, place, times) = (self.stream, self.peer, self.place, self.times);
        // Without it, the last piece of an answer may wait 40 ms for the peer's delayed acknowledgement.
        let _unsupported = stream.set_nodelay(true);
        let unfinished = Unfinished::default();
        let stream = StallTimeout::new(stream, limits::STALL_MAX);
        let io = TokioIo::new(Lingering::new(stream, unfinished.clone(), times.linger));
        let at = Arc::clone(&place);
        let service = service_fn(move |mut request: HttpRequest| {
            let serving = at.begin();
            request.extensions_mut().insert(peer);
            request.extensions_mut().insert(serving.admission);
            let (response, unfinished) = (answer(request), unfinished.clone());
            async move {
                let response = response.await;
                Ok::<_, Infallible>(served(response, serving, unfinished))
            }
        });
        let mut connection = pin!(protocol().serve_connection(io, service));
        let mut first_head = pin!(tokio::time::sleep(times.first_head_max));
        let mut way = pin!(tokio::time::sleep(limits::LEAVING_TIME_MAX));
        let (mut heeds_first, mut heeds_stop, mut leaves) = (true, true, false);
        let ended = loop {
            tokio::select! {
                ended = connection.as_mut() => break ended,
                () = stop.cancelled(), if heeds_stop => {
                    heeds_stop = false;
                    connection.as_mut().graceful_shutdown();
                }
                () = first_head.as_mut(), if heeds_first => {
                    heeds_first = false;
                    if !place.spoke() {
                        tracing::debug!(%peer, "no request came on a connection");
                        return;
                    }
                }
                () = place.told_to_leave() => {
                    if !place.is_leaving() {
                        continue;
                    }
                    if !place.spoke() {
                        return;
                    }
                    connection.as_mut().graceful_shutdown();
                    way.as_mut().reset(Instant::now() + limits::LEAVING_TIME_MAX);
                    leaves = true;
                }
                () = way.as_mut(), if leaves => {
                    if place.is_leaving() {
                        return;
                    }
                    leaves = false;
                }
            }
        };
        if let Err(error) = ended {
            // Clients disconnect all the time, and the request's own line shows how it ended.
            tracing::debug!(%peer, %error, "connection ended early");
        }
    }
}

/// The body of an answer. While it lives, its request is being served.
#[derive(Debug)]
struct ServedBody<B> {
    body: B,
    /// Ends the request when it is dropped.
    _serving: Serving,
    /// Present if the request was read to its end, so that nothing of it can still come.
    settles: Option<Unfinished>,
}

fn served<B>(
    response: Response<B>,
    serving: Serving,
    unfinished: Unfinished,
) -> Response<ServedBody<B>> {
    // Whoever closes after an answer may have left some of the request unread.
    let closes = response.headers().contains_key(CONNECTION);
    response.map(|body| ServedBody {
        body,
        _serving: serving,
        settles: (!closes).then_some(unfinished),
    })
}

impl<B> Drop for ServedBody<B> {
    fn drop(&mut self) {
        if let Some(unfinished) = &self.settles {
            unfinished.settle();
        }
    }
}

impl<B: Body + Unpin> Body for ServedBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        Pin::new(&mut self.get_mut().body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
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

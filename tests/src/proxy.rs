//! A TCP proxy that stalls or cuts connections: it forwards a given number of bytes in one direction, then holds the
//! connection, so that a test can end either side exactly in the middle of a stream, or cuts the connection itself.
//!
//! It owns a small runtime; dropping the proxy closes all its connections.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, tcp};
use tokio::runtime::Runtime;

use crate::clock::{READY_WITHIN, until};

/// Bytes per read; small, so that a stall happens close to the requested position.
const PIECE_BYTES: usize = 16 * 1024;

/// The direction that is counted and stalls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stall {
    /// From client to server, after this many bytes over all connections.
    Requests(u64),
    /// From server to client, after this many bytes over all connections.
    Answers(u64),
}

/// The effect at the stall.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StallEffect {
    /// Holds this connection and every later one.
    Hold,
    /// Holds this connection; later ones work.
    HoldOnce,
    /// Cuts this connection at exactly this byte; later ones work.
    CutOnce,
    /// Cuts this connection at exactly this byte, and later ones at once.
    CutAll,
}

/// A running proxy.
#[derive(Debug)]
pub struct Proxy {
    addr: SocketAddr,
    state: Arc<SharedState>,
    runtime: Option<Runtime>,
}

/// State shared by all connections.
#[derive(Debug)]
struct SharedState {
    stall: Stall,
    effect: StallEffect,
    passed: AtomicU64,
    stalled: AtomicBool,
    broken: AtomicBool,
}

/// The connection is cut: both directions end.
struct Cut;

impl Proxy {
    /// A proxy before `upstream` that holds every connection after the stall.
    pub fn before(upstream: SocketAddr, stall: Stall) -> Self {
        Self::with(upstream, stall, StallEffect::Hold)
    }

    /// A proxy before `upstream`.
    pub fn with(upstream: SocketAddr, stall: Stall, effect: StallEffect) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build();
        let runtime = runtime.expect("runtime starts");
        let listener = runtime
            .block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))
            .expect("loopback binds");
        let addr = listener.local_addr().expect("it is bound");
        let state = Arc::new(SharedState {
            stall,
            effect,
            passed: AtomicU64::new(0),
            stalled: AtomicBool::new(false),
            broken: AtomicBool::new(false),
        });
        runtime.spawn(accept(listener, upstream, Arc::clone(&state)));
        Self {
            addr,
            state,
            runtime: Some(runtime),
        }
    }

    /// The address for clients.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Bytes that have arrived in the counted direction so far.
    pub fn passed(&self) -> u64 {
        self.state.passed.load(Ordering::SeqCst)
    }

    /// Whether the stall was reached.
    pub fn has_stalled(&self) -> bool {
        self.state.stalled.load(Ordering::SeqCst)
    }

    /// Breaks the held connections: the kernel of a dead sender may still have bytes for us, before the end that we
    /// wait for.
    pub fn break_held(&self) {
        self.state.broken.store(true, Ordering::SeqCst);
    }

    /// Waits until the bytes have passed and the connection is held.
    pub fn wait_stalled(&self) {
        until("the stream to reach the stall", READY_WITHIN, || {
            let passed = self.state.passed.load(Ordering::SeqCst);
            if self.state.stalled.load(Ordering::SeqCst) {
                Ok(())
            } else {
                Err(passed)
            }
        });
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn accept(listener: TcpListener, upstream: SocketAddr, state: Arc<SharedState>) {
    while let Ok((client, _)) = listener.accept().await {
        // The server is gone: the client sees its connection closed, as it would without the proxy.
        let Ok(server) = TcpStream::connect(upstream).await else {
            continue;
        };
        let (client_in, client_out) = client.into_split();
        let (server_in, server_out) = server.into_split();
        let requests = matches!(state.stall, Stall::Requests(_));
        let (up, down) = (
            requests.then(|| Arc::clone(&state)),
            (!requests).then(|| Arc::clone(&state)),
        );
        tokio::spawn(async move {
            // A cut ends both directions at once, by dropping them.
            let _ended = tokio::try_join!(
                pass(client_in, server_out, up),
                pass(server_in, client_out, down)
            );
        });
    }
}

/// Forwards bytes until either side closes; once it stalls, the counted direction does not end by itself.
async fn pass(
    mut from: tcp::OwnedReadHalf,
    mut to: tcp::OwnedWriteHalf,
    counted: Option<Arc<SharedState>>,
) -> Result<(), Cut> {
    let mut piece = vec![0; PIECE_BYTES];
    while let Ok(len @ 1..) = from.read(&mut piece).await {
        let Some(bytes) = piece.get(..len) else {
            return Ok(());
        };
        if let Some(state) = &counted
            && let Some(rest) = state.crossed_by(len)
        {
            if matches!(state.effect, StallEffect::Hold | StallEffect::HoldOnce) {
                Box::pin(hold_until_closed(&mut from, state)).await;
                return Err(Cut);
            }
            let _gone = to.write_all(bytes.get(..rest).unwrap_or(bytes)).await;
            return Err(Cut);
        }
        if to.write_all(bytes).await.is_err() {
            return Ok(());
        }
    }
    // The other side may still have data to send.
    let _closed = to.shutdown().await;
    Ok(())
}

impl SharedState {
    /// Counts a piece. If the proxy must stop in this piece, returns how many of its bytes still pass.
    fn crossed_by(&self, len: usize) -> Option<usize> {
        let (Stall::Requests(limit) | Stall::Answers(limit)) = self.stall;
        let len = u64::try_from(len).expect("a piece is small");
        let before = self.passed.fetch_add(len, Ordering::SeqCst);
        if before + len <= limit {
            return None;
        }
        let again = self.stalled.swap(true, Ordering::SeqCst);
        if again && matches!(self.effect, StallEffect::HoldOnce | StallEffect::CutOnce) {
            return None;
        }
        let rest = limit.saturating_sub(before);
        Some(usize::try_from(rest).expect("less than a piece"))
    }
}

/// Reads no data, only waits until the sender is gone: then the connection breaks for the receiver as well.
async fn hold_until_closed(from: &mut tcp::OwnedReadHalf, state: &SharedState) {
    let mut ignored = [0; PIECE_BYTES];
    while !state.broken.load(Ordering::SeqCst)
        && let Ok(1..) = from.peek(&mut ignored).await
    {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};

    #[test]
    fn it_passes_so_many_bytes_and_then_holds_the_line() {
        let upstream =
            std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback binds");
        let proxy = Proxy::before(upstream.local_addr().expect("bound"), Stall::Requests(100));
        let mut client = std::net::TcpStream::connect(proxy.addr()).expect("connects");
        let (mut server, _) = upstream.accept().expect("is connected");
        client.write_all(&[1; 60]).expect("first bytes pass");
        server.read_exact(&mut [0; 60]).expect("first bytes arrive");
        client.write_all(&[1; 60]).expect("the proxy takes them");
        proxy.wait_stalled();
        drop(proxy);
        assert_eq!(
            server.read(&mut [0; 60]).unwrap_or(0),
            0,
            "nothing above the limit arrives"
        );
    }

    #[test]
    fn a_cut_comes_at_its_byte_and_the_next_connection_is_sound() {
        let upstream =
            std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback binds");
        let addr = upstream.local_addr().expect("bound");
        let proxy = Proxy::with(addr, Stall::Answers(100), StallEffect::CutOnce);
        let mut seen = Vec::new();
        for _ in 0..2 {
            let mut client = std::net::TcpStream::connect(proxy.addr()).expect("connects");
            let (mut server, _) = upstream.accept().expect("is connected");
            server.write_all(&[1; 150]).expect("the proxy takes them");
            drop(server);
            let mut got = Vec::new();
            let _cut = client.read_to_end(&mut got);
            seen.push(got.len());
        }
        assert_eq!(seen, [100, 150]);
    }
}

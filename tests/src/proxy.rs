//! A TCP proxy that stalls: it passes on so many bytes of one direction and then holds the line, so that a test can end
//! either side exactly in the middle of a stream.
//!
//! It owns a small runtime of its own; dropping the proxy closes all its connections.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, tcp};
use tokio::runtime::Runtime;

use crate::clock::{READY_WITHIN, until};

/// Moved at a time; small, so that a stall lies close to where it was asked for.
const PIECE_BYTES: usize = 16 * 1024;

/// Which direction is counted and stalls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stall {
    /// From client to server, after this many bytes over all connections.
    Requests(u64),
    /// From server to client, after this many bytes over all connections.
    Answers(u64),
}

/// A running proxy.
#[derive(Debug)]
pub struct Proxy {
    addr: SocketAddr,
    line: Arc<Line>,
    runtime: Option<Runtime>,
}

/// What all connections share.
#[derive(Debug)]
struct Line {
    stall: Stall,
    passed: AtomicU64,
    stalled: AtomicBool,
}

impl Proxy {
    /// A proxy before `upstream`.
    pub fn before(upstream: SocketAddr, stall: Stall) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build();
        let runtime = runtime.expect("runtime starts");
        let listener = runtime
            .block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))
            .expect("loopback binds");
        let addr = listener.local_addr().expect("it is bound");
        let line = Arc::new(Line {
            stall,
            passed: AtomicU64::new(0),
            stalled: AtomicBool::new(false),
        });
        runtime.spawn(accept(listener, upstream, Arc::clone(&line)));
        Self {
            addr,
            line,
            runtime: Some(runtime),
        }
    }

    /// Where clients connect.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Waits until the bytes have passed and the line is held.
    pub fn wait_stalled(&self) {
        until("the stream to reach the stall", READY_WITHIN, || {
            let passed = self.line.passed.load(Ordering::SeqCst);
            if self.line.stalled.load(Ordering::SeqCst) {
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

async fn accept(listener: TcpListener, upstream: SocketAddr, line: Arc<Line>) {
    while let Ok((client, _)) = listener.accept().await {
        // A server that is gone: the client sees its connection closed, as it would without us.
        let Ok(server) = TcpStream::connect(upstream).await else {
            continue;
        };
        let (client_in, client_out) = client.into_split();
        let (server_in, server_out) = server.into_split();
        let requests = matches!(line.stall, Stall::Requests(_));
        tokio::spawn(pass(
            client_in,
            server_out,
            requests.then(|| Arc::clone(&line)),
        ));
        tokio::spawn(pass(
            server_in,
            client_out,
            (!requests).then(|| Arc::clone(&line)),
        ));
    }
}

/// Moves bytes until either side closes; the counted direction never ends once it stalls.
async fn pass(
    mut from: tcp::OwnedReadHalf,
    mut to: tcp::OwnedWriteHalf,
    counted: Option<Arc<Line>>,
) {
    let mut piece = vec![0; PIECE_BYTES];
    while let Ok(len @ 1..) = from.read(&mut piece).await {
        if let Some(line) = &counted {
            let (Stall::Requests(limit) | Stall::Answers(limit)) = line.stall;
            let len = u64::try_from(len).expect("a piece is small");
            if line.passed.fetch_add(len, Ordering::SeqCst) + len > limit {
                line.stalled.store(true, Ordering::SeqCst);
                Box::pin(hold_until_closed(&mut from)).await;
                return;
            }
        }
        let Some(bytes) = piece.get(..len) else {
            return;
        };
        if to.write_all(bytes).await.is_err() {
            return;
        }
    }
    // The other side may still have something to say.
    let _closed = to.shutdown().await;
}

/// Reads no data, only notices that the sender is gone: then the line breaks for the receiver as well.
async fn hold_until_closed(from: &mut tcp::OwnedReadHalf) {
    let mut ignored = [0; PIECE_BYTES];
    while let Ok(1..) = from.peek(&mut ignored).await {
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
}

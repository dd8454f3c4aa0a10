//! A timeout for connections on which no byte moves.
//!
//! hyper limits only the time for the head of a request. A peer that vanishes in the middle of a body, or stops reading
//! an answer, would hold its slot forever. The timer is rearmed only when it fires. So moving a byte costs only one
//! flag, and a stalled connection ends after one to two times the limit.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

/// A stream that fails with [`io::ErrorKind::TimedOut`] after a time without progress.
#[derive(Debug)]
pub(crate) struct StallTimeout<S> {
    stream: S,
    stall_max: Duration,
    timer: Pin<Box<Sleep>>,
    moved: bool,
}

impl<S> StallTimeout<S> {
    /// Watches `stream`.
    pub(crate) fn new(stream: S, stall_max: Duration) -> StallTimeout<S> {
        StallTimeout {
            stream,
            stall_max,
            timer: Box::pin(sleep(stall_max)),
            moved: false,
        }
    }

    /// Records progress and returns the result. Without progress, fails when the time is over.
    fn watch<T>(
        &mut self,
        cx: &mut Context<'_>,
        progress: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if progress.is_ready() {
            self.moved = true;
            return progress;
        }
        loop {
            ready!(self.timer.as_mut().poll(cx));
            if !self.moved {
                return Poll::Ready(Err(io::Error::new(
                    io::ErrorKind::TimedOut,
                    "nothing moved on the connection",
                )));
            }
            self.moved = false;
            self.timer.as_mut().reset(Instant::now() + self.stall_max);
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for StallTimeout<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let progress = Pin::new(&mut this.stream).poll_read(cx, buf);
        this.watch(cx, progress)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for StallTimeout<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let progress = Pin::new(&mut this.stream).poll_write(cx, bytes);
        this.watch(cx, progress)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let progress = Pin::new(&mut this.stream).poll_flush(cx);
        this.watch(cx, progress)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let progress = Pin::new(&mut this.stream).poll_shutdown(cx);
        this.watch(cx, progress)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let progress = Pin::new(&mut this.stream).poll_write_vectored(cx, bytes);
        this.watch(cx, progress)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    const LIMIT: Duration = Duration::from_millis(50);

    #[tokio::test]
    async fn a_silent_peer_ends_the_connection() {
        let (_peer, ours) = tokio::io::duplex(64);
        let error = StallTimeout::new(ours, LIMIT)
            .read_u8()
            .await
            .expect_err("nobody writes");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn a_peer_that_does_not_read_ends_the_connection() {
        let (_peer, ours) = tokio::io::duplex(64);
        let error = StallTimeout::new(ours, LIMIT)
            .write_all(&[0; 65])
            .await
            .expect_err("nobody reads");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn bytes_that_move_keep_it_alive_beyond_the_limit() {
        // Long compared with delays of a busy machine; bytes come ten times per limit, for one and a half limits.
        let limit = Duration::from_millis(500);
        let (mut peer, ours) = tokio::io::duplex(64);
        let mut ours = StallTimeout::new(ours, limit);
        let mut received = [0; 15];
        let writing = async {
            let mut steps = tokio::time::interval(limit / 10);
            for _ in 0..15 {
                steps.tick().await;
                peer.write_all(&[1]).await.expect("the other end lives");
            }
        };
        let ((), read) = tokio::join!(writing, ours.read_exact(&mut received));
        assert_eq!(read.expect("bytes move"), 15);
    }
}

//! Closing without losing the answer.
//!
//! A server that refuses a request early and closes while the client still sends makes the kernel reset the connection,
//! and a reset discards the answer that the client has not read yet: it sees a broken pipe instead of an error code. So
//! the sending side is closed first, and what the client still sends is read and thrown away until it closes, too.
//! Invariant: bytes, time and silence of this are bounded.

use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

/// Bytes that are thrown away in one read.
const PIECE_BYTES: usize = 16 * 1024;

/// How long a close may linger.
#[derive(Debug, Clone, Copy)]
pub struct LingerLimits {
    /// Bytes that are read and thrown away.
    pub bytes_max: u64,
    /// Time in all.
    pub time_max: Duration,
    /// Time without a byte.
    pub silence_max: Duration,
}

/// Whether the client may still be sending: a request has begun, and its answer does not follow its last byte.
#[derive(Debug, Clone, Default)]
pub(super) struct Unfinished(Arc<AtomicBool>);

impl Unfinished {
    /// The request was read to its end, and its answer has been sent.
    pub(super) fn settle(&self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

/// A stream whose shutdown lingers.
#[derive(Debug)]
pub(super) struct Lingering<S> {
    stream: S,
    unfinished: Unfinished,
    limits: LingerLimits,
    closing: Closing,
}

#[derive(Debug)]
enum Closing {
    NotYet,
    Discarding {
        left: u64,
        end: Pin<Box<Sleep>>,
        silence: Pin<Box<Sleep>>,
    },
    Done,
}

impl<S> Lingering<S> {
    pub(super) fn new(stream: S, unfinished: Unfinished, limits: LingerLimits) -> Lingering<S> {
        Lingering {
            stream,
            unfinished,
            limits,
            closing: Closing::NotYet,
        }
    }
}

impl<S: AsyncRead + Unpin> Lingering<S> {
    /// Reads and discards until the peer has closed or a limit is reached.
    fn poll_discard(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Closing::Discarding { left, end, silence } = &mut self.closing else {
            return Poll::Ready(());
        };
        loop {
            if end.as_mut().poll(cx).is_ready() {
                return Poll::Ready(());
            }
            let mut space = [MaybeUninit::uninit(); PIECE_BYTES];
            let mut piece = ReadBuf::uninit(&mut space);
            match Pin::new(&mut self.stream).poll_read(cx, &mut piece) {
                Poll::Pending => {
                    ready!(silence.as_mut().poll(cx));
                    return Poll::Ready(());
                }
                Poll::Ready(Err(_)) => return Poll::Ready(()),
                Poll::Ready(Ok(())) => {
                    let read = u64::try_from(piece.filled().len()).unwrap_or(u64::MAX);
                    if read == 0 || read >= *left {
                        return Poll::Ready(());
                    }
                    *left -= read;
                    silence
                        .as_mut()
                        .reset(Instant::now() + self.limits.silence_max);
                }
            }
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Lingering<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        let read = Pin::new(&mut this.stream).poll_read(cx, buf);
        if buf.filled().len() > before {
            this.unfinished.0.store(true, Ordering::Relaxed);
        }
        read
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Lingering<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if matches!(this.closing, Closing::NotYet) {
            ready!(Pin::new(&mut this.stream).poll_shutdown(cx))?;
            this.closing = if this.unfinished.0.load(Ordering::Relaxed) {
                Closing::Discarding {
                    left: this.limits.bytes_max,
                    end: Box::pin(sleep(this.limits.time_max)),
                    silence: Box::pin(sleep(this.limits.silence_max)),
                }
            } else {
                Closing::Done
            };
        }
        ready!(this.poll_discard(cx));
        this.closing = Closing::Done;
        Poll::Ready(Ok(()))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write_vectored(cx, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

    use super::*;

    /// Longer than any test.
    const LONG: Duration = Duration::from_mins(1);
    const SHORT: Duration = Duration::from_millis(50);

    const PATIENT: LingerLimits = LingerLimits {
        bytes_max: 1 << 20,
        time_max: LONG,
        silence_max: LONG,
    };

    /// A connection on which a head has arrived.
    async fn begun(limits: LingerLimits) -> (DuplexStream, Lingering<DuplexStream>) {
        let (mut peer, ours) = tokio::io::duplex(64);
        let mut ours = Lingering::new(ours, Unfinished::default(), limits);
        peer.write_all(b"head").await.expect("taken");
        ours.read_exact(&mut [0; 4]).await.expect("read");
        (peer, ours)
    }

    #[tokio::test]
    async fn what_is_still_sent_is_read_after_the_sending_side_was_closed() {
        let (mut peer, mut ours) = begun(PATIENT).await;
        ours.write_all(b"no").await.expect("sent");
        let client = async {
            let sent = peer.write_all(&vec![0; 100_000]).await;
            sent.expect("all of it is read");
            let mut answer = String::new();
            let read = peer.read_to_string(&mut answer).await;
            read.expect("the answer");
            drop(peer);
            answer
        };
        let both = async { tokio::join!(ours.shutdown(), client) };
        let (closed, answer) = tokio::time::timeout(LONG, both).await.expect("no wait");
        closed.expect("closed");
        assert_eq!(answer, "no");
    }

    #[tokio::test]
    async fn a_client_that_goes_on_is_left_at_each_limit() {
        let silent = LingerLimits {
            silence_max: SHORT,
            ..PATIENT
        };
        let (_peer, mut ours) = begun(silent).await;
        let closed = tokio::time::timeout(LONG, ours.shutdown()).await;
        closed.expect("left after the silence").expect("closed");

        let brief = LingerLimits {
            time_max: SHORT,
            ..PATIENT
        };
        let (mut peer, mut ours) = begun(brief).await;
        let drip = async {
            let mut steps = tokio::time::interval(SHORT / 5);
            loop {
                steps.tick().await;
                peer.write_all(b".").await.expect("taken");
            }
        };
        tokio::select! {
            closed = ours.shutdown() => closed.expect("left after the time"),
            () = drip => {}
        }

        let small = LingerLimits {
            bytes_max: 1000,
            ..PATIENT
        };
        let (mut peer, mut ours) = begun(small).await;
        let flood = async {
            while peer.write_all(&[0; 64]).await.is_ok() {}
            std::future::pending::<()>().await;
        };
        tokio::select! {
            closed = ours.shutdown() => closed.expect("left after the bytes"),
            () = flood => {}
        }
    }

    #[tokio::test]
    async fn a_settled_connection_closes_at_once() {
        let (_peer, mut ours) = begun(PATIENT).await;
        ours.unfinished.settle();
        let closed = tokio::time::timeout(LONG, ours.shutdown()).await;
        closed.expect("no wait").expect("closed");
    }
}

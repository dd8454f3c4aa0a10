//! Downloads an object in parallel ranges and returns its bytes in order.
//!
//! The first range is small and comes alone: by its bytes the reader decides whether this is a snapshot at all. Then
//! [`PARALLEL`] ranges are in flight at a time. Each has a task that resumes after a broken connection. The reader takes the
//! ranges in order. Every range request requires the object's ETag, so that all ranges are from one object. Memory: the ranges
//! in flight, at most [`PARALLEL`] x [`RANGE_BYTES`]. The download fails if a range gets no data for [`EMPTY_CONNECTIONS_MAX`]
//! connections in a row, or is not complete within [`RANGE_WITHIN`].

use std::{
    collections::VecDeque,
    io::{self, BufRead, Read},
    ops::RangeInclusive,
    sync::Arc,
    time::Duration,
};

use bytes::{Buf as _, Bytes};
use indicatif::ProgressBar;
use strongroom_client::{
    clock,
    s3::{S3Client, S3Error, S3ErrorKind},
};
use tokio::{
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    task::JoinSet,
};

use crate::{
    arrival::wrap_source_error,
    console::Console,
    error::{RestoreError, SourceError},
    interrupt::{Interrupt, Interrupted},
};

/// One connection rarely saturates a link with high latency; four do, and are no burden for a store.
pub(crate) const PARALLEL: usize = 4;
/// Large enough that a request's header and round trip do not matter, small enough that four fit in memory.
pub(crate) const RANGE_BYTES: u64 = 8 << 20;
/// The size of the reader's first block (`intake::BLOCK_BYTES`).
const FIRST_RANGE_BYTES: u64 = 1 << 20;
/// Connections in a row without data. For each, the client itself already retried for several seconds.
const EMPTY_CONNECTIONS_MAX: u32 = 5;
/// The first pause between them; it doubles, up to a limit. In total about ten seconds.
const PAUSE_FIRST: Duration = Duration::from_millis(200);
const PAUSE_MAX: Duration = Duration::from_secs(5);
/// This is 14 KB/s. At a lower rate a snapshot of typical size takes ten hours, and nobody waits for that.
const RANGE_WITHIN: Duration = Duration::from_mins(10);

/// An object of known length and ETag.
#[derive(Clone)]
pub(super) struct Object {
    pub(super) client: S3Client,
    pub(super) bucket: String,
    pub(super) key: String,
    pub(super) bytes: u64,
    /// Empty if the store returns none; then only the snapshot's trailer detects a mixture of objects.
    pub(super) etag: String,
}

type Piece = Result<Bytes, RestoreError>;

/// The reader. Dropping it stops its tasks.
pub(super) struct Download {
    fetch: Arc<Fetch>,
    runtime: tokio::runtime::Handle,
    tasks: JoinSet<()>,
    /// Ranges in flight, in order.
    coming: VecDeque<UnboundedReceiver<Piece>>,
    /// The start of the next range.
    next: u64,
    piece: Bytes,
    read: u64,
    progress: ProgressBar,
}

impl Download {
    /// Starts the download.
    pub(super) fn start(
        object: Object,
        console: &Arc<Console>,
        interrupt: &Interrupt,
        runtime: &tokio::runtime::Handle,
        progress: ProgressBar,
    ) -> Self {
        let mut download = Self {
            fetch: Arc::new(Fetch {
                object,
                console: Arc::clone(console),
                interrupt: interrupt.clone(),
            }),
            runtime: runtime.clone(),
            tasks: JoinSet::new(),
            coming: VecDeque::new(),
            next: 0,
            piece: Bytes::new(),
            read: 0,
            progress,
        };
        download.start_range(FIRST_RANGE_BYTES);
        download
    }

    /// Starts the next range of at most `bytes`; false at the end of the object.
    fn start_range(&mut self, bytes: u64) -> bool {
        let total = self.fetch.object.bytes;
        if self.next >= total {
            return false;
        }
        let end = total.min(self.next + bytes);
        // The channel is bounded in practice: the task sends at most the bytes of the range.
        let (sender, receiver) = unbounded_channel();
        let (fetch, range) = (Arc::clone(&self.fetch), self.next..=end - 1);
        let task = async move { fetch.range(range, &sender).await };
        self.tasks.spawn_on(task, &self.runtime);
        self.coming.push_back(receiver);
        self.next = end;
        true
    }
}

impl BufRead for Download {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.piece.is_empty() {
            let Some(front) = self.coming.front_mut() else {
                break;
            };
            match front.blocking_recv() {
                Some(Ok(piece)) => {
                    self.read += u64::try_from(piece.len()).expect("a length fits 64 bits");
                    self.progress.set_position(self.read);
                    self.piece = piece;
                }
                Some(Err(error)) => return Err(wrap_source_error(error)),
                None => {
                    self.coming.pop_front();
                    while self.coming.len() < PARALLEL && self.start_range(RANGE_BYTES) {}
                }
            }
        }
        Ok(&self.piece)
    }

    fn consume(&mut self, amount: usize) {
        self.piece.advance(amount);
    }
}

impl Read for Download {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let piece = self.fill_buf()?;
        let len = piece.len().min(buf.len());
        for (to, from) in buf.iter_mut().zip(piece) {
            *to = *from;
        }
        self.consume(len);
        Ok(len)
    }
}

/// Shared by the tasks.
struct Fetch {
    object: Object,
    console: Arc<Console>,
    interrupt: Interrupt,
}

impl Fetch {
    /// Sends the bytes of a range, or the error that ends them.
    async fn range(&self, range: RangeInclusive<u64>, out: &UnboundedSender<Piece>) {
        let mut interrupt = self.interrupt.clone();
        let fetched = tokio::select! {
            biased;
            () = interrupt.raised() => Err(Interrupted.into()),
            fetched = clock::within(RANGE_WITHIN, self.persist(range, out)) => {
                fetched.unwrap_or_else(|| Err(self.too_slow()))
            }
        };
        if let Err(error) = fetched {
            // If the reader is gone, it has its own error.
            let _gone = out.send(Err(error));
        }
    }

    async fn persist(
        &self,
        range: RangeInclusive<u64>,
        out: &UnboundedSender<Piece>,
    ) -> Result<(), RestoreError> {
        let (mut at, end) = range.into_inner();
        let (mut fruitless, mut pause) = (0, PAUSE_FIRST);
        loop {
            let before = at;
            let error = match self.connect(&mut at, end, out).await {
                Ok(()) => return Ok(()),
                Err(Cut::Final(error)) => return Err(error.into()),
                Err(Cut::Connection(error)) => error,
            };
            if at > before {
                (fruitless, pause) = (0, PAUSE_FIRST);
            } else {
                fruitless += 1;
            }
            if !is_passing(&error) || fruitless > EMPTY_CONNECTIONS_MAX {
                return Err(SourceError::fetching(error).into());
            }
            self.console.line(format_args!(
                "the connection broke at byte {at} of {}; continuing from there",
                self.object.bytes
            ));
            if fruitless > 0 {
                clock::pause(pause).await;
                pause = PAUSE_MAX.min(pause * 2);
            }
        }
    }

    /// Reads a part of `at..=end` from one connection, and advances `at`.
    async fn connect(
        &self,
        at: &mut u64,
        end: u64,
        out: &UnboundedSender<Piece>,
    ) -> Result<(), Cut> {
        let Object {
            client,
            bucket,
            key,
            bytes,
            etag,
        } = &self.object;
        let range = Some(*at..=end);
        let mut answer = if etag.is_empty() {
            client.get_object(bucket, key, range).await?
        } else {
            client.get_object_if_match(bucket, key, range, etag).await?
        };
        if answer.len != end + 1 - *at {
            return Err(Cut::Final(SourceError::Length {
                bucket: bucket.clone(),
                key: key.clone(),
                expected: *bytes,
                received: *at + answer.len,
            }));
        }
        while let Some(piece) = answer.body.next().await {
            let piece = piece?;
            *at += u64::try_from(piece.len()).expect("a length fits 64 bits");
            // If the reader is gone, this task is dropped.
            let _gone = out.send(Ok(piece));
        }
        Ok(())
    }

    fn too_slow(&self) -> RestoreError {
        SourceError::TooSlow {
            bucket: self.object.bucket.clone(),
            key: self.object.key.clone(),
            bytes: RANGE_BYTES,
            limit: RANGE_WITHIN,
        }
        .into()
    }
}

/// Why a connection ended before its range was complete.
enum Cut {
    /// The connection failed; the next one may bring the rest.
    Connection(S3Error),
    Final(SourceError),
}

impl From<S3Error> for Cut {
    fn from(error: S3Error) -> Self {
        Self::Connection(error)
    }
}

fn is_passing(error: &S3Error) -> bool {
    matches!(
        error.kind(),
        S3ErrorKind::Network | S3ErrorKind::Timeout { .. } | S3ErrorKind::Integrity { .. }
    )
}

//! An object's bytes in order, fetched as ranges side by side.
//!
//! [`PARALLEL`] ranges are on their way at once, each a task of its own that continues where its connection broke; the
//! reader takes them in order. Every range asks for the object's ETag, so that all belong to one object. Memory: what the
//! ranges on their way hold, at most [`PARALLEL`] x [`RANGE_BYTES`]. A range that brings nothing for
//! [`FRUITLESS_MAX`] connections in a row, or is not whole within [`RANGE_WITHIN`], ends the download.

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
    arrival::carry,
    console::Console,
    error::{RestoreError, SourceError},
    interrupt::{Interrupt, Interrupted},
};

/// One connection seldom fills a long line; four do, and a store feels no burden.
pub(crate) const PARALLEL: usize = 4;
/// Large enough that a request's head and round trip do not count, small enough that four fit in memory.
pub(crate) const RANGE_BYTES: u64 = 8 << 20;
/// Connections in a row without a byte; each time the client itself has tried for several seconds.
const FRUITLESS_MAX: u32 = 5;
/// Pauses between them: doubling from the first, bounded. In all some ten seconds.
const PAUSE_FIRST: Duration = Duration::from_millis(200);
const PAUSE_MAX: Duration = Duration::from_secs(5);
/// 14 KB/s: a line below that takes ten hours for a snapshot of common size, and nobody waits for it.
const RANGE_WITHIN: Duration = Duration::from_mins(10);

/// An object of known length and ETag.
#[derive(Clone)]
pub(super) struct Object {
    pub(super) client: S3Client,
    pub(super) bucket: String,
    pub(super) key: String,
    pub(super) bytes: u64,
    /// Empty when the store gives none; the snapshot's trailer alone then tells a mixture.
    pub(super) etag: String,
}

type Piece = Result<Bytes, RestoreError>;

/// The reader. Dropped, it ends its tasks.
pub(super) struct Download {
    fetch: Arc<Fetch>,
    runtime: tokio::runtime::Handle,
    tasks: JoinSet<()>,
    /// Ranges on their way, in order.
    coming: VecDeque<UnboundedReceiver<Piece>>,
    /// Where the next range begins.
    next: u64,
    piece: Bytes,
    read: u64,
    progress: ProgressBar,
}

impl Download {
    /// Begins.
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
        while download.coming.len() < PARALLEL && download.start_range() {}
        download
    }

    /// False when the object ends.
    fn start_range(&mut self) -> bool {
        let total = self.fetch.object.bytes;
        if self.next >= total {
            return false;
        }
        let end = total.min(self.next + RANGE_BYTES);
        // Unbounded in name only: the task sends the range's bytes and no more.
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
                Some(Err(error)) => return Err(carry(error)),
                None => {
                    self.coming.pop_front();
                    self.start_range();
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
        let (Some(to), Some(from)) = (buf.get_mut(..len), piece.get(..len)) else {
            unreachable!("len is the smaller of both");
        };
        to.copy_from_slice(from);
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
    /// Sends a range's bytes, or the reason why they end.
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
            // A reader that is gone has its own reason.
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
            if !is_passing(&error) || fruitless > FRUITLESS_MAX {
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

    /// One connection's worth of `at..=end`; moves `at` on.
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
            // A reader that is gone drops this task.
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

/// Why a connection ended before its range did.
enum Cut {
    /// Perhaps the next one brings the rest.
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

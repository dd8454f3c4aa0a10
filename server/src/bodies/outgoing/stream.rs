//! A range of an object as a stream of verified pieces. A bounded number of streams read ahead of their clients.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use crate::bodies::outgoing::prefetch::{Piece, Prefetcher, Source, Window};
use crate::packs::Pin;
use crate::store::StoreError;
use crate::store::blocking_pool::BlockingPool;
use crate::store::packs::reader::SegmentReader;
use crate::store::packs::{Packs, Segment};
use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The window of a stream that reads ahead: pieces of 1 MiB.
const WINDOW_AHEAD: Window = Window {
    frames: 4,
    ahead: 4,
};

/// Streams that may read ahead at a time, with 6 MiB each (four pieces ready or being read, one taken, one whose last
/// frame the connection still sends): a single fast one keeps two cores busy. The first to come get the permits, even
/// if they turn out to be slow. All others only lose the overlap of reading and sending. Those hold at most two frames
/// of 256 KiB (one being sent and the next one), so that 500 slow clients hold less than 300 MiB in total, and 180 of
/// them less than 120 MiB.
pub(super) const STREAMS_AHEAD: usize = 4;

/// Verified bytes in order. The packs stay pinned until the last byte is read.
pub struct BodyStream {
    segments: Prefetcher<Segments>,
    ready: VecDeque<Bytes>,
    /// Permits to read ahead.
    ahead: Arc<Semaphore>,
    /// Such a permit; the stream keeps it until its end.
    runs_ahead: Option<OwnedSemaphorePermit>,
}

/// The unread segments, and the pin of their packs. The pin is dropped after the last read, even if the client has
/// gone.
struct Segments {
    packs: Arc<dyn Packs>,
    readers: VecDeque<SegmentReader>,
    _pin: Pin,
}

pub(super) fn start(
    packs: Arc<dyn Packs>,
    pool: BlockingPool,
    ahead: Arc<Semaphore>,
    segments: &[Segment],
    range: Range<u64>,
    pin: Pin,
) -> BodyStream {
    let source = Segments {
        packs,
        readers: readers(segments, &range),
        _pin: pin,
    };
    BodyStream {
        segments: Prefetcher::start(pool, source),
        ready: VecDeque::new(),
        ahead,
        runs_ahead: None,
    }
}

/// Divides an object's range over its segments.
fn readers(segments: &[Segment], range: &Range<u64>) -> VecDeque<SegmentReader> {
    let mut start = 0;
    let mut readers = VecDeque::new();
    for segment in segments {
        let end = start + segment.plain_len;
        let wanted = range.start.max(start)..range.end.min(end);
        if wanted.start < wanted.end {
            readers.push_back(SegmentReader::new(
                *segment,
                wanted.start - start..wanted.end - start,
            ));
        }
        start = end;
    }
    readers
}

impl BodyStream {
    /// The next bytes; `None` at the end. Dropping the future loses nothing.
    ///
    /// # Errors
    /// The first frame that is missing or damaged; no byte of it or after it is returned.
    pub async fn next(&mut self) -> Result<Option<Bytes>, StoreError> {
        while self.ready.is_empty() {
            if self.runs_ahead.is_none() {
                self.runs_ahead = Arc::clone(&self.ahead).try_acquire_owned().ok();
                if self.runs_ahead.is_some() {
                    self.segments.window(WINDOW_AHEAD);
                }
            }
            match self.segments.next().await {
                Some(frames) => self.ready.extend(frames?),
                None => return Ok(None),
            }
        }
        Ok(self.ready.pop_front())
    }
}

impl Source for Segments {
    fn is_over(&self) -> bool {
        self.readers.is_empty()
    }

    fn next(&mut self, frames: usize) -> Piece {
        let Some(reader) = self.readers.front_mut() else {
            return Ok(Vec::new());
        };
        let piece = reader.next(&*self.packs, frames)?;
        if reader.remaining() == 0 {
            self.readers.pop_front();
        }
        Ok(piece)
    }
}

#[cfg(test)]
mod tests;

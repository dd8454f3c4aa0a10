//! A range of an object as a stream of verified pieces; a bounded number of streams read ahead of their clients.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use crate::read::pins::Pin;
use crate::store::StoreError;
use crate::store::gate::{Gate, Running};
use crate::store::packs::reader::SegmentReader;
use crate::store::packs::{Packs, Segment};
use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Frames of one read that runs ahead: 1 MiB of plain bytes, one such piece being sent and one ahead.
const FRAMES_AHEAD: usize = 4;

/// Streams that may read ahead at a time: more than restores run at once. Each holds up to three reads of 1 MiB (one read,
/// one ready, one that the connection still sends of). All others hold two frames of 256 KiB at most (one being sent, one
/// to follow), so that 500 slow clients hold less than 300 MiB together, and 180 of them less than 120 MiB.
pub(super) const STREAMS_AHEAD: usize = 8;

/// Verified bytes in order. The packs stay pinned until it is dropped.
pub struct BodyStream {
    packs: Arc<dyn Packs>,
    gate: Gate,
    /// What is still to be read; empty while a read is under way.
    readers: VecDeque<SegmentReader>,
    ready: VecDeque<Bytes>,
    reading: Option<Running<Step>>,
    /// Who may read ahead.
    ahead: Arc<Semaphore>,
    /// Held by a stream that does, until its end.
    runs_ahead: Option<OwnedSemaphorePermit>,
    _pin: Pin,
}

type Step = (VecDeque<SegmentReader>, Result<Vec<Bytes>, StoreError>);

pub(super) fn start(
    packs: Arc<dyn Packs>,
    gate: Gate,
    ahead: Arc<Semaphore>,
    segments: &[Segment],
    range: Range<u64>,
    pin: Pin,
) -> BodyStream {
    let mut stream = BodyStream {
        packs,
        gate,
        readers: readers(segments, &range),
        ready: VecDeque::new(),
        reading: None,
        ahead,
        runs_ahead: None,
        _pin: pin,
    };
    stream.read();
    stream
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
    /// The next piece; `None` at the end. Dropping the future loses nothing but the piece.
    ///
    /// # Errors
    /// The first frame that is missing or damaged; nothing of it and nothing after it is given.
    pub async fn next(&mut self) -> Result<Option<Bytes>, StoreError> {
        loop {
            if let Some(piece) = self.ready.pop_front() {
                return Ok(Some(piece));
            }
            if self.reading.is_none() {
                self.read();
            }
            let Some(reading) = &mut self.reading else {
                return Ok(None);
            };
            let (readers, pieces) = reading.end().await;
            self.reading = None;
            self.readers = readers;
            self.ready.extend(pieces?);
            if self.runs_ahead.is_some() {
                self.read();
            }
        }
    }

    /// Sets the next read going, if anything is left.
    fn read(&mut self) {
        let exhausted = |reader: &SegmentReader| reader.remaining() == 0;
        while self.readers.front().is_some_and(exhausted) {
            self.readers.pop_front();
        }
        if self.readers.is_empty() {
            return;
        }
        if self.runs_ahead.is_none() {
            self.runs_ahead = Arc::clone(&self.ahead).try_acquire_owned().ok();
        }
        let frames = if self.runs_ahead.is_some() {
            FRAMES_AHEAD
        } else {
            1
        };
        let (packs, mut readers) = (Arc::clone(&self.packs), std::mem::take(&mut self.readers));
        let read = move || {
            let pieces = match readers.front_mut() {
                Some(reader) => reader.next(&*packs, frames),
                None => Ok(Vec::new()),
            };
            (readers, pieces)
        };
        self.reading = Some(self.gate.start(read));
    }
}

impl Drop for BodyStream {
    fn drop(&mut self) {
        // The read that is under way ends by itself; what it read is dropped with it. The pin may go first: an open
        // file stays readable after its removal, and nobody takes the bytes any more.
        if let Some(reading) = self.reading.take() {
            reading.abandon();
        }
    }
}

#[cfg(test)]
mod tests;

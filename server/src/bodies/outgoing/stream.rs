//! A range of an object as a stream of verified pieces. A bounded number of streams read ahead of their clients.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use crate::bodies::ahead::{Pace, Place, Places};
use crate::bodies::outgoing::prefetch::{Piece, Prefetcher, Source, Window};
use crate::packs::Pin;
use crate::store::StoreError;
use crate::store::blocking_pool::BlockingPool;
use crate::store::packs::reader::SegmentReader;
use crate::store::packs::{Packs, Segment};
use bytes::Bytes;

/// The window of a stream that reads ahead: pieces of 1 MiB.
const WINDOW_AHEAD: Window = Window {
    frames: 4,
    ahead: 4,
};

/// Verified bytes in order. The packs stay pinned until the last byte is read.
///
/// A stream that reads ahead holds 6 MiB (four pieces ready or being read, one taken, one whose last frame the
/// connection still sends). One without a place only loses the overlap of reading and sending. It holds at most two
/// frames of 256 KiB (one being sent and the next one), so that 500 slow clients hold less than 300 MiB in total, and
/// 180 of them less than 120 MiB.
pub struct BodyStream {
    source: Unread,
    segments: Prefetcher<Segments>,
    ready: VecDeque<Bytes>,
    places: Places,
    /// Its place, while it has one.
    place: Option<Place>,
    pace: Pace,
    /// Bytes of the last piece, which the client has taken when it asks for the next one.
    taken: usize,
}

/// What a stream has not handed over yet.
#[derive(Clone)]
struct Unread {
    packs: Arc<dyn Packs>,
    pool: BlockingPool,
    segments: Arc<[Segment]>,
    range: Range<u64>,
    pin: Arc<Pin>,
}

impl Unread {
    /// Reads it from its beginning.
    fn read(&self) -> Prefetcher<Segments> {
        let source = Segments {
            packs: Arc::clone(&self.packs),
            readers: readers(&self.segments, &self.range),
            _pin: Arc::clone(&self.pin),
        };
        Prefetcher::start(self.pool.clone(), source)
    }
}

/// The unread segments, and the pin of their packs. The pin is dropped after the last read, even if the client has
/// gone.
struct Segments {
    packs: Arc<dyn Packs>,
    readers: VecDeque<SegmentReader>,
    _pin: Arc<Pin>,
}

pub(super) fn start(
    packs: Arc<dyn Packs>,
    pool: BlockingPool,
    places: Places,
    segments: &[Segment],
    range: Range<u64>,
    pin: Pin,
) -> BodyStream {
    let source = Unread {
        packs,
        pool,
        segments: segments.into(),
        range,
        pin: Arc::new(pin),
    };
    BodyStream {
        segments: source.read(),
        source,
        ready: VecDeque::new(),
        pace: places.measure(),
        places,
        place: None,
        taken: 0,
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
            self.look_at_the_pace();
            match self.segments.next().await {
                Some(frames) => self.keep(frames?),
                None => return Ok(None),
            }
        }
        Ok(self.ready.pop_front())
    }

    /// Takes a place for a fast client; takes it from a slow one.
    fn look_at_the_pace(&mut self) {
        // The first piece measures nothing: the client has not had one yet.
        let taken = std::mem::take(&mut self.taken);
        if taken == 0 {
            return;
        }
        let slow = self.pace.is_slow(taken);
        if slow && self.place.is_some() {
            // What was read ahead is dropped, so that the memory is free as soon as the place is.
            self.segments = self.source.read();
            self.place = None;
        } else if !slow && self.place.is_none() {
            self.place = self.places.take();
            if self.place.is_some() {
                self.segments.window(WINDOW_AHEAD);
            }
        }
    }

    fn keep(&mut self, frames: Vec<Bytes>) {
        self.taken = frames.iter().map(Bytes::len).sum();
        self.source.range.start += u64::try_from(self.taken).unwrap_or(u64::MAX);
        self.ready.extend(frames);
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

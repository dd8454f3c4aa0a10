//! A range of an object as a stream of verified pieces, with one read ahead of the client.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use crate::read::pins::Pin;
use crate::store::StoreError;
use crate::store::gate::{Gate, Running};
use crate::store::packs::reader::SegmentReader;
use crate::store::packs::{Packs, Segment};
use bytes::Bytes;

/// Frames of one read: 1 MiB of plain bytes, so a stream holds at most 2 MiB, one piece being sent and one ahead.
const FRAMES_PER_READ: usize = 4;

/// Verified bytes in order. The packs stay pinned until it is dropped.
pub struct BodyStream {
    packs: Arc<dyn Packs>,
    gate: Gate,
    ready: VecDeque<Bytes>,
    ahead: Option<Running<Step>>,
    _pin: Pin,
}

type Step = (VecDeque<SegmentReader>, Result<Vec<Bytes>, StoreError>);

pub(super) fn start(
    packs: Arc<dyn Packs>,
    gate: Gate,
    segments: &[Segment],
    range: Range<u64>,
    pin: Pin,
) -> BodyStream {
    let mut stream = BodyStream {
        packs,
        gate,
        ready: VecDeque::new(),
        ahead: None,
        _pin: pin,
    };
    stream.read_ahead(readers(segments, &range));
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
            let Some(ahead) = &mut self.ahead else {
                return Ok(None);
            };
            let (readers, pieces) = ahead.end().await;
            self.ahead = None;
            self.ready.extend(pieces?);
            self.read_ahead(readers);
        }
    }

    fn read_ahead(&mut self, mut readers: VecDeque<SegmentReader>) {
        while readers
            .front()
            .is_some_and(|reader| reader.remaining() == 0)
        {
            readers.pop_front();
        }
        if readers.is_empty() {
            return;
        }
        let packs = Arc::clone(&self.packs);
        let read = move || {
            let pieces = match readers.front_mut() {
                Some(reader) => reader.next(&*packs, FRAMES_PER_READ),
                None => Ok(Vec::new()),
            };
            (readers, pieces)
        };
        self.ahead = Some(self.gate.start(read));
    }
}

impl Drop for BodyStream {
    fn drop(&mut self) {
        // The read that is under way ends by itself; what it read is dropped with it. The pin may go first: an open
        // file stays readable after its removal, and nobody takes the bytes any more.
        if let Some(ahead) = self.ahead.take() {
            ahead.abandon();
        }
    }
}

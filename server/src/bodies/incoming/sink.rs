//! Where a body's frames go: to memory while the body is small, then to packs of its own.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::bodies::incoming::serial_task::Stage;
use crate::bodies::incoming::{IngestError, Sizes};
use crate::objects::{PackClaim, PlacedSegment};
use crate::store::StoreError;
use crate::store::packs::format::frame::FRAME_BYTES_MAX;
use crate::store::packs::{
    EncodedFrame, Finished, Origin, PackWriter, Packs, SegmentDraft, WriterLease,
};

/// Space reserved in a pack for the frame table, which is one frame: even 64 MiB of frames that compressed to almost
/// nothing have room for their table.
const TABLE_ROOM_BYTES: u64 = 512 * 1024;

/// Frames in one write. More gain nothing, and hold more memory.
const WRITE_FRAMES_MAX: usize = 4;

/// The destination of a body's frames.
pub(super) struct Sink {
    packs: Arc<dyn Packs>,
    small_bodies: Arc<Semaphore>,
    sizes: Sizes,
    place: Buffered,
    full: FullPacks,
    origin: Origin,
    /// Plain bytes received.
    plain: u64,
    /// Plain bytes in packs that are already full.
    packed: u64,
}

enum Buffered {
    Memory {
        frames: Vec<EncodedFrame>,
        permits: Vec<OwnedSemaphorePermit>,
    },
    Own(Box<dyn PackWriter>),
    Nowhere,
}

/// Packs to finish while the next one fills, oldest first.
#[derive(Clone, Default)]
pub(super) struct FullPacks(Arc<Mutex<VecDeque<FullPack>>>);

impl FullPacks {
    /// Removes and returns the oldest one.
    pub(super) fn pop(&self) -> Option<FullPack> {
        self.with(VecDeque::pop_front)
    }

    fn with<T>(&self, act: impl FnOnce(&mut VecDeque<FullPack>) -> T) -> T {
        act(&mut self.0.lock())
    }
}

/// A pack that takes no more frames, not durable yet.
pub(super) struct FullPack {
    writer: Box<dyn PackWriter>,
    origin: Origin,
}

/// A durable segment, and the lease that keeps its pack until the commit that first uses it. A shared pack needs none: it has
/// a row since it was opened.
pub(super) struct Durable {
    pub(super) placed: PlacedSegment,
    pub(super) lease: Option<WriterLease>,
}

/// The unwritten rest when the body has ended.
pub(super) enum Rest {
    /// Nothing.
    Empty,
    /// A small body, and the permits for its memory.
    Small(SegmentDraft, Vec<OwnedSemaphorePermit>),
    /// The last pack of a large body.
    Large(FullPack),
}

impl FullPack {
    /// Ends the segment and makes it durable.
    pub(super) fn finish(self) -> Result<Durable, StoreError> {
        let pack = self.writer.pack();
        let Finished { segment, lease } = self.writer.finish(&self.origin)?;
        debug_assert_eq!(segment.pack, pack, "a writer writes its own pack");
        let placed = PlacedSegment {
            claim: PackClaim::Own {
                len: segment.offset + segment.stored_len,
            },
            segment,
        };
        let lease = Some(lease);
        Ok(Durable { placed, lease })
    }
}

impl Sink {
    pub(super) fn new(
        packs: Arc<dyn Packs>,
        small_bodies: Arc<Semaphore>,
        sizes: Sizes,
        origin: Origin,
        full: FullPacks,
    ) -> Sink {
        let place = Buffered::Memory {
            frames: Vec::new(),
            permits: Vec::new(),
        };
        Sink {
            packs,
            small_bodies,
            sizes,
            place,
            full,
            origin,
            plain: 0,
            packed: 0,
        }
    }

    /// Ends the body. `etag` is known now and is written into the last segment's table.
    pub(super) fn end(mut self, etag: &str) -> Rest {
        etag.clone_into(&mut self.origin.etag);
        self.origin.body_offset = self.packed;
        match self.place {
            Buffered::Memory { frames, .. } if frames.is_empty() => Rest::Empty,
            Buffered::Memory { frames, permits } => Rest::Small(
                SegmentDraft {
                    frames,
                    origin: self.origin,
                },
                permits,
            ),
            Buffered::Own(writer) => Rest::Large(FullPack {
                writer,
                origin: self.origin,
            }),
            Buffered::Nowhere => Rest::Empty,
        }
    }

    /// The number of frames to compress and write next: those that surely fit into the pack.
    fn frames_at_once(&self) -> usize {
        let Buffered::Own(writer) = &self.place else {
            return 1;
        };
        let free = self
            .sizes
            .pack
            .saturating_sub(writer.len() + TABLE_ROOM_BYTES);
        let fit = usize::try_from(free).unwrap_or(usize::MAX) / FRAME_BYTES_MAX;
        fit.clamp(1, WRITE_FRAMES_MAX)
    }

    fn put(&mut self, plain: &[Bytes]) -> Result<(), IngestError> {
        let encoded: Vec<_> = plain.iter().cloned().map(EncodedFrame::data).collect();
        let plain_len = plain.iter().map(Bytes::len).sum();
        self.place = match std::mem::replace(&mut self.place, Buffered::Nowhere) {
            Buffered::Memory { frames, permits } => {
                self.keep_or_spill(frames, permits, encoded, plain_len)?
            }
            Buffered::Own(writer) => self.append(writer, &encoded)?,
            Buffered::Nowhere => self.begin_pack(&encoded)?,
        };
        self.plain += u64::try_from(plain_len).unwrap_or(u64::MAX);
        if matches!(self.place, Buffered::Nowhere) {
            self.packed = self.plain;
        }
        Ok(())
    }

    fn keep_or_spill(
        &mut self,
        mut frames: Vec<EncodedFrame>,
        mut permits: Vec<OwnedSemaphorePermit>,
        encoded: Vec<EncodedFrame>,
        plain_len: usize,
    ) -> Result<Buffered, IngestError> {
        let kib = u32::try_from(plain_len.div_ceil(1024)).unwrap_or(u32::MAX);
        let permit = Arc::clone(&self.small_bodies)
            .try_acquire_many_owned(kib)
            .ok();
        frames.extend(encoded);
        let grown = self.plain + u64::try_from(plain_len).unwrap_or(u64::MAX);
        match permit {
            Some(permit) if grown < self.sizes.small_body => {
                permits.push(permit);
                Ok(Buffered::Memory { frames, permits })
            }
            _ => self.begin_pack(&frames),
        }
    }

    fn begin_pack(&mut self, frames: &[EncodedFrame]) -> Result<Buffered, IngestError> {
        let writer = self.packs.begin()?;
        self.append(writer, frames)
    }

    fn append(
        &mut self,
        mut writer: Box<dyn PackWriter>,
        frames: &[EncodedFrame],
    ) -> Result<Buffered, IngestError> {
        writer.append(frames)?;
        let frame_room = u64::try_from(FRAME_BYTES_MAX).unwrap_or(u64::MAX) + TABLE_ROOM_BYTES;
        if writer.len() + frame_room <= self.sizes.pack {
            return Ok(Buffered::Own(writer));
        }
        let mut origin = self.origin.clone();
        origin.body_offset = self.packed;
        self.full
            .with(|full| full.push_back(FullPack { writer, origin }));
        Ok(Buffered::Nowhere)
    }
}

impl Stage for Sink {
    /// A frame is [`FRAME_PLAIN_BYTES`] long, except the last.
    fn take(mut self, mut frames: &[Bytes]) -> Result<Sink, IngestError> {
        while !frames.is_empty() {
            let (now, later) = frames.split_at(self.frames_at_once().min(frames.len()));
            self.put(now)?;
            frames = later;
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests;

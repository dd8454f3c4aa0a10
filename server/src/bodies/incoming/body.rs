//! One incoming body.

use std::sync::Arc;

use crate::bodies::ahead::{Pace, Place, Places};
use crate::bodies::incoming::digests::{Asked, ChecksumValue, Expected, verify};
use crate::bodies::incoming::md5_lanes::Md5Task;
use crate::bodies::incoming::serial_task::{Piece, SerialTask};
use crate::bodies::incoming::sink::{Durable, FullPacks, Rest, Sink};
use crate::bodies::incoming::{Appender, Ingest, IngestError};
use crate::model::upload::PART_BYTES_MAX;
use crate::model::{BucketId, ETag, ObjectKey, PartNumber, UploadId};
use crate::objects::{PlacedSegment, StoredBody};
use crate::store::StoreError;
use crate::store::blocking_pool::{BlockingPool, Running};
use crate::store::packs::buffers::Buffer;
use crate::store::packs::format::segment::OriginTarget;
use crate::store::packs::{FRAME_PLAIN_BYTES, Origin, Packs, WriterLease};
use bytes::Bytes;
use tokio::sync::Semaphore;

/// Frames in one piece of a body that runs ahead: 2 MiB, some 3 ms of MD5. Each hand-over may wake threads, and a woken
/// thread may wait a millisecond for a busy core.
const FRAMES_AT_ONCE: usize = 8;

/// The first piece is this short, and so is each piece that finds all serial tasks idle: where the network is the
/// slower side, work then begins early.
const FRAMES_AT_FIRST: usize = 2;

/// Pieces in the tasks of a body that runs ahead, 8 MiB at most: when the slowest task, usually MD5, ends one piece, the
/// next is already there, however late the other tasks woke up. A body without a place hands over frame by frame, which
/// costs it some speed, and holds two frames, so that 500 slow clients use little memory in total.
const PIECES_AHEAD: usize = 3;

/// The target of a body; written into its segments, for salvage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BodyTarget {
    /// The bucket.
    pub bucket: BucketId,
    /// The key.
    pub key: ObjectKey,
    /// The upload and the part number, if the body is a part.
    pub part: Option<(UploadId, PartNumber)>,
}

/// A body being received. If dropped before [`BodyIngest::finish`], it leaves only pack files without a row.
pub struct BodyIngest {
    packs: Arc<dyn Packs>,
    appender: Arc<Appender>,
    pool: BlockingPool,
    expected: Expected,
    /// The frame being filled, and how much of it is filled.
    filling: Option<(Buffer, usize)>,
    /// Filled frames that are handed over together.
    filled: Vec<Bytes>,
    received: u64,
    md5: Md5Task,
    asked: Option<SerialTask<Asked>>,
    sink: SerialTask<Sink>,
    full: FullPacks,
    /// Permits for pieces that are handed over.
    room: Arc<Semaphore>,
    places: Places,
    /// Its place, while it has one.
    place: Option<Place>,
    pace: Pace,
    syncing: Option<Running<Result<Durable, StoreError>>>,
    done: Vec<PlacedSegment>,
    leases: Vec<WriterLease>,
}

pub(super) fn begin(ingest: &Ingest, target: &BodyTarget, expected: Expected) -> BodyIngest {
    let body = ingest.entropy.next_u64();
    let origin = Origin {
        bucket: target.bucket.0,
        key: Bytes::copy_from_slice(target.key.as_str().as_bytes()),
        target: match target.part {
            None => OriginTarget::Put { body },
            Some((upload, number)) => OriginTarget::Part {
                upload: upload.0,
                number: number.get(),
                body,
            },
        },
        etag: String::new(),
        time: ingest.clock.now(),
        body_offset: 0,
    };
    let full = FullPacks::default();
    let sink = Sink::new(
        Arc::clone(&ingest.packs),
        Arc::clone(&ingest.small_bodies),
        ingest.sizes,
        origin,
        full.clone(),
    );
    let pool = &ingest.pool;
    BodyIngest {
        md5: ingest.md5.begin(),
        asked: Asked::new(&expected).map(|asked| SerialTask::new(pool.clone(), asked)),
        sink: SerialTask::new(pool.clone(), sink),
        full,
        room: Arc::new(Semaphore::new(1)),
        packs: Arc::clone(&ingest.packs),
        appender: Arc::clone(&ingest.appender),
        pool: pool.clone(),
        expected,
        filling: None,
        filled: Vec::new(),
        pace: ingest.places.measure(),
        places: ingest.places.clone(),
        place: None,
        received: 0,
        syncing: None,
        done: Vec::new(),
        leases: Vec::new(),
    }
}

impl BodyIngest {
    /// Takes the next bytes of the body.
    ///
    /// # Errors
    /// As soon as the body is longer than announced or allowed, or the store fails.
    pub async fn write(&mut self, mut bytes: Bytes) -> Result<(), IngestError> {
        self.received += u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        if self.received > PART_BYTES_MAX {
            return Err(IngestError::TooLarge {
                max: PART_BYTES_MAX,
            });
        }
        if let Some(expected) = self
            .expected
            .length
            .filter(|length| self.received > *length)
        {
            return Err(IngestError::Length {
                expected,
                got: self.received,
            });
        }
        while !bytes.is_empty() {
            let (mut buffer, mut filled) = match self.filling.take() {
                Some(filling) => filling,
                None => (Buffer::of(self.next_frame(bytes.len())), 0),
            };
            let room = FRAME_PLAIN_BYTES.min(buffer.len()) - filled;
            assert!(room > 0, "the length was checked above");
            let piece = bytes.split_to(bytes.len().min(room));
            buffer[filled..filled + piece.len()].copy_from_slice(&piece);
            filled += piece.len();
            if filled < FRAME_PLAIN_BYTES {
                self.filling = Some((buffer, filled));
                continue;
            }
            self.filled.push(buffer.share(filled));
            if self.filled.len() >= self.frames_at_once() {
                self.pass_on().await?;
            }
        }
        Ok(())
    }

    /// Takes the checksum from the trailer.
    pub fn trailer_checksum(&mut self, value: Bytes) {
        if let Some((_, said)) = &mut self.expected.checksum {
            *said = ChecksumValue::Known(value);
        }
    }

    /// Ends the body: checks it against the client's values and makes it durable.
    ///
    /// # Errors
    /// When the length or a digest differs, or the store fails; then nothing uses any of the body.
    pub async fn finish(mut self) -> Result<StoredBody, IngestError> {
        if let Some(expected) = self
            .expected
            .length
            .filter(|length| self.received != *length)
        {
            return Err(self
                .abandon(IngestError::Length {
                    expected,
                    got: self.received,
                })
                .await);
        }
        if let Some((buffer, filled)) = self.filling.take() {
            self.filled.push(buffer.share(filled));
        }
        if !self.filled.is_empty() {
            self.pass_on().await?;
        }
        let md5 = self.md5.take().await?;
        let asked = match &mut self.asked {
            Some(asked) => Some(asked.take().await?),
            None => None,
        };
        let sink = self.sink.take().await?;
        self.sync_full().await?;
        let verified = match verify(md5, asked, &self.expected) {
            Ok(verified) => verified,
            Err(wrong) => {
                drop(sink);
                return Err(self.abandon(wrong).await);
            }
        };
        let rest = sink.end(&ETag::whole(verified.md5).to_string());
        self.settle_syncing().await?;
        match rest {
            Rest::Empty => {}
            Rest::Small(draft, permits) => {
                let placed = self.appender.append(draft).await?;
                self.keep(placed);
                drop(permits);
            }
            Rest::Large(last) => {
                let last = self.pool.run(move || last.finish()).await?;
                self.keep(last);
            }
        }
        Ok(StoredBody {
            size: self.received,
            md5: verified.md5,
            checksums: verified.checksums,
            segments: self.done,
            leases: self.leases,
        })
    }

    /// Length of the frame that begins with these `left` bytes. The buffer is allocated at once: if it grew step by
    /// step, each byte would be copied twice and the heap would fragment. Memory for bytes that the client does not
    /// send is never touched.
    fn next_frame(&self, left: usize) -> usize {
        let still = self
            .expected
            .length
            .and_then(|length| usize::try_from(length.saturating_sub(self.received)).ok());
        still.map_or(FRAME_PLAIN_BYTES, |still| {
            FRAME_PLAIN_BYTES.min(still.saturating_add(left))
        })
    }

    /// The number of frames to hand over together, after one was filled.
    fn frames_at_once(&mut self) -> usize {
        let slow = self.pace.is_slow(FRAME_PLAIN_BYTES);
        if self.place.is_some() && slow && self.room.available_permits() == PIECES_AHEAD {
            self.room.forget_permits(PIECES_AHEAD - 1);
            self.place = None;
        } else if self.place.is_none() && !slow && self.room.available_permits() == 0 {
            // The client is faster than the digests and the disk.
            self.place = self.places.take();
            if self.place.is_some() {
                self.room.add_permits(PIECES_AHEAD - 1);
            }
        }
        if self.place.is_none() {
            1
        } else if self.room.available_permits() == PIECES_AHEAD {
            FRAMES_AT_FIRST
        } else {
            FRAMES_AT_ONCE
        }
    }

    /// Hands the filled frames to the digests and the sink, once earlier pieces have left room.
    async fn pass_on(&mut self) -> Result<(), IngestError> {
        let room = Arc::clone(&self.room)
            .acquire_owned()
            .await
            .expect("the semaphore is never closed");
        let piece = Arc::new(Piece {
            frames: std::mem::take(&mut self.filled),
            _room: room,
        });
        self.md5.hand_over(&piece).await?;
        if let Some(asked) = &mut self.asked {
            asked.hand_over(&piece).await?;
        }
        self.sink.hand_over(&piece).await?;
        self.sync_full().await
    }

    /// Starts the sync of full packs in the background, one after the other.
    async fn sync_full(&mut self) -> Result<(), IngestError> {
        while let Some(full) = self.full.pop() {
            self.settle_syncing().await?;
            self.syncing = Some(self.pool.start(move || full.finish()));
        }
        Ok(())
    }

    async fn settle_syncing(&mut self) -> Result<(), IngestError> {
        let Some(mut syncing) = self.syncing.take() else {
            return Ok(());
        };
        let own = syncing.end().await?;
        self.keep(own);
        Ok(())
    }

    fn keep(&mut self, Durable { placed, lease }: Durable) {
        self.done.push(placed);
        self.leases.extend(lease);
    }

    /// Removes the full packs of a refused body at once: no row names them, and no commit was tried. Garbage collection
    /// finds the one still being filled.
    async fn abandon(&mut self, why: IngestError) -> IngestError {
        if let Ok(sink) = self.sink.take().await {
            drop(sink);
        }
        if let Err(failure) = self.settle_syncing().await {
            return failure;
        }
        let (packs, done) = (Arc::clone(&self.packs), std::mem::take(&mut self.done));
        let removed = self
            .pool
            .run(move || {
                done.iter()
                    .try_for_each(|placed| packs.remove(placed.segment.pack))
            })
            .await;
        match removed {
            Ok(()) => why,
            Err(failure) => IngestError::Store(failure),
        }
    }
}

#[cfg(test)]
mod tests;

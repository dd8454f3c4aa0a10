//! One body on its way in.

use std::sync::Arc;

use crate::ingest::chain::Chain;
use crate::ingest::digests::{ChecksumValue, Digests, Expected};
use crate::ingest::sink::{FullPack, OwnPack, Rest, Sink};
use crate::ingest::{Appender, Ingest, IngestError};
use crate::model::upload::PART_BYTES_MAX;
use crate::model::{BucketId, ETag, ObjectKey, PartNumber, UploadId};
use crate::objects::{PlacedSegment, StoredBody};
use crate::store::StoreError;
use crate::store::gate::{Gate, Running};
use crate::store::packs::segment::OriginTarget;
use crate::store::packs::{FRAME_PLAIN_BYTES, Origin, PackHold, Packs};
use bytes::{Bytes, BytesMut};

/// What a body is meant for; written into its segments, for salvage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BodyTarget {
    /// The bucket.
    pub bucket: BucketId,
    /// The key.
    pub key: ObjectKey,
    /// The upload and part, when it is one.
    pub part: Option<(UploadId, PartNumber)>,
}

/// A body being taken in. Dropped before [`BodyIngest::finish`], it leaves nothing but pack files without a row.
pub struct BodyIngest {
    packs: Arc<dyn Packs>,
    appender: Arc<Appender>,
    gate: Gate,
    expected: Expected,
    filling: BytesMut,
    received: u64,
    digests: Chain<Digests>,
    sink: Chain<Sink>,
    syncing: Option<Running<Result<OwnPack, StoreError>>>,
    done: Vec<PlacedSegment>,
    holds: Vec<PackHold>,
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
    BodyIngest {
        digests: Chain::Idle(Digests::new(&expected)),
        sink: Chain::Idle(Sink::new(
            Arc::clone(&ingest.packs),
            Arc::clone(&ingest.small_bodies),
            ingest.sizes,
            origin,
        )),
        packs: Arc::clone(&ingest.packs),
        appender: Arc::clone(&ingest.appender),
        gate: ingest.gate.clone(),
        expected,
        filling: BytesMut::new(),
        received: 0,
        syncing: None,
        done: Vec::new(),
        holds: Vec::new(),
    }
}

impl BodyIngest {
    /// Takes in more of the body.
    ///
    /// # Errors
    /// As soon as the body is longer than announced or allowed, or the store refuses.
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
            let room = FRAME_PLAIN_BYTES - self.filling.len();
            self.filling
                .extend_from_slice(&bytes.split_to(room.min(bytes.len())));
            if self.filling.len() == FRAME_PLAIN_BYTES {
                self.pass_on().await?;
            }
        }
        Ok(())
    }

    /// The checksum that came with the trailer.
    pub fn trailer_checksum(&mut self, value: Bytes) {
        if let Some((_, said)) = &mut self.expected.checksum {
            *said = ChecksumValue::Known(value);
        }
    }

    /// Ends the body: checks what the client said of it, and makes it durable.
    ///
    /// # Errors
    /// When length or a digest differs, or the store refuses; nothing of the body is then used by anything.
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
        if !self.filling.is_empty() {
            self.pass_on().await?;
        }
        let digests = self.digests.take().await?;
        let sink = self.settle_sink().await?;
        let verified = match digests.verify(&self.expected) {
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
                self.done.push(self.appender.append(draft).await?);
                drop(permits);
            }
            Rest::Large(last) => {
                let last = self.gate.run(move || last.finish()).await?;
                self.keep(last);
            }
        }
        Ok(StoredBody {
            size: self.received,
            md5: verified.md5,
            checksums: verified.checksums,
            segments: self.done,
            holds: self.holds,
        })
    }

    /// Hands the filled frame to digests and sink, each after its previous work.
    async fn pass_on(&mut self) -> Result<(), IngestError> {
        let frame = self.filling.split().freeze();
        let digests = self.digests.take().await?;
        let bytes = frame.clone();
        self.digests.start(&self.gate, digests, move |mut digests| {
            digests.update(&bytes);
            Ok(digests)
        });
        let sink = self.settle_sink().await?;
        self.sink
            .start(&self.gate, sink, move |sink| sink.take(&frame));
        Ok(())
    }

    /// The sink at rest; a pack that has become full is set to sync beside it.
    async fn settle_sink(&mut self) -> Result<Sink, IngestError> {
        let mut sink = self.sink.take().await?;
        if let Some(full) = sink.take_full() {
            self.settle_syncing().await?;
            self.start_syncing(full);
        }
        Ok(sink)
    }

    fn start_syncing(&mut self, full: FullPack) {
        self.syncing = Some(self.gate.start(move || full.finish()));
    }

    async fn settle_syncing(&mut self) -> Result<(), IngestError> {
        let Some(mut syncing) = self.syncing.take() else {
            return Ok(());
        };
        let own = syncing.end().await?;
        self.keep(own);
        Ok(())
    }

    fn keep(&mut self, OwnPack { placed, hold }: OwnPack) {
        self.done.push(placed);
        self.holds.push(hold);
    }

    /// Removes the packs of a refused body at once; no row names them, and no commit was tried.
    async fn abandon(&mut self, why: IngestError) -> IngestError {
        if let Ok(sink) = self.sink.take().await {
            drop(sink);
        }
        if let Err(failure) = self.settle_syncing().await {
            return failure;
        }
        let (packs, done) = (Arc::clone(&self.packs), std::mem::take(&mut self.done));
        let removed = self
            .gate
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

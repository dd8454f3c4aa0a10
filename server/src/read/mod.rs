//! From an object's manifest to its verified bytes, in order, from any offset.
//!
//! Every frame is verified before a byte of it leaves. A GET pins the packs it will read, reads the manifest again,
//! and only then sends: so what it reads cannot be removed under it, and a concurrent overwrite shows the old object
//! or the new one, never an error.

mod ahead;
pub mod pins;
mod stream;

use std::ops::Range;
use std::sync::Arc;

pub use pins::{Pin, Pins};
pub use stream::BodyStream;

use tokio::sync::Semaphore;

use crate::model::{BucketName, ObjectKey};
use crate::objects::{Found, Objects, ObjectsError, VersionSelector};
use crate::store::gate::Gate;
use crate::store::packs::{Packs, Segment};

/// How often an open follows an object that is overwritten under it.
const OPEN_TRIES: u32 = 64;

/// Where bodies go out.
pub struct Reader {
    objects: Arc<Objects>,
    packs: Arc<dyn Packs>,
    gate: Gate,
    pins: Arc<Pins>,
    ahead: Arc<Semaphore>,
}

/// An object whose bytes stay where they are until this is dropped.
pub struct OpenObject {
    /// What was found.
    pub found: Found,
    segments: Vec<Segment>,
    pin: Pin,
}

impl Reader {
    /// A reader of `packs`; `gate` bounds how many reads run at once.
    pub fn new(
        objects: Arc<Objects>,
        packs: Arc<dyn Packs>,
        gate: Gate,
        pins: Arc<Pins>,
    ) -> Reader {
        Reader {
            objects,
            packs,
            gate,
            pins,
            ahead: Arc::new(Semaphore::new(stream::STREAMS_AHEAD)),
        }
    }

    /// Finds an object and pins its bytes.
    ///
    /// # Errors
    /// As [`Objects::lookup`].
    pub async fn open(
        &self,
        bucket: &BucketName,
        key: &ObjectKey,
        selector: VersionSelector,
    ) -> Result<OpenObject, ObjectsError> {
        for _ in 0..OPEN_TRIES {
            let found = self.objects.lookup(bucket, key, selector).await?;
            let Some(manifest) = found.data.manifest else {
                return Ok(OpenObject {
                    found,
                    segments: Vec::new(),
                    pin: self.pins.pin([]),
                });
            };
            let Some(segments) = self.objects.manifest(manifest).await? else {
                continue;
            };
            let pin = self.pins.pin(segments.iter().map(|segment| segment.pack));
            // ORDER: read again under the pin; what was read before it may already be on its way out.
            if self.objects.manifest(manifest).await?.as_ref() == Some(&segments) {
                return Ok(OpenObject {
                    found,
                    segments,
                    pin,
                });
            }
        }
        Err(ObjectsError::Busy { tries: OPEN_TRIES })
    }

    /// Streams a range of plain bytes; it must lie within the object.
    pub fn stream(&self, object: OpenObject, range: Range<u64>) -> BodyStream {
        let OpenObject { segments, pin, .. } = object;
        stream::start(
            Arc::clone(&self.packs),
            self.gate.clone(),
            Arc::clone(&self.ahead),
            &segments,
            range,
            pin,
        )
    }
}

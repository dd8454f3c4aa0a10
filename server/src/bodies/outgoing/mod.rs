//! From an object's manifest to its verified bytes, in order, from any offset.
//!
//! Every frame is verified before a byte of it is sent. A GET pins the packs it will read, reads the manifest again,
//! and only then sends. So nobody can remove what it reads, and under a concurrent overwrite it returns the old object
//! or the new one, never an error.

mod prefetch;
mod stream;

use std::ops::Range;
use std::sync::Arc;

pub use stream::BodyStream;

use crate::bodies::Places;
use crate::model::{BucketName, ObjectKey};
use crate::objects::{Objects, ObjectsError, OpenObject, VersionSelector};
use crate::packs::Pins;
use crate::store::blocking_pool::BlockingPool;
use crate::store::packs::Packs;

/// Sends bodies.
pub struct Reader {
    objects: Arc<Objects>,
    packs: Arc<dyn Packs>,
    pool: BlockingPool,
    pins: Arc<Pins>,
    places: Places,
}

impl Reader {
    /// A reader of `packs`; `pool` limits concurrent reads.
    pub fn new(
        objects: Arc<Objects>,
        packs: Arc<dyn Packs>,
        pool: BlockingPool,
        pins: Arc<Pins>,
        places: Places,
    ) -> Reader {
        Reader {
            objects,
            packs,
            pool,
            pins,
            places,
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
        self.objects.open(bucket, key, selector, &self.pins).await
    }

    /// Streams a range of plain bytes; it must lie within the object.
    pub fn stream(&self, object: OpenObject, range: Range<u64>) -> BodyStream {
        let OpenObject { segments, pin, .. } = object;
        stream::start(
            Arc::clone(&self.packs),
            self.pool.clone(),
            self.places.clone(),
            &segments,
            range,
            pin,
        )
    }
}

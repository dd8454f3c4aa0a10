//! From a body's bytes to segments in packs: digests, frames, appends. Each body has one [`BodyIngest`].
//!
//! Knows packs and digests, but not what a body becomes: `objects` commits the resulting [`StoredBody`].
//!
//! Invariants: a body that fails a digest never reaches the shared pack; what [`BodyIngest::finish`] returns is synced.
//! Memory is bounded: a body holds one piece being filled and a limited number of pieces in its serial tasks; a limited
//! number of bodies have more than one frame in a piece; the frames of small bodies share one budget.

pub mod appender;
pub mod body;
pub mod digests;
pub mod error;
mod md5_lanes;
mod serial_task;
mod sink;

use std::sync::Arc;

pub use appender::Appender;
pub use body::{BodyIngest, BodyTarget};
pub use digests::Expected;
pub use error::IngestError;

use tokio::sync::Semaphore;

use crate::bodies::Places;
use crate::bodies::incoming::md5_lanes::Md5Lanes;
use crate::clock::{Clock, Entropy};
use crate::store::blocking_pool::BlockingPool;
use crate::store::packs::{PACK_BYTES_MAX, Packs};

/// The limits for sharing a pack and for a full pack, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sizes {
    /// A smaller body shares a pack with others.
    pub small_body: u64,
    /// A pack is full at this size.
    pub pack: u64,
}

impl Sizes {
    /// Packs of this size, and the usual small bodies.
    pub fn of_packs(pack: u64) -> Sizes {
        Sizes {
            small_body: SMALL_BODY_BYTES_MAX,
            pack,
        }
    }
}

impl Default for Sizes {
    fn default() -> Self {
        Sizes::of_packs(PACK_BYTES_MAX)
    }
}

/// A body up to this size shares a pack with others; a larger one fills packs of its own.
pub const SMALL_BODY_BYTES_MAX: u64 = 1024 * 1024;

/// Memory for frames of incomplete small bodies. When it is used up, a body gets a pack of its own.
const SMALL_BODIES_KIB_MAX: usize = 32 * 1024;

/// The threads that process pieces.
#[derive(Debug, Clone)]
pub struct Threads {
    /// Limits how many work at once.
    pub pool: BlockingPool,
    /// How many of them compute MD5.
    pub hashers: usize,
}

/// Receives bodies.
pub struct Ingest {
    packs: Arc<dyn Packs>,
    appender: Arc<Appender>,
    pool: BlockingPool,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    small_bodies: Arc<Semaphore>,
    md5: Md5Lanes,
    /// Places to hand over several frames at once.
    places: Places,
    sizes: Sizes,
}

impl Ingest {
    /// Ingest into `packs`.
    pub fn new(
        packs: Arc<dyn Packs>,
        appender: Arc<Appender>,
        threads: Threads,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        places: Places,
        sizes: Sizes,
    ) -> Ingest {
        let small_bodies = Arc::new(Semaphore::new(SMALL_BODIES_KIB_MAX));
        Ingest {
            packs,
            appender,
            md5: Md5Lanes::new(threads.pool.clone(), threads.hashers),
            pool: threads.pool,
            clock,
            entropy,
            small_bodies,
            places,
            sizes,
        }
    }

    /// Begins a body.
    pub fn begin(&self, target: &BodyTarget, expected: Expected) -> BodyIngest {
        body::begin(self, target, expected)
    }

    /// Seals the shared pack and stops the appender. Nothing may be ingested afterwards.
    ///
    /// # Errors
    /// When the last seal cannot be committed; the next start seals it then.
    pub fn close(&self) -> Result<(), crate::store::StoreError> {
        self.appender.close()
    }
}

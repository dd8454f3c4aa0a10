//! An opened store with the layers over it, assembled and shut down in the right order.
//!
//! Knows no protocol: S3 and admin get a [`Storage`] and use its parts.

use std::sync::Arc;

use crate::bodies::Places;
use crate::bodies::incoming::{Appender, Ingest, Sizes, Threads};
use crate::bodies::outgoing::Reader;
use crate::clock::{Clock, Entropy};
use crate::gc::{Collector, CollectorSettings};
use crate::objects::{Objects, ObjectsError};
use crate::packs::{Pins, writers};
use crate::store::observer::{StoreThread, ThreadGuard};
use crate::store::{Execution, Store, StoreError};
use crate::tables::upgrade::upgrade;

/// The parts of a running store.
pub struct Storage {
    /// Rules and rows of objects.
    pub objects: Arc<Objects>,
    /// Receives bodies.
    pub ingest: Arc<Ingest>,
    /// Sends bodies.
    pub reader: Arc<Reader>,
    /// Packs being read.
    pub pins: Arc<Pins>,
    /// The engines below.
    pub store: Arc<Store>,
    clock: Arc<dyn Clock>,
}

impl Storage {
    /// Assembles the layers over an opened store: seals what a crash left open, reverts interrupted deletes of buckets.
    ///
    /// # Errors
    /// When rows cannot be read or written.
    pub async fn open(
        store: Arc<Store>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        sizes: Sizes,
    ) -> Result<Storage, ObjectsError> {
        let (meta, packs) = (Arc::clone(&store.meta), Arc::clone(&store.packs));
        let (epoch, now) = (store.epoch, clock.now());
        // ORDER: rows are upgraded before anybody reads them; this process has a writer's row before it can create a
        // pack.
        let begin = move || {
            upgrade(&*meta, epoch, now)?;
            let sealed = writers::end_crashed_writers(&*meta, &*packs, now)?;
            writers::begin(&*meta, epoch, now)?;
            Ok::<_, StoreError>(sealed)
        };
        for pack in store.reads.run(begin).await? {
            tracing::info!(%pack, "sealed the pack that an earlier process left open");
        }
        let objects = Arc::new(Objects::new(
            Arc::clone(&store.meta),
            store.decisions.clone(),
            Arc::clone(&clock),
            Arc::clone(&entropy),
            store.epoch,
        ));
        objects.revert_interrupted_deletes().await?;
        let appender = Arc::new(start_appender(&store, sizes.pack)?);
        let ingest = Arc::new(Ingest::new(
            Arc::clone(&store.packs),
            appender,
            Threads {
                pool: store.writes.clone(),
                hashers: hashers(&store),
            },
            Arc::clone(&clock),
            entropy,
            places(&store, &clock),
            sizes,
        ));
        let pins = Pins::new();
        let reader = Arc::new(Reader::new(
            Arc::clone(&objects),
            Arc::clone(&store.packs),
            store.reads.clone(),
            Arc::clone(&pins),
            places(&store, &clock),
        ));
        Ok(Storage {
            objects,
            ingest,
            reader,
            pins,
            store,
            clock,
        })
    }

    /// The garbage collector of this store.
    pub fn collector(&self, settings: CollectorSettings) -> Collector {
        Collector {
            meta: Arc::clone(&self.store.meta),
            packs: Arc::clone(&self.store.packs),
            pins: Arc::clone(&self.pins),
            clock: Arc::clone(&self.clock),
            epoch: self.store.epoch,
            settings,
        }
    }

    /// Seals the shared pack, then closes the engines. Requests must have ended. Blocks.
    ///
    /// # Errors
    /// When the seal cannot be committed; the next start repeats it.
    pub fn close(&self) -> Result<(), StoreError> {
        let ended = self.ingest.close();
        self.store.close();
        ended
    }
}

/// The places of one direction. A simulation has the same number on every machine, so that its seeds can be replayed.
fn places(store: &Store, clock: &Arc<dyn Clock>) -> Places {
    Places::new(Arc::clone(clock), cores(store).unwrap_or(2))
}

/// Threads that compute MD5: half of the cores, because the other work on a body takes as long. In a simulation each caller
/// does its own.
fn hashers(store: &Store) -> usize {
    cores(store).map_or(usize::MAX, |cores| cores.div_ceil(2))
}

/// Of this machine; a simulated one has none.
fn cores(store: &Store) -> Option<usize> {
    let threaded = store.execution == Execution::Threaded;
    threaded.then(|| std::thread::available_parallelism().map_or(1, usize::from))
}

fn start_appender(store: &Store, pack_bytes: u64) -> Result<Appender, StoreError> {
    let (meta, packs) = (Arc::clone(&store.meta), Arc::clone(&store.packs));
    #[cfg(any(test, feature = "testing"))]
    if store.execution == Execution::Inline {
        return Appender::inline(meta, packs, store.epoch, pack_bytes);
    }
    let guard = ThreadGuard {
        thread: StoreThread::Appender,
        health: Arc::clone(&store.health),
        watch: Arc::clone(&store.watch),
    };
    Appender::start(meta, packs, store.epoch, pack_bytes, guard)
}

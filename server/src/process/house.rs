//! The store and everything above it, sharing one of each: opened, put right after a crash, closed.

use std::sync::Arc;

use crate::clock::{Clock, Entropy};
use crate::config::Config;
use crate::ingest::Ingest;
use crate::ingest::appender::{self, Appender};
use crate::model::{BucketName, Owner};
use crate::objects::{BucketCreated, NewBucket, Objects};
use crate::process::StartError;
use crate::read::{Pins, Reader};
use crate::store::Store;
use crate::store::observer::{CommitBatch, Observer, PackSync};
use crate::telemetry::{Metrics, Readiness};

/// Everything above the store, sharing one of each.
pub(crate) struct House {
    pub(crate) store: Arc<Store>,
    pub(crate) objects: Arc<Objects>,
    pub(crate) ingest: Arc<Ingest>,
    pub(crate) reader: Arc<Reader>,
}

/// What exists from the first moment: who watches, and who is told.
pub(crate) struct Watchers {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) readiness: Arc<Readiness>,
}

impl House {
    /// Opens the store, puts right what a crash left, creates the configured buckets.
    pub(crate) async fn open(config: &Config, watchers: &Watchers) -> Result<House, StartError> {
        let (dir, clock, entropy) = (
            config.data_dir.clone(),
            Arc::clone(&watchers.clock),
            Arc::clone(&watchers.entropy),
        );
        let data_dir = config.data_dir.display().to_string();
        let failed = |source| StartError::Store {
            data_dir: data_dir.clone(),
            source,
        };
        let opened = blocking(move || {
            let store = Store::open(&dir, clock, &*entropy)?;
            if let Some(pack) = appender::recover(&*store.meta)? {
                tracing::info!(%pack, "sealed the pack that the last process left open");
            }
            let appender = Appender::start(Arc::clone(&store.meta), Arc::clone(&store.packs))?;
            Ok((Arc::new(store), Arc::new(appender)))
        });
        let (store, appender) = opened.await.map_err(failed)?;
        store.watch.register(Arc::new(StoreWatch {
            metrics: Arc::clone(&watchers.metrics),
        }));
        let objects = Arc::new(Objects::new(
            Arc::clone(&store.meta),
            store.reads.clone(),
            Arc::clone(&watchers.clock),
            Arc::clone(&watchers.entropy),
            store.epoch,
        ));
        let ingest = Arc::new(Ingest::new(
            Arc::clone(&store.packs),
            appender,
            store.writes.clone(),
            Arc::clone(&watchers.clock),
            Arc::clone(&watchers.entropy),
        ));
        let packs = Arc::clone(&store.packs);
        let reader = Arc::new(Reader::new(
            Arc::clone(&objects),
            packs,
            store.reads.clone(),
            Pins::new(),
        ));
        let undone = objects.revert_interrupted_deletes().await;
        undone.map_err(|source| StartError::Deleting { source })?;
        create_buckets(&objects, config).await?;
        Ok(House {
            store,
            objects,
            ingest,
            reader,
        })
    }

    /// Seals, closes, lets go of the directory.
    pub(crate) async fn close(self) -> Result<(), StartError> {
        blocking(move || {
            // ORDER: ingest seals the shared pack through the store, so the store closes last.
            let sealed = self.ingest.close();
            self.store.close();
            sealed
        })
        .await
        .map_err(|source| StartError::Close { source })
    }
}

async fn create_buckets(objects: &Objects, config: &Config) -> Result<(), StartError> {
    for bucket in &config.buckets {
        let created = create_bucket(objects, bucket, &config.root.user).await?;
        if created == BucketCreated::New {
            tracing::info!(%bucket, "created the bucket that the configuration asks for");
        }
    }
    Ok(())
}

async fn create_bucket(
    objects: &Objects,
    bucket: &BucketName,
    user: &str,
) -> Result<BucketCreated, StartError> {
    let owner = Owner(user.to_owned());
    let failed = |source| StartError::Bucket {
        bucket: bucket.to_string(),
        source,
    };
    objects
        .create_bucket(bucket, NewBucket::plain(owner))
        .await
        .map_err(failed)
}

/// Runs what blocks on a thread for it; a panic there is this task's panic.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(failure) if failure.is_panic() => std::panic::resume_unwind(failure.into_panic()),
        // Only a runtime that is being torn down cancels it: nobody is left to answer.
        Err(_) => std::future::pending().await,
    }
}

/// Carries what the store tells to the metrics.
struct StoreWatch {
    metrics: Arc<Metrics>,
}

impl Observer for StoreWatch {
    fn committed(&self, batch: CommitBatch) {
        self.metrics.committed(batch.took, batch.txns);
    }

    fn pack_synced(&self, sync: PackSync) {
        self.metrics.pack_synced(sync.took, sync.bytes);
    }
}

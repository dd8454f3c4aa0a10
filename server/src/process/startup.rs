//! Opens the store as configured, and closes it.
//!
//! ORDER matters here: open the store, repair what the last process left, create the configured buckets. Only then may
//! requests come in.

use std::sync::Arc;

use crate::clock::{Clock, Entropy};
use crate::config::Config;
use crate::jobs::JobBoard;
use crate::model::{BucketName, Owner};
use crate::objects::{BucketCreated, NewBucket, Objects};
use crate::process::{StartError, data_dir};
use crate::storage::Storage;
use crate::store::Store;
use crate::store::observer::{CommitBatch, Observer, PackSync, StoreThread};
use crate::telemetry::log::LogControl;
use crate::telemetry::{Metrics, Readiness, names};

/// Objects that exist from the start of the process; every part of it may use them.
pub(crate) struct Handles {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) readiness: Arc<Readiness>,
    pub(crate) jobs: Arc<JobBoard>,
    pub(crate) log: Arc<LogControl>,
}

/// Opens the store, repairs what a crash left, creates the configured buckets.
pub(crate) async fn open(config: &Config, handles: &Handles) -> Result<Storage, StartError> {
    let (dir, clock, entropy) = (
        config.data_dir.clone(),
        Arc::clone(&handles.clock),
        Arc::clone(&handles.entropy),
    );
    let data_dir = config.data_dir.display().to_string();
    let named = data_dir.clone();
    let opened = blocking(move || {
        data_dir::check(&dir)?;
        let failed = |source| StartError::Store {
            data_dir: named,
            source,
        };
        Store::open(&dir, clock, &*entropy).map_err(failed)
    });
    let store = opened.await?;
    store.watch.register(Arc::new(StoreMetrics {
        metrics: Arc::clone(&handles.metrics),
    }));
    let (clock, entropy) = (Arc::clone(&handles.clock), Arc::clone(&handles.entropy));
    let repaired = Storage::open(Arc::new(store), clock, entropy, config.sizes).await;
    let storage = repaired.map_err(|source| StartError::Repair { data_dir, source })?;
    create_buckets(&storage.objects, config).await?;
    Ok(storage)
}

/// Seals the shared pack, closes the engines, releases the directory.
pub(crate) async fn close(storage: Storage) -> Result<(), StartError> {
    blocking(move || storage.close())
        .await
        .map_err(|source| StartError::Close { source })
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

/// Runs blocking work on its own thread. A panic of the work panics in this task.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(failure) if failure.is_panic() => std::panic::resume_unwind(failure.into_panic()),
        // The work is cancelled only when the runtime shuts down: nobody waits for the answer then.
        Err(_) => std::future::pending().await,
    }
}

/// Forwards events of the store to the metrics.
struct StoreMetrics {
    metrics: Arc<Metrics>,
}

impl Observer for StoreMetrics {
    fn committed(&self, batch: CommitBatch) {
        self.metrics.committed(batch.took, batch.txns);
    }

    fn pack_synced(&self, sync: PackSync) {
        self.metrics.pack_synced(sync.took, sync.bytes);
    }

    fn thread_panicked(&self, thread: StoreThread) {
        self.metrics.store_thread_panicked(match thread {
            StoreThread::Committer => names::THREAD_COMMITTER,
            StoreThread::Appender => names::THREAD_APPENDER,
        });
    }
}

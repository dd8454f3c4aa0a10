//! The vault as this process opens and closes it: from a configuration, watched by its metrics.

use std::sync::Arc;

use crate::clock::{Clock, Entropy};
use crate::config::Config;
use crate::jobs::JobBoard;
use crate::model::{BucketName, Owner};
use crate::objects::{BucketCreated, NewBucket, Objects};
use crate::process::StartError;
use crate::store::Store;
use crate::store::observer::{CommitBatch, Observer, PackSync, StoreThread};
use crate::telemetry::log::LogControl;
use crate::telemetry::{Metrics, Readiness, names};
use crate::vault::Vault;

/// What exists from the first moment: who watches, and who is told.
pub(crate) struct Watchers {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) readiness: Arc<Readiness>,
    pub(crate) jobs: Arc<JobBoard>,
    pub(crate) log: Arc<LogControl>,
}

/// Opens the store, puts right what a crash left, creates the configured buckets.
pub(crate) async fn open(config: &Config, watchers: &Watchers) -> Result<Vault, StartError> {
    let (dir, clock, entropy) = (
        config.data_dir.clone(),
        Arc::clone(&watchers.clock),
        Arc::clone(&watchers.entropy),
    );
    let data_dir = config.data_dir.display().to_string();
    let opened = blocking(move || Store::open(&dir, clock, &*entropy)).await;
    let store = opened.map_err(|source| StartError::Store {
        data_dir: data_dir.clone(),
        source,
    })?;
    store.watch.register(Arc::new(StoreWatch {
        metrics: Arc::clone(&watchers.metrics),
    }));
    let (clock, entropy) = (Arc::clone(&watchers.clock), Arc::clone(&watchers.entropy));
    let repaired = Vault::open(Arc::new(store), clock, entropy, config.sizes).await;
    let vault = repaired.map_err(|source| StartError::Repair { data_dir, source })?;
    create_buckets(&vault.objects, config).await?;
    Ok(vault)
}

/// Seals, closes, lets go of the directory.
pub(crate) async fn close(vault: Vault) -> Result<(), StartError> {
    blocking(move || vault.close())
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

    fn thread_panicked(&self, thread: StoreThread) {
        self.metrics.store_thread_panicked(match thread {
            StoreThread::Committer => names::THREAD_COMMITTER,
            StoreThread::Appender => names::THREAD_APPENDER,
        });
    }
}

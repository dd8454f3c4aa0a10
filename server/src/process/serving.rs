//! One life of the server, from open to closed.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::admin::Admin;
use crate::clock::{Clock, Entropy, SystemClock, SystemEntropy};
use crate::config::Config;
use crate::ingest::Ingest;
use crate::ingest::appender::{self, Appender};
use crate::model::{BucketName, Owner};
use crate::objects::{BucketCreated, NewBucket, Objects};
use crate::process::bind::{bind, bind_admin};
use crate::process::listener::{HttpRequest, Listener};
use crate::process::signals::Signals;
use crate::process::{Exit, StartError, limits, usage};
use crate::read::{Pins, Reader};
use crate::s3::{Credentials, OPERATION_NAMES, S3Layers, S3Service};
use crate::store::observer::{CommitBatch, Observer, PackSync};
use crate::store::opening::META_DIR;
use crate::store::{Store, StoreError};
use crate::telemetry::{Metrics, Readiness, names};

/// Everything above the store, sharing one of each.
struct House {
    store: Arc<Store>,
    objects: Arc<Objects>,
    ingest: Arc<Ingest>,
    reader: Arc<Reader>,
}

/// What exists from the first moment: who watches, and who is told.
#[derive(Clone)]
struct Watchers {
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    metrics: Arc<Metrics>,
    readiness: Arc<Readiness>,
}

/// Starts, serves until a signal, drains, closes.
pub(crate) async fn life(config: Config, open_files: u64) -> Result<Exit, StartError> {
    let cannot = |source| StartError::System {
        what: "signals cannot be listened to",
        source,
    };
    let mut signals = Signals::listen().map_err(cannot)?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let watchers = Watchers {
        metrics: Arc::new(Metrics::new(OPERATION_NAMES, clock.now())),
        readiness: Arc::new(Readiness::starting()),
        entropy: Arc::new(SystemEntropy),
        clock,
    };
    // Both sockets are bound before the store is opened: a collision is told at once, and clients of a server that
    // starts wait in the kernel's queue rather than fail.
    let socket = bind(config.listen)?;
    let admin_socket = bind_admin(config.admin_listen)?;
    let (listen, admin_listen) = (address(&socket)?, address(&admin_socket)?);
    let (stop_admin, admin_stopping) = watch::channel(false);
    let store_cell = Arc::new(std::sync::OnceLock::new());
    let admin = serve_admin(
        admin_socket,
        &config,
        &watchers,
        Arc::clone(&store_cell),
        admin_stopping,
    );

    let house = tokio::select! {
        opened = open(&config, &watchers) => opened?,
        // Nothing was accepted yet; what the opening has begun is finished or repaired by the next start.
        signal = signals.to_end() => {
            tracing::info!(signal, "strongroom-server stops before it was ready");
            return Ok(Exit::Ok);
        }
    };
    let _first = store_cell.set(Arc::clone(&house.store));
    let (stop, stopping) = watch::channel(false);
    let connections_max = limits::s3_connections(open_files);
    let serving = serve_s3(
        socket,
        &config,
        &watchers,
        &house,
        connections_max,
        stopping,
    );
    let health = Arc::clone(&house.store.health);
    watchers
        .readiness
        .serve(move || health.read_only().map(str::to_owned));
    tracing::info!(
        %listen,
        %admin_listen,
        data_dir = %config.data_dir.display(),
        store = %house.store.id,
        version = env!("CARGO_PKG_VERSION"),
        connections_max,
        "strongroom-server is ready"
    );

    let signal = signals.to_end().await;
    watchers.readiness.stop();
    tracing::info!(
        signal,
        within_secs = config.shutdown.as_secs(),
        "strongroom-server is stopping"
    );
    stop.send_replace(true);
    let ending = async {
        let cut = serving.await.unwrap_or(0);
        if cut > 0 {
            tracing::warn!(
                connections = cut,
                "requests that outlasted the shutdown time were cut"
            );
        }
        close(house).await?;
        stop_admin.send_replace(true);
        let _panicked = admin.await;
        tracing::info!("strongroom-server has stopped");
        Ok(Exit::Ok)
    };
    tokio::select! {
        ended = ending => ended,
        // The operator insists. A crash is survived by design, so nothing is lost that was acknowledged.
        signal = signals.to_end() => {
            tracing::warn!(signal, "a second signal ends the server at once");
            Ok(Exit::Interrupted)
        }
    }
}

fn address(socket: &TcpListener) -> Result<SocketAddr, StartError> {
    socket.local_addr().map_err(|source| StartError::System {
        what: "a socket does not tell its address",
        source,
    })
}

async fn open(config: &Config, watchers: &Watchers) -> Result<House, StartError> {
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

fn serve_s3(
    socket: TcpListener,
    config: &Config,
    watchers: &Watchers,
    house: &House,
    connections_max: usize,
    stopping: watch::Receiver<bool>,
) -> JoinHandle<usize> {
    let layers = S3Layers {
        objects: Arc::clone(&house.objects),
        ingest: Arc::clone(&house.ingest),
        reader: Arc::clone(&house.reader),
        metrics: Arc::clone(&watchers.metrics),
        readiness: Arc::clone(&watchers.readiness),
        clock: Arc::clone(&watchers.clock),
        entropy: Arc::clone(&watchers.entropy),
    };
    let credentials = Credentials::new(config.root.user.clone(), config.root.password.expose());
    let service = Arc::new(S3Service::new(layers, credentials));
    let listener = Listener {
        name: names::LISTENER_S3,
        socket,
        connections_max,
        drain: config.shutdown,
        metrics: Arc::clone(&watchers.metrics),
    };
    let answer = move |request: HttpRequest| {
        let service = Arc::clone(&service);
        async move { service.handle(request).await }
    };
    tokio::spawn(listener.run(answer, stopping))
}

/// The operators' listener runs before the store is open and until it is closed.
fn serve_admin(
    socket: TcpListener,
    config: &Config,
    watchers: &Watchers,
    store: Arc<std::sync::OnceLock<Arc<Store>>>,
    stopping: watch::Receiver<bool>,
) -> JoinHandle<usize> {
    let (metrics, data_dir) = (Arc::clone(&watchers.metrics), config.data_dir.clone());
    let sample = move || {
        let (metrics, data_dir, store) =
            (Arc::clone(&metrics), data_dir.clone(), store.get().cloned());
        blocking(move || sample(&metrics, &data_dir, store.as_deref()))
    };
    let admin = Arc::new(Admin::new(
        Arc::clone(&watchers.metrics),
        Arc::clone(&watchers.readiness),
        sample,
    ));
    let listener = Listener {
        name: names::LISTENER_ADMIN,
        socket,
        connections_max: limits::ADMIN_CONNECTIONS_MAX,
        drain: limits::ADMIN_DRAIN,
        metrics: Arc::clone(&watchers.metrics),
    };
    let answer = move |request: HttpRequest| {
        let admin = Arc::clone(&admin);
        async move { admin.answer(&request).await }
    };
    tokio::spawn(listener.run(answer, stopping))
}

fn sample(metrics: &Metrics, data_dir: &Path, store: Option<&Store>) {
    if let Some((size, free)) = usage::filesystem(data_dir) {
        metrics.set_filesystem(size, free);
    }
    let Some(store) = store else { return };
    match usage::storage(&*store.meta, &*store.packs, &data_dir.join(META_DIR)) {
        Ok(usage) => metrics.set_storage(usage),
        // While the server stops, the last scrape may come after the store has closed: the old figures stand.
        Err(StoreError::Closed) => {}
        Err(error) => tracing::error!(%error, "the stored bytes cannot be read for /metrics"),
    }
}

async fn close(house: House) -> Result<(), StartError> {
    blocking(move || {
        // ORDER: ingest seals the shared pack through the store, so the store closes last.
        let sealed = house.ingest.close();
        house.store.close();
        sealed
    })
    .await
    .map_err(|source| StartError::Close { source })
}

/// Runs what blocks on a thread for it; a panic there is this task's panic.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(failure) => std::panic::resume_unwind(failure.into_panic()),
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

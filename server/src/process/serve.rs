//! The life of a server process: bind, open the store, serve until a signal, drain, close.
//!
//! The admin listener starts before the store is open and ends after it is closed, so it always answers operators.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use tokio::net::TcpListener;

use crate::admin::{Admin, Changes};
use crate::clock::{Clock, SystemClock, SystemEntropy};
use crate::config::{Config, LogChanges};
use crate::jobs::{JobBoard, Scheduler};
use crate::process::background;
use crate::process::bind::{bind, bind_admin};
use crate::process::disk_watch::DiskWatch;
use crate::process::listener::{ConnectionTimes, HttpRequest, Listener, RunningListener};
use crate::process::signals::Signals;
use crate::process::startup::{self, Handles, blocking};
use crate::process::{Exit, StartError, limits, usage};
use crate::s3::{Credentials, OPERATION_NAMES, S3Layers, S3Service};
use crate::storage::Storage;
use crate::store::open::META_DIR;
use crate::store::{Store, StoreError};
use crate::telemetry::log::LogControl;
use crate::telemetry::{Metrics, Readiness, names};

/// A bound socket and its address, with the port that the system chose for port 0.
struct BoundSocket {
    socket: TcpListener,
    address: SocketAddr,
}

/// Starts the server, serves until a signal, drains, closes.
pub(crate) async fn serve(
    config: Config,
    log: LogControl,
    open_files: u64,
) -> Result<Exit, StartError> {
    let cannot = |source| StartError::System {
        what: "signals cannot be listened to",
        source,
    };
    let mut signals = Signals::listen().map_err(cannot)?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let handles = Handles {
        metrics: Arc::new(Metrics::new(OPERATION_NAMES)),
        readiness: Arc::new(Readiness::starting()),
        jobs: JobBoard::new(),
        log: Arc::new(log),
        entropy: Arc::new(SystemEntropy),
        clock,
    };
    // Both sockets are bound before the store is opened: a taken address is reported at once, and clients that connect
    // during the start wait in the kernel's queue instead of failing.
    let s3_bound = bound(bind(config.listen)?)?;
    let admin_bound = bound(bind_admin(config.admin_listen)?)?;
    let (listen, admin_listen) = (s3_bound.address, admin_bound.address);
    let store = Arc::new(OnceLock::new());
    let admin = serve_admin(admin_bound, &config, &handles, Arc::clone(&store));
    let storage = tokio::select! {
        opened = startup::open(&config, &handles) => opened?,
        // No request was accepted yet. The next start finishes or repairs what this one began.
        signal = signals.next_ending() => {
            tracing::info!(signal, "strongroom-server stops before it was ready");
            return Ok(Exit::Ok);
        }
    };
    let _first = store.set(Arc::clone(&storage.store));
    let connections_max = limits::s3_connections(open_files);
    let s3 = serve_s3(s3_bound, &config, &handles, &storage, connections_max);
    let jobs = background::start(&config, &handles, &storage);
    let disk = DiskWatch::start(config.data_dir.clone(), Arc::clone(&handles.readiness));
    let health = Arc::clone(&storage.store.health);
    handles
        .readiness
        .serve(move || health.read_only().map(str::to_owned));
    tracing::info!(
        %listen,
        %admin_listen,
        data_dir = %config.data_dir.display(),
        store = %storage.store.id,
        version = env!("CARGO_PKG_VERSION"),
        connections_max,
        "strongroom-server is ready"
    );
    let signal = signals.next_ending().await;
    handles.readiness.stop();
    tracing::info!(
        signal,
        within_secs = config.shutdown.as_secs(),
        "strongroom-server is stopping"
    );
    tokio::select! {
        ended = end(s3, jobs, disk, storage, admin) => ended,
        // The store survives a crash by design, so nothing acknowledged is lost.
        signal = signals.next_ending() => {
            tracing::warn!(signal, "a second signal ends the server at once");
            Ok(Exit::Interrupted)
        }
    }
}

/// Drains the S3 listener, ends the jobs, closes the store, and ends the admin listener last.
async fn end(
    s3: RunningListener,
    jobs: Scheduler,
    disk: DiskWatch,
    storage: Storage,
    admin: RunningListener,
) -> Result<Exit, StartError> {
    let cut = s3.end().await;
    if cut > 0 {
        tracing::warn!(
            connections = cut,
            "requests that outlasted the shutdown time were cut"
        );
    }
    jobs.end().await;
    disk.end().await;
    startup::close(storage).await?;
    // Its connections are scrapes and probes, so aborting them does no harm.
    let _cut = admin.end().await;
    tracing::info!("strongroom-server has stopped");
    Ok(Exit::Ok)
}

fn bound(socket: TcpListener) -> Result<BoundSocket, StartError> {
    match socket.local_addr() {
        Ok(address) => Ok(BoundSocket { socket, address }),
        Err(source) => Err(StartError::System {
            what: "a socket does not tell its address",
            source,
        }),
    }
}

fn serve_s3(
    bound: BoundSocket,
    config: &Config,
    handles: &Handles,
    storage: &Storage,
    connections_max: usize,
) -> RunningListener {
    let layers = S3Layers {
        objects: Arc::clone(&storage.objects),
        ingest: Arc::clone(&storage.ingest),
        reader: Arc::clone(&storage.reader),
        metrics: Arc::clone(&handles.metrics),
        readiness: Arc::clone(&handles.readiness),
        clock: Arc::clone(&handles.clock),
        entropy: Arc::clone(&handles.entropy),
    };
    let credentials = Credentials::new(config.root.user.clone(), config.root.password.expose());
    let service = Arc::new(S3Service::new(layers, credentials));
    let listener = Listener {
        name: names::LISTENER_S3,
        socket: bound.socket,
        connections: limits::s3_limits(connections_max),
        times: ConnectionTimes::draining(config.shutdown),
        metrics: Arc::clone(&handles.metrics),
    };
    let answer = move |request: HttpRequest| {
        let service = Arc::clone(&service);
        async move { service.handle(request).await }
    };
    listener.start(answer)
}

fn serve_admin(
    bound: BoundSocket,
    config: &Config,
    handles: &Handles,
    store: Arc<OnceLock<Arc<Store>>>,
) -> RunningListener {
    let (metrics, data_dir) = (Arc::clone(&handles.metrics), config.data_dir.clone());
    let sample = move || {
        let (metrics, data_dir, store) =
            (Arc::clone(&metrics), data_dir.clone(), store.get().cloned());
        blocking(move || sample(&metrics, &data_dir, store.as_deref()))
    };
    let admin = Arc::new(Admin::new(
        Arc::clone(&handles.metrics),
        Arc::clone(&handles.readiness),
        Arc::clone(&handles.jobs),
        Arc::clone(&handles.log),
        match config.log_changes {
            LogChanges::ByAnyone => Changes::ByAnyone,
            LogChanges::ByRoot => Changes::ByOperator {
                user: config.root.user.clone(),
                password: config.root.password.expose().to_owned(),
            },
        },
        sample,
    ));
    let listener = Listener {
        name: names::LISTENER_ADMIN,
        socket: bound.socket,
        connections: limits::ADMIN_LIMITS,
        times: ConnectionTimes::draining(limits::ADMIN_DRAIN),
        metrics: Arc::clone(&handles.metrics),
    };
    let answer = move |request: HttpRequest| {
        let admin = Arc::clone(&admin);
        async move { admin.answer(request).await }
    };
    listener.start(answer)
}

fn sample(metrics: &Metrics, data_dir: &Path, store: Option<&Store>) {
    if let Some((size, free)) = usage::filesystem(data_dir) {
        metrics.set_filesystem(size, free);
    }
    let Some(store) = store else { return };
    metrics.set_store_calls([
        (names::CALLS_READ, store.reads.at_work()),
        (names::CALLS_DECIDE, store.decisions.at_work()),
        (names::CALLS_WRITE, store.writes.at_work()),
    ]);
    match usage::storage(&*store.meta, &*store.packs, &data_dir.join(META_DIR)) {
        Ok(usage) => metrics.set_storage(usage),
        // While the server stops, a scrape may come after the store has closed: the old values stay.
        Err(StoreError::Closed) => {}
        Err(error) => tracing::error!(%error, "the stored bytes cannot be read for /metrics"),
    }
}

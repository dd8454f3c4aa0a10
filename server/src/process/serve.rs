//! One life of the server, from bound sockets to closed store.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::admin::Admin;
use crate::clock::{Clock, SystemClock, SystemEntropy};
use crate::config::Config;
use crate::jobs::JobBoard;
use crate::process::background::{self, Background};
use crate::process::bind::{bind, bind_admin};
use crate::process::listener::{HttpRequest, Listener};
use crate::process::signals::Signals;
use crate::process::startup::{self, Watchers, blocking};
use crate::process::{Exit, StartError, limits, usage};
use crate::s3::{Credentials, OPERATION_NAMES, S3Layers, S3Service};
use crate::store::opening::META_DIR;
use crate::store::{Store, StoreError};
use crate::telemetry::log::LogControl;
use crate::telemetry::{Metrics, Readiness, names};
use crate::vault::Vault;

/// A socket and the address it really has.
struct Bound {
    socket: TcpListener,
    address: SocketAddr,
}

/// A listener's task and the way to end it.
struct Serving {
    task: JoinHandle<usize>,
    stop: watch::Sender<bool>,
}

/// Starts, serves until a signal, drains, closes.
pub(crate) async fn life(
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
    let watchers = Watchers {
        metrics: Arc::new(Metrics::new(OPERATION_NAMES, clock.now())),
        readiness: Arc::new(Readiness::starting()),
        jobs: JobBoard::new(),
        log: Arc::new(log),
        entropy: Arc::new(SystemEntropy),
        clock,
    };
    // Both sockets are bound before the store is opened: a collision is told at once, and clients of a server that
    // starts wait in the kernel's queue rather than fail.
    let s3_bound = bound(bind(config.listen)?)?;
    let admin_bound = bound(bind_admin(config.admin_listen)?)?;
    let (listen, admin_listen) = (s3_bound.address, admin_bound.address);
    let store = Arc::new(OnceLock::new());
    let admin = serve_admin(admin_bound, &config, &watchers, Arc::clone(&store));
    let vault = tokio::select! {
        opened = startup::open(&config, &watchers) => opened?,
        // Nothing was accepted yet; what the opening has begun is finished or repaired by the next start.
        signal = signals.next_ending() => {
            tracing::info!(signal, "strongroom-server stops before it was ready");
            return Ok(Exit::Ok);
        }
    };
    let _first = store.set(Arc::clone(&vault.store));
    let connections_max = limits::s3_connections(open_files);
    let s3 = serve_s3(s3_bound, &config, &watchers, &vault, connections_max);
    let jobs = background::start(&config, &watchers, &vault);
    let health = Arc::clone(&vault.store.health);
    watchers
        .readiness
        .serve(move || health.read_only().map(str::to_owned));
    tracing::info!(
        %listen,
        %admin_listen,
        data_dir = %config.data_dir.display(),
        store = %vault.store.id,
        version = env!("CARGO_PKG_VERSION"),
        connections_max,
        "strongroom-server is ready"
    );
    let signal = signals.next_ending().await;
    watchers.readiness.stop();
    tracing::info!(
        signal,
        within_secs = config.shutdown.as_secs(),
        "strongroom-server is stopping"
    );
    tokio::select! {
        ended = end(s3, jobs, vault, admin) => ended,
        // The operator insists. A crash is survived by design, so nothing is lost that was acknowledged.
        signal = signals.next_ending() => {
            tracing::warn!(signal, "a second signal ends the server at once");
            Ok(Exit::Interrupted)
        }
    }
}

/// Drains the S3 listener, ends the jobs, closes the store, ends the operators' listener, which tells of it until then.
async fn end(
    s3: Serving,
    jobs: Background,
    vault: Vault,
    admin: Serving,
) -> Result<Exit, StartError> {
    s3.stop.send_replace(true);
    let cut = s3.task.await.unwrap_or(0);
    if cut > 0 {
        tracing::warn!(
            connections = cut,
            "requests that outlasted the shutdown time were cut"
        );
    }
    jobs.end().await;
    startup::close(vault).await?;
    admin.stop.send_replace(true);
    let _panicked = admin.task.await;
    tracing::info!("strongroom-server has stopped");
    Ok(Exit::Ok)
}

fn bound(socket: TcpListener) -> Result<Bound, StartError> {
    match socket.local_addr() {
        Ok(address) => Ok(Bound { socket, address }),
        Err(source) => Err(StartError::System {
            what: "a socket does not tell its address",
            source,
        }),
    }
}

fn serve_s3(
    bound: Bound,
    config: &Config,
    watchers: &Watchers,
    vault: &Vault,
    connections_max: usize,
) -> Serving {
    let layers = S3Layers {
        objects: Arc::clone(&vault.objects),
        ingest: Arc::clone(&vault.ingest),
        reader: Arc::clone(&vault.reader),
        metrics: Arc::clone(&watchers.metrics),
        readiness: Arc::clone(&watchers.readiness),
        clock: Arc::clone(&watchers.clock),
        entropy: Arc::clone(&watchers.entropy),
    };
    let credentials = Credentials::new(config.root.user.clone(), config.root.password.expose());
    let service = Arc::new(S3Service::new(layers, credentials));
    let listener = Listener {
        name: names::LISTENER_S3,
        socket: bound.socket,
        connections_max,
        drain: config.shutdown,
        metrics: Arc::clone(&watchers.metrics),
    };
    let answer = move |request: HttpRequest| {
        let service = Arc::clone(&service);
        async move { service.handle(request).await }
    };
    let (stop, stopping) = watch::channel(false);
    Serving {
        task: tokio::spawn(listener.run(answer, stopping)),
        stop,
    }
}

/// The operators' listener runs before the store is open and until it is closed.
fn serve_admin(
    bound: Bound,
    config: &Config,
    watchers: &Watchers,
    store: Arc<OnceLock<Arc<Store>>>,
) -> Serving {
    let (metrics, data_dir) = (Arc::clone(&watchers.metrics), config.data_dir.clone());
    let sample = move || {
        let (metrics, data_dir, store) =
            (Arc::clone(&metrics), data_dir.clone(), store.get().cloned());
        blocking(move || sample(&metrics, &data_dir, store.as_deref()))
    };
    let admin = Arc::new(Admin::new(
        Arc::clone(&watchers.metrics),
        Arc::clone(&watchers.readiness),
        Arc::clone(&watchers.jobs),
        Arc::clone(&watchers.log),
        sample,
    ));
    let listener = Listener {
        name: names::LISTENER_ADMIN,
        socket: bound.socket,
        connections_max: limits::ADMIN_CONNECTIONS_MAX,
        drain: limits::ADMIN_DRAIN,
        metrics: Arc::clone(&watchers.metrics),
    };
    let answer = move |request: HttpRequest| {
        let admin = Arc::clone(&admin);
        async move { admin.answer(request).await }
    };
    let (stop, stopping) = watch::channel(false);
    Serving {
        task: tokio::spawn(listener.run(answer, stopping)),
        stop,
    }
}

fn sample(metrics: &Metrics, data_dir: &Path, store: Option<&Store>) {
    if let Some((size, free)) = usage::filesystem(data_dir) {
        metrics.set_filesystem(size, free);
    }
    let Some(store) = store else { return };
    metrics.set_store_calls(store.reads.at_work(), store.writes.at_work());
    match usage::storage(&*store.meta, &*store.packs, &data_dir.join(META_DIR)) {
        Ok(usage) => metrics.set_storage(usage),
        // While the server stops, the last scrape may come after the store has closed: the old figures stand.
        Err(StoreError::Closed) => {}
        Err(error) => tracing::error!(%error, "the stored bytes cannot be read for /metrics"),
    }
}

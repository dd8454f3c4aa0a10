//! What the running server tells about itself: metrics that keep Prometheus' rules and their own page, log lines that name
//! the request or the job they belong to, and a log whose filter changes while it runs.

mod log;
mod metrics;
mod page;

use strongroom_tests::server::Server;

/// A server that collects garbage every second and logs as `environment` asks.
fn started(environment: &[(&str, &str)]) -> (tempfile::TempDir, Server) {
    let dir = tempfile::tempdir().expect("temporary folder");
    let mut server = Server::plan(dir.path());
    let mut command = server.command();
    command
        .env("STRONGROOM_GC_INTERVAL_SECS", "1")
        .envs(environment.iter().copied());
    server.boot_as(command);
    (dir, server)
}

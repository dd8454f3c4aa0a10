//! Telemetry of the running server: its metrics keep Prometheus' rules and agree with docs/metrics.md, its log lines name
//! their request or job, and its log's filter changes while it runs.

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

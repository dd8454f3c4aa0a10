//! Telemetry of the running server: its metrics follow Prometheus' rules and agree with docs/metrics.md, its log lines
//! name their request or job, and its log filter changes at runtime.

mod log;
mod metrics;
mod page;

use strongroom_tests::server::Server;

/// A server that collects garbage every second and logs as `environment` says.
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

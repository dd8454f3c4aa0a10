//! Runs the real program on a temporary folder, on ports that it chooses itself.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use strongroom_tests::clock::{READY_WITHIN, until};
use strongroom_tests::process::Process;
use strongroom_tests::s3::S3;

/// The root user of these tests.
pub(crate) const USER: &str = "process-tests";
/// Its password; the tests search logs for it.
pub(crate) const PASSWORD: &str = "never-in-a-log-4711";
/// Created at start.
pub(crate) const BUCKET: &str = "etcd-backup";

/// `strongroom-server` with an empty environment.
pub(crate) fn bare() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_strongroom-server"));
    command.env_clear();
    command
}

/// `strongroom-server serve` on free ports, with everything it needs.
pub(crate) fn serve(data_dir: &Path) -> Command {
    let mut command = bare();
    command.arg("serve").arg("--data-dir").arg(data_dir);
    command.args(["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]);
    command
        .env("STRONGROOM_ROOT_USER", USER)
        .env("STRONGROOM_ROOT_PASSWORD", PASSWORD);
    command.env("STRONGROOM_BUCKETS", BUCKET);
    command
}

/// A running server.
pub(crate) struct Server {
    pub(crate) process: Process,
    pub(crate) listen: SocketAddr,
    pub(crate) admin: SocketAddr,
}

impl Server {
    /// Starts `command`, with its log in `dir`, and waits until it reports that it is ready.
    pub(crate) fn start(command: &mut Command, dir: &Path) -> Server {
        let log = dir.join("log");
        let already = std::fs::read_to_string(&log).map_or(0, |text| text.len());
        let mut process = Process::spawn("strongroom-server", command, &log);
        let ready = until("the server to be ready", READY_WITHIN, || {
            process.assert_alive();
            let text = process.log();
            let mut lines = text[already..].lines();
            let line = lines.find(|line| line.contains("strongroom-server is ready"));
            line.map(str::to_owned).ok_or("not yet")
        });
        let ready: serde_json::Value =
            serde_json::from_str(&ready).expect("log lines are JSON without a terminal");
        let address = |field: &str| {
            let text = ready.get(field).and_then(serde_json::Value::as_str);
            text.and_then(|text| text.parse().ok())
                .unwrap_or_else(|| panic!("no {field} in {ready}"))
        };
        Server {
            process,
            listen: address("listen"),
            admin: address("admin_listen"),
        }
    }

    /// An operator of the server.
    pub(crate) fn operator(&self) -> S3 {
        S3::at(self.listen, USER, PASSWORD)
    }

    /// Sends SIGTERM and returns the exit code.
    pub(crate) fn stop(&mut self) -> Option<i32> {
        self.process.terminate();
        self.ended()
    }

    /// Waits for the end and returns the exit code.
    pub(crate) fn ended(&mut self) -> Option<i32> {
        self.process.wait(READY_WITHIN).code()
    }

    /// The log of all servers started on this folder.
    pub(crate) fn log(&self) -> String {
        self.process.log()
    }
}

//! MinIO as a peer: its own process on one folder, with the suites' credentials and bucket.

use std::net::SocketAddr;
use std::path::Path;

use strongroom_tests::clock::{READY_WITHIN, until};
use strongroom_tests::process::Process;
use strongroom_tests::server::{ACCESS_KEY, BUCKET, SECRET_KEY};
use strongroom_tests::{http, ports, programs};

use crate::target::Target;

/// A running MinIO.
#[derive(Debug)]
pub struct Minio {
    addr: SocketAddr,
    process: Process,
}

impl Minio {
    /// A ready one with its data and log below `dir`, and with the suites' bucket.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start(dir: &Path) -> Self {
        let addr = ports::free();
        let mut command = programs::minio();
        command.arg("server").arg(dir.join("minio"));
        command.args(["--address", &addr.to_string()]);
        command.args(["--console-address", &ports::free().to_string()]);
        command
            .env("MINIO_ROOT_USER", ACCESS_KEY)
            .env("MINIO_ROOT_PASSWORD", SECRET_KEY)
            .env("MINIO_BROWSER", "off")
            .env("MINIO_UPDATE", "off");
        let process = Process::spawn("minio", &mut command, &dir.join("minio.log"));
        until("minio to be ready", READY_WITHIN, || {
            match http::get(addr, "/minio/health/ready") {
                Ok(answer) if answer.status == 200 => Ok(()),
                Ok(answer) => Err(format!("{} {}", answer.status, answer.text())),
                Err(e) => Err(e.to_string()),
            }
        });
        let minio = Self { addr, process };
        let made = minio.target().s3.put(&format!("/{BUCKET}"), b"");
        assert_eq!(made.status, 200, "{}", made.text());
        minio
    }

    /// Where to send requests.
    pub fn target(&self) -> Target {
        Target::at(self.addr, self.process.id())
    }
}

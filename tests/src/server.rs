//! The real `strongroom-server` on a temporary folder: started, probed, killed, restarted on the same folder.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use crate::clock::{READY_WITHIN, until};
use crate::process::Process;
use crate::{http, ports, programs};

/// The operator's access key in all suites.
pub const ACCESS_KEY: &str = "harness-operator";
/// The operator's secret key in all suites; the tests search logs for it.
pub const SECRET_KEY: &str = "harness-secret-7f2c91d04be5";

/// The bucket of the suites. It is created through the server's environment, as operators do it.
pub const BUCKET: &str = "etcd-backup";

/// Log lines shown when it does not start, newest first.
const LOG_TAIL_LINES: usize = 20;

/// A server with its folder and ports.
#[derive(Debug)]
pub struct Server {
    data_dir: PathBuf,
    log: PathBuf,
    s3: SocketAddr,
    admin: SocketAddr,
    process: Option<Process>,
}

impl Server {
    /// A ready server with its data and log below `dir`, and with [`BUCKET`].
    pub fn start(dir: &Path) -> Self {
        let mut server = Self::plan(dir);
        server.boot();
        server
    }

    /// Plans folder and ports; nothing runs yet.
    pub fn plan(dir: &Path) -> Self {
        Self {
            data_dir: dir.join("server"),
            log: dir.join("server.log"),
            s3: ports::free(),
            admin: ports::free(),
            process: None,
        }
    }

    /// The same with its log elsewhere: for data folders that are removed.
    #[must_use]
    pub fn logging_to(self, log: PathBuf) -> Self {
        Self { log, ..self }
    }

    /// `strongroom-server serve` on this folder and these ports, with credentials and bucket from the environment.
    pub fn command(&self) -> Command {
        self.command_of(programs::server())
    }

    /// The same for another build of the program, or for a program that runs it.
    pub fn command_of(&self, mut command: Command) -> Command {
        command.arg("serve").arg("--data-dir").arg(&self.data_dir);
        command.args([
            "--listen",
            &self.s3.to_string(),
            "--admin-listen",
            &self.admin.to_string(),
        ]);
        command
            .env("STRONGROOM_ROOT_USER", ACCESS_KEY)
            .env("STRONGROOM_ROOT_PASSWORD", SECRET_KEY);
        command.env("STRONGROOM_BUCKETS", BUCKET);
        command
    }

    /// Starts it and waits until it reports that it is ready.
    pub fn boot(&mut self) {
        let command = self.command();
        self.boot_as(command);
    }

    /// Starts it with a command made from [`Self::command`] and waits until it reports that it is ready.
    pub fn boot_as(&mut self, command: Command) {
        if let Err(refused) = self.try_boot_as(command) {
            let log = self.log();
            let tail: Vec<_> = log.lines().rev().take(LOG_TAIL_LINES).collect();
            panic!(
                "strongroom-server ended early: {refused}\n{}",
                tail.join("\n")
            );
        }
    }

    /// The same for a server that may refuse to start.
    ///
    /// # Errors
    /// Its exit status, if it ended instead of becoming ready.
    pub fn try_boot_as(&mut self, mut command: Command) -> Result<(), ExitStatus> {
        assert!(self.process.is_none(), "the server runs already");
        let mut process = Process::spawn("strongroom-server", &mut command, &self.log);
        let ready = until("strongroom-server to be ready", READY_WITHIN, || {
            if let Some(status) = process.exited() {
                return Ok(Err(status));
            }
            match http::get(self.admin, "/readyz") {
                Ok(answer) if answer.status == 200 => Ok(Ok(())),
                // It serves reads, and waits for free space.
                Ok(answer) if answer.text().starts_with("the disk takes no writes") => Ok(Ok(())),
                Ok(answer) => Err(format!("{} {}", answer.status, answer.text())),
                Err(e) => Err(e.to_string()),
            }
        });
        ready?;
        self.process = Some(process);
        Ok(())
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        self.process.take().expect("the server runs").kill();
    }

    /// Sends SIGTERM and returns the exit code.
    pub fn stop(&mut self) -> Option<i32> {
        let mut process = self.process.take().expect("the server runs");
        process.terminate();
        process.wait(READY_WITHIN).code()
    }

    /// The running process.
    pub fn process(&mut self) -> &mut Process {
        self.process.as_mut().expect("the server runs")
    }

    /// Its log, over all its lives.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// Its data folder.
    pub fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    /// The S3 address.
    pub fn s3_addr(&self) -> SocketAddr {
        self.s3
    }

    /// The address of health, metrics and the like.
    pub fn admin_addr(&self) -> SocketAddr {
        self.admin
    }

    /// The S3 endpoint's URL.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.s3)
    }

    /// Configures a command for this server in the way of aws cli, SDKs and our own programs.
    pub fn aws_environment(&self, command: &mut Command) {
        command
            .env("AWS_ENDPOINT_URL", self.endpoint())
            .env("AWS_REGION", "us-east-1");
        command
            .env("AWS_ACCESS_KEY_ID", ACCESS_KEY)
            .env("AWS_SECRET_ACCESS_KEY", SECRET_KEY);
        command
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("AWS_CONFIG_FILE", "/dev/null");
        command.env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null");
    }

    /// Configures a command for this server in the way of etcdbrctl's ECS provider.
    pub fn ecs_environment(&self, command: &mut Command) {
        command.env("ECS_ENDPOINT", self.endpoint());
        command
            .env("ECS_ACCESS_KEY_ID", ACCESS_KEY)
            .env("ECS_SECRET_ACCESS_KEY", SECRET_KEY);
    }
}

//! Runs the real program on a temporary folder: starts it, asks it, signals it, and ends it with the test.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::clock::{DEADLINE, until};

/// The root user of these tests.
pub(crate) const USER: &str = "process-tests";
/// Its password; logs are searched for it.
pub(crate) const PASSWORD: &str = "never-in-a-log-4711";
/// Created at start.
pub(crate) const BUCKET: &str = "etcd-backup";

/// `strongroom-server` with an empty environment.
pub(crate) fn bare() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_strongroom-server"));
    command.env_clear().stdin(Stdio::null());
    command
}

/// `strongroom-server serve` on free ports, with the settings that it requires.
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

/// The end of a program that ends by itself.
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stderr: String,
}

/// Runs a command to its end.
pub(crate) fn run(command: &mut Command) -> Ended {
    let output = command.output().expect("the program starts");
    Ended {
        code: output.status.code(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// A server that runs.
pub(crate) struct Server {
    child: Child,
    log: PathBuf,
    pub(crate) listen: SocketAddr,
    pub(crate) admin: SocketAddr,
}

impl Server {
    /// Starts `command`, with its log in `dir`, and waits until it says it is ready.
    pub(crate) fn start(command: &mut Command, dir: &Path) -> Server {
        let log = dir.join("log");
        let file = File::options()
            .create(true)
            .append(true)
            .open(&log)
            .expect("the log opens");
        let already = std::fs::read_to_string(&log).expect("the log reads").len();
        let mut child = command.stderr(file).spawn().expect("the program starts");
        let ready = until("the server to be ready", || {
            let text = std::fs::read_to_string(&log).expect("the log reads");
            let new = text[already..].to_owned();
            let ended = child.try_wait().expect("the child can be asked");
            assert!(ended.is_none(), "the server ended with {ended:?}:\n{new}");
            let line = new
                .lines()
                .find(|line| line.contains("strongroom-server is ready"))
                .map(str::to_owned);
            line.ok_or(new)
        });
        let ready: serde_json::Value =
            serde_json::from_str(&ready).expect("log lines are JSON without a terminal");
        let address = |field: &str| {
            let text = ready.get(field).and_then(serde_json::Value::as_str);
            text.and_then(|text| text.parse().ok())
                .unwrap_or_else(|| panic!("no {field} in {ready}"))
        };
        Server {
            child,
            log,
            listen: address("listen"),
            admin: address("admin_listen"),
        }
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).expect("process ids are small");
        kill_process(
            Pid::from_raw(pid).expect("a child's id is not zero"),
            signal,
        )
        .expect("the child can be signalled");
    }

    /// Waits for its end.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        let child = &mut self.child;
        until("the server to end", || {
            child
                .try_wait()
                .expect("the child can be asked")
                .ok_or("it runs")
        })
    }

    /// SIGTERM, and the exit code it ends with.
    pub(crate) fn stop(&mut self) -> Option<i32> {
        self.signal(Signal::TERM);
        self.wait().code()
    }

    /// The log of all servers started on this folder.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).expect("the log reads")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// A connection that fails at the deadline instead of hanging.
pub(crate) fn connect(address: SocketAddr) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&address, DEADLINE)?;
    stream.set_read_timeout(Some(DEADLINE))?;
    stream.set_write_timeout(Some(DEADLINE))?;
    Ok(stream)
}

/// Everything that still comes on a connection.
pub(crate) fn rest(mut stream: TcpStream) -> String {
    let mut text = Vec::new();
    // A reset after the answer is a good end as well.
    let _reset = stream.read_to_end(&mut text);
    String::from_utf8_lossy(&text).into_owned()
}

/// GET of a path without credentials: the whole answer.
pub(crate) fn get(address: SocketAddr, path: &str) -> std::io::Result<String> {
    let mut stream = connect(address)?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n"
    )?;
    Ok(rest(stream))
}

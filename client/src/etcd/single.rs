//! Tests only: one real etcd with some data, on free ports, stopped by its process id.

use std::net::TcpListener;
use std::process::{Child, Stdio};
use std::time::Duration;

use parking_lot::Mutex;
use strongroom_tests::etcd::Version;
use strongroom_tests::programs;

use super::{EtcdConfig, LeaderRule, Member, choose_member};
use crate::clock::{self, Stopwatch};

/// etcd takes one to two seconds to elect itself, longer on a loaded machine.
const START_LIMIT: Duration = Duration::from_secs(30);

/// A single-member etcd with some data. Dropping it stops it.
pub(crate) struct Etcd {
    process: Mutex<Child>,
    pub(crate) url: String,
    _folder: tempfile::TempDir,
}

impl Etcd {
    pub(crate) async fn start(value_bytes: usize, keys: usize) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        // Keep both sockets until both ports are known, so that the ports differ.
        let sockets = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").expect("a free port"));
        let [client, peer] = sockets.each_ref().map(|socket| {
            format!(
                "http://{}",
                socket.local_addr().expect("a bound socket has an address")
            )
        });
        drop(sockets);
        let process = programs::etcd(Version::V3_4, "etcd")
            .args(["--name", "m1", "--log-level", "error", "--data-dir"])
            .arg(folder.path().join("data"))
            .args([
                "--listen-client-urls",
                &client,
                "--advertise-client-urls",
                &client,
            ])
            .args([
                "--listen-peer-urls",
                &peer,
                "--initial-advertise-peer-urls",
                &peer,
            ])
            .args(["--initial-cluster", &format!("m1={peer}")])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("etcd starts");
        let etcd = Self {
            process: Mutex::new(process),
            url: client,
            _folder: folder,
        };
        etcd.fill(value_bytes, keys).await;
        etcd
    }

    async fn fill(&self, value_bytes: usize, keys: usize) {
        let watch = Stopwatch::start();
        while choose_member(&self.config()).await.is_err() {
            assert!(
                watch.elapsed() < START_LIMIT,
                "etcd did not start within {START_LIMIT:?}"
            );
            clock::pause(Duration::from_millis(50)).await;
        }
        let mut client = etcd_client::Client::connect([&self.url], None)
            .await
            .expect("it runs");
        for key in 0..keys {
            client
                .put(format!("/registry/x/{key}"), vec![b'v'; value_bytes], None)
                .await
                .expect("puts");
        }
    }

    pub(crate) fn config(&self) -> EtcdConfig {
        EtcdConfig {
            endpoints: vec![self.url.clone()],
            trust: None,
            identity: None,
            credentials: None,
            leader: LeaderRule::Preferred,
        }
    }

    pub(crate) async fn member(&self) -> Member {
        choose_member(&self.config())
            .await
            .expect("a healthy member")
    }

    pub(crate) fn kill(&self) {
        let mut process = self.process.lock();
        process.kill().expect("it is ours");
        process.wait().expect("it is ours");
    }
}

impl Drop for Etcd {
    fn drop(&mut self) {
        self.kill();
    }
}

//! Real etcd clusters of every supported minor version, on loopback, and queries through their own etcdctl. All test
//! clusters are created here.
//!
//! A [`Cluster`] is a plan (names, ports, data folders). Its members can be started, killed, and started again on other
//! folders or as another version: this is how a restored folder is verified. It knows nothing about Strongroom.
//!
//! | what varies | by |
//! |---|---|
//! | version | [`Version`], [`Cluster::set_version`] |
//! | members, learners | the count of [`Cluster::plan`], [`Cluster::add_learner`], [`Cluster::join_command`] |
//! | TLS | [`Security::Mutual`] with a [`Tls`] authority of the test's own |
//! | users | [`Cluster::enable_auth`]: from then on every call runs as root |
//! | data | [`crate::workload::fill_cluster`], or [`Cluster::put`] and [`Cluster::ctl`] key by key |
//! | compaction | [`Cluster::compacting_in_batches_of`] makes it slow enough for a test to observe it while it runs |
//!
//! etcd, etcdctl and etcdutl come from the cache that `tests/setup/etcd.sh` fills; [`crate::programs`] finds them.
//!
//! ```no_run
//! use std::path::Path;
//! use strongroom_tests::etcd::{Cluster, Security, Version};
//! use strongroom_tests::tls::Tls;
//! use strongroom_tests::workload;
//!
//! let dir = Path::new("a temporary folder");
//! // Three members of etcd 3.6, TLS on both sides, users, and 200 objects as Kubernetes writes them.
//! let security = Security::Mutual(Tls::create(&dir.join("pki")));
//! let mut cluster = Cluster::plan(&dir.join("etcd"), Version::V3_6, 3, security);
//! cluster.boot();
//! cluster.enable_auth();
//! let filled = workload::fill_cluster(&cluster, 7, 200);
//! let revision = cluster.revision();
//! let held = cluster.observe(0, revision);
//! assert_eq!(held.keys, filled.keys_live);
//! cluster.save_snapshot(0, &dir.join("snapshot.db"));
//! // The disaster; a restore puts the data folders back, and then:
//! cluster.destroy();
//! cluster.boot();
//! cluster.assert_holds(revision, held);
//! ```

mod ctl;

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::str::FromStr;

pub use ctl::Observed;

use crate::clock::{READY_WITHIN, until};
use crate::ports;
use crate::process::Process;
use crate::programs;
use crate::tls::Tls;

/// The minor versions that every save and boot must support.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// Debian's 3.4.
    V3_4,
    /// 3.5, see tests/peers/etcd-3.5.
    V3_5,
    /// 3.6, see tests/peers/etcd-3.6.
    V3_6,
    /// 3.7, see tests/peers/etcd-3.7.
    V3_7,
}

impl Version {
    /// All of them, oldest first.
    pub const ALL: [Self; 4] = [Self::V3_4, Self::V3_5, Self::V3_6, Self::V3_7];
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V3_4 => "3.4",
            Self::V3_5 => "3.5",
            Self::V3_6 => "3.6",
            Self::V3_7 => "3.7",
        })
    }
}

impl FromStr for Version {
    type Err = UnknownVersion;

    fn from_str(text: &str) -> Result<Self, UnknownVersion> {
        Self::ALL
            .into_iter()
            .find(|v| v.to_string() == text)
            .ok_or_else(|| UnknownVersion {
                text: text.to_owned(),
            })
    }
}

/// Not one of [`Version::ALL`].
#[derive(Debug, thiserror::Error)]
#[error("etcd version {text:?} is none of 3.4, 3.5, 3.6, 3.7")]
pub struct UnknownVersion {
    text: String,
}

/// How members and clients communicate.
#[derive(Debug, Clone)]
pub enum Security {
    /// Plain http.
    Plain,
    /// https with mandatory client certificates.
    Mutual(Tls),
}

/// A user of a cluster with authentication.
#[derive(Debug, Clone, Copy)]
pub struct User {
    /// The name.
    pub name: &'static str,
    /// The password, used only in tests.
    pub password: &'static str,
}

/// The user with all rights once authentication is enabled.
const ROOT: User = User {
    name: "root",
    password: "throw-away",
};

/// One cluster.
#[derive(Debug)]
pub struct Cluster {
    dir: PathBuf,
    version: Version,
    token: String,
    security: Security,
    user: Option<User>,
    compaction_batch: Option<u32>,
    members: Vec<Member>,
}

/// One member: its addresses, its data folder, and its process while it runs.
#[derive(Debug)]
pub struct Member {
    /// Its `--name`.
    pub name: String,
    /// Its data folder.
    pub data_dir: PathBuf,
    client: SocketAddr,
    peer: SocketAddr,
    process: Option<Process>,
}

impl Cluster {
    /// Names, ports and folders below `dir` for `count` members; nothing runs yet.
    pub fn plan(dir: &Path, version: Version, count: usize, security: Security) -> Self {
        let members = (0..count)
            .map(|i| Member {
                name: format!("etcd-{i}"),
                data_dir: dir.join(format!("etcd-{i}")),
                client: ports::free(),
                peer: ports::free(),
                process: None,
            })
            .collect();
        std::fs::create_dir_all(dir).expect("cluster folder");
        Self {
            dir: dir.to_owned(),
            version,
            token: "tests".to_owned(),
            security,
            user: None,
            compaction_batch: None,
            members,
        }
    }

    /// A running plain cluster.
    pub fn start(dir: &Path, version: Version, count: usize) -> Self {
        let mut cluster = Self::plan(dir, version, count, Security::Plain);
        cluster.boot();
        cluster
    }

    /// Makes compactions delete this many rows at a time and rest in between: slow enough for a snapshot in the middle.
    #[must_use]
    pub fn compacting_in_batches_of(self, rows: u32) -> Self {
        Self {
            compaction_batch: Some(rows),
            ..self
        }
    }

    /// The etcd version.
    pub fn version(&self) -> Version {
        self.version
    }

    /// How members and clients communicate.
    pub fn security(&self) -> &Security {
        &self.security
    }

    /// The user of all calls, once authentication is enabled.
    pub fn user(&self) -> Option<User> {
        self.user
    }

    /// Keeps names and ports, and changes the version.
    pub fn set_version(&mut self, version: Version) {
        self.version = version;
    }

    /// The members, in order of their names.
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// Value of `--initial-cluster`.
    pub fn initial_cluster(&self) -> String {
        let parts: Vec<_> = (0..self.members.len())
            .map(|i| format!("{}={}", self.members[i].name, self.peer_url(i)))
            .collect();
        parts.join(",")
    }

    /// Value of `--initial-cluster-token`.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// A member's peer URL.
    pub fn peer_url(&self, member: usize) -> String {
        format!("{}://{}", self.scheme(), self.members[member].peer)
    }

    /// A member's client URL.
    pub fn client_url(&self, member: usize) -> String {
        format!("{}://{}", self.scheme(), self.members[member].client)
    }

    /// All client URLs.
    pub fn client_urls(&self) -> Vec<String> {
        (0..self.members.len())
            .map(|i| self.client_url(i))
            .collect()
    }

    /// Starts every member and waits until all of them serve.
    pub fn boot(&mut self) {
        for i in 0..self.members.len() {
            self.spawn(i);
        }
        self.wait_ready();
    }

    /// The command that starts the first member of `newcomer` as a new member `name` of this cluster.
    pub fn join_command(&self, newcomer: &Self, name: &str) -> Command {
        let mut command = newcomer.command(0);
        // If a flag is given twice, etcd uses the last one.
        command.args(["--name", name, "--initial-cluster-state", "existing"]);
        let initial = format!("{},{name}={}", self.initial_cluster(), newcomer.peer_url(0));
        command.args(["--initial-cluster", &initial]);
        command
    }

    /// Starts one member without waiting: alone, a member of three never becomes ready.
    pub fn spawn(&mut self, member: usize) {
        let mut command = self.command(member);
        let log = self.dir.join(format!("{}.log", self.members[member].name));
        let name = format!("etcd {} {}", self.version, self.members[member].name);
        self.members[member].process = Some(Process::spawn(&name, &mut command, &log));
    }

    /// Waits until every running member serves.
    pub fn wait_ready(&mut self) {
        for i in 0..self.members.len() {
            let Some(mut process) = self.members[i].process.take() else {
                continue;
            };
            let what = format!("etcd {} at {}", self.version, self.client_url(i));
            until(&what, READY_WITHIN, || {
                process.assert_alive();
                let health = self.ctl_at(i, &["endpoint", "health"]);
                if health.code == Some(0) {
                    Ok(())
                } else {
                    Err(health.text())
                }
            });
            self.members[i].process = Some(process);
        }
    }

    /// The process of a running member.
    pub fn process(&mut self, member: usize) -> &mut Process {
        self.members[member]
            .process
            .as_mut()
            .expect("the member runs")
    }

    /// SIGKILL one member.
    pub fn kill(&mut self, member: usize) {
        self.members[member]
            .process
            .take()
            .expect("the member runs")
            .kill();
    }

    /// Sends SIGTERM to all running members and waits for their end.
    pub fn stop(&mut self) {
        let mut running: Vec<_> = self
            .members
            .iter_mut()
            .filter_map(|m| m.process.take())
            .collect();
        for process in &running {
            process.terminate();
        }
        for process in &mut running {
            process.wait(READY_WITHIN);
        }
    }

    /// Kills all members and removes their data: the disaster.
    pub fn destroy(&mut self) {
        for member in &mut self.members {
            if let Some(process) = member.process.take() {
                process.kill();
            }
            if member.data_dir.exists() {
                std::fs::remove_dir_all(&member.data_dir).expect("data folder is removed");
            }
        }
    }

    fn scheme(&self) -> &'static str {
        match self.security {
            Security::Plain => "http",
            Security::Mutual(_) => "https",
        }
    }

    fn command(&self, member: usize) -> Command {
        let Member { name, data_dir, .. } = &self.members[member];
        let (peer, client) = (self.peer_url(member), self.client_url(member));
        let mut command = programs::etcd(self.version, "etcd");
        command
            .arg("--name")
            .arg(name)
            .arg("--data-dir")
            .arg(data_dir);
        command.args([
            "--listen-peer-urls",
            &peer,
            "--initial-advertise-peer-urls",
            &peer,
        ]);
        command.args([
            "--listen-client-urls",
            &client,
            "--advertise-client-urls",
            &client,
        ]);
        command.args([
            "--initial-cluster",
            &self.initial_cluster(),
            "--initial-cluster-token",
            &self.token,
        ]);
        // Three members, a server and a test share two cores and one disk: a slow fsync must not cause an election.
        command.args(["--heartbeat-interval", "300", "--election-timeout", "3000"]);
        command.args([
            "--quota-backend-bytes",
            "8589934592",
            "--logger",
            "zap",
            "--log-level",
            "warn",
        ]);
        if let Some(rows) = self.compaction_batch {
            let flag = match self.version {
                Version::V3_4 | Version::V3_5 => "--experimental-compaction-batch-limit",
                Version::V3_6 | Version::V3_7 => "--compaction-batch-limit",
            };
            command.args([flag, &rows.to_string()]);
        }
        if let Security::Mutual(tls) = &self.security {
            for side in ["", "peer-"] {
                command
                    .arg(format!("--{side}cert-file"))
                    .arg(&tls.server.cert);
                command
                    .arg(format!("--{side}key-file"))
                    .arg(&tls.server.key);
                command
                    .arg(format!("--{side}trusted-ca-file"))
                    .arg(&tls.cacert);
                command.arg(format!("--{side}client-cert-auth"));
            }
        }
        command
    }
}

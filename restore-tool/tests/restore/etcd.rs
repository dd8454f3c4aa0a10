//! A real etcd process and its etcdctl. Each is stopped at the end of its test.

use std::{
    fs::File,
    io::Write as _,
    path::Path,
    process::{Child, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};
use strongroom_tests::{etcd::Version, ports, programs};

use crate::{clock::eventually, tool::text};

/// A member's place in a cluster.
#[derive(Debug, Clone)]
pub(crate) struct MemberConfig {
    pub(crate) version: Version,
    pub(crate) name: String,
    pub(crate) peer_url: String,
    pub(crate) client_url: String,
}

impl MemberConfig {
    pub(crate) fn new(name: &str) -> Self {
        let url = || format!("http://{}", ports::free());
        Self {
            version: Version::V3_4,
            name: name.to_owned(),
            peer_url: url(),
            client_url: url(),
        }
    }

    pub(crate) fn initial(&self) -> String {
        format!("{}={}", self.name, self.peer_url)
    }
}

/// A running etcd.
pub(crate) struct Etcd {
    child: Child,
    seat: MemberConfig,
}

impl Etcd {
    /// Starts etcd on `data_dir`; `cluster` has the initial-* flags for a new cluster and is empty for a restored one.
    pub(crate) fn start(seat: &MemberConfig, data_dir: &Path, cluster: &[&str]) -> Self {
        let log = File::create(data_dir.with_extension("log")).expect("a log file beside the data");
        let child = programs::etcd(seat.version, "etcd")
            .args(["--name", &seat.name, "--data-dir", text(data_dir)])
            .args([
                "--listen-client-urls",
                &seat.client_url,
                "--advertise-client-urls",
                &seat.client_url,
            ])
            .args([
                "--listen-peer-urls",
                &seat.peer_url,
                "--initial-advertise-peer-urls",
                &seat.peer_url,
            ])
            .args(cluster)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("etcd starts");
        Self {
            child,
            seat: seat.clone(),
        }
    }

    /// Stops it like systemd, so that acknowledged data is in the database and not only in the log.
    pub(crate) fn stop(mut self) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, Signal::TERM).expect("it runs");
        self.child.wait().expect("its child");
    }

    pub(crate) fn wait_until_healthy(&mut self) {
        let name = self.seat.name.clone();
        eventually(&format!("etcd {name} is healthy"), || {
            let ended = self.child.try_wait().expect("its child");
            assert!(
                ended.is_none(),
                "etcd {name} ended with {ended:?}; see its log beside the data directory"
            );
            self.try_ctl(&["endpoint", "health"], "").ok()
        });
    }

    /// The id of its cluster in hex if it serves within a moment; a member without a quorum does not.
    pub(crate) fn served_cluster(&mut self) -> Option<String> {
        let status = ["endpoint", "status", "-w", "json", "--command-timeout=2s"];
        let status = self.try_ctl(&status, "").ok()?;
        let status: serde_json::Value = serde_json::from_str(&status).ok()?;
        let id = status[0]["Status"]["header"]["cluster_id"].as_u64()?;
        Some(format!("{id:x}"))
    }

    /// Runs etcdctl against this member.
    pub(crate) fn ctl(&self, args: &[&str]) -> String {
        self.try_ctl(args, "")
            .unwrap_or_else(|error| panic!("etcdctl {args:?}: {error}"))
    }

    pub(crate) fn ctl_with_input(&self, args: &[&str], input: &str) -> String {
        self.try_ctl(args, input)
            .unwrap_or_else(|error| panic!("etcdctl {args:?}: {error}"))
    }

    pub(crate) fn try_ctl(&self, args: &[&str], input: &str) -> Result<String, String> {
        let mut child = programs::etcd(self.seat.version, "etcdctl")
            .env("ETCDCTL_API", "3")
            .args(["--endpoints", &self.seat.client_url])
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("etcdctl starts");
        let mut stdin = child.stdin.take().expect("piped");
        // etcdctl may end before it has read everything; its exit code is what counts.
        let _closed = stdin.write_all(input.as_bytes());
        drop(stdin);
        let output = child.wait_with_output().expect("its child");
        if output.status.success() {
            Ok(String::from_utf8(output.stdout).expect("UTF-8"))
        } else {
            Err(String::from_utf8_lossy(&output.stderr).into_owned())
        }
    }

    /// Everything visible to a client: keys, values, revisions, leases.
    pub(crate) fn contents(&self) -> String {
        let json = self.ctl(&["get", "", "--prefix", "-w", "json"]);
        let mut json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
        json["kvs"].take().to_string()
    }

    /// The hash that members compare with each other, at a revision.
    pub(crate) fn hash_kv(&self, revision: i64) -> u64 {
        let json = self.ctl(&[
            "endpoint",
            "hashkv",
            "--rev",
            &revision.to_string(),
            "-w",
            "json",
        ]);
        let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
        json[0]["HashKV"]["hash"].as_u64().expect("a hash")
    }

    pub(crate) fn revision(&self) -> i64 {
        let json = self.ctl(&["endpoint", "status", "-w", "json"]);
        let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
        json[0]["Status"]["header"]["revision"]
            .as_i64()
            .expect("a revision")
    }

    pub(crate) fn members(&self) -> Vec<(u64, String, String)> {
        let json = self.ctl(&["member", "list", "-w", "json"]);
        let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
        let members = json["members"].as_array().expect("members");
        members
            .iter()
            .map(|member| {
                let text =
                    |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
                (
                    member["ID"].as_u64().expect("an id"),
                    text(&member["name"]),
                    text(&member["peerURLs"][0]),
                )
            })
            .collect()
    }
}

impl Drop for Etcd {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}

//! Queries a cluster with the etcdctl of its own version. This verifies every restore.

use std::path::Path;

use serde_json::Value;

use super::{Cluster, ROOT, Security};
use crate::clock::{READY_WITHIN, until};
use crate::process::{Finished, run};
use crate::programs;

/// The contents of one member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Observed {
    /// `HashKV` at the requested revision.
    pub hash_kv: u64,
    /// The revision up to which history is compacted, as used by `HashKV`.
    pub compact_revision: i64,
    /// Keys alive now.
    pub keys: u64,
}

impl Cluster {
    /// etcdctl against one member.
    pub fn ctl_at(&self, member: usize, args: &[&str]) -> Finished {
        self.ctl_to(&self.client_url(member), args)
    }

    /// etcdctl against all members.
    pub fn ctl(&self, args: &[&str]) -> Finished {
        self.ctl_to(&self.client_urls().join(","), args)
    }

    /// Writes one key through any member.
    pub fn put(&self, key: &str, value: &str) {
        self.ctl(&["put", key, value]).ok();
    }

    /// Reads one key through one member, with a linearizable read.
    pub fn get(&self, member: usize, key: &str) -> String {
        self.ctl_at(member, &["get", key, "--print-value-only"])
            .ok()
            .stdout
            .trim_end()
            .to_owned()
    }

    /// The current revision.
    pub fn revision(&self) -> i64 {
        let status = json(&self.ctl_at(0, &["endpoint", "status", "-w", "json"]).ok());
        integer(&status, "/0/Status/header/revision")
    }

    /// Enables authentication, with the user root and one user with few rights; every later call runs as root.
    pub fn enable_auth(&mut self) {
        let root = format!("{}:{}", ROOT.name, ROOT.password);
        self.ctl(&["user", "add", &root]).ok();
        // Newer versions already have the role.
        let _known = self.ctl(&["role", "add", ROOT.name]);
        self.ctl(&["user", "grant-role", ROOT.name, ROOT.name]).ok();
        self.ctl(&["role", "add", "reader"]).ok();
        self.ctl(&[
            "role",
            "grant-permission",
            "reader",
            "read",
            "/registry/",
            "/registry0",
        ])
        .ok();
        self.ctl(&["user", "add", "reader:throw-away-too"]).ok();
        self.ctl(&["user", "grant-role", "reader", "reader"]).ok();
        self.ctl(&["auth", "enable"]).ok();
        self.user = Some(ROOT);
    }

    /// Adds a member without a vote; nobody needs to start it. etcd refuses until its members have been connected for
    /// some seconds.
    pub fn add_learner(&self, name: &str, peer_url: &str) {
        let peer_urls = format!("--peer-urls={peer_url}");
        until("the cluster to take a learner", READY_WITHIN, || {
            let added = self.ctl(&["member", "add", name, &peer_urls, "--learner"]);
            if added.code == Some(0) {
                Ok(())
            } else {
                Err(added.text())
            }
        });
    }

    /// `etcdctl snapshot save` of one member.
    pub fn save_snapshot(&self, member: usize, file: &Path) {
        let file = file.to_str().expect("temporary paths are text");
        self.ctl_at(member, &["snapshot", "save", file]).ok();
    }

    /// `etcdctl endpoint hashkv` of one member at a revision; 0 is the newest.
    pub fn hash_kv(&self, member: usize, revision: i64) -> Finished {
        let revision = revision.to_string();
        self.ctl_at(
            member,
            &["endpoint", "hashkv", "--rev", &revision, "-w", "json"],
        )
    }

    /// Size of a member's database file as etcd reports it.
    pub fn db_bytes(&self) -> i64 {
        let status = json(&self.ctl_at(0, &["endpoint", "status", "-w", "json"]).ok());
        integer(&status, "/0/Status/dbSize")
    }

    /// The leader, by its position in the list.
    pub fn leader(&self) -> usize {
        let leads = |i: &usize| {
            let status = json(&self.ctl_at(*i, &["endpoint", "status", "-w", "json"]).ok());
            status.pointer("/0/Status/leader") == status.pointer("/0/Status/header/member_id")
        };
        (0..self.members.len())
            .find(leads)
            .expect("one member leads")
    }

    /// The contents of a member at `revision`.
    pub fn observe(&self, member: usize, revision: i64) -> Observed {
        let hash = json(&self.hash_kv(member, revision).ok());
        // 3.4 has no --count-only; `count` covers the whole range, whatever the limit.
        let range = [
            "get",
            "",
            "--from-key",
            "--keys-only",
            "--limit",
            "1",
            "-w",
            "json",
        ];
        let keys = json(&self.ctl_at(member, &range).ok());
        Observed {
            hash_kv: unsigned(&hash, "/0/HashKV/hash"),
            compact_revision: integer(&hash, "/0/HashKV/compact_revision"),
            // The answer for an empty range has no count.
            keys: keys.pointer("/count").and_then(Value::as_u64).unwrap_or(0),
        }
    }

    /// Panics unless every member holds exactly `expected` at `revision`.
    #[track_caller]
    pub fn assert_holds(&self, revision: i64, expected: Observed) {
        for member in 0..self.members.len() {
            let held = self.observe(member, revision);
            assert_eq!(
                held, expected,
                "etcd {} member {member} at revision {revision}",
                self.version
            );
        }
    }

    /// `member list`: names and peer URLs of the started members, sorted.
    pub fn member_list(&self) -> Vec<(String, String)> {
        let list = json(&self.ctl(&["member", "list", "-w", "json"]).ok());
        let members = list
            .pointer("/members")
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default();
        let mut named: Vec<_> = members
            .iter()
            .map(|m| {
                let text = |at: &str| {
                    m.pointer(at)
                        .and_then(Value::as_str)
                        .unwrap_or_default()
                        .to_owned()
                };
                (text("/name"), text("/peerURLs/0"))
            })
            .collect();
        named.sort();
        named
    }

    fn ctl_to(&self, endpoints: &str, args: &[&str]) -> Finished {
        let mut command = programs::etcd(self.version, "etcdctl");
        command.env("ETCDCTL_API", "3").args([
            "--endpoints",
            endpoints,
            "--command-timeout",
            "60s",
        ]);
        if let Security::Mutual(tls) = &self.security {
            command.arg("--cacert").arg(&tls.cacert);
            command
                .arg("--cert")
                .arg(&tls.client.cert)
                .arg("--key")
                .arg(&tls.client.key);
        }
        if let Some(user) = self.user {
            command.args(["--user", &format!("{}:{}", user.name, user.password)]);
        }
        run(command.args(args))
    }
}

fn json(finished: &Finished) -> Value {
    serde_json::from_str(&finished.stdout)
        .unwrap_or_else(|e| panic!("{}: no JSON: {e}: {}", finished.line, finished.stdout))
}

fn integer(value: &Value, at: &str) -> i64 {
    value
        .pointer(at)
        .and_then(Value::as_i64)
        .unwrap_or_else(|| panic!("no integer at {at} of {value}"))
}

fn unsigned(value: &Value, at: &str) -> u64 {
    value
        .pointer(at)
        .and_then(Value::as_u64)
        .unwrap_or_else(|| panic!("no number at {at} of {value}"))
}

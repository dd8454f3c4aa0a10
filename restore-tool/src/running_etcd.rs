//! Detects an etcd that uses the target, or that still runs in place of this member. It probes only this machine.
//!
//! A restore is refused if an etcd uses the target:
//! - `member/snap/db` is locked (bbolt holds a flock while it is open).
//! - An etcd's data directory is the target ([`processes`]).
//!
//! If an etcd answers at this member's own peer URL on this machine, or at the client port beside a standard peer URL, the process
//! that listens there decides: one on another directory is only told (a restore beside it is prepared or rehearsed), one whose
//! directory is not known refuses. For https, any TLS server counts, because etcd requires a client certificate there and its
//! version cannot be read.
//!
//! Anything else is only a warning: another etcd on this node (a utility pod in the host's network, a second etcd on other ports)
//! must not prevent a restore. [`crate::peers`] asks the other members.

mod processes;

use std::{
    fs::File,
    io::ErrorKind,
    net::{Ipv4Addr, SocketAddr},
    path::Path,
};

use rustix::fs::FlockOperation;
use strongroom_etcd_format::wal;
use url::Url;

use crate::{
    commit_marker,
    error::TargetError,
    probe::{self, Answer},
    staging::MEMBER,
};
use processes::Process;

/// etcd's registered ports.
const CLIENT_PORT: u16 = 2379;
const PEER_PORT: u16 = 2380;
/// What exists at the path of the new `member`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ExistingEntry {
    Nothing,
    /// A complete restore with its commit marker: its success was not reported, and nobody has used it.
    Marked,
}

/// Refuses if an etcd uses the directory, or if `member` exists.
pub(crate) fn refuse_member(data_dir: &Path) -> Result<ExistingEntry, TargetError> {
    let member = data_dir.join(MEMBER);
    match member.symlink_metadata() {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            refuse_user(data_dir)?;
            return Ok(ExistingEntry::Nothing);
        }
        // The data directory is a file: creating the staging directory will report it.
        Err(error) if error.kind() == ErrorKind::NotADirectory => {
            return Ok(ExistingEntry::Nothing);
        }
        Err(source) => return Err(TargetError::io("looking at", &member, source)),
        Ok(_) => {}
    }
    let db = member.join("snap/db");
    if let Ok(file) = File::open(&db)
        && rustix::fs::flock(&file, FlockOperation::NonBlockingLockShared)
            == Err(rustix::io::Errno::WOULDBLOCK)
    {
        return Err(TargetError::EtcdHolds { path: db });
    }
    refuse_user(data_dir)?;
    if commit_marker::describes(data_dir, &[MEMBER]) {
        return Ok(ExistingEntry::Marked);
    }
    Err(TargetError::MemberExists { path: member })
}

/// An etcd whose `member` was moved or removed goes on, and writes into the next one under its name.
fn refuse_user(data_dir: &Path) -> Result<(), TargetError> {
    match processes::etcd_on(data_dir) {
        None => Ok(()),
        Some(etcd) => Err(uses(&etcd, data_dir)),
    }
}

fn uses(etcd: &Process, data_dir: &Path) -> TargetError {
    TargetError::EtcdUses {
        pid: etcd.pid,
        path: data_dir.to_owned(),
    }
}

/// Refuses if the log's separate directory has a log, unless a commit marker matches it.
pub(crate) fn refuse_log(wal_dir: &Path) -> Result<(), TargetError> {
    let entries = match std::fs::read_dir(wal_dir) {
        Ok(entries) => entries,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(());
        }
        Err(source) => return Err(TargetError::io("listing", wal_dir, source)),
    };
    let mut holds_log = false;
    for entry in entries {
        let entry = entry.map_err(|source| TargetError::io("listing", wal_dir, source))?;
        holds_log |= Path::new(&entry.file_name())
            .extension()
            .is_some_and(|extension| extension == "wal");
    }
    if holds_log && !commit_marker::describes(wal_dir, &[wal::FILE_NAME]) {
        return Err(TargetError::LogExists {
            path: wal_dir.to_owned(),
        });
    }
    Ok(())
}

/// The ports that this member would use.
pub(crate) struct Ports<'a> {
    peer_urls: &'a [String],
    data_dir: &'a Path,
    client_port: u16,
    standard_peer_port: u16,
    /// Finds the process that listens on an address.
    listener: fn(SocketAddr) -> Option<Process>,
}

/// What was seen at the ports.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// The reason to refuse.
    pub(crate) refusal: Option<TargetError>,
    pub(crate) warnings: Vec<String>,
}

impl<'a> Ports<'a> {
    pub(crate) fn of(peer_urls: &'a [String], data_dir: &'a Path) -> Self {
        Self {
            peer_urls,
            data_dir,
            client_port: CLIENT_PORT,
            standard_peer_port: PEER_PORT,
            listener: processes::listener,
        }
    }

    /// Probes the ports.
    pub(crate) async fn look(&self) -> Seen {
        let mut seen = Seen::default();
        let mut standard_and_local = None;
        for text in self.peer_urls {
            let Ok(url) = Url::parse(text) else { continue };
            let addresses = probe::addresses(&url).await;
            for address in addresses.into_iter().filter(|at| probe::is_local(at.ip())) {
                if address.port() == self.standard_peer_port {
                    standard_and_local = Some(text);
                }
                let wants_tls = url.scheme() == "https";
                let who = match probe::ask(address, wants_tls) {
                    Answer::Nothing => continue,
                    Answer::Etcd(_) => "etcd",
                    Answer::Tls => "a TLS server",
                    Answer::Silence | Answer::Other => {
                        seen.warnings.push(format!(
                            "a program that is not etcd listens on {address}, which this member's peer URL {text} needs"
                        ));
                        continue;
                    }
                };
                let evidence = format!("{who} answers on this member's peer URL {text}");
                self.judge(evidence, address, &mut seen);
            }
        }
        let loopback = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), self.client_port);
        let wants_tls = standard_and_local.is_some_and(|url| url.starts_with("https:"));
        match (probe::ask(loopback, wants_tls), standard_and_local) {
            (Answer::Etcd(_) | Answer::Tls, Some(url)) => {
                let evidence =
                    format!("etcd's client port {loopback} answers, and {url} is this machine's");
                self.judge(evidence, loopback, &mut seen);
            }
            (Answer::Etcd(_), None) => seen.warnings.push(format!(
                "an etcd answers on {loopback}; it is not on this member's peer URL, so it is taken for another one"
            )),
            _ => {}
        }
        seen
    }

    /// Judges an etcd at one of the addresses by its directory.
    fn judge(&self, evidence: String, address: SocketAddr, seen: &mut Seen) {
        match (self.listener)(address) {
            Some(etcd) if etcd.uses(self.data_dir) => seen.refusal = Some(uses(&etcd, self.data_dir)),
            Some(Process {
                pid,
                data_dir: Some(dir),
            }) => seen.warnings.push(format!(
                "{evidence}: process {pid} on another directory, {}; stop it before etcd starts on the restored one",
                dir.display()
            )),
            _ => {
                seen.refusal
                    .get_or_insert(TargetError::EtcdAnswers { evidence });
            }
        }
    }
}

#[cfg(test)]
mod tests;

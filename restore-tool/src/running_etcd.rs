//! Detects an etcd that still runs in place of this member. It probes only this machine and does not guess.
//!
//! A restore is refused in three cases:
//! - `member/snap/db` is locked (bbolt holds a flock while it is open).
//! - The address of the member's own peer URL belongs to this machine, and an etcd answers there. For https, any TLS server
//!   counts, because etcd requires a client certificate there and its version cannot be read.
//! - The peer URL has the standard port, and the client port on loopback answers in the same way.
//!
//! Anything else is only a warning: another etcd on this node (a utility pod in the host's network, a second etcd on other ports)
//! must not prevent a restore. [`crate::peers`] asks the other members.

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

/// Refuses if `member` exists, and reports a running etcd that has it open.
pub(crate) fn refuse_member(data_dir: &Path) -> Result<ExistingEntry, TargetError> {
    let member = data_dir.join(MEMBER);
    match member.symlink_metadata() {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(ExistingEntry::Nothing),
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
    if commit_marker::describes(data_dir, &[MEMBER]) {
        return Ok(ExistingEntry::Marked);
    }
    Err(TargetError::MemberExists { path: member })
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
    client_port: u16,
    standard_peer_port: u16,
}

impl<'a> Ports<'a> {
    pub(crate) fn of(peer_urls: &'a [String]) -> Self {
        Self {
            peer_urls,
            client_port: CLIENT_PORT,
            standard_peer_port: PEER_PORT,
        }
    }

    /// Probes the ports. The error refuses the restore; the texts are warnings.
    pub(crate) async fn look(&self) -> Result<Vec<String>, TargetError> {
        let mut warnings = Vec::new();
        let mut standard_and_local = None;
        for text in self.peer_urls {
            let Ok(url) = Url::parse(text) else { continue };
            let Some(port) = url.port_or_known_default() else {
                continue;
            };
            let addresses = probe::addresses(&url).await;
            for address in addresses.into_iter().filter(|at| probe::is_local(at.ip())) {
                if port == self.standard_peer_port {
                    standard_and_local = Some(text);
                }
                let wants_tls = url.scheme() == "https";
                match probe::ask(address, wants_tls) {
                    Answer::Nothing => {}
                    Answer::Etcd(_) => return Err(running(format!("etcd answers on this member's peer URL {text}"))),
                    Answer::Tls => {
                        return Err(running(format!("a TLS server answers on this member's peer URL {text}")));
                    }
                    Answer::Silence | Answer::Other => warnings.push(format!(
                        "a program that is not etcd listens on {address}, which this member's peer URL {text} needs"
                    )),
                }
            }
        }
        let loopback = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), self.client_port);
        let wants_tls = standard_and_local.is_some_and(|url| url.starts_with("https:"));
        match (probe::ask(loopback, wants_tls), standard_and_local) {
            (Answer::Etcd(_) | Answer::Tls, Some(url)) => {
                return Err(running(format!("etcd's client port {loopback} answers, and {url} is this machine's")));
            }
            (Answer::Etcd(_), None) => warnings.push(format!(
                "an etcd answers on {loopback}; it is not on this member's peer URL, so it is taken for another one"
            )),
            _ => {}
        }
        Ok(warnings)
    }
}

fn running(evidence: String) -> TargetError {
    TargetError::EtcdAnswers { evidence }
}

#[cfg(test)]
mod tests;

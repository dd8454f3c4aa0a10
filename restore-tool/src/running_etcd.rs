//! Detects an etcd that still runs in place of this member. It probes only this machine and does not guess.
//!
//! A restore is refused in three cases:
//! - `member/snap/db` is locked (bbolt holds a flock while it is open).
//! - The address of the member's own peer URL belongs to this machine, and an etcd answers there. For https, any TLS server
//!   counts, because etcd requires a client certificate there and its version cannot be read.
//! - The peer URL has the standard port, and the client port on loopback answers in the same way.
//!
//! Anything else is only a warning: another etcd on this node (a utility pod in the host's network, a second etcd on other ports)
//! must not prevent a restore. No address of another machine is contacted.

use std::{
    fs::File,
    io::{ErrorKind, Read as _, Write as _},
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream, UdpSocket},
    path::Path,
    sync::Arc,
    time::Duration,
};

use hickory_resolver::TokioResolver;
use rustix::fs::FlockOperation;
use rustls::{ClientConfig, ClientConnection, RootCertStore, pki_types::ServerName};
use strongroom_etcd_format::wal;
use url::{Host, Url};

use crate::{commit_marker, error::TargetError, staging::MEMBER};

/// etcd's registered ports.
const CLIENT_PORT: u16 = 2379;
const PEER_PORT: u16 = 2380;
/// A listener on this machine accepts immediately; this allows for a machine that is swapping.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// `/version` is answered from memory.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);
/// A name that takes longer is not in /etc/hosts, so it is probably not this machine.
const RESOLVE_TIMEOUT: Duration = Duration::from_secs(3);
/// The answer to `/version` has less than 300 bytes, including headers.
const ANSWER_BYTES_MAX: u64 = 4096;

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

/// What answers at an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    Nothing,
    Etcd,
    Tls,
    Other,
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
            for ip in local_addresses(&url).await {
                if port == self.standard_peer_port {
                    standard_and_local = Some(text);
                }
                let wants_tls = url.scheme() == "https";
                match ask(SocketAddr::new(ip, port), wants_tls) {
                    Answer::Nothing => {}
                    Answer::Etcd => return Err(running(format!("etcd answers on this member's peer URL {text}"))),
                    Answer::Tls => {
                        return Err(running(format!("a TLS server answers on this member's peer URL {text}")));
                    }
                    Answer::Other => warnings.push(format!(
                        "a program that is not etcd listens on {ip}:{port}, which this member's peer URL {text} needs"
                    )),
                }
            }
        }
        let loopback = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), self.client_port);
        let wants_tls = standard_and_local.is_some_and(|url| url.starts_with("https:"));
        match (ask(loopback, wants_tls), standard_and_local) {
            (Answer::Etcd | Answer::Tls, Some(url)) => {
                return Err(running(format!("etcd's client port {loopback} answers, and {url} is this machine's")));
            }
            (Answer::Etcd, None) => warnings.push(format!(
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

/// The addresses of the URL that belong to this machine.
async fn local_addresses(url: &Url) -> Vec<IpAddr> {
    let found = match url.host() {
        Some(Host::Ipv4(ip)) => vec![IpAddr::V4(ip)],
        Some(Host::Ipv6(ip)) => vec![IpAddr::V6(ip)],
        Some(Host::Domain(name)) => resolve(name).await,
        None => Vec::new(),
    };
    found.into_iter().filter(|ip| is_local(*ip)).collect()
}

/// Addresses from /etc/hosts and DNS. Empty if the name is unknown here, like a pod's name outside of its cluster.
async fn resolve(name: &str) -> Vec<IpAddr> {
    let Ok(resolver) =
        TokioResolver::builder_tokio().and_then(hickory_resolver::ResolverBuilder::build)
    else {
        return Vec::new();
    };
    match tokio::time::timeout(RESOLVE_TIMEOUT, resolver.lookup_ip(name)).await {
        Ok(Ok(found)) => found.iter().collect(),
        _ => Vec::new(),
    }
}

/// Only an address of this machine can be bound.
fn is_local(ip: IpAddr) -> bool {
    !ip.is_unspecified() && UdpSocket::bind((ip, 0)).is_ok()
}

fn ask(address: SocketAddr, wants_tls: bool) -> Answer {
    let Some(stream) = connect(address) else {
        return Answer::Nothing;
    };
    if answers_version(stream) {
        return Answer::Etcd;
    }
    let Some(stream) = connect(address) else {
        return Answer::Nothing;
    };
    if wants_tls && speaks_tls(stream) {
        Answer::Tls
    } else {
        Answer::Other
    }
}

fn connect(address: SocketAddr) -> Option<TcpStream> {
    let stream = TcpStream::connect_timeout(&address, CONNECT_TIMEOUT).ok()?;
    // A connection to a free port in the ephemeral range can connect to itself (simultaneous open): nobody listens there.
    if stream.local_addr().ok()? == address {
        return None;
    }
    stream.set_read_timeout(Some(ANSWER_TIMEOUT)).ok()?;
    stream.set_write_timeout(Some(ANSWER_TIMEOUT)).ok()?;
    Some(stream)
}

fn answers_version(mut stream: TcpStream) -> bool {
    const REQUEST: &[u8] = b"GET /version HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let mut answer = Vec::new();
    if stream.write_all(REQUEST).is_err() {
        return false;
    }
    // After an error (a reset, the timeout) the bytes so far are used.
    let _partial = stream.take(ANSWER_BYTES_MAX).read_to_end(&mut answer);
    answer
        .windows(b"\"etcdserver\"".len())
        .any(|window| window == b"\"etcdserver\"")
}

/// Starts a handshake that trusts no certificate. A TLS server is detected by the refused certificate or by its alert.
fn speaks_tls(mut stream: TcpStream) -> bool {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let Ok(versions) =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()
    else {
        return false;
    };
    let config = versions
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    let Ok(name) = ServerName::try_from("localhost") else {
        return false;
    };
    let Ok(mut connection) = ClientConnection::new(Arc::new(config), name) else {
        return false;
    };
    while connection.is_handshaking() {
        let Err(error) = connection.complete_io(&mut stream) else {
            continue;
        };
        let cause = error
            .get_ref()
            .and_then(|inner| inner.downcast_ref::<rustls::Error>());
        return matches!(
            cause,
            Some(rustls::Error::InvalidCertificate(_) | rustls::Error::AlertReceived(_))
        );
    }
    true
}

#[cfg(test)]
mod tests;

//! What answers at an address: an etcd, a TLS server, another program, or nothing.
//!
//! An etcd's peer listener answers `/members` and `/version` without a quorum, and names its cluster's id in a header. With TLS
//! it demands a client certificate, which this program has not, so there only the server's side of the handshake is seen: that
//! suffices to say that a member is up. Nothing is ever sent but these requests. All calls block, each for a few seconds at
//! most.

use std::{
    io::{ErrorKind, Read as _, Write as _},
    net::{IpAddr, SocketAddr, TcpStream, UdpSocket},
    sync::Arc,
    time::Duration,
};

use hickory_resolver::TokioResolver;
use rustls::{ClientConfig, ClientConnection, RootCertStore, pki_types::ServerName};
use strongroom_etcd_format::membership::ClusterId;
use url::{Host, Url};

/// A listener nearby accepts within milliseconds; this allows for one lost packet (a second) and a machine that is swapping.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// `/members` and `/version` are answered from memory.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);
/// A name that takes longer is not in /etc/hosts, and it is not known to a DNS server nearby.
const RESOLVE_TIMEOUT: Duration = Duration::from_secs(3);
/// Enough for the headers and the start of the body; a list of members may be longer.
const ANSWER_BYTES_MAX: u64 = 4096;
/// In etcd's answers on the peer listener, since 2.0; header names are compared without case.
const CLUSTER_ID_HEADER: &str = "x-etcd-cluster-id:";

/// What answers at an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Nobody accepts a connection.
    Nothing,
    /// An etcd, and its cluster's id on a peer listener.
    Etcd(Option<ClusterId>),
    /// A TLS server, where one is expected.
    Tls,
    /// The connection is accepted, but nothing is said: an etcd that hangs does that.
    Silence,
    /// A program that is not etcd.
    Other,
}

/// The port of a peer URL, and its addresses as far as they are known here.
pub(crate) async fn addresses(url: &Url) -> Vec<SocketAddr> {
    let Some(port) = url.port_or_known_default() else {
        return Vec::new();
    };
    let ips = match url.host() {
        Some(Host::Ipv4(ip)) => vec![IpAddr::V4(ip)],
        Some(Host::Ipv6(ip)) => vec![IpAddr::V6(ip)],
        Some(Host::Domain(name)) => resolve(name).await,
        None => Vec::new(),
    };
    ips.into_iter()
        .map(|ip| SocketAddr::new(ip, port))
        .collect()
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
pub(crate) fn is_local(ip: IpAddr) -> bool {
    !ip.is_unspecified() && UdpSocket::bind((ip, 0)).is_ok()
}

/// Asks an address. `wants_tls` says whether a TLS server is expected there: then that is tried first, because etcd logs each
/// plain request to a TLS port as an error.
pub(crate) fn ask(address: SocketAddr, wants_tls: bool) -> Answer {
    if wants_tls {
        match connect(address).map(speaks_tls) {
            None => return Answer::Nothing,
            Some(true) => return Answer::Tls,
            Some(false) => {}
        }
    }
    let mut last = Answer::Nothing;
    for path in ["/members", "/version"] {
        let Some(stream) = connect(address) else {
            return Answer::Nothing;
        };
        last = http_answer(stream, path);
        if let Answer::Etcd(_) = last {
            return last;
        }
    }
    last
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

fn http_answer(mut stream: TcpStream, path: &str) -> Answer {
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    if stream.write_all(request.as_bytes()).is_err() {
        return Answer::Other;
    }
    let mut bytes = Vec::new();
    // After an error (a reset, the timeout) the bytes so far are used.
    let end = stream.take(ANSWER_BYTES_MAX).read_to_end(&mut bytes);
    let text = String::from_utf8_lossy(&bytes);
    let id = text.lines().find_map(cluster_id);
    if id.is_some() || text.contains("\"etcdserver\"") {
        return Answer::Etcd(id);
    }
    match end {
        Err(error)
            if bytes.is_empty()
                && matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) =>
        {
            Answer::Silence
        }
        _ => Answer::Other,
    }
}

fn cluster_id(line: &str) -> Option<ClusterId> {
    let start = line.get(..CLUSTER_ID_HEADER.len())?;
    if !start.eq_ignore_ascii_case(CLUSTER_ID_HEADER) {
        return None;
    }
    let value = line.get(CLUSTER_ID_HEADER.len()..)?.trim();
    u64::from_str_radix(value, 16).ok().map(ClusterId)
}

/// Starts a handshake that trusts no certificate. A TLS server is detected by the refused certificate or by its alert.
fn speaks_tls(mut stream: TcpStream) -> bool {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
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
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use super::*;

    #[test]
    fn only_addresses_of_this_machine_are_local() {
        assert!(is_local(Ipv4Addr::LOCALHOST.into()));
        assert!(!is_local(Ipv4Addr::new(192, 0, 2, 1).into()));
        assert!(!is_local(Ipv4Addr::UNSPECIFIED.into()) && !is_local(Ipv6Addr::UNSPECIFIED.into()));
    }

    #[test]
    fn the_clusters_id_is_read_whatever_the_case_of_its_header() {
        let id = Some(ClusterId(0x9a60_48bc_bd3a_a975));
        assert_eq!(cluster_id("X-Etcd-Cluster-Id: 9a6048bcbd3aa975\r"), id);
        assert_eq!(cluster_id("x-etcd-cluster-id:9a6048bcbd3aa975"), id);
        for other in [
            "X-Etcd-Cluster-Id: none",
            "X-Etcd-Cluster-Id",
            "Date: today",
            "é",
        ] {
            assert_eq!(cluster_id(other), None, "{other}");
        }
    }
}

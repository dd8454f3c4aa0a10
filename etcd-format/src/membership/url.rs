//! Peer URLs.
//!
//! Owns: the validation and the normal form of peer URLs. Must not know members. etcd accepts a few more (user, query, empty host
//! or port); none of these can be reached, so they are refused here. Source: etcd `client/pkg/types/urls.go`.

use std::{fmt, net::Ipv6Addr};

use super::{MembershipError, UrlDefect};

/// A peer URL: `http(s)://host:port`, or `unix(s)://` with a socket. Blanks are removed and the scheme is lower case; the
/// case of the host is kept, as in etcd.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PeerUrl(String);

impl PeerUrl {
    /// Reads one URL.
    ///
    /// # Errors
    /// etcd could not use it.
    pub fn parse(text: &str) -> Result<Self, MembershipError> {
        let trimmed = text.trim();
        match normal_form(trimmed) {
            Ok(url) => Ok(Self(url)),
            Err(defect) => Err(MembershipError::Url {
                text: trimmed.to_owned(),
                defect,
            }),
        }
    }

    /// The address, the same for every way to write it: lower case, the port without leading zeros, IPv6 in its canonical form.
    /// Two URLs with one address are one, although etcd stores each as written.
    pub fn address(&self) -> String {
        let (scheme, rest) = self.0.split_once("://").unwrap_or(("", &self.0));
        if scheme.starts_with("unix") {
            return self.0.clone();
        }
        let (host, port) = rest.rsplit_once(':').unwrap_or((rest, ""));
        let host = host.to_ascii_lowercase();
        let inner = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
        let host = match inner.map(str::parse::<Ipv6Addr>) {
            Some(Ok(ip)) => format!("[{ip}]"),
            // A name, an IPv4 address (which has one form here), or an IPv6 address with a zone.
            _ => host.trim_end_matches('.').to_owned(),
        };
        format!("{scheme}://{host}:{}", port.trim_start_matches('0'))
    }

    /// The URL as etcd stores it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PeerUrl {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

fn normal_form(text: &str) -> Result<String, UrlDefect> {
    let (scheme, rest) = text.split_once("://").ok_or(UrlDefect::NoScheme)?;
    let scheme = scheme.to_ascii_lowercase();
    match scheme.as_str() {
        "http" | "https" => check_address(rest)?,
        "unix" | "unixs" => check_socket(rest)?,
        _ => return Err(UrlDefect::Scheme),
    }
    Ok(format!("{scheme}://{rest}"))
}

fn check_address(address: &str) -> Result<(), UrlDefect> {
    if address.contains(['?', '#', '@']) {
        return Err(UrlDefect::Extra);
    }
    if let Some((before, _)) = address.split_once('/') {
        return Err(if before.contains(':') {
            UrlDefect::Path
        } else {
            UrlDefect::HostPort
        });
    }
    let (host, port) = address.rsplit_once(':').ok_or(UrlDefect::HostPort)?;
    if let Some(inner) = host.strip_prefix('[') {
        let inner = inner.strip_suffix(']').ok_or(UrlDefect::HostPort)?;
        check_ipv6(inner)?;
    } else if host.contains([':', ']']) {
        return Err(UrlDefect::HostPort);
    } else if host.is_empty() || !host.bytes().all(is_host_byte) {
        return Err(UrlDefect::Host);
    }
    let digits = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    match port.parse::<u16>() {
        Ok(1..) if digits => Ok(()),
        _ => Err(UrlDefect::Port),
    }
}

/// An address, perhaps followed by an escaped percent sign and a zone.
fn check_ipv6(inner: &str) -> Result<(), UrlDefect> {
    let (address, zone) = match inner.split_once("%25") {
        Some((address, zone)) => (address, Some(zone)),
        None => (inner, None),
    };
    let zone_is_fine = zone.is_none_or(|zone| !zone.is_empty() && zone.bytes().all(is_host_byte));
    if address.parse::<std::net::Ipv6Addr>().is_err() || !zone_is_fine {
        return Err(UrlDefect::Host);
    }
    Ok(())
}

fn check_socket(socket: &str) -> Result<(), UrlDefect> {
    let fine = |byte| is_host_byte(byte) || byte == b'/' || byte == b':';
    if socket.is_empty() || !socket.bytes().all(fine) {
        Err(UrlDefect::SocketPath)
    } else {
        Ok(())
    }
}

fn is_host_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

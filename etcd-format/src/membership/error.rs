//! Errors in an operator's arguments about members.
//!
//! Owns: the error types. Each message says what to change. If etcd's own tool refuses the same input, the wording is similar.

use super::{MEMBERS_MAX, MemberId, PeerUrl};

/// The arguments do not describe a cluster, or not this member of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MembershipError {
    /// Nothing is listed.
    #[error("--initial-cluster lists no member")]
    EmptyCluster,
    /// A part of the list has no `=`.
    #[error("--initial-cluster: `{part}` has no name, write NAME=URL")]
    PartWithoutName {
        /// The part.
        part: String,
    },
    /// A name is empty, starts or ends with blanks, or contains control characters.
    #[error(
        "--initial-cluster: the name in `{part}` is empty, has blanks around it or holds control characters"
    )]
    Name {
        /// The part.
        part: String,
    },
    /// More members than are supported.
    #[error("--initial-cluster lists {count} members, at most {MEMBERS_MAX} are supported")]
    TooManyMembers {
        /// How many are listed.
        count: usize,
    },
    /// Not a peer URL.
    #[error("{defect}: `{text}`")]
    Url {
        /// The typed text.
        text: String,
        /// The defect.
        defect: UrlDefect,
    },
    /// A URL is listed twice.
    #[error("--initial-cluster has duplicate url {url}")]
    DuplicateUrl {
        /// The URL.
        url: PeerUrl,
    },
    /// The member's id is 0 or also that of another member.
    #[error(
        "member {name} gets the id {id}, which is taken or 0: choose another --initial-cluster-token"
    )]
    IdClash {
        /// The id.
        id: MemberId,
        /// The second member with this id.
        name: String,
    },
    /// No member has that name.
    #[error("couldn't find local name \"{name}\" in the initial cluster configuration, which names {}", names.join(", "))]
    NoSuchName {
        /// The requested name.
        name: String,
        /// The existing names.
        names: Vec<String>,
    },
    /// The name was not given and cannot be inferred.
    #[error(
        "no member of --initial-cluster has exactly the advertised URLs {}: give --name, one of {}", joined(advertise), names.join(", ")
    )]
    NameUnknown {
        /// The advertised URLs.
        advertise: Vec<PeerUrl>,
        /// The existing names.
        names: Vec<String>,
    },
    /// The member has a URL that is not advertised.
    #[error("--initial-cluster has {name}={url} but missing from --initial-advertise-peer-urls={}", advertised.join(","))]
    NotAdvertised {
        /// The member.
        name: String,
        /// Its URL.
        url: String,
        /// The advertised URLs.
        advertised: Vec<String>,
    },
    /// A URL is advertised that is not the member's.
    #[error(
        "--initial-advertise-peer-urls has {url} but missing from --initial-cluster={name}={url}"
    )]
    NotInCluster {
        /// The member.
        name: String,
        /// The advertised URL.
        url: String,
    },
}

/// Why a text is not a peer URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UrlDefect {
    /// No `://`.
    #[error("URL has no scheme, write http://HOST:PORT or https://HOST:PORT")]
    NoScheme,
    /// A scheme that etcd does not know.
    #[error("URL scheme must be http, https, unix, or unixs")]
    Scheme,
    /// Not `host:port`.
    #[error("URL address does not have the form \"host:port\"")]
    HostPort,
    /// The host is empty or has characters that are not valid in a host name or address.
    #[error("URL host is empty or has characters that no host has")]
    Host,
    /// Port is not a number from 1 to 65535.
    #[error("URL port must be a number from 1 to 65535")]
    Port,
    /// Something follows the port.
    #[error("URL must not contain a path")]
    Path,
    /// A query, a fragment, or user and password.
    #[error("URL must not contain a query, a fragment or a user")]
    Extra,
    /// A socket path is empty or has characters that would need escaping.
    #[error("unix socket path is empty or has characters that need escaping")]
    SocketPath,
}

fn joined(urls: &[PeerUrl]) -> String {
    urls.iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(",")
}

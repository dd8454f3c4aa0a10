//! Ids of members and clusters.
//!
//! Owns: their computation from URLs and token, and their text form. Source: etcd
//! `server/etcdserver/api/membership/member.go` (`computeMemberId`) and `cluster.go` (`genID`).

use std::fmt;

use serde::Deserialize;
use sha1::{Digest, Sha1};

use super::Token;

/// A member's id. Displays as etcd writes it in keys: hex without leading zeros.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(transparent)]
pub struct MemberId(pub u64);

/// A cluster's id. Displays as hex without leading zeros.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClusterId(pub u64);

impl MemberId {
    /// The id of a member with these peer URLs, in any order, in a cluster that is founded with this token.
    pub fn of_founding(peer_urls: &[String], token: &Token) -> Self {
        let mut sorted = peer_urls.to_vec();
        sorted.sort();
        member_id(&sorted, token)
    }
}

impl fmt::Display for MemberId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:x}", self.0)
    }
}

impl ClusterId {
    /// The id of a cluster that was created or restored with exactly these members. A database does not contain the id of its
    /// cluster. Members that join or leave later do not change it.
    pub fn founded_by(members: impl IntoIterator<Item = MemberId>) -> Self {
        let mut ids: Vec<_> = members.into_iter().collect();
        ids.sort_unstable();
        cluster_id(ids.into_iter())
    }
}

impl fmt::Display for ClusterId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:x}", self.0)
    }
}

/// The first 8 bytes of SHA-1 over the sorted URLs and the token, without separators. The name is not included.
pub(super) fn member_id(sorted_urls: &[String], token: &Token) -> MemberId {
    let mut hasher = Sha1::new();
    for url in sorted_urls {
        hasher.update(url);
    }
    hasher.update(token.as_str());
    MemberId(first_word(hasher))
}

/// The first 8 bytes of SHA-1 over all member ids, ascending.
pub(super) fn cluster_id(ascending: impl Iterator<Item = MemberId>) -> ClusterId {
    let mut hasher = Sha1::new();
    for id in ascending {
        hasher.update(id.0.to_be_bytes());
    }
    ClusterId(first_word(hasher))
}

fn first_word(hasher: Sha1) -> u64 {
    let digest: [u8; 20] = hasher.finalize().into();
    u64::from_be_bytes(*digest.first_chunk().expect("SHA-1 has 20 bytes"))
}

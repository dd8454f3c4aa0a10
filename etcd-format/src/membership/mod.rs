//! The members of a cluster, from an operator's arguments.
//!
//! Owns: parsing of `--initial-cluster` and `--initial-advertise-peer-urls`, etcd's checks between them, tokens, and the resulting
//! ids. Must not know DNS: URLs are compared as text, so a host name equals only itself. Source: etcd
//! `client/pkg/types/urlsmap.go`, `server/config/config.go` (`VerifyBootstrap`, `advertiseMatchesCluster`) and
//! `server/etcdserver/api/membership/member.go`.
//!
//! | id | first 8 bytes, big-endian, of the SHA-1 over |
//! |---|---|
//! | member | its peer URLs, sorted, then the token; no separators |
//! | cluster | the ids of its initial members, ascending, each as u64 BE |
//!
//! A member as etcd stores it: JSON `{"id":N,"peerURLs":[...],"name":"..."}`, the id in decimal, strings escaped as in Go
//! (also `<`, `>` and `&`). If set, `isLearner` follows `peerURLs`, and `clientURLs` comes last.
//!
//! ```
//! use strongroom_etcd_format::membership::{InitialCluster, Membership, Token};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let cluster = InitialCluster::parse("m1=http://10.0.0.1:2380")?;
//! let members = Membership::new(&cluster, &Token::default())?;
//! assert_eq!(members.members[0].id.to_string(), "3ebc01aec68d6d70");
//! assert_eq!(members.cluster_id.to_string(), "ba8922d7af06ed93");
//! # Ok(())
//! # }
//! ```

mod error;
mod ids;
mod token;
mod url;

pub use error::{MembershipError, UrlDefect};
pub use ids::{ClusterId, MemberId};
pub use token::Token;
pub use url::PeerUrl;

use std::collections::{BTreeMap, BTreeSet};

use crate::gojson;

/// Most members. etcd recommends at most seven; the v2 store's ring of 1000 events must hold one event per member.
pub const MEMBERS_MAX: usize = 100;

/// `--initial-cluster`: names with their peer URLs, sorted per name. No URL occurs twice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InitialCluster {
    members: BTreeMap<String, Vec<PeerUrl>>,
}

impl InitialCluster {
    /// Reads `name=url,name=url,...`; a repeated name is one member with several URLs.
    ///
    /// # Errors
    /// A part has no name or no valid URL, a URL occurs twice, or there are no or too many members.
    pub fn parse(text: &str) -> Result<Self, MembershipError> {
        let mut members: BTreeMap<String, Vec<PeerUrl>> = BTreeMap::new();
        let mut seen = BTreeSet::new();
        for part in text.split(',').filter(|part| !part.is_empty()) {
            let Some((name, url)) = part.split_once('=') else {
                return Err(MembershipError::PartWithoutName {
                    part: part.to_owned(),
                });
            };
            if name.is_empty() || name.trim() != name || name.chars().any(char::is_control) {
                return Err(MembershipError::Name {
                    part: part.to_owned(),
                });
            }
            let url = PeerUrl::parse(url)?;
            if !seen.insert(url.address()) {
                return Err(MembershipError::DuplicateUrl { url });
            }
            members.entry(name.to_owned()).or_default().push(url);
        }
        if members.is_empty() {
            return Err(MembershipError::EmptyCluster);
        }
        if members.len() > MEMBERS_MAX {
            return Err(MembershipError::TooManyMembers {
                count: members.len(),
            });
        }
        for urls in members.values_mut() {
            urls.sort();
        }
        Ok(Self { members })
    }

    /// The names in text order, each with its URLs.
    pub fn members(&self) -> impl Iterator<Item = (&str, &[PeerUrl])> {
        self.members
            .iter()
            .map(|(name, urls)| (name.as_str(), urls.as_slice()))
    }
}

/// `--initial-advertise-peer-urls`: at least one URL, sorted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdvertiseUrls {
    urls: Vec<PeerUrl>,
}

impl AdvertiseUrls {
    /// Reads `url,url,...`.
    ///
    /// # Errors
    /// A part is not a valid URL.
    pub fn parse(text: &str) -> Result<Self, MembershipError> {
        let mut urls = text
            .split(',')
            .map(PeerUrl::parse)
            .collect::<Result<Vec<_>, _>>()?;
        urls.sort();
        urls.dedup();
        Ok(Self { urls })
    }

    /// The URLs in text order.
    pub fn urls(&self) -> &[PeerUrl] {
        &self.urls
    }
}

/// Infers a missing name: the only member, or the one member with the advertised URLs.
///
/// # Errors
/// No member matches, or the advertised URLs do not identify one.
pub fn infer_name(
    cluster: &InitialCluster,
    advertise: &AdvertiseUrls,
) -> Result<String, MembershipError> {
    let mut names = cluster.members.keys();
    if let (Some(only), None) = (names.next(), names.next()) {
        return Ok(only.clone());
    }
    let advertised = addresses(&advertise.urls);
    let matching = cluster
        .members()
        .find(|(_, urls)| addresses(urls) == advertised);
    // No URL occurs twice, so no second member has the same ones.
    matching
        .map(|(name, _)| name.to_owned())
        .ok_or_else(|| MembershipError::NameUnknown {
            advertise: advertise.urls.clone(),
            names: cluster.members.keys().cloned().collect(),
        })
}

fn addresses(urls: &[PeerUrl]) -> BTreeSet<String> {
    urls.iter().map(PeerUrl::address).collect()
}

/// The members of a new cluster with their ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership {
    /// By ascending id.
    pub members: Vec<Member>,
    /// The cluster's id.
    pub cluster_id: ClusterId,
}

/// One member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its id.
    pub id: MemberId,
    /// Its name.
    pub name: String,
    /// Its peer URLs, sorted.
    pub peer_urls: Vec<String>,
}

impl Membership {
    /// Computes the ids.
    ///
    /// # Errors
    /// Two members get the same id, or one gets id 0.
    pub fn new(cluster: &InitialCluster, token: &Token) -> Result<Self, MembershipError> {
        let mut members: Vec<Member> = cluster
            .members()
            .map(|(name, urls)| {
                let peer_urls: Vec<String> = urls.iter().map(ToString::to_string).collect();
                Member {
                    id: ids::member_id(&peer_urls, token),
                    name: name.to_owned(),
                    peer_urls,
                }
            })
            .collect();
        members.sort_by_key(|member| member.id);
        let mut previous = MemberId(0);
        for member in &members {
            if member.id == previous {
                return Err(MembershipError::IdClash {
                    id: member.id,
                    name: member.name.clone(),
                });
            }
            previous = member.id;
        }
        let cluster_id = ids::cluster_id(members.iter().map(|member| member.id));
        Ok(Self {
            members,
            cluster_id,
        })
    }

    /// The member of that name, if its URLs are the advertised ones.
    ///
    /// # Errors
    /// There is no such member, or the URLs differ.
    pub fn local(&self, name: &str, advertise: &AdvertiseUrls) -> Result<&Member, MembershipError> {
        let found = self.members.iter().find(|member| member.name == name);
        let member = found.ok_or_else(|| MembershipError::NoSuchName {
            name: name.to_owned(),
            names: self
                .members
                .iter()
                .map(|member| member.name.clone())
                .collect(),
        })?;
        let own = member
            .peer_urls
            .iter()
            .map(|url| PeerUrl::parse(url))
            .collect::<Result<Vec<_>, _>>()?;
        let (own_addresses, advertised) = (addresses(&own), addresses(&advertise.urls));
        if let Some(url) = own.iter().find(|url| !advertised.contains(&url.address())) {
            return Err(MembershipError::NotAdvertised {
                name: name.to_owned(),
                url: url.to_string(),
                advertised: advertise.urls.iter().map(ToString::to_string).collect(),
            });
        }
        let extra = advertise
            .urls
            .iter()
            .find(|url| !own_addresses.contains(&url.address()));
        if let Some(url) = extra {
            return Err(MembershipError::NotInCluster {
                name: name.to_owned(),
                url: url.to_string(),
            });
        }
        Ok(member)
    }
}

impl Member {
    /// The member as etcd stores it in bucket `members` and in the log's membership entries.
    pub fn to_json(&self) -> String {
        let mut out = format!("{{\"id\":{},\"peerURLs\":", self.id.0);
        gojson::put_string_array(&mut out, &self.peer_urls);
        out.push_str(",\"name\":");
        gojson::put_string(&mut out, &self.name);
        out.push('}');
        out
    }
}

#[cfg(test)]
mod tests;

//! The restored cluster: its members as typed, its token as typed or derived, and the ids that follow from both.
//!
//! The members are valid when the plan is made. The ids wait for the snapshot, because a derived token depends on its contents.

use std::fmt;

use strongroom_etcd_format::membership::{
    AdvertiseUrls, InitialCluster, MemberId, Membership, MembershipError, PeerUrl, Token,
    infer_name,
};

use crate::{args::LowArgs, peers::Alike};

/// etcd's default.
const ADVERTISE_DEFAULT: &str = "http://localhost:2380";

/// The members and the name of this one, valid together.
#[derive(Debug)]
pub(crate) struct ClusterPlan {
    initial: InitialCluster,
    advertise: AdvertiseUrls,
    name: String,
    token: Option<Token>,
}

/// The member that this directory is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Local {
    pub(crate) id: MemberId,
    pub(crate) name: String,
    pub(crate) peer_urls: Vec<String>,
}

/// The cluster with its ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RestoredCluster {
    pub(crate) membership: Membership,
    pub(crate) local: Local,
    pub(crate) token: Token,
    pub(crate) token_origin: TokenOrigin,
}

/// Where the token comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TokenOrigin {
    Given,
    Derived,
}

impl ClusterPlan {
    /// Reads the members, and finds this one among them.
    pub(crate) fn new(args: &LowArgs) -> Result<Self, MembershipError> {
        let initial = InitialCluster::parse(&args.initial_cluster)?;
        let advertise = advertise(args, &initial)?;
        let name = match &args.name {
            Some(name) => name.clone(),
            None => infer_name(&initial, &advertise)?,
        };
        let plan = Self {
            initial,
            advertise,
            name,
            token: args.initial_cluster_token.as_deref().map(Token::new),
        };
        // Only the ids depend on the token.
        let token = plan.token.clone().unwrap_or_default();
        plan.with_token(token, TokenOrigin::Given)?;
        Ok(plan)
    }

    /// The token as typed.
    pub(crate) fn token(&self) -> Option<&Token> {
        self.token.as_ref()
    }

    /// Before the snapshot is known: which members that run were restored alike.
    pub(crate) fn alike(&self) -> Alike {
        match self.token {
            Some(_) => Alike::Nobody,
            None => Alike::Undecided,
        }
    }

    /// This member's peer URLs.
    pub(crate) fn own_urls(&self) -> impl Iterator<Item = String> {
        self.advertise.urls().iter().map(ToString::to_string)
    }

    /// The peer URLs of all members.
    pub(crate) fn all_urls(&self) -> impl Iterator<Item = String> {
        self.initial
            .members()
            .flat_map(|(_, urls)| urls.iter().map(ToString::to_string))
    }

    /// The cluster that a snapshot of this database becomes.
    pub(crate) fn restored(
        &self,
        db_sha256: [u8; 32],
        raised_revision: Option<i64>,
    ) -> Result<RestoredCluster, MembershipError> {
        match &self.token {
            Some(token) => self.with_token(token.clone(), TokenOrigin::Given),
            None => self.with_token(
                Token::of_restore(db_sha256, &self.initial, raised_revision),
                TokenOrigin::Derived,
            ),
        }
    }

    fn with_token(
        &self,
        token: Token,
        token_origin: TokenOrigin,
    ) -> Result<RestoredCluster, MembershipError> {
        let membership = Membership::new(&self.initial, &token)?;
        let member = membership.local(&self.name, &self.advertise)?;
        let local = Local {
            id: member.id,
            name: member.name.clone(),
            peer_urls: member.peer_urls.clone(),
        };
        Ok(RestoredCluster {
            membership,
            local,
            token,
            token_origin,
        })
    }
}

/// This member's URLs: as typed, or those of its name, or those of the only member, or etcd's default.
fn advertise(args: &LowArgs, initial: &InitialCluster) -> Result<AdvertiseUrls, MembershipError> {
    let typed = args.initial_advertise_peer_urls.join(",");
    if !typed.is_empty() {
        return AdvertiseUrls::parse(&typed);
    }
    let mut members = initial.members();
    let found = match &args.name {
        Some(name) => members.find(|(member, _)| member == name),
        None => members.next().filter(|_| members.next().is_none()),
    };
    match found {
        Some((_, urls)) => {
            let urls: Vec<&str> = urls.iter().map(PeerUrl::as_str).collect();
            AdvertiseUrls::parse(&urls.join(","))
        }
        None => AdvertiseUrls::parse(ADVERTISE_DEFAULT),
    }
}

impl RestoredCluster {
    /// Which members that run were restored alike. A given token may be the old cluster's, with the same ids and other data.
    pub(crate) fn alike(&self) -> Alike {
        match self.token_origin {
            TokenOrigin::Given => Alike::Nobody,
            TokenOrigin::Derived => Alike::WithId(self.membership.cluster_id),
        }
    }
}

impl TokenOrigin {
    /// The word for programs.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Given => "given",
            Self::Derived => "derived",
        }
    }
}

impl fmt::Display for RestoredCluster {
    /// One line per fact and member.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "cluster id  {}", self.membership.cluster_id)?;
        let origin = match self.token_origin {
            TokenOrigin::Given => "",
            TokenOrigin::Derived => {
                "  (derived from the snapshot and --initial-cluster: the same on all members restored alike)"
            }
        };
        writeln!(f, "token       {}{origin}", self.token)?;
        for member in &self.membership.members {
            let here = if member.id == self.local.id {
                "  <- this member"
            } else {
                ""
            };
            writeln!(
                f,
                "member      {} {} {}{here}",
                member.id,
                member.name,
                member.peer_urls.join(",")
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    const THREE: &str = "--initial-cluster=n1=http://127.0.0.1:22380,n2=http://127.0.0.1:22381,n3=http://127.0.0.1:22382";

    fn plan(flags: &[&str]) -> Result<ClusterPlan, MembershipError> {
        let line = [&["strongroom-restore", "-d", "x", "--snapshot", "f"], flags].concat();
        ClusterPlan::new(&LowArgs::try_parse_from(line).expect("a command line that parses"))
    }

    #[test]
    fn the_name_follows_from_one_member_or_from_the_advertised_urls() -> Result<(), MembershipError>
    {
        let one = "--initial-cluster=controller-node1=https://10.6.212.10:2380";
        for flags in [
            &[one][..],
            &[
                one,
                "--initial-advertise-peer-urls=https://10.6.212.10:2380",
            ],
        ] {
            assert_eq!(plan(flags)?.name, "controller-node1");
        }
        let plan = plan(&[
            THREE,
            "--initial-cluster-token=tok-1",
            "--initial-advertise-peer-urls=http://127.0.0.1:22381",
        ])?;
        let cluster = plan.restored([0; 32], None)?;
        assert_eq!(cluster.local.name, "n2");
        assert_eq!(cluster.local.id.to_string(), "59d8024f8dec20de");
        assert_eq!(cluster.token_origin, TokenOrigin::Given);
        Ok(())
    }

    #[test]
    fn a_name_brings_its_urls_and_wrong_ones_are_refused() -> Result<(), MembershipError> {
        let urls: Vec<_> = plan(&[THREE, "--name=n3"])?.own_urls().collect();
        assert_eq!(urls, ["http://127.0.0.1:22382"]);
        for wrong in [
            &[THREE][..],
            &[THREE, "--name=n4"],
            &[
                THREE,
                "--name=n1",
                "--initial-advertise-peer-urls=http://127.0.0.1:22381",
            ],
            &["--initial-cluster=n1=http://127.0.0.1"],
        ] {
            plan(wrong).expect_err("does not fit");
        }
        Ok(())
    }

    #[test]
    fn the_urls_of_all_members_are_asked() -> Result<(), MembershipError> {
        let mut urls: Vec<_> = plan(&[THREE, "--name=n3"])?.all_urls().collect();
        urls.sort();
        let all = [22380, 22381, 22382].map(|port| format!("http://127.0.0.1:{port}"));
        assert_eq!(urls, all);
        Ok(())
    }

    /// Programs read them in the report.
    #[test]
    fn the_words_for_the_origin_of_a_token_are_pinned() {
        assert_eq!(TokenOrigin::Given.word(), "given");
        assert_eq!(TokenOrigin::Derived.word(), "derived");
    }

    #[test]
    fn without_a_token_members_restored_alike_agree_and_no_others() -> Result<(), MembershipError> {
        let id = |name: &str, sha256, raised| -> Result<_, MembershipError> {
            let cluster = plan(&[THREE, name])?.restored(sha256, raised)?;
            assert_eq!(cluster.token_origin, TokenOrigin::Derived);
            Ok(cluster.membership.cluster_id)
        };
        let first = id("--name=n1", [1; 32], None)?;
        assert_eq!(id("--name=n3", [1; 32], None)?, first);
        assert_ne!(id("--name=n3", [2; 32], None)?, first);
        assert_ne!(id("--name=n3", [1; 32], Some(9))?, first);
        Ok(())
    }
}

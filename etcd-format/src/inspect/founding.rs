//! The id of the cluster that wrote a snapshot, if it follows from the stored members.
//!
//! Owns: that conclusion. A database does not contain its cluster's id: it is a hash over the ids of the founding members, and a
//! member's id is a hash over its peer URLs and the token of the founding. A member that was added later has another id: the
//! time is hashed instead of the token. So the id follows only if every member's id is that of a founding member. The token is
//! not stored either; etcd's default is the only one that can be tried.

use super::{Inspection, StoredMember};
use crate::membership::{ClusterId, MemberId, Token};

/// Why the id does not follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UnknownClusterId {
    /// There are no members.
    #[error("no members are stored")]
    NoMembers,
    /// Founding members may have left.
    #[error("{count} member(s) have left the cluster")]
    Left {
        /// How many.
        count: u64,
    },
    /// Some members cannot be read.
    #[error("the records of {count} member(s) cannot be read")]
    Unreadable {
        /// How many.
        count: u64,
    },
    /// This member joined later, got other URLs, or the founding had another token.
    #[error(
        "the id of member {member} is not that of a founding member with etcd's default token: it joined later, its peer URLs \
         changed, or the cluster has another token"
    )]
    NotFounding {
        /// Its id.
        member: MemberId,
    },
}

impl Inspection {
    /// The cluster's id, if every member was there when the cluster was founded with etcd's default token.
    ///
    /// # Errors
    /// Something in the file contradicts that, or nothing shows it.
    pub fn cluster_id(&self, members_removed: u64) -> Result<ClusterId, UnknownClusterId> {
        if members_removed > 0 {
            return Err(UnknownClusterId::Left {
                count: members_removed,
            });
        }
        if self.unreadable_members > 0 {
            return Err(UnknownClusterId::Unreadable {
                count: self.unreadable_members,
            });
        }
        if self.members.is_empty() {
            return Err(UnknownClusterId::NoMembers);
        }
        let token = Token::default();
        match self.members.iter().find(|member| !founded(member, &token)) {
            Some(later) => Err(UnknownClusterId::NotFounding { member: later.id }),
            None => Ok(ClusterId::founded_by(
                self.members.iter().map(|member| member.id),
            )),
        }
    }
}

fn founded(member: &StoredMember, token: &Token) -> bool {
    !member.is_learner && MemberId::of_founding(&member.peer_urls, token) == member.id
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        bolt::Bolt,
        inspect,
        membership::{InitialCluster, Membership},
        width::u64_of,
    };

    const THREE: &str = "m1=http://10.0.0.1:2380,m2=http://10.0.0.2:2380,m3=http://10.0.0.3:2380";

    /// A real inspection with the members of a founding.
    fn founded_with(token: &Token) -> (Inspection, ClusterId) {
        let file: &[u8] = include_bytes!("../../tests/fixtures/etcd-3.4.db");
        let db = &file[..file.len() - 32];
        let bolt = Bolt::open(db, u64_of(db.len())).expect("etcd wrote it");
        let mut found = inspect::inspect(&bolt).expect("etcd wrote it");
        let cluster = InitialCluster::parse(THREE).expect("valid");
        let membership = Membership::new(&cluster, token).expect("ids differ");
        found.members = membership
            .members
            .into_iter()
            .map(|member| StoredMember {
                id: member.id,
                name: member.name,
                peer_urls: member.peer_urls,
                client_urls: Vec::new(),
                is_learner: false,
            })
            .collect();
        (found, membership.cluster_id)
    }

    type Change = fn(&mut StoredMember);

    #[test]
    fn the_id_follows_from_founding_members_only() {
        let (found, id) = founded_with(&Token::default());
        assert_eq!(found.cluster_id(0), Ok(id));
        assert_eq!(
            found.cluster_id(1),
            Err(UnknownClusterId::Left { count: 1 })
        );
        let unread = Inspection {
            unreadable_members: 1,
            ..found.clone()
        };
        assert_eq!(
            unread.cluster_id(0),
            Err(UnknownClusterId::Unreadable { count: 1 })
        );
        let changes: [Change; 3] = [
            |member| member.id = MemberId(member.id.0 ^ 1),
            |member| member.peer_urls = vec!["http://10.0.0.9:2380".to_owned()],
            |member| member.is_learner = true,
        ];
        for change in changes {
            let mut later = found.clone();
            change(&mut later.members[2]);
            let member = later.members[2].id;
            let unknown = UnknownClusterId::NotFounding { member };
            assert_eq!(later.cluster_id(0), Err(unknown));
        }
        let (other_token, _) = founded_with(&Token::new("own"));
        let member = other_token.members[0].id;
        let unknown = UnknownClusterId::NotFounding { member };
        assert_eq!(other_token.cluster_id(0), Err(unknown));
        let none = Inspection {
            members: Vec::new(),
            ..found
        };
        assert_eq!(none.cluster_id(0), Err(UnknownClusterId::NoMembers));
    }
}

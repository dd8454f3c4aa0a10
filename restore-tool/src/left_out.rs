//! Members of the snapshot's cluster that are not in the restored one, and how they join it.
//!
//! Restored alone, a member is a cluster of its own. The others must not come back with their old data (a second cluster), with
//! an empty directory and their old settings (they found a new, empty cluster), or from the same command (each its own cluster).
//! They join one after the other, as the commands here say.
//!
//! Pure: stored members and the restored cluster in, text out.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use strongroom_etcd_format::inspect::StoredMember;

use crate::{cluster::RestoredCluster, staging::MEMBER};

/// The members that are left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LeftOut {
    /// Members in the snapshot.
    stored: usize,
    /// Members of the restored cluster.
    restored: usize,
    pub(crate) members: Vec<Joining>,
}

/// A member that has to join again, and the steps for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Joining {
    pub(crate) name: String,
    pub(crate) peer_urls: Vec<String>,
    pub(crate) steps: Vec<Step>,
}

/// One step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) place: Place,
    pub(crate) what: &'static str,
    pub(crate) command: String,
}

/// Where a step is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// On the member that is left out.
    There,
    /// On this member, after etcd runs on the restored directory.
    Here,
}

impl LeftOut {
    /// The members of the snapshot that the restored cluster has not. None, if it has as many members, or if it shares neither a
    /// name nor a URL with the old one: then it is a copy elsewhere, and the old cluster is somebody else's.
    pub(crate) fn of(
        stored: &[StoredMember],
        cluster: &RestoredCluster,
        data_dir: &Path,
    ) -> Option<Self> {
        let restored = &cluster.membership.members;
        let is_restored = |old: &StoredMember| {
            restored.iter().any(|new| {
                new.name == old.name || new.peer_urls.iter().any(|url| old.peer_urls.contains(url))
            })
        };
        if stored.len() <= restored.len() || !stored.iter().any(is_restored) {
            return None;
        }
        let mut known: Vec<String> = restored
            .iter()
            .flat_map(|member| named_urls(&member.name, &member.peer_urls))
            .collect();
        // Stored by id: people know them by name.
        let mut left: Vec<_> = stored.iter().filter(|old| !is_restored(old)).collect();
        left.sort_by(|one, other| one.name.cmp(&other.name));
        let members = left
            .into_iter()
            .map(|old| joining(old, &mut known, data_dir))
            .collect();
        Some(Self {
            stored: stored.len(),
            restored: restored.len(),
            members,
        })
    }
}

/// `known` has the members so far, as in `--initial-cluster`: a member that joins must name exactly them and itself.
fn joining(old: &StoredMember, known: &mut Vec<String>, data_dir: &Path) -> Joining {
    // A member that was added and never started has no name.
    let name = if old.name.is_empty() {
        old.id.to_string()
    } else {
        old.name.clone()
    };
    known.extend(named_urls(&name, &old.peer_urls));
    let member = data_dir.join(MEMBER).components().collect::<PathBuf>();
    let member = member.display();
    let step = |place, what, command| Step {
        place,
        what,
        command,
    };
    let steps = vec![
        step(
            Place::There,
            "stop etcd, keep its data elsewhere",
            format!("mv {member} {member}.before-restore"),
        ),
        step(
            Place::Here,
            "when etcd runs on the restored directory; again, as long as it answers \"unhealthy cluster\"",
            format!(
                "etcdctl member add {name} --peer-urls={}",
                old.peer_urls.join(",")
            ),
        ),
        step(
            Place::There,
            "in etcd's flags, then start it",
            format!(
                "--initial-cluster-state=existing --initial-cluster={}",
                known.join(",")
            ),
        ),
        step(
            Place::Here,
            "until it is healthy",
            "etcdctl endpoint health --cluster".to_owned(),
        ),
    ];
    Joining {
        name,
        peer_urls: old.peer_urls.clone(),
        steps,
    }
}

fn named_urls(name: &str, urls: &[String]) -> Vec<String> {
    urls.iter().map(|url| format!("{name}={url}")).collect()
}

impl Place {
    /// The word for programs.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::There => "there",
            Self::Here => "here",
        }
    }
}

impl LeftOut {
    /// The warning that the summary's steps explain.
    pub(crate) fn warning(&self) -> String {
        let names: Vec<&str> = self.members.iter().map(|old| old.name.as_str()).collect();
        format!(
            "the snapshot's cluster has {} members, the restored one {}: {} must join it again, one after the other, as told \
             in the summary. With their old data, or with the same single-member command, each would be a cluster beside \
             this one; with empty directories and their old settings they would found a new, empty one",
            self.stored,
            self.restored,
            names.join(", ")
        )
    }
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for old in &self.members {
            writeln!(f, "to join     {} {}", old.name, old.peer_urls.join(","))?;
            for step in &old.steps {
                let place = match step.place {
                    Place::There => format!("on {}", old.name),
                    Place::Here => "on this member".to_owned(),
                };
                writeln!(
                    f,
                    "            {place}, {}:\n              {}",
                    step.what, step.command
                )?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;
    use strongroom_etcd_format::membership::MemberId;

    use super::*;
    use crate::{args::LowArgs, cluster::ClusterPlan};

    fn stored(number: u8, name: &str) -> StoredMember {
        StoredMember {
            id: MemberId(number.into()),
            name: name.to_owned(),
            peer_urls: vec![format!("http://10.0.0.{number}:2380")],
            client_urls: Vec::new(),
            is_learner: false,
        }
    }

    fn left_out(old: &[StoredMember], initial: &str) -> Option<LeftOut> {
        let args = [
            "strongroom-restore",
            "-d",
            "/var/lib/etcd/",
            "--initial-cluster",
            initial,
            "--name",
            initial.split('=').next().expect("a name"),
        ];
        let args = LowArgs::try_parse_from(args).expect("a command line that parses");
        let cluster = ClusterPlan::new(&args).and_then(|plan| plan.restored([0; 32], None));
        LeftOut::of(old, &cluster.expect("valid"), &args.data_dir)
    }

    /// The order matters: who joins second must name the one that joined first.
    #[test]
    fn each_joins_the_ones_before_it() {
        let old = [stored(1, "m1"), stored(2, "m3"), stored(3, "m2")];
        let left = left_out(&old, "m1=http://10.0.0.1:2380").expect("two are left out");
        let text = left.to_string();
        for line in [
            "to join     m2 http://10.0.0.3:2380\n",
            "mv /var/lib/etcd/member /var/lib/etcd/member.before-restore\n",
            "etcdctl member add m2 --peer-urls=http://10.0.0.3:2380\n",
            "--initial-cluster-state=existing --initial-cluster=m1=http://10.0.0.1:2380,m2=http://10.0.0.3:2380\n",
            "--initial-cluster=m1=http://10.0.0.1:2380,m2=http://10.0.0.3:2380,m3=http://10.0.0.2:2380\n",
        ] {
            assert!(text.contains(line), "{line}{text}");
        }
        assert!(
            left.warning().contains("m2, m3 must join"),
            "{}",
            left.warning()
        );
    }

    /// Programs read them in the report.
    #[test]
    fn the_words_for_places_are_pinned() {
        assert_eq!(Place::There.word(), "there");
        assert_eq!(Place::Here.word(), "here");
    }

    #[test]
    fn a_cluster_of_the_same_size_or_elsewhere_leaves_nobody_out() {
        let old = [stored(1, "m1"), stored(2, "m2")];
        assert_eq!(
            left_out(&old, "m1=http://10.0.0.1:2380,m2=http://10.0.0.2:2380"),
            None
        );
        assert_eq!(left_out(&old, "copy=http://127.0.0.1:2380"), None);
        assert_eq!(left_out(&[], "m1=http://10.0.0.1:2380"), None);
        // A new address, or a new name.
        for same in ["m1=http://10.9.9.9:2380", "n1=http://10.0.0.1:2380"] {
            assert!(left_out(&old, same).is_some(), "{same}");
        }
    }
}

//! Decides whether a member may be asked for a snapshot, and which of several: pure decisions on the members' own status.
//!
//! A voting member with a leader is best. Others serve snapshots as well: after a loss of quorum they hold what is left of the
//! cluster, and a copy of it is needed before any attempt at recovery.

use std::fmt;

/// The kind of an alarm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AlarmKind {
    /// The members' data differ: no copy can be trusted.
    Corrupt,
    /// The database reached its quota; its content is sound.
    NoSpace,
    /// Unknown to this version.
    Other,
}

/// An active alarm in the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Alarm {
    /// The member it was raised for; 0 if unknown.
    pub member_id: u64,
    /// Its kind.
    pub kind: AlarmKind,
}

/// The status of a member and its cluster, before the stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberStatus {
    /// Its id.
    pub member_id: u64,
    /// Its cluster's id.
    pub cluster_id: u64,
    /// Its revision; the snapshot has this revision or a later one.
    pub revision: i64,
    /// The size of its database file.
    pub db_bytes: u64,
    /// The leader that it knows; 0 if none.
    pub leader: u64,
    /// Whether it is a learner, which may lag arbitrarily.
    pub is_learner: bool,
    /// The version of etcd that it runs.
    pub version: String,
    /// Alarms in the cluster.
    pub alarms: Vec<Alarm>,
}

/// Why this member's data may be older than the cluster's; another member may be a better source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Doubt {
    /// A learner may lag behind without limit.
    #[error("member {} is a learner, which may lag behind the cluster without limit", Hex(*member_id))]
    Learner {
        /// The member.
        member_id: u64,
    },
    /// A member without a leader may have missed writes, or its cluster has lost its quorum.
    #[error("member {} knows no leader: it may have missed writes, or the cluster has lost its quorum", Hex(*member_id))]
    NoLeader {
        /// The member.
        member_id: u64,
    },
}

/// The decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Use it.
    Fit,
    /// Use it only if no endpoint is fit.
    Doubtful(Doubt),
    /// Use none: the cluster's members disagree about their data.
    Corrupt {
        /// The members in the alarms.
        member_ids: Vec<u64>,
    },
}

/// Decides. Corruption takes precedence, because it concerns the whole cluster.
pub fn verdict(status: &MemberStatus) -> Verdict {
    let corrupt = status
        .alarms
        .iter()
        .filter(|alarm| alarm.kind == AlarmKind::Corrupt);
    let member_ids: Vec<u64> = corrupt.map(|alarm| alarm.member_id).collect();
    let member_id = status.member_id;
    if !member_ids.is_empty() {
        Verdict::Corrupt { member_ids }
    } else if status.is_learner {
        Verdict::Doubtful(Doubt::Learner { member_id })
    } else if status.leader == 0 {
        Verdict::Doubtful(Doubt::NoLeader { member_id })
    } else {
        Verdict::Fit
    }
}

/// The order of doubtful members: the newest data is best, and of two alike the one with a vote.
pub(crate) fn rank(status: &MemberStatus) -> (i64, bool) {
    (status.revision, !status.is_learner)
}

/// The alarms in the `errors` of a status. Without a leader and from a learner, this is the only place to read them.
pub(crate) fn alarms_in(errors: &[String]) -> Vec<Alarm> {
    errors.iter().filter_map(|error| alarm_in(error)).collect()
}

/// etcd prints an alarm as `memberID:10501334649042878790 alarm:CORRUPT`, in some versions with two blanks.
fn alarm_in(error: &str) -> Option<Alarm> {
    let field = |name: &str| {
        error
            .split_whitespace()
            .find_map(|word| word.strip_prefix(name))
    };
    let kind = match field("alarm:")? {
        "CORRUPT" => AlarmKind::Corrupt,
        "NOSPACE" => AlarmKind::NoSpace,
        _ => AlarmKind::Other,
    };
    let member_id = field("memberID:").and_then(|id| id.parse().ok());
    Some(Alarm {
        member_id: member_id.unwrap_or(0),
        kind,
    })
}

/// An id as etcdctl prints it: hexadecimal without leading zeros.
pub(crate) struct Hex(pub(crate) u64);

impl fmt::Display for Hex {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn healthy() -> MemberStatus {
        MemberStatus {
            member_id: 0xfd42_2379_fda5_0e48,
            cluster_id: 1,
            revision: 7,
            db_bytes: 20_480,
            leader: 0xfd42_2379_fda5_0e48,
            is_learner: false,
            version: "3.5.30".to_owned(),
            alarms: Vec::new(),
        }
    }

    #[test]
    fn a_follower_or_leader_without_alarm_is_fit() {
        assert_eq!(verdict(&healthy()), Verdict::Fit);
        let full = Alarm {
            member_id: 1,
            kind: AlarmKind::NoSpace,
        };
        assert_eq!(
            verdict(&MemberStatus {
                alarms: vec![full],
                ..healthy()
            }),
            Verdict::Fit
        );
    }

    #[test]
    fn a_learner_and_a_leaderless_member_are_doubtful_by_name() {
        let learner = MemberStatus {
            is_learner: true,
            ..healthy()
        };
        let Verdict::Doubtful(reason) = verdict(&learner) else {
            panic!("a learner is doubtful")
        };
        assert!(
            reason.to_string().contains("fd422379fda50e48 is a learner"),
            "{reason}"
        );
        let alone = MemberStatus {
            leader: 0,
            ..healthy()
        };
        let Verdict::Doubtful(reason) = verdict(&alone) else {
            panic!("a leaderless member is doubtful")
        };
        assert!(reason.to_string().contains("knows no leader"), "{reason}");
    }

    #[test]
    fn the_newest_data_and_then_a_vote_decide_between_doubtful_members() {
        let status = |revision, is_learner| MemberStatus {
            revision,
            is_learner,
            leader: 0,
            ..healthy()
        };
        assert!(rank(&status(8, true)) > rank(&status(7, false)));
        assert!(rank(&status(7, false)) > rank(&status(7, true)));
    }

    #[test]
    fn alarms_are_read_from_the_texts_of_a_status() {
        let texts = [
            "etcdserver: no leader",
            "memberID:9 alarm:NOSPACE ",
            "memberID:18245391034042878790  alarm:CORRUPT",
        ];
        let alarms = alarms_in(&texts.map(str::to_owned));
        let kinds: Vec<_> = alarms.iter().map(|a| (a.member_id, a.kind)).collect();
        assert_eq!(
            kinds,
            [
                (9, AlarmKind::NoSpace),
                (18_245_391_034_042_878_790, AlarmKind::Corrupt)
            ]
        );
    }

    #[test]
    fn corruption_outweighs_everything_and_names_the_members() {
        let alarms = vec![
            Alarm {
                member_id: 9,
                kind: AlarmKind::NoSpace,
            },
            Alarm {
                member_id: 5,
                kind: AlarmKind::Corrupt,
            },
            Alarm {
                member_id: 0,
                kind: AlarmKind::Corrupt,
            },
        ];
        let status = MemberStatus {
            alarms,
            is_learner: true,
            leader: 0,
            ..healthy()
        };
        assert_eq!(
            verdict(&status),
            Verdict::Corrupt {
                member_ids: vec![5, 0]
            }
        );
    }
}

//! Decides whether a member may be asked for a snapshot: a pure decision on the member's own status.

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

/// Why this member is not a suitable source; another member may be one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unsuitable {
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
    /// Try another one.
    Skip(Unsuitable),
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
        Verdict::Skip(Unsuitable::Learner { member_id })
    } else if status.leader == 0 {
        Verdict::Skip(Unsuitable::NoLeader { member_id })
    } else {
        Verdict::Fit
    }
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
    fn a_learner_and_a_leaderless_member_are_skipped_by_name() {
        let learner = MemberStatus {
            is_learner: true,
            ..healthy()
        };
        let Verdict::Skip(reason) = verdict(&learner) else {
            panic!("a learner is skipped")
        };
        assert!(
            reason.to_string().contains("fd422379fda50e48 is a learner"),
            "{reason}"
        );
        let alone = MemberStatus {
            leader: 0,
            ..healthy()
        };
        let Verdict::Skip(reason) = verdict(&alone) else {
            panic!("a leaderless member is skipped")
        };
        assert!(reason.to_string().contains("knows no leader"), "{reason}");
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

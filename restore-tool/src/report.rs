//! What a finished restore tells: the summary on stdout, and warnings about what the snapshot carries.
//!
//! Pure: values in, text out.

use std::{fmt, path::PathBuf, time::Duration};

use strongroom_etcd_format::{
    bolt::CheckReport,
    inspect::{Alarm, AlarmKind, Inspection},
    membership::Membership,
};

use crate::{intake::Packing, plan::Local};

/// How long the stages took.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Times {
    pub(crate) fetch: Duration,
    pub(crate) check: Duration,
    pub(crate) build: Duration,
    pub(crate) total: Duration,
}

/// A finished restore.
#[derive(Debug)]
pub struct Report {
    pub(crate) place: String,
    pub(crate) packing: Packing,
    pub(crate) stored_bytes: u64,
    pub(crate) snapshot_bytes: u64,
    pub(crate) sha256: [u8; 32],
    pub(crate) checked: CheckReport,
    pub(crate) inspection: Inspection,
    pub(crate) membership: Membership,
    pub(crate) local: Local,
    pub(crate) data_dir: PathBuf,
    pub(crate) db_bytes: u64,
    pub(crate) times: Times,
    pub(crate) warnings: Vec<String>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let packing = match self.packing {
            Packing::Raw => "raw",
            Packing::Gzip => "gzip",
        };
        let found = &self.inspection;
        writeln!(f, "snapshot    {}", self.place)?;
        writeln!(
            f,
            "            {packing}, {} bytes stored, {} unpacked",
            self.stored_bytes, self.snapshot_bytes
        )?;
        writeln!(
            f,
            "            sha256 {} (trailer matches)",
            hex::encode(self.sha256)
        )?;
        writeln!(f, "revision    {}", found.revision)?;
        writeln!(
            f,
            "keys        {} alive, {} revisions of them",
            found.live_keys, found.row_count
        )?;
        writeln!(
            f,
            "checked     {} pages in use, {} free, {} buckets",
            self.checked.pages_reachable, self.checked.pages_free, self.checked.buckets
        )?;
        if let Some(version) = found
            .storage_version
            .as_ref()
            .or(found.cluster_version.as_ref())
        {
            writeln!(f, "written by  etcd {version}")?;
        }
        writeln!(f, "cluster id  {}", self.membership.cluster_id)?;
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
        writeln!(
            f,
            "data dir    {} ({} bytes of database)",
            self.data_dir.display(),
            self.db_bytes
        )?;
        let Times {
            fetch,
            check,
            build,
            total,
        } = self.times;
        let secs = |time: Duration| time.as_secs_f64();
        writeln!(
            f,
            "times       fetch {:.2} s, check {:.2} s, build and sync {:.2} s, total {:.2} s",
            secs(fetch),
            secs(check),
            secs(build),
            secs(total)
        )?;
        for warning in &self.warnings {
            writeln!(f, "warning     {warning}")?;
        }
        writeln!(f, "next        {}", self.next_step())
    }
}

impl Report {
    fn next_step(&self) -> String {
        let others = self.membership.members.len() - 1;
        if others == 0 {
            "start etcd on this directory, then: etcdctl member list; etcdctl endpoint status"
                .to_owned()
        } else {
            format!(
                "restore the other {others} member(s) from the same snapshot with the same --initial-cluster and \
                 --initial-cluster-token, then start etcd on all of them"
            )
        }
    }
}

/// What an operator should know about the data before clients come back.
pub(crate) fn inspection_warnings(found: &Inspection) -> Vec<String> {
    let mut warnings: Vec<String> = found.alarms.iter().map(alarm_warning).collect();
    if found.downgrade_enabled {
        warnings.push(
            "the snapshot was taken during a downgrade, which goes on after the restore: etcdctl downgrade cancel"
                .to_owned(),
        );
    }
    if found.auth_enabled {
        warnings
            .push("authentication is on: users and passwords are those of the snapshot".to_owned());
    }
    if found.leases > 0 {
        warnings.push(format!(
            "{} lease(s) start anew with their full time to live",
            found.leases
        ));
    }
    if found.looks_like_kubernetes {
        warnings.push(format!(
            "this is Kubernetes' data, and the revision goes back to {}: restart every kube-apiserver, controller and \
             kubelet, since their caches may hold higher revisions",
            found.revision
        ));
    }
    warnings
}

fn alarm_warning(alarm: &Alarm) -> String {
    match alarm.kind {
        AlarmKind::NoSpace => "the snapshot carries the alarm NOSPACE, writes stay refused: after the start defragment \
                               and then etcdctl alarm disarm"
            .to_owned(),
        AlarmKind::Corrupt => format!(
            "the snapshot carries the alarm CORRUPT, raised by member {}: its data may differ from the other members'; \
             etcd refuses to serve until etcdctl alarm disarm",
            alarm.member
        ),
        AlarmKind::Other(kind) => format!("the snapshot carries an alarm of unknown kind {kind}"),
    }
}

#[cfg(test)]
mod tests {
    use strongroom_etcd_format::membership::MemberId;

    use super::*;

    fn quiet() -> Inspection {
        Inspection {
            revision: 7,
            compact_revision: None,
            scheduled_compact_revision: None,
            row_count: 9,
            live_keys: 5,
            members: Vec::new(),
            cluster_version: None,
            storage_version: None,
            downgrade_enabled: false,
            alarms: Vec::new(),
            leases: 0,
            auth_enabled: false,
            looks_like_kubernetes: false,
            consistent_index: None,
            term: None,
        }
    }

    #[test]
    fn each_thing_that_survives_a_restore_is_warned_about() {
        assert_eq!(inspection_warnings(&quiet()), Vec::<String>::new());
        let loud = Inspection {
            downgrade_enabled: true,
            auth_enabled: true,
            leases: 3,
            looks_like_kubernetes: true,
            alarms: vec![
                Alarm {
                    member: MemberId(0xab),
                    kind: AlarmKind::Corrupt,
                },
                Alarm {
                    member: MemberId(1),
                    kind: AlarmKind::NoSpace,
                },
            ],
            ..quiet()
        };
        let warnings = inspection_warnings(&loud);
        for (warning, word) in warnings.iter().zip([
            "CORRUPT",
            "NOSPACE",
            "downgrade",
            "users",
            "3 lease",
            "Kubernetes",
        ]) {
            assert!(warning.contains(word), "{warning}");
        }
        assert_eq!(warnings.len(), 6);
    }
}

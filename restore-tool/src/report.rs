//! The report of a finished restore: the summary on stdout, and warnings about the snapshot's contents.
//!
//! Pure: values in, text out; [`json`] has the same for programs.

pub(crate) mod json;

use std::{fmt, path::PathBuf, time::Duration};

use strongroom_etcd_format::inspect::{Alarm, AlarmKind, Inspection, Oddities};
use strongroom_snapshot_io::intake::Trailer;

use crate::{examined::Examined, owner::Owner};

/// The durations of the steps.
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
    pub(crate) stored_bytes: u64,
    pub(crate) examined: Examined,
    /// Whether the loss of newer deltas was accepted beforehand.
    pub(crate) full_only: bool,
    pub(crate) data_dir: PathBuf,
    pub(crate) wal_dir: Option<PathBuf>,
    pub(crate) owner: Option<Owner>,
    pub(crate) db_bytes: u64,
    pub(crate) times: Times,
    pub(crate) warnings: Vec<String>,
}

/// Delta snapshots after the restored revision, which this program does not apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct UnappliedDeltas {
    /// The revision at which the restored data end.
    pub(crate) revision: i64,
    pub(crate) count: usize,
    /// The revision at which the deltas end.
    pub(crate) last_revision: i64,
}

impl fmt::Display for UnappliedDeltas {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the restored data end at revision {}: {} newer delta snapshot(s) up to revision {} are NOT applied",
            self.revision, self.count, self.last_revision
        )
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_snapshot(f, &self.place, self.stored_bytes, &self.examined)?;
        write!(f, "{}", self.examined.cluster)?;
        writeln!(
            f,
            "data dir    {} ({} bytes of database)",
            self.data_dir.display(),
            self.db_bytes
        )?;
        if let Some(wal_dir) = &self.wal_dir {
            writeln!(f, "wal dir     {}", wal_dir.display())?;
        }
        if let Some(owner) = self.owner {
            writeln!(f, "owner       {owner}")?;
        }
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
        write_others(f, &self.examined)?;
        write_warnings(f, &self.warnings)?;
        writeln!(f, "next        {}", self.next_step())
    }
}

/// The snapshot, and what the check of it found.
pub(crate) fn write_snapshot(
    f: &mut fmt::Formatter<'_>,
    place: &str,
    stored_bytes: u64,
    examined: &Examined,
) -> fmt::Result {
    let (found, taken) = (&examined.inspection, &examined.taken);
    writeln!(f, "snapshot    {place}")?;
    writeln!(
        f,
        "            {}, {stored_bytes} bytes stored, {} unpacked",
        taken.packing, taken.file_len
    )?;
    writeln!(
        f,
        "            sha256 {} ({})",
        hex::encode(taken.sha256),
        trailer_words(taken.trailer)
    )?;
    writeln!(f, "revision    {}", found.revision)?;
    if let Some(raised) = examined.raised_revision {
        writeln!(
            f,
            "            raised to {raised}, all before it marked as compacted"
        )?;
    }
    writeln!(
        f,
        "keys        {} alive, {} revisions of them",
        found.live_keys, found.row_count
    )?;
    writeln!(
        f,
        "checked     {} pages in use, {} free, {} buckets",
        examined.checked.pages_reachable, examined.checked.pages_free, examined.checked.buckets
    )?;
    match versions(found) {
        Some(versions) => writeln!(f, "versions    {versions}"),
        None => Ok(()),
    }
}

/// The members that were asked, and those that have to join again.
pub(crate) fn write_others(f: &mut fmt::Formatter<'_>, examined: &Examined) -> fmt::Result {
    for heard in &examined.heard {
        writeln!(f, "asked       {heard}")?;
    }
    match &examined.left_out {
        Some(left_out) => write!(f, "{left_out}"),
        None => Ok(()),
    }
}

/// Only their number: each was printed to stderr when it arose.
pub(crate) fn write_warnings(f: &mut fmt::Formatter<'_>, warnings: &[String]) -> fmt::Result {
    match warnings.len() {
        0 => Ok(()),
        count => writeln!(f, "warnings    {count}, see above (stderr)"),
    }
}

/// The versions in the snapshot: of the cluster, which is that of its oldest member, and of the data's format.
fn versions(found: &Inspection) -> Option<String> {
    let cluster = found.cluster_version.as_deref();
    let storage = found.storage_version.as_deref();
    let cluster = cluster.map(|version| format!("cluster {version}"));
    let storage = storage.map(|version| format!("storage {version}"));
    let told: Vec<String> = cluster.into_iter().chain(storage).collect();
    (!told.is_empty()).then(|| told.join(", "))
}

fn trailer_words(trailer: Trailer) -> &'static str {
    match trailer {
        Trailer::Matches => "trailer matches",
        Trailer::Missing => "no trailer vouches for it",
        Trailer::Differs { .. } => "the trailer is that of other bytes",
    }
}

/// The warning if the trailer is missing or does not match.
pub(crate) fn trailer_warning(trailer: Trailer) -> Option<String> {
    let what = match trailer {
        Trailer::Matches => return None,
        Trailer::Missing => "the file has no SHA-256 trailer",
        Trailer::Differs { .. } => "the file's SHA-256 trailer belongs to other bytes",
    };
    Some(format!(
        "{what}, and --skip-hash-check accepts that: pages and records are checked, the values in them are not"
    ))
}

impl Report {
    /// The next step.
    pub(crate) fn next_step(&self) -> String {
        let others = self.examined.cluster.membership.members.len() - 1;
        let with_log = match &self.wal_dir {
            Some(wal_dir) => format!(" with --wal-dir={}", wal_dir.display()),
            None => String::new(),
        };
        if others == 0 {
            let then = match self.examined.left_out {
                Some(_) => "; then the other members, as told above",
                None => "",
            };
            format!(
                "start etcd on this directory{with_log}, then: etcdctl member list; etcdctl endpoint status{then}"
            )
        } else {
            format!(
                "restore the other {others} member(s) from the same snapshot with the same --initial-cluster (the cluster id \
                 must be the same), then start etcd on all of them"
            )
        }
    }
}

/// Warnings about the data, for the operator, before clients reconnect.
pub(crate) fn inspection_warnings(found: &Inspection, raised: Option<i64>) -> Vec<String> {
    let mut warnings: Vec<String> = found.alarms.iter().map(alarm_warning).collect();
    warnings.extend(oddity_warnings(&found.oddities));
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
    if found.looks_like_kubernetes && raised.is_none() {
        warnings.push(format!(
            "this is Kubernetes' data, and the revision goes back to {}: restart every kube-apiserver, controller and \
             kubelet, since their caches may hold higher revisions (or restore with --bump-revision 1000000000 \
             --mark-compacted)",
            found.revision
        ));
    }
    warnings
}

/// Warnings about records that are not as etcd writes them.
fn oddity_warnings(oddities: &Oddities) -> impl Iterator<Item = String> {
    let told = oddities.first.iter().map(ToString::to_string);
    let shown = u64::try_from(oddities.first.len()).expect("a count fits 64 bits");
    let rest = oddities.count.saturating_sub(shown);
    told.chain((rest > 0).then(|| format!("{rest} more records are not as etcd writes them")))
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
    use strongroom_etcd_format::{
        inspect::{Effect, KeyCount, Oddities, Oddity},
        membership::MemberId,
    };

    use super::*;

    fn quiet() -> Inspection {
        Inspection {
            revision: 7,
            compact_revision: None,
            scheduled_compact_revision: None,
            row_count: 9,
            live_keys: KeyCount::Exact(5),
            members: Vec::new(),
            unreadable_members: 0,
            cluster_version: None,
            storage_version: None,
            downgrade_enabled: false,
            alarms: Vec::new(),
            leases: 0,
            auth_enabled: false,
            looks_like_kubernetes: false,
            consistent_index: None,
            term: None,
            oddities: Oddities::default(),
        }
    }

    #[test]
    fn odd_records_are_told_and_the_rest_is_counted() {
        let odd = Inspection {
            oddities: Oddities {
                first: vec![Oddity {
                    defect: "meta/term at offset 9 has 1 bytes".to_owned(),
                    effect: Effect::Replaced,
                }],
                count: 31,
            },
            ..quiet()
        };
        assert_eq!(
            inspection_warnings(&odd, None),
            [
                "meta/term at offset 9 has 1 bytes: a restore replaces it",
                "30 more records are not as etcd writes them"
            ]
        );
    }

    #[test]
    fn each_thing_that_survives_a_restore_is_warned_about() {
        assert_eq!(inspection_warnings(&quiet(), None), Vec::<String>::new());
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
        let warnings = inspection_warnings(&loud, None);
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
        // A raised revision does not decrease.
        assert_eq!(inspection_warnings(&loud, Some(1_000_000_007)).len(), 5);
    }
}

//! The dry run: the files and ids of a restore, after the same checks.
//!
//! Pure: a plan and a checked snapshot in, text out.

use std::{fmt, path::PathBuf};

use strongroom_etcd_format::{raft_snap, wal};

use crate::{
    examined::Examined,
    owner::Owner,
    plan::RestorePlan,
    report::{write_others, write_snapshot, write_warnings},
    source::Found,
    staging::MEMBER,
};

/// A dry run of a restore.
#[derive(Debug)]
pub(crate) struct Preview {
    pub(crate) place: String,
    pub(crate) stored_bytes: u64,
    pub(crate) examined: Examined,
    pub(crate) data_dir: PathBuf,
    pub(crate) wal_dir: Option<PathBuf>,
    pub(crate) owner: Option<Owner>,
    /// Files that would be created.
    pub(crate) writes: Vec<String>,
    pub(crate) bump_revision: Option<u64>,
    pub(crate) warnings: Vec<String>,
}

impl Preview {
    pub(crate) fn new(
        plan: &RestorePlan,
        found: &Found,
        examined: Examined,
        warnings: Vec<String>,
    ) -> Self {
        let member = plan.data_dir.join(MEMBER);
        let log = plan.wal_dir.clone().unwrap_or_else(|| member.join("wal"));
        let snap = member.join("snap");
        let writes = [
            snap.join("db"),
            snap.join(raft_snap::file_name(&examined.cluster.membership)),
            log.join(wal::FILE_NAME),
        ];
        Self {
            place: found.place.clone(),
            stored_bytes: found.bytes,
            examined,
            data_dir: plan.data_dir.clone(),
            wal_dir: plan.wal_dir.clone(),
            owner: plan.owner,
            writes: writes
                .iter()
                .map(|path| path.display().to_string())
                .collect(),
            bump_revision: plan.bump_revision,
            warnings,
        }
    }
}

impl fmt::Display for Preview {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_snapshot(f, &self.place, self.stored_bytes, &self.examined)?;
        for path in &self.writes {
            writeln!(f, "would write {path}")?;
        }
        if let Some(owner) = self.owner {
            writeln!(f, "owner       {owner}")?;
        }
        write!(f, "{}", self.examined.cluster)?;
        write_others(f, &self.examined)?;
        write_warnings(f, &self.warnings)?;
        writeln!(
            f,
            "next        the same command without --dry-run; the snapshot is whole, and nothing was written"
        )
    }
}

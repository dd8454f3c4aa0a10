//! The dry run: the files and ids of a restore, as far as they are known before the snapshot is opened.
//!
//! Pure: a plan and a found snapshot in, text out.

use std::{fmt, path::PathBuf};

use strongroom_etcd_format::{membership::Membership, raft_snap, wal};

use crate::{
    owner::Owner,
    plan::{Local, RestorePlan},
    report::{write_membership, write_warnings},
    source::Found,
    staging::MEMBER,
};

/// A dry run of a restore.
#[derive(Debug)]
pub(crate) struct Preview {
    pub(crate) place: String,
    pub(crate) stored_bytes: u64,
    pub(crate) membership: Membership,
    pub(crate) local: Local,
    pub(crate) data_dir: PathBuf,
    pub(crate) wal_dir: Option<PathBuf>,
    pub(crate) owner: Option<Owner>,
    /// Files that would be created.
    pub(crate) writes: Vec<String>,
    pub(crate) bump_revision: Option<u64>,
    pub(crate) warnings: Vec<String>,
}

impl Preview {
    pub(crate) fn new(plan: &RestorePlan, found: &Found, warnings: Vec<String>) -> Self {
        let member = plan.data_dir.join(MEMBER);
        let log = plan.wal_dir.clone().unwrap_or_else(|| member.join("wal"));
        let snap = member.join("snap");
        let writes = [
            snap.join("db"),
            snap.join(raft_snap::file_name(&plan.membership)),
            log.join(wal::FILE_NAME),
        ];
        Self {
            place: found.place.clone(),
            stored_bytes: found.bytes,
            membership: plan.membership.clone(),
            local: plan.local.clone(),
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
        writeln!(
            f,
            "would read  {} ({} bytes)",
            self.place, self.stored_bytes
        )?;
        for path in &self.writes {
            writeln!(f, "would write {path}")?;
        }
        if let Some(Owner { uid, gid }) = self.owner {
            writeln!(f, "owner       {uid}:{gid}")?;
        }
        if let Some(by) = self.bump_revision {
            writeln!(
                f,
                "revision    {by} above the snapshot's, all before it marked as compacted"
            )?;
        }
        write_membership(f, &self.membership, &self.local)?;
        write_warnings(f, &self.warnings)?;
        writeln!(
            f,
            "next        the same command without --dry-run; nothing was written or checked"
        )
    }
}

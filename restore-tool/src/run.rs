//! The restore, step by step: probe, find, fetch, check, build, put in place, report.
//!
//! Everything before the rename happens in a staging directory in the target; [`crate::staging`] describes the result of
//! each exit. The steps run on a blocking thread and use the network through the runtime's handle.

use std::{
    fs::File,
    io::Write as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use rustix::fs::FallocateFlags;
use strongroom_etcd_format::{inspect::Inspection, raft_snap, wal};
use strongroom_snapshot_io::intake::Taken;

use crate::{
    arrival::{self, Destination},
    clock::Stopwatch,
    console::{Console, lines},
    error::{PlanError, RestoreError, TargetError},
    image::Image,
    interrupt::Interrupt,
    plan::RestorePlan,
    preview::Preview,
    report::{Report, Times, UnappliedDeltas, inspection_warnings, trailer_warning},
    running_etcd::{self, ExistingEntry, Ports},
    source::{self, Context, Found},
    space,
    staging::{self, CommitMarker, MEMBER, Staging},
    write_behind::WriteBehind,
};

/// A run that succeeded.
pub(crate) enum Done {
    /// The markers are removed after the report is printed.
    Restored(Box<Report>, Vec<CommitMarker>),
    /// Nothing was written.
    Previewed(Box<Preview>),
}

/// Restores, or previews the restore. On any error the target is unchanged.
pub(crate) fn run(
    plan: &RestorePlan,
    console: &Arc<Console>,
    interrupt: &Interrupt,
    runtime: &tokio::runtime::Handle,
) -> Result<Done, RestoreError> {
    let total = Stopwatch::start();
    let around = Context {
        console,
        interrupt,
        runtime,
    };
    for warning in &plan.warnings {
        console.warn(warning.clone());
    }
    look_at_target(plan, &around)?;
    let found = source::find(&plan.source, &around)?;
    if plan.dry_run {
        space::require_ahead(&plan.data_dir, found.bytes)?;
        let preview = Preview::new(plan, &found, console.warnings());
        return Ok(Done::Previewed(Box::new(preview)));
    }
    restore(plan, &found, &around, total).map_err(|error| error.naming(&found.place))
}

fn restore(
    plan: &RestorePlan,
    found: &Found,
    around: &Context<'_>,
    total: Stopwatch,
) -> Result<Done, RestoreError> {
    let console = around.console;
    let dirs = StagingDirs::begin(plan)?;
    space::require(&plan.data_dir, found.bytes)?;
    console.line(lines::restoring_from(&found.shown));

    let (mut image, taken, fetch, behind) = fetch(plan, found, &dirs.snap_dir, around)?;
    console.line(lines::fetched_in(fetch));
    if let Some(warning) = trailer_warning(taken.trailer) {
        console.warn(warning);
    }
    let checking = Stopwatch::start();
    let (checked, inspection) = image.check()?;
    let check = checking.elapsed();
    let raised = raised_revision(plan, &inspection)?;
    for warning in inspection_warnings(&inspection, raised) {
        console.warn(warning);
    }
    let unapplied = unapplied_deltas(found, &inspection);
    if let Some(deltas) = &unapplied {
        console.warn(deltas.to_string());
    }

    let building = Stopwatch::start();
    behind.finish()?;
    image.edit(&plan.membership, plan.options, raised)?;
    image.read_back(&plan.membership)?;
    dirs.write_logs(plan)?;
    around.interrupt.check()?;
    // An etcd may have been started in the meantime.
    running_etcd::refuse_member(&plan.data_dir)?;
    let markers = dirs.place(plan)?;
    let report = Report {
        place: found.place.clone(),
        stored_bytes: found.bytes,
        taken,
        checked,
        inspection,
        unapplied,
        full_only: plan.full_only,
        raised_revision: raised,
        membership: plan.membership.clone(),
        local: plan.local.clone(),
        data_dir: plan.data_dir.clone(),
        wal_dir: plan.wal_dir.clone(),
        owner: plan.owner,
        db_bytes: image.len_bytes(),
        times: Times {
            fetch,
            check,
            build: building.elapsed(),
            total: total.elapsed(),
        },
        warnings: console.warnings(),
    };
    Ok(Done::Restored(Box::new(report), markers))
}

fn look_at_target(plan: &RestorePlan, around: &Context<'_>) -> Result<(), RestoreError> {
    if running_etcd::refuse_member(&plan.data_dir)? == ExistingEntry::Marked {
        around.console.warn(format!(
            "{} was made by a restore that ended before it could report its success; nobody has used it, and it is replaced",
            plan.data_dir.join(MEMBER).display()
        ));
    }
    if let Some(wal_dir) = &plan.wal_dir {
        running_etcd::refuse_log(wal_dir)?;
    }
    for dir in [&plan.data_dir].into_iter().chain(&plan.wal_dir) {
        if let Some(warning) = staging::owner_warning(dir, plan.owner) {
            around.console.warn(warning);
        }
    }
    for warning in around
        .runtime
        .block_on(Ports::of(&plan.local.peer_urls).look())?
    {
        around.console.warn(warning);
    }
    around.interrupt.check()?;
    Ok(())
}

/// The directories under construction.
struct StagingDirs {
    data: Staging,
    /// For a log in a separate directory.
    log: Option<Staging>,
    snap_dir: PathBuf,
}

impl StagingDirs {
    fn begin(plan: &RestorePlan) -> Result<Self, RestoreError> {
        let mut data = Staging::begin(&plan.data_dir, &[MEMBER])?;
        data.dir(MEMBER)?;
        let snap_dir = data.dir("member/snap")?;
        let log = match &plan.wal_dir {
            None => {
                data.dir("member/wal")?;
                None
            }
            Some(dir) => {
                let log = Staging::begin(dir, &[wal::FILE_NAME])?;
                space::require(dir, 0)?;
                Some(log)
            }
        };
        Ok(Self {
            data,
            log,
            snap_dir,
        })
    }

    /// Writes and syncs the log and the raft snapshot.
    fn write_logs(&self, plan: &RestorePlan) -> Result<(), RestoreError> {
        let name = raft_snap::file_name(&plan.membership);
        let (path, snapshot) = write_file(
            self.snap_dir.join(name),
            &raft_snap::restore_snap(&plan.membership),
        )?;
        sync(&path, &snapshot)?;
        let at = match &self.log {
            None => self.data.path("member/wal").join(wal::FILE_NAME),
            Some(log) => log.path(wal::FILE_NAME),
        };
        let (path, log) = write_file(at, &wal::restore_wal(&plan.membership, plan.local.id))?;
        preallocate(&path, &log)?;
        sync(&path, &log)?;
        Ok(())
    }

    /// Puts the log in place first: an etcd must not find a member before it is complete.
    fn place(self, plan: &RestorePlan) -> Result<Vec<CommitMarker>, TargetError> {
        let mut dirs: Vec<Staging> = self.log.into_iter().chain([self.data]).collect();
        for dir in &mut dirs {
            if let Some(owner) = plan.owner {
                dir.give(owner)?;
            }
            dir.place()?;
        }
        Ok(dirs.into_iter().map(Staging::keep).collect())
    }
}

fn fetch(
    plan: &RestorePlan,
    found: &Found,
    snap_dir: &Path,
    around: &Context<'_>,
) -> Result<(Image, Taken, Duration, WriteBehind), RestoreError> {
    let fetching = Stopwatch::start();
    let path = snap_dir.join("db");
    let file = staging::create_file(&path)?;
    let behind = WriteBehind::start(&file, &path)?;
    let progress = around.console.progress(found.bytes);
    let into = Destination {
        file: &file,
        path: &path,
        behind: &behind,
        interrupt: around.interrupt,
    };
    let taken = found
        .open(around, progress.clone())
        .and_then(|stored| arrival::take(stored, &into, plan.hash_check));
    progress.finish_and_clear();
    let taken = taken?;
    // Sync the remaining bytes while the pages are checked.
    behind.request_sync();
    let image = Image::new(file, path, taken.db_len, around.interrupt.clone())?;
    Ok((image, taken, fetching.elapsed(), behind))
}

fn raised_revision(plan: &RestorePlan, inspection: &Inspection) -> Result<Option<i64>, PlanError> {
    let Some(by) = plan.bump_revision else {
        return Ok(None);
    };
    let revision = inspection.current_revision();
    i64::try_from(by)
        .ok()
        .and_then(|by| revision.checked_add(by))
        .map(Some)
        .ok_or(PlanError::Bump { revision, by })
}

fn unapplied_deltas(found: &Found, inspection: &Inspection) -> Option<UnappliedDeltas> {
    let revision = inspection.current_revision();
    let deltas = found.newer_deltas.as_ref()?;
    let (count, last_revision) = deltas.beyond(revision)?;
    Some(UnappliedDeltas {
        revision,
        count,
        last_revision,
    })
}

fn write_file(path: PathBuf, bytes: &[u8]) -> Result<(PathBuf, File), TargetError> {
    let mut file = staging::create_file(&path)?;
    file.write_all(bytes)
        .map_err(|source| TargetError::io("writing", &path, source))?;
    Ok((path, file))
}

fn sync(path: &Path, file: &File) -> Result<(), TargetError> {
    file.sync_all()
        .map_err(|source| TargetError::io("syncing", path, source))
}

/// Preallocates like etcd, so that appends do not change the file's size. Best effort: a log that ends after its last record also
/// boots, so only a full disk is an error.
fn preallocate(path: &Path, log: &File) -> Result<(), TargetError> {
    match rustix::fs::fallocate(log, FallocateFlags::empty(), 0, wal::SEGMENT_BYTES) {
        Err(errno @ (rustix::io::Errno::NOSPC | rustix::io::Errno::DQUOT)) => {
            Err(TargetError::io("preallocating", path, errno.into()))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

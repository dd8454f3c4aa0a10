//! The restore, step by step: look, find, fetch, check, build, put in place, report.
//!
//! Everything up to the rename works in a stage beside the target; see [`crate::staging`] for what each way out leaves.
//! The steps run on a blocking thread; the network parts are driven through the runtime's handle.

use std::{
    fs::File,
    io::Write as _,
    path::{Path, PathBuf},
    time::Duration,
};

use rustix::fs::FallocateFlags;
use strongroom_etcd_format::{inspect::Inspection, raft_snap, wal};

use crate::{
    clock::Stopwatch,
    console::{Console, lines},
    error::{RestoreError, TargetError},
    image::Image,
    intake::{Intake, Taken},
    interrupt::Interrupt,
    plan::RestorePlan,
    report::{Report, Times, inspection_warnings},
    running_etcd::{self, Ports, Standing},
    source::{self, Found, Surroundings},
    space,
    staging::{self, MEMBER, Staging, Unconfirmed},
};

/// Restores. On any error the target is as it was; what comes with the report is to be confirmed once that was told.
pub(crate) fn restore(
    plan: &RestorePlan,
    console: &Console,
    interrupt: &Interrupt,
    runtime: &tokio::runtime::Handle,
) -> Result<(Report, Unconfirmed), RestoreError> {
    let total = Stopwatch::start();
    let around = Surroundings {
        console,
        interrupt,
        runtime,
    };
    for warning in &plan.warnings {
        console.warn(warning.clone());
    }
    look_for_etcd(plan, &around)?;
    let mut found = source::find(&plan.source, &around)?;
    let mut stage = Staging::begin(&plan.data_dir, &[MEMBER])?;
    space::require(&plan.data_dir, found.bytes)?;
    console.line(lines::restoring_from(&found.shown));
    stage.dir(MEMBER)?;
    let snap_dir = stage.dir("member/snap")?;
    let wal_dir = stage.dir("member/wal")?;

    let (mut image, taken, fetch) = fetch(&mut found, &snap_dir, &around)?;
    console.line(lines::fetched_in(fetch));
    let checking = Stopwatch::start();
    let (checked, inspection) = image.check()?;
    let check = checking.elapsed();
    for warning in inspection_warnings(&inspection) {
        console.warn(warning);
    }
    warn_of_deltas(&found, &inspection, console);

    let building = Stopwatch::start();
    build(plan, &mut image, &snap_dir, &wal_dir)?;
    interrupt.check()?;
    // Somebody may have started etcd meanwhile.
    running_etcd::refuse_member(&plan.data_dir)?;
    stage.place()?;
    let restored = stage.keep()?;
    let report = Report {
        place: found.place,
        packing: taken.packing,
        stored_bytes: found.bytes,
        snapshot_bytes: taken.summary.file_len,
        sha256: taken.summary.sha256,
        checked,
        inspection,
        membership: plan.membership.clone(),
        local: plan.local.clone(),
        data_dir: plan.data_dir.clone(),
        db_bytes: image.len_bytes(),
        times: Times {
            fetch,
            check,
            build: building.elapsed(),
            total: total.elapsed(),
        },
        warnings: console.warnings(),
    };
    Ok((report, restored))
}

fn look_for_etcd(plan: &RestorePlan, around: &Surroundings<'_>) -> Result<(), RestoreError> {
    if running_etcd::refuse_member(&plan.data_dir)? == Standing::Unconfirmed {
        around.console.warn(format!(
            "{} is what a restore built that was ended before it could say so; nobody has used it, and it is built anew",
            plan.data_dir.join(MEMBER).display()
        ));
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

fn fetch(
    found: &mut Found,
    snap_dir: &Path,
    around: &Surroundings<'_>,
) -> Result<(Image, Taken, Duration), RestoreError> {
    let fetching = Stopwatch::start();
    let path = snap_dir.join("db");
    let file = staging::create_file(&path)?;
    let writer = file
        .try_clone()
        .map_err(|source| TargetError::io("opening", &path, source))?;
    let mut intake = Intake::new(writer, path.clone(), around.interrupt.clone());
    found.fetch(&mut intake, around)?;
    let taken = intake.finish()?;
    let image = Image::new(file, path, taken.summary.db_len, around.interrupt.clone())?;
    Ok((image, taken, fetching.elapsed()))
}

fn warn_of_deltas(found: &Found, inspection: &Inspection, console: &Console) {
    let revision = inspection.current_revision();
    let Some((count, last)) = found
        .newer_deltas
        .as_ref()
        .and_then(|deltas| deltas.beyond(revision))
    else {
        return;
    };
    console.warn(format!(
        "the restored data end at revision {revision}: {count} newer delta snapshot(s) up to revision {last} are NOT applied"
    ));
}

/// Turns the snapshot into the member: database, log, raft snapshot, all on disk.
fn build(
    plan: &RestorePlan,
    image: &mut Image,
    snap_dir: &Path,
    wal_dir: &Path,
) -> Result<(), RestoreError> {
    image.edit(&plan.membership, plan.options)?;
    image.read_back(&plan.membership)?;
    let raft_snapshot = raft_snap::restore_snap(&plan.membership);
    write_file(
        &snap_dir.join(raft_snap::file_name(&plan.membership)),
        &raft_snapshot,
    )?
    .1
    .sync_all()
    .map_err(|source| TargetError::io("syncing", snap_dir, source))?;
    let (path, log) = write_file(
        &wal_dir.join(wal::FILE_NAME),
        &wal::restore_wal(&plan.membership, plan.local.id),
    )?;
    preallocate(&path, &log)?;
    log.sync_all()
        .map_err(|source| TargetError::io("syncing", &path, source))?;
    Ok(())
}

fn write_file(path: &Path, bytes: &[u8]) -> Result<(PathBuf, File), TargetError> {
    let mut file = staging::create_file(path)?;
    file.write_all(bytes)
        .map_err(|source| TargetError::io("writing", path, source))?;
    Ok((path.to_owned(), file))
}

/// As etcd does for each segment, so that its appends do not change the file's size. Best effort: a log that ends after its last record boots as well, so only a full disk is an error.
fn preallocate(path: &Path, log: &File) -> Result<(), TargetError> {
    match rustix::fs::fallocate(log, FallocateFlags::empty(), 0, wal::SEGMENT_BYTES) {
        Err(errno @ (rustix::io::Errno::NOSPC | rustix::io::Errno::DQUOT)) => {
            Err(TargetError::io("preallocating", path, errno.into()))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

//! The restore, step by step: probe, ask, find, fetch, check, build, put in place, report.
//!
//! Everything before the rename happens in a staging directory in the target; [`crate::staging`] describes the result of
//! each exit. The steps run on a blocking thread and use the network through the runtime's handle.

use std::{fs::File, path::Path, sync::Arc, time::Duration};

use strongroom_snapshot_io::{intake::Taken, scratch::Scratch};

use crate::{
    arrival::{self, Destination},
    building::StagingDirs,
    clock::Stopwatch,
    console::{Console, lines},
    error::{RestoreError, TargetError},
    examined::Examined,
    image::Image,
    interrupt::Interrupt,
    old_directory,
    peers::Survey,
    plan::RestorePlan,
    preview::Preview,
    report::{Report, Times},
    running_etcd::{self, ExistingEntry, Ports},
    source::{self, Context, Found},
    space,
    staging::{self, CommitMarker, MEMBER},
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
    let survey = ask_members(plan, &around)?;
    let found = source::find(&plan.source, &around)?;
    let done = if plan.dry_run {
        rehearse(plan, &found, survey, &around)
    } else {
        restore(plan, &found, survey, &around, total)
    };
    done.map_err(|error| error.naming(&found.place, found.next_older.as_deref()))
}

fn restore(
    plan: &RestorePlan,
    found: &Found,
    survey: Survey,
    around: &Context<'_>,
    total: Stopwatch,
) -> Result<Done, RestoreError> {
    let console = around.console;
    let dirs = StagingDirs::begin(plan)?;
    space::require(&plan.data_dir, found.bytes)?;
    console.line(lines::restoring_from(&found.shown));

    let path = dirs.snap_dir.join("db");
    let file = staging::create_file(&path)?;
    let (mut image, taken, fetch, behind) = fetch_into(file, &path, plan, found, around)?;
    console.line(lines::fetched_in(fetch));
    let checking = Stopwatch::start();
    let checked = image.check()?;
    let check = checking.elapsed();
    let examined = Examined::new(plan, found, taken, checked, survey, around)?;

    let building = Stopwatch::start();
    behind.finish()?;
    let cluster = &examined.cluster;
    image.edit(&cluster.membership, plan.options, examined.raised_revision)?;
    image.read_back(&cluster.membership)?;
    dirs.write_logs(cluster)?;
    around.interrupt.check()?;
    // An etcd may have been started in the meantime.
    running_etcd::refuse_member(&plan.data_dir)?;
    let markers = dirs.place(plan)?;
    let report = Report {
        place: found.place.clone(),
        stored_bytes: found.bytes,
        examined,
        full_only: plan.full_only,
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

/// Fetches and checks the snapshot as a restore does, into a file without a name on the target's file system.
fn rehearse(
    plan: &RestorePlan,
    found: &Found,
    survey: Survey,
    around: &Context<'_>,
) -> Result<Done, RestoreError> {
    let folder = space::nearest_existing(&plan.data_dir);
    space::require(folder, found.bytes)?;
    let file = Scratch::in_folder(folder)
        .file()
        .map_err(|error| TargetError::io("creating a temporary file in", folder, error.source))?;
    let (image, taken, _, behind) = fetch_into(file, folder, plan, found, around)?;
    let checked = image.check()?;
    behind.finish()?;
    let examined = Examined::new(plan, found, taken, checked, survey, around)?;
    let preview = Preview::new(plan, found, examined, around.console.warnings());
    Ok(Done::Previewed(Box::new(preview)))
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
        for warning in old_directory::warnings(dir, plan.owner) {
            around.console.warn(warning);
        }
    }
    let own_urls: Vec<String> = plan.cluster.own_urls().collect();
    let ports = Ports::of(&own_urls, &plan.data_dir);
    let seen = around.runtime.block_on(ports.look());
    for warning in seen.warnings {
        around.console.warn(warning);
    }
    match seen.refusal {
        Some(answers @ TargetError::EtcdAnswers { .. }) if plan.tells_only() => {
            around.console.warn(answers.to_string());
        }
        Some(refusal) => return Err(refusal.into()),
        None => {}
    }
    around.interrupt.check()?;
    Ok(())
}

/// Asks the members in `--initial-cluster`, before the snapshot is fetched.
fn ask_members(plan: &RestorePlan, around: &Context<'_>) -> Result<Survey, RestoreError> {
    let survey = around.runtime.block_on(async {
        let mut survey = Survey::begin(plan.cluster.own_urls()).await;
        survey.ask(plan.cluster.all_urls()).await;
        survey
    });
    if !plan.tells_only() {
        survey.refuse_foreign(plan.cluster.alike())?;
    }
    around.interrupt.check()?;
    Ok(survey)
}

/// Fetches the snapshot into `file`, which is at `path`, or has no name in the folder `path`.
fn fetch_into(
    file: File,
    path: &Path,
    plan: &RestorePlan,
    found: &Found,
    around: &Context<'_>,
) -> Result<(Image, Taken, Duration, WriteBehind), RestoreError> {
    let fetching = Stopwatch::start();
    let behind = WriteBehind::start(&file, path)?;
    let progress = around.console.progress(found.bytes);
    let into = Destination {
        file: &file,
        path,
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
    let image = Image::new(
        file,
        path.to_owned(),
        taken.db_len,
        around.interrupt.clone(),
    )?;
    Ok((image, taken, fetching.elapsed(), behind))
}

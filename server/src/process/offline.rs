//! Commands on the store of a stopped server: `doctor` and `gc --dry-run`. They change nothing.

use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use serde::Serialize;

use crate::clock::{Clock, SystemClock};
use crate::config::{self, Environment, OfflineFlags};
use crate::doctor::{self, Report};
use crate::gc::{self, CollectorSettings, Plan};
use crate::packs::writers;
use crate::process::run::refuse;
use crate::process::{Exit, StartError};
use crate::store::StoreError;
use crate::store::meta::{DryRunMeta, Meta};
use crate::store::open::read_only::ReadOnlyStore;
use crate::tables::upgrade::{NO_PROCESS, upgrade};

/// Checks a store and prints its problems.
pub(super) fn doctor(flags: &OfflineFlags, environment: &Environment) -> Exit {
    let dir = match config::data_dir(flags, environment) {
        Ok(dir) => dir,
        Err(error) => return refuse(&error.into()),
    };
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let report = match ReadOnlyStore::open(&dir, &clock) {
        Ok(view) => match &view.meta {
            Ok(meta) => {
                // Rows that cannot be upgraded are checked as they are: the report names their problems.
                let rows = upgraded(meta, &clock).unwrap_or_else(|_| Arc::clone(meta));
                doctor::examine(&*rows, &*view.packs)
            }
            Err(error) => doctor::examine_packs(error, &*view.packs),
        },
        Err(error) => return cannot_open(&dir, error),
    };
    let exit = if report.findings_total == 0 {
        Exit::Ok
    } else {
        Exit::Integrity
    };
    print(flags, &report, |out| print_report(out, &dir, &report), exit)
}

/// Prints what a collection would free.
pub(super) fn gc_dry_run(flags: &OfflineFlags, environment: &Environment) -> Exit {
    let asked = config::data_dir(flags, environment)
        .and_then(|dir| Ok((dir, config::gc_times(environment)?)));
    let (dir, times) = match asked {
        Ok(asked) => asked,
        Err(error) => return refuse(&error.into()),
    };
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let settings = CollectorSettings {
        grace: times.grace,
        quarantine: times.quarantine,
    };
    let planned = ReadOnlyStore::open(&dir, &clock).and_then(|view| {
        let meta = upgraded(&view.meta?, &clock)?;
        // As the start does.
        writers::end_crashed_writers(&*meta, &*view.packs, clock.now())?;
        gc::forecast(&meta, view.packs, settings, clock)
    });
    match planned {
        Ok(plan) => print(flags, &plan, |out| print_plan(out, &plan), Exit::Ok),
        Err(error) => cannot_open(&dir, error),
    }
}

/// The rows as they would be after a start of this version. The upgrade happens in memory.
fn upgraded(meta: &Arc<dyn Meta>, clock: &Arc<dyn Clock>) -> Result<Arc<dyn Meta>, StoreError> {
    let rows: Arc<dyn Meta> = Arc::new(DryRunMeta::over(Arc::clone(meta)));
    upgrade(&*rows, NO_PROCESS, clock.now())?;
    Ok(rows)
}

fn cannot_open(dir: &Path, source: StoreError) -> Exit {
    refuse(&StartError::Store {
        data_dir: dir.display().to_string(),
        source,
    })
}

fn print<T: Serialize>(
    flags: &OfflineFlags,
    data: &T,
    text: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    exit: Exit,
) -> Exit {
    let mut out = io::stdout().lock();
    let printed = if flags.json {
        let json = serde_json::to_string_pretty(data).expect("plain data always encodes");
        writeln!(out, "{json}")
    } else {
        text(&mut out)
    };
    // A reader may close the pipe early. Any other print failure must not look like a healthy store.
    match printed {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Exit::Failed,
        _ => exit,
    }
}

fn print_report(out: &mut dyn Write, dir: &Path, report: &Report) -> io::Result<()> {
    for finding in &report.findings {
        writeln!(out, "finding: {}", finding.what)?;
        if let Some(pack) = &finding.pack {
            let offset = finding.offset.map(|offset| format!(", offset {offset}"));
            writeln!(out, "  pack: {pack}{}", offset.unwrap_or_default())?;
        }
        for object in &finding.objects {
            writeln!(out, "  object: {object}")?;
        }
        writeln!(out, "  next: {}", finding.next)?;
    }
    let shown = u64::try_from(report.findings.len()).unwrap_or(u64::MAX);
    if report.findings_total > shown {
        writeln!(out, "and {} more", report.findings_total - shown)?;
    }
    for body in &report.unnamed {
        writeln!(
            out,
            "unnamed: {}, {} bytes of {}\n  pack: {}, offset {}",
            body.object, body.bytes, body.time, body.pack, body.offset
        )?;
    }
    let shown = u64::try_from(report.unnamed.len()).unwrap_or(u64::MAX);
    if report.unnamed_total > shown {
        writeln!(out, "and {} more unnamed", report.unnamed_total - shown)?;
    }
    if report.unnamed_total > 0 {
        writeln!(out, "{UNNAMED_NEXT}")?;
    }
    let census = &report.census;
    writeln!(
        out,
        "{}: {} findings; {} rows, {} objects, {} open uploads, {} manifests, {} stored bytes verified, {} pack files \
         ({} without a row, {} marked)",
        dir.display(),
        report.findings_total,
        census.rows,
        census.objects,
        census.uploads,
        census.manifests,
        census.bytes,
        census.packs,
        census.orphans,
        census.marked,
    )
}

/// The advice about bodies that no row names.
const UNNAMED_NEXT: &str = "\
  After a crash these are uploads that were never acknowledged: nothing to do, they leave after the time of quarantine.
  next: if the metadata was put back from a copy, they may be newer objects: put the newer metadata back before that time";

fn print_plan(out: &mut dyn Write, plan: &Plan) -> io::Result<()> {
    writeln!(
        out,
        "uploads to give up: {}; uploads whose parts leave: {}; manifests to free: {}; old answers: {}",
        plan.expired_uploads, plan.uploads, plan.manifests, plan.answers
    )?;
    for (what, packs) in [
        ("to mark for deletion", &plan.marked),
        ("without a row, to mark for deletion", &plan.orphans),
        ("with unnamed bodies, in quarantine", &plan.quarantined),
        ("to remove", &plan.removed),
    ] {
        for (pack, bytes) in packs {
            writeln!(out, "pack {pack}: {what}, {bytes} bytes")?;
        }
    }
    writeln!(
        out,
        "marked packs in their grace: {}; bytes that come free: {}",
        plan.waiting, plan.bytes
    )
}

//! One run of the collection: its steps, in the order in which they feed each other.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use crate::clock::{Clock, UnixMillis};
use crate::gc::walk::Walk;
use crate::gc::{dead, expiry, files};
use crate::packs::Pins;
use crate::store::meta::Meta;
use crate::store::packs::Packs;
use crate::store::{Epoch, StoreError};

/// The operator's settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CollectorSettings {
    /// How long the file of a marked pack stays.
    pub grace: Duration,
    /// How long a pack with bodies that no row names stays.
    pub quarantine: Duration,
}

/// Collects garbage of one store.
pub struct Collector {
    /// Rows.
    pub meta: Arc<dyn Meta>,
    /// Files.
    pub packs: Arc<dyn Packs>,
    /// Packs being read.
    pub pins: Arc<Pins>,
    /// Ages.
    pub clock: Arc<dyn Clock>,
    /// This process's epoch.
    pub epoch: Epoch,
    /// The operator's settings.
    pub settings: CollectorSettings,
}

/// The progress of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GcProgress {
    /// The current step.
    pub step: &'static str,
    /// Rows or files that this step has checked.
    pub seen: u64,
}

/// The result of one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct GcReport {
    /// Uploads aborted because of their age.
    pub expired_uploads: u64,
    /// Uploads whose parts were removed.
    pub uploads: u64,
    /// Manifests freed.
    pub manifests: u64,
    /// Answers of Complete removed.
    pub answers: u64,
    /// Packs marked.
    pub marked: u64,
    /// Pack files without a row marked.
    pub orphans: u64,
    /// Pack files without a row put into quarantine.
    pub quarantined: u64,
    /// Marked packs whose file and row are gone.
    pub removed: u64,
    /// Rows and files that could not be read or processed; the log names each.
    pub skipped: u64,
}

/// A run in progress.
pub(super) struct GcRun<'a> {
    pub(super) meta: &'a dyn Meta,
    pub(super) packs: &'a dyn Packs,
    pub(super) pins: &'a Pins,
    pub(super) epoch: Epoch,
    pub(super) settings: CollectorSettings,
    /// Its start time.
    pub(super) now: UnixMillis,
    /// Called for each page; returns whether to continue.
    pub(super) go_on: &'a dyn Fn(GcProgress) -> bool,
}

impl<'a> GcRun<'a> {
    /// Begins a step.
    pub(super) fn walk(&'a self, step: &'static str) -> Walk<'a> {
        Walk::new(self, step)
    }
}

impl Collector {
    /// Does one run. Blocks.
    ///
    /// # Errors
    /// As [`Collector::run_while`].
    pub fn run(&self) -> Result<GcReport, StoreError> {
        self.run_while(&|_| true)
    }

    /// Does one run, as long as `go_on` returns true. `go_on` is called for each page; the next run does the rest.
    /// Blocks.
    ///
    /// # Errors
    /// When the store no longer accepts writes. Completed work stays done.
    pub fn run_while(&self, go_on: &dyn Fn(GcProgress) -> bool) -> Result<GcReport, StoreError> {
        let run = GcRun {
            meta: &*self.meta,
            packs: &*self.packs,
            pins: &self.pins,
            epoch: self.epoch,
            settings: self.settings,
            now: self.clock.now(),
            go_on,
        };
        let mut skipped = 0;
        let mut done = |walked: crate::gc::walk::Walked| {
            skipped += walked.skipped;
            walked.done
        };
        // ORDER: each step processes the results of the previous one.
        let mut report = GcReport {
            expired_uploads: done(expiry::uploads(&run)?),
            uploads: done(dead::uploads(&run)?),
            manifests: done(dead::manifests(&run)?),
            answers: done(expiry::answers(&run)?),
            ..GcReport::default()
        };
        done(files::end_quarantine(&run)?);
        report.marked = done(files::mark_unused(&run)?);
        let orphans = files::mark_orphans(&run)?;
        report.orphans = done(orphans.marked);
        report.quarantined = orphans.quarantined;
        report.removed = done(files::sweep_marked(&run)?);
        report.skipped = skipped;
        Ok(report)
    }
}

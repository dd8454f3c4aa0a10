//! Where the snapshot's bytes come from: a file, or the newest full snapshot of a store.
//!
//! Finding and fetching are apart, so that space is checked between them. Both kinds push pieces of at most 1 MiB into an
//! [`Intake`]; nothing is kept. It decides nothing about what the bytes mean.

mod file;
mod store;

use crate::{
    chain::NewerDeltas, console::Console, error::RestoreError, intake::Intake,
    interrupt::Interrupt, plan::SourcePlan,
};

/// What the sources need from the program.
pub(crate) struct Surroundings<'a> {
    pub(crate) console: &'a Console,
    pub(crate) interrupt: &'a Interrupt,
    pub(crate) runtime: &'a tokio::runtime::Handle,
}

/// A snapshot that exists.
pub(crate) struct Found {
    /// As log lines and the summary name it.
    pub(crate) shown: String,
    /// Full place: a path or an `s3://` address.
    pub(crate) place: String,
    /// Bytes to fetch.
    pub(crate) bytes: u64,
    /// Deltas that the restore leaves out.
    pub(crate) newer_deltas: Option<NewerDeltas>,
    origin: Origin,
}

enum Origin {
    File(file::SnapshotFile),
    Store(store::SnapshotObject),
}

/// Finds the snapshot and says what it leaves behind.
pub(crate) fn find(plan: &SourcePlan, around: &Surroundings<'_>) -> Result<Found, RestoreError> {
    match plan {
        SourcePlan::File(path) => file::find(path),
        SourcePlan::Store { config, place } => {
            around.runtime.block_on(store::find(config, place, around))
        }
    }
}

impl Found {
    /// Streams it into the intake.
    pub(crate) fn fetch(
        &mut self,
        intake: &mut Intake,
        around: &Surroundings<'_>,
    ) -> Result<(), RestoreError> {
        let progress = around.console.progress(self.bytes);
        let fetched = match &mut self.origin {
            Origin::File(file) => file.fetch(intake, &progress),
            Origin::Store(object) => around
                .runtime
                .block_on(object.fetch(intake, around, &progress)),
        };
        progress.finish_and_clear();
        fetched
    }
}

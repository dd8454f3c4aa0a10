//! The source of the snapshot: a file, a named object of a store, or the newest full snapshot of a store.
//!
//! Finding and opening are separate steps, so that space is checked between them. Both kinds open as one sequential reader; its
//! errors are wrapped with [`crate::arrival::wrap_source_error`]. Must not know what the bytes mean.

mod download;
mod file;
mod prefixes;
mod store;

pub(crate) use prefixes::Prefixes;

use std::{io::BufRead, sync::Arc};

use indicatif::ProgressBar;

use crate::{
    chain::NewerDeltas, console::Console, error::RestoreError, interrupt::Interrupt,
    plan::SourcePlan,
};

/// Parts of the program that sources use.
pub(crate) struct Context<'a> {
    pub(crate) console: &'a Arc<Console>,
    pub(crate) interrupt: &'a Interrupt,
    pub(crate) runtime: &'a tokio::runtime::Handle,
}

/// A snapshot that was found.
pub(crate) struct Found {
    /// Its name in log lines and in the summary.
    pub(crate) shown: String,
    /// Its location: a path or an `s3://` address.
    pub(crate) place: String,
    /// Bytes to fetch.
    pub(crate) bytes: u64,
    /// Deltas that the restore does not apply.
    pub(crate) newer_deltas: Option<NewerDeltas>,
    /// The address of the next older full snapshot, for the case that this one is damaged.
    pub(crate) next_older: Option<String>,
    origin: Origin,
}

enum Origin {
    File(file::SnapshotFile),
    Store(store::SnapshotObject),
}

/// Finds the snapshot, and the deltas after it.
pub(crate) fn find(plan: &SourcePlan, around: &Context<'_>) -> Result<Found, RestoreError> {
    match plan {
        SourcePlan::File(path) => file::find(path),
        SourcePlan::Object { config, object } => around
            .runtime
            .block_on(store::named(config, object, around)),
        SourcePlan::Store { config, place } => {
            around.runtime.block_on(store::find(config, place, around))
        }
    }
}

impl Found {
    /// Opens it for one read from the start.
    pub(crate) fn open(
        &self,
        around: &Context<'_>,
        progress: ProgressBar,
    ) -> Result<Box<dyn BufRead>, RestoreError> {
        Ok(match &self.origin {
            Origin::File(file) => Box::new(file.open(progress)?),
            Origin::Store(object) => Box::new(object.open(around, progress)),
        })
    }
}
